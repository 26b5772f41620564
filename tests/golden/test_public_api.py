"""What ``perception`` exports is what it was; every kind of change to it is seen."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from golden.project import public_names
from golden.public_api import API_FILE, api_difference, described
from pydantic import BaseModel


def test_the_public_api_is_the_golden_one() -> None:
    differing = api_difference(API_FILE.read_text(encoding="utf-8"), described(public_names()))
    if differing:
        said = "\n".join(differing)
        pytest.fail(f'The public API is another one:\n{said}\nWhere this is meant: make golden REASON="..."')


@dataclass(frozen=True)
class Base:
    width_px: int


@dataclass(frozen=True)
class Box(Base):
    height_px: int = 2

    @property
    def area_px(self) -> int:
        return self.width_px * self.height_px

    @classmethod
    def square(cls, side_px: int) -> Box:
        return cls(side_px, side_px)

    def _hidden(self) -> None: ...

    def grown(self, by: float, *, most: float | None = None) -> Box: ...  # type: ignore[empty-body]


class Settings(BaseModel):
    share: float = 0.5
    names: list[str] = []


class DemoError(Exception):
    code = 3


def opened(*paths: str, strict: bool = False, **options: int) -> Box: ...  # type: ignore[empty-body]


TEXT = """\
class Box(Base)
    width_px: int
    height_px: int = 2
    property area_px -> int
    def grown(self, by: float, *, most: float | None = None) -> Box
    classmethod square(cls, side_px: int) -> Box

class DemoError(Exception)
    code = 3

class Settings(BaseModel)
    share: float = 0.5
    names: list[str] = []

def opened(*paths: str, strict: bool = False, **options: int) -> Box
"""


def test_fields_methods_and_signatures_are_described() -> None:
    names = {"opened": opened, "Settings": Settings, "Box": Box, "DemoError": DemoError}
    assert described(names) == TEXT


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("    height_px: int = 2\n", "", ["removed: Box: height_px: int = 2"]),
        ("    code = 3\n", "    code = 3\n    hint = 4\n", ["added: DemoError: hint = 4"]),
        ("    code = 3\n", "    code = 4\n", ["changed: DemoError: code = 3  ->  DemoError: code = 4"]),
        (
            "property area_px -> int",
            "property area_px -> float",
            ["changed: Box: property area_px -> int  ->  Box: property area_px -> float"],
        ),
        (
            "    share: float = 0.5\n    names: list[str] = []\n",
            "    names: list[str] = []\n    share: float = 0.5\n",
            ["order: Settings.share", "order: Settings.names"],
        ),
    ],
)
def test_what_differs_is_named(old: str, new: str, expected: list[str]) -> None:
    assert old in TEXT
    assert api_difference(TEXT, TEXT.replace(old, new)) == expected
    assert api_difference(TEXT, TEXT) == []
