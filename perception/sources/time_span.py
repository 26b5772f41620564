"""A part of a recording, by the time since its first instant."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Instant = TypeVar("Instant")


@dataclass(frozen=True)
class TimeSpan:
    """From ``start_s`` on and before ``end_s``, in seconds after the first instant."""

    start_s: float = 0.0
    end_s: float = math.inf

    @property
    def is_whole(self) -> bool:
        """Whether nothing is cut off."""
        return self.start_s == 0 and self.end_s == math.inf

    def numbered(
        self,
        instants: Iterable[Instant],
        *,
        stride: int,
        time_ns: Callable[[Instant], int],
        skipped: int = 0,
        first_ns: int | None = None,
    ) -> Iterator[tuple[int, Instant]]:
        """Every ``stride``-th of the ``instants`` in the span, with its number among all; the first in it counts.

        So many as ``skipped`` lie before ``instants``, and the first of all is at ``first_ns``.
        """
        passed = 0
        for number, instant in enumerate(instants, skipped):
            if self.is_whole:
                if number % stride == 0:
                    yield number, instant
                continue
            now_ns = time_ns(instant)
            first_ns = now_ns if first_ns is None else first_ns
            since_s = (now_ns - first_ns) / 1e9
            if since_s >= self.end_s:
                return
            if since_s >= self.start_s:
                if passed % stride == 0:
                    yield number, instant
                passed += 1

    def first(self, times_ns: NDArray[np.int64]) -> int:
        """The number of the first of the instants at ``times_ns`` (N,), in order, that is in the span; N without."""
        return int(np.searchsorted((times_ns - times_ns[:1]) / 1e9, self.start_s))

    def count(self, times_ns: NDArray[np.int64]) -> int:
        """How many of the instants at ``times_ns`` (N,), in order, are in the span."""
        since_s = (times_ns - times_ns[:1]) / 1e9
        return int(((since_s >= self.start_s) & (since_s < self.end_s)).sum())
