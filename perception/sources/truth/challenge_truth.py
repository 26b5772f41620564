"""The truth by the names that public challenges have for objects and instants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from perception.arrays import FloatArray, IntArray, StructOfArrays

TargetKind = Literal["focal", "scored", "unscored", ""]
"""What a challenge thinks of an object; empty where it makes no difference."""


@dataclass(frozen=True)
class WantedFutures:
    """N objects at a time each: ``scenes`` (N,) tokens of samples or ids of scenarios, ``objects`` (N,) their names.

    ``where`` begins an error on one of them: it names file and entry. ``steps`` positions ``dt_s`` apart are wanted.
    """

    scenes: NDArray[np.str_]
    objects: NDArray[np.str_]
    where: Sequence[str]
    steps: int
    dt_s: float


@dataclass(frozen=True, kw_only=True)
class TrueFutures(StructOfArrays):
    """Of N wanted objects where they were and went, in the world of the data set.

    ``is_known`` (N,): the truth has that scene; what follows means nothing otherwise. ``positions_m`` (N, 2) and
    ``velocities_mps`` (N, 2) at the time of the forecast; ``futures_m`` (N, T, 2), NaN where not all of it is known.
    ``labels`` (N,) index ``CLASSES``, -1 for others; ``kinds`` (N,) as ``TargetKind``; ``recordings`` (N,) names.
    """

    is_known: NDArray[np.bool_]
    positions_m: FloatArray
    velocities_mps: FloatArray
    futures_m: FloatArray
    labels: IntArray
    kinds: NDArray[np.str_]
    recordings: NDArray[np.str_]

    @classmethod
    def unknown(cls, wanted: WantedFutures) -> TrueFutures:
        """Nothing is known of any of them yet; rows are filled in by whoever makes it."""
        count = len(wanted.scenes)
        return cls(
            is_known=np.zeros(count, bool),
            positions_m=np.zeros((count, 2)),
            velocities_mps=np.zeros((count, 2)),
            futures_m=np.full((count, wanted.steps, 2), np.nan),
            labels=np.full(count, -1, np.int64),
            kinds=np.full(count, "", "U8"),
            recordings=np.full(count, "", "U64"),
        )

    @property
    def is_whole(self) -> NDArray[np.bool_]:
        """(N,): all of the future is known."""
        return np.asarray(np.isfinite(self.futures_m).all(axis=(1, 2)), np.bool_)

    def with_known_of(self, other: TrueFutures) -> TrueFutures:
        """The same wanted objects, with those rows of ``other`` that it knows."""
        columns = {}
        for column in fields(self):
            mine, theirs = getattr(self, column.name), getattr(other, column.name)
            chosen = other.is_known.reshape(-1, *[1] * (mine.ndim - 1))
            columns[column.name] = np.where(chosen, theirs, mine)
        return TrueFutures(**columns)


@dataclass(frozen=True)
class SampleTimes:
    """The tokens of the instants of a recording, with their times as its source has them.

    ``known`` are those of all recordings of the data set. ``data_from_world`` (4, 4) leads from the world of the
    source to that of the data set. ``instances`` are the tokens of true objects by their ids in the source.
    """

    times_ns: Mapping[str, int]
    known: frozenset[str]
    data_from_world: FloatArray
    instances: Mapping[int, str]
