"""Errors and coverage at many times ahead, added up instant by instant: the curves beside the tables of horizons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from perception.arrays import FloatArray
from perception.evaluation.core.records import ErrorAtTime, WorstForecast

MOST_TIMES = 10
"""At about so many times of the forecasts a curve has a point; the horizons are among them."""

MOST_WORST = 6
"""So many of the worst forecasts are named."""

_SHARES = (0.5, 0.9)
_SMALLEST_STD = 1e-9

Float64 = NDArray[np.float64]


class ErrorsOverTime:
    """The sums of what targets miss at ``times_s`` (E,) by ``methods``, of which the last is the best of the modes.

    ``horizons`` index the times that must have a point.
    """

    def __init__(self, times_s: Float64, methods: Sequence[str], horizons: NDArray[np.int64]) -> None:
        even = np.rint(np.linspace(0, len(times_s) - 1, min(MOST_TIMES, len(times_s)))).astype(np.int64)
        self._at = np.unique(np.concatenate([even, horizons]))
        self._times_s, self._methods = times_s, tuple(methods)
        self._counts = np.zeros(len(self._at), np.int64)
        self._errors = np.zeros((len(self._at), len(methods)))
        self._inside = np.zeros((len(self._at), len(_SHARES)))

    def add(
        self, *, lone: Float64, modes: Float64, stds: FloatArray, probabilities: FloatArray, future: Float64
    ) -> None:
        """N more targets: paths ``lone`` (N, L, E, 2) and ``modes`` (N, K, E, 2) beside the ``future`` (N, E, 2).

        ``stds`` (N, K, E, 2) and ``probabilities`` (N, K) are those of the modes. As for the horizons, a target counts
        at a time where its future is known at every time up to it.
        """
        is_known = ~np.logical_or.accumulate(np.isnan(future).any(axis=2), axis=1)[:, self._at]
        away = np.concatenate([lone, modes], axis=1)[:, :, self._at] - future[:, None, self._at]
        distances = np.linalg.norm(away, axis=-1)
        count = lone.shape[1]
        errors = np.concatenate([distances[:, :count], distances[:, count:].min(axis=1, keepdims=True)], axis=1)
        self._counts += is_known.sum(axis=0)
        self._errors += np.where(is_known[:, None], errors, 0.0).sum(axis=0).T
        spread = stds[:, :, self._at]
        quantiles = np.einsum("nk,nkea->nea", probabilities, ndtr(-away[:, count:] / np.maximum(spread, _SMALLEST_STD)))
        quantiles[~(spread > 0).any(axis=1)] = np.nan
        from_middle = np.abs(quantiles - 0.5)
        for index, share in enumerate(_SHARES):
            # A forecast without a spread makes the sum NaN: a share over the others would flatter.
            is_inside = np.where(np.isnan(from_middle), np.nan, from_middle <= share / 2 + 1e-12).mean(axis=2)
            self._inside[:, index] += np.where(is_known, is_inside, 0.0).sum(axis=0)

    def sums(self) -> OverTimeSums:
        """What was added."""
        times_s = tuple(round(float(time_s), 6) for time_s in self._times_s[self._at])
        return OverTimeSums(times_s, self._methods, self._counts, self._errors, self._inside)


@dataclass(frozen=True)
class OverTimeSums:
    """At ``times_s`` (E,): how many targets there are, the sums of their errors by ``methods`` (E, M), and of the
    shares of axes inside the central 50 % and 90 % (E, 2)."""

    times_s: tuple[float, ...]
    methods: tuple[str, ...]
    counts: NDArray[np.int64]
    errors: Float64
    inside: Float64


def points_over_time(parts: Sequence[OverTimeSums]) -> tuple[ErrorAtTime, ...]:
    """One point for each time that has a target; ``parts`` are of the same times and methods."""
    first = parts[0]
    counts, errors, inside = (
        np.sum([getattr(part, name) for part in parts], axis=0) for name in ("counts", "errors", "inside")
    )
    return tuple(
        ErrorAtTime(
            time_s=time_s,
            target_count=count,
            errors={
                name: total / count for name, total in zip(first.methods, totals, strict=True) if np.isfinite(total)
            },
            coverage_50=_share(shares[0], count),
            coverage_90=_share(shares[1], count),
        )
        for time_s, count, totals, shares in zip(
            first.times_s, counts.tolist(), errors.tolist(), inside.tolist(), strict=True
        )
        if count
    )


def _share(inside: float, count: int) -> float | None:
    return inside / count if np.isfinite(inside) else None


def worst_forecasts(
    errors: Float64,
    *,
    horizons_s: Sequence[float],
    objects: NDArray[np.int64],
    instants: NDArray[np.int64],
    track_ids: NDArray[np.int64],
) -> tuple[WorstForecast, ...]:
    """The largest of ``errors`` (N, H) at the longest horizon that has a target, at most one of each object."""
    reached = np.flatnonzero((~np.isnan(errors)).any(axis=0))
    if not len(reached):
        return ()
    last = int(reached[-1])
    order = np.argsort(-np.nan_to_num(errors[:, last], nan=-1.0), kind="stable")
    firsts = np.sort(np.unique(objects[order], return_index=True)[1])[:MOST_WORST]
    rows = [row for row in order[firsts] if not np.isnan(errors[row, last])]
    return tuple(
        WorstForecast(int(instants[row]), int(track_ids[row]), float(horizons_s[last]), float(errors[row, last]))
        for row in rows
    )
