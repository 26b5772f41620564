"""Forecast errors of one recording, added up object by object: what the scores of many recordings are made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perception.arrays import Column, FloatArray
from perception.errors import UsageError
from perception.evaluation.core.bootstrap import PairedComparison, compare_sums, resampled
from perception.evaluation.core.calibration import Calibration, CalibrationSamples, CalibrationSums, calibration_of
from perception.evaluation.core.records import Setting, WorstForecast
from perception.evaluation.forecasting.over_time import MOST_WORST, OverTimeSums, points_over_time

ADE, FDE = 0, 1
"""The places of the two metrics in errors."""

Float64 = NDArray[np.float64]


@dataclass(frozen=True)
class ObjectSums:
    """The targets of O objects by M methods, added up object by object: ``errors`` (O, M, ADE and FDE), and how many
    ``targets`` (O,) there are. NaN is what a method does not know of one target."""

    errors: Column
    targets: Column

    @classmethod
    def of(cls, errors: Float64, objects: NDArray[np.int64]) -> ObjectSums:
        """Of N targets: ``errors`` (N, M, 2) and the ``objects`` (N,) that they are of."""
        order = np.argsort(objects, kind="stable")
        starts = np.flatnonzero(np.diff(objects[order], prepend=objects[order[:1]] - 1))
        return cls(
            errors=np.add.reduceat(errors[order], starts, axis=0) if len(starts) else np.zeros((0, *errors.shape[1:])),
            targets=np.diff(np.append(starts, len(order))).astype(np.float64),
        )


@dataclass(frozen=True)
class HorizonSums:
    """The targets at one horizon, by M methods: ``total_errors`` (M, 2) over all, ``per_width`` (M, 2) those of errors
    over the image's width, ``misses`` (M,) counts the targets that end too far off."""

    by_object: ObjectSums
    total_errors: Float64
    per_width: Float64
    misses: NDArray[np.int64]
    target_count: int
    object_count: int
    without_future_count: int
    calibration: CalibrationSums

    @classmethod
    def of(
        cls,
        errors: Float64,
        samples: CalibrationSamples,
        *,
        time: int,
        objects: NDArray[np.int64],
        widths: FloatArray | None = None,
        without_future_count: int,
        miss: float = np.inf,
    ) -> HorizonSums:
        """Of N targets: ``errors`` (N, M, 2), ``objects`` (N,), image ``widths`` (N,), ``samples`` at ``time``."""
        scale = np.ones(len(errors)) if widths is None else np.asarray(widths, np.float64)
        by_object = ObjectSums.of(errors, objects)
        return cls(
            by_object=by_object,
            total_errors=by_object.errors[:].sum(axis=0),
            per_width=(errors / scale[:, None, None]).sum(axis=0),
            misses=(errors[:, :, FDE] > miss).sum(axis=0),
            target_count=len(errors),
            object_count=len(by_object.targets),
            without_future_count=without_future_count,
            calibration=CalibrationSums.of(samples, time),
        )


@dataclass(frozen=True)
class ForecastCounts:
    """What a report needs of one recording.

    ``horizons_s`` (H,) were reached by forecasts of ``steps`` (their seconds and number, None where there is none),
    ``unreached_horizons_s`` were not. ``every``, ``moving`` and ``standing`` (H,) are the targets at each. ``tally``
    counts by the names of the report's fields.
    """

    setting: Setting
    steps: tuple[float, int] | None
    horizons_s: tuple[float, ...]
    unreached_horizons_s: tuple[float, ...]
    every: tuple[HorizonSums, ...]
    moving: tuple[HorizonSums, ...]
    standing: tuple[HorizonSums, ...]
    tally: dict[str, int]
    future_count: int
    over_time: OverTimeSums
    worst: tuple[WorstForecast, ...]


