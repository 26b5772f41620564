"""What a file for a public forecasting challenge holds: several paths of each object, with their probabilities."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from perception.arrays import FloatArray, IntArray, StructOfArrays
from perception.errors import UsageError

Protocol = Literal["nuscenes", "argoverse"]
"""Whose figures are meant; each has its own times, numbers of paths and misses."""

SUM_TOLERANCE = 1e-3
"""Of probabilities that a program wrote as float32, or with four decimals."""


@dataclass(frozen=True, kw_only=True)
class Submission(StructOfArrays):
    """The paths of N objects, K of each, at T times ``dt_s`` apart, in the world of the data set.

    ``scenes`` (N,) are tokens of samples or ids of scenarios, ``objects`` (N,) tokens of instances or ids of tracks.
    ``probabilities`` (N, K), ``positions_m`` (N, K, T, 2). Of an object with ``mode_counts`` (N,) paths, fewer than K,
    the others have the probability 0 and are infinitely far. ``notes`` are sentences on the file.
    """

    scenes: NDArray[np.str_]
    objects: NDArray[np.str_]
    mode_counts: IntArray
    probabilities: FloatArray
    positions_m: FloatArray
    dt_s: float
    protocol: Protocol
    notes: tuple[str, ...] = ()


def padded(
    modes: IntArray, ranks: IntArray, probabilities: FloatArray, positions_m: FloatArray, counts: IntArray
) -> tuple[FloatArray, FloatArray]:
    """(N, K) and (N, K, T, 2) from M paths: object ``modes`` (M,), place among its paths ``ranks`` (M,)."""
    size = (len(counts), int(counts.max(initial=1)))
    of_all = np.zeros(size), np.full((*size, *positions_m.shape[1:]), np.inf)
    of_all[0][modes, ranks] = probabilities
    of_all[1][modes, ranks] = positions_m
    return of_all


def check_submission(found: Submission, where: Callable[[int], str], *, must_sum_to_one: bool) -> None:
    """Raise ``UsageError``, which begins with ``where`` of the first object that is wrong."""
    keys = np.stack([found.scenes, found.objects], axis=1) if len(found) else np.zeros((0, 2), "U1")
    repeated = np.ones(len(found), bool)
    repeated[np.unique(keys, axis=0, return_index=True)[1] if len(found) else []] = False
    sums = found.probabilities.sum(axis=1)
    is_outside = ((found.probabilities < 0) | (found.probabilities > 1)).any(axis=1)
    least = 1 - SUM_TOLERANCE if must_sum_to_one else 0.0
    for is_wrong, fault in (
        (repeated, "is of an object and a time that occur twice; leave one of them out"),
        (is_outside, "has a probability outside 0 to 1; correct it"),
        ((sums > 1 + SUM_TOLERANCE) | (sums < least), "has probabilities that do not sum to 1; divide them by the sum"),
    ):
        if is_wrong.any():
            raise UsageError(f"{where(int(np.argmax(is_wrong)))} {fault}.")


def sum_notes(path: object, found: Submission) -> tuple[str, ...]:
    """A sentence where probabilities sum to less than 1, as those of the most probable of many paths do."""
    few = int((found.probabilities.sum(axis=1) < 1 - SUM_TOLERANCE).sum())
    return (f"{path}: the probabilities of {few:,} of {len(found):,} forecasts sum to less than 1.",) if few else ()


def text_array(values: Sequence[str]) -> NDArray[np.str_]:
    """(N,) also without any value."""
    return np.array(values, np.str_) if len(values) else np.zeros(0, "U1")
