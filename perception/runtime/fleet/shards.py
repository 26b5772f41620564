"""Which part of many recordings one of several jobs takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

Item = TypeVar("Item")


@dataclass(frozen=True)
class Shard:
    """Part ``number`` of ``count``, from 1."""

    number: int = 1
    count: int = 1

    @classmethod
    def parse(cls, text: str | None) -> Shard:
        """ "2/4", as a configuration has it -> the second of four; everything for None."""
        number, _, count = (text or "1/1").partition("/")
        return cls(int(number), int(count))

    @property
    def is_part(self) -> bool:
        """Whether others take something, too."""
        return self.count > 1

    def of(self, items: Sequence[Item]) -> list[Item]:
        """Every ``count``-th: neighbours, which are often alike in length, go to different parts."""
        return list(items[self.number - 1 :: self.count])