def joined_fields(
    parts: Sequence[ForecastCounts], score: Callable[[Sequence[HorizonSums], float], Any]
) -> dict[str, Any]:
    """The fields of a report of recordings together, of one at least, in either reference frame.

    ``score`` gives the scores of the recordings' sums at a horizon (seconds). Raises ``UsageError`` where the forecasts
    have different steps.
    """
    scored = _with_forecasts(parts)
    first = scored[0]
    horizons, moving, standing = (
        tuple(
            score([getattr(part, kind)[index] for part in scored], horizon_s)
            for index, horizon_s in enumerate(first.horizons_s)
        )
        for kind in ("every", "moving", "standing")
    )
    return {
        "setting": first.setting,
        "horizons": horizons,
        "moving_horizons": moving,
        "standing_horizons": standing,
        "future_count": max(part.future_count for part in parts),
        **{name: sum(part.tally[name] for part in parts) for name in first.tally},
        "unreached_horizons_s": first.unreached_horizons_s,
        "over_time": points_over_time([part.over_time for part in scored]),
        "worst": _joined_worst(scored),
    }


def _with_forecasts(parts: Sequence[ForecastCounts]) -> Sequence[ForecastCounts]:
    """Those of ``parts`` that have forecasts; all of them where none has.

    Raises ``UsageError`` where their steps differ.
    """
    known = [part for part in parts if part.steps is not None]
    if len({part.steps for part in known}) > 1:
        raise UsageError(
            "The recordings' forecasts have steps of different lengths or numbers; evaluate the recordings one by one."
        )
    return known or parts


@dataclass(frozen=True)
class JoinedSums:
    """``HorizonSums`` of several recordings: the sums, and means over all targets; ``means`` are NaN without any."""

    target_count: int
    object_count: int
    without_future_count: int
    means: Float64
    means_per_width: Float64
    miss_rates: Float64
    calibration: Calibration | None

    @classmethod
    def of(cls, parts: Sequence[HorizonSums]) -> JoinedSums:
        count = sum(part.target_count for part in parts)
        scale = float(count) if count else np.nan
        return cls(
            target_count=count,
            object_count=sum(part.object_count for part in parts),
            without_future_count=sum(part.without_future_count for part in parts),
            means=np.sum([part.total_errors for part in parts], axis=0) / scale,
            means_per_width=np.sum([part.per_width for part in parts], axis=0) / scale,
            miss_rates=np.sum([part.misses for part in parts], axis=0) / scale,
            calibration=calibration_of([part.calibration for part in parts]),
        )


@dataclass(frozen=True)
class BestBaseline:
    """The names of the best baselines by ADE and by FDE, and the comparisons of each method with them."""

    ade_baseline: str
    fde_baseline: str
    ade: tuple[PairedComparison, ...]
    fde: tuple[PairedComparison, ...]


def compare_with_best(
    parts: Sequence[ObjectSums],
    *,
    methods: Sequence[int],
    baselines: dict[str, int],
    rng: np.random.Generator,
    samples: int,
) -> BestBaseline:
    """Each of ``methods`` against the best of ``baselines`` by ADE and by FDE, over all recordings' targets.

    There must be one. Without ``samples`` there are no intervals.
    """
    columns = sorted({*methods, *baselines.values()})
    totals = np.concatenate(
        [np.column_stack([part.errors[:][:, columns].reshape(-1, 2 * len(columns)), part.targets[:]]) for part in parts]
    )
    sums, drawn = totals.sum(axis=0), resampled(totals, rng=rng, samples=samples)
    means = {name: sums[2 * columns.index(index) :][:2] / sums[-1] for name, index in baselines.items()}
    best = [min(means, key=lambda name: float(means[name][metric])) for metric in (ADE, FDE)]
    compared = [
        tuple(
            compare_sums(sums[[model, baseline, -1]], drawn=None if drawn is None else drawn[:, [model, baseline, -1]])
            for model in (2 * columns.index(method) + metric for method in methods)
            for baseline in (2 * columns.index(baselines[best[metric]]) + metric,)
        )
        for metric in (ADE, FDE)
    ]
    return BestBaseline(best[ADE], best[FDE], compared[ADE], compared[FDE])


def _joined_worst(parts: Sequence[ForecastCounts]) -> tuple[WorstForecast, ...]:
    """The largest errors of all recordings, at the longest horizon that any of them has."""
    every = [one for part in parts for one in part.worst]
    longest = max((one.horizon_s for one in every), default=0.0)
    return tuple(sorted((one for one in every if one.horizon_s == longest), key=lambda one: -one.error)[:MOST_WORST])
