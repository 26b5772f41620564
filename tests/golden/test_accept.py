"""New values are kept with their reason; without one, or where nothing moved, nothing is written."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import pytest
from golden.accept import NO_REASON, UNCHANGED, accept, main
from golden.values import Plain, read_values, write_values

API = "def open_it(path: Path) -> None\n"


def small_values() -> Plain:
    one = {
        "frame": "image",
        "conf": 0.1,
        "metrics": {"HOTA of vehicles": 0.6},
        "counts": {0: {"front": [2, 0]}},
        "ids": {0: [1]},
        "detections": {0: []},
        "tracks": {0: []},
    }
    tolerances = read_values()["tolerances"]
    return {"tolerances": tolerances, "history": [], "inputs": {"clip": one, "drive": deepcopy(one)}}


@pytest.fixture
def kept(tmp_path: Path) -> tuple[Path, Path]:
    write_values(small_values(), tmp_path / "values.yaml")
    (tmp_path / "api.txt").write_text(API)
    return tmp_path / "values.yaml", tmp_path / "api.txt"


@pytest.fixture
def accepted(kept: tuple[Path, Path]) -> Callable[..., str]:
    def run(reason: str, now: Plain, api: str = API) -> str:
        return accept(reason, inputs=now["inputs"], api=api, values_file=kept[0], api_file=kept[1])

    return run


def test_without_a_reason_one_sentence_says_what_to_do(
    accepted: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ValueError, match="Say why"):
        accepted(" ", small_values())
    assert main([""]) == 2
    assert capsys.readouterr().err == f"{NO_REASON}\n"


def test_where_nothing_moved_nothing_is_written(accepted: Callable[..., str], kept: tuple[Path, Path]) -> None:
    before = kept[0].read_bytes()
    now = small_values()
    now["inputs"]["clip"]["metrics"]["HOTA of vehicles"] += 0.0015
    assert accepted("None at all", now) == UNCHANGED
    assert kept[0].read_bytes() == before


def test_what_moved_is_kept_with_its_reason_and_the_rest_stays(
    accepted: Callable[..., str], kept: tuple[Path, Path]
) -> None:
    now = small_values()
    now["inputs"]["clip"]["counts"][0]["front"] = [3, 0]
    now["inputs"]["drive"]["metrics"]["HOTA of vehicles"] += 0.0015
    said = accepted("A third car", now)
    values = read_values(kept[0])
    assert "detection count" in said and said.endswith("Accepted: clip.")
    assert values["inputs"]["clip"] == now["inputs"]["clip"]
    assert values["inputs"]["drive"] == small_values()["inputs"]["drive"], "within its tolerance it stays what it was"
    (entry,) = values["history"]
    assert (entry["reason"], entry["changed"]) == ("A third car", ["clip"])
    accepted("And gone", small_values())
    assert [entry["reason"] for entry in read_values(kept[0])["history"]] == ["A third car", "And gone"]


def test_a_changed_api_is_kept_too(accepted: Callable[..., str], kept: tuple[Path, Path]) -> None:
    api = "def open_it(path: Path, *, strict: bool = True) -> None\n"
    assert "changed: def open_it(path: Path) -> None  ->  def open_it" in accepted("An option", small_values(), api)
    assert kept[1].read_text() == api
    assert read_values(kept[0])["history"][0]["changed"] == ["public API"]
