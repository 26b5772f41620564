"""Forecasting quality in metres on the ground, always beside baselines that need no training.

ADE and FDE as in the image. ``minADE`` and ``minFDE`` take the best of K futures for each metric, with the truth in
hand; a miss is a target of which even the best future ends more than 2 m off (the miss rate of Argoverse, Chang et
al., 2019, and of nuScenes' prediction benchmark).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from perception.errors import UsageError
from perception.evaluation.core.bootstrap import PairedComparison
from perception.evaluation.core.calibration import Calibration
from perception.evaluation.core.ground_truth import GroundTable, paths_of
from perception.evaluation.core.gt_interpolation import previous_rows
from perception.evaluation.core.records import MOVING_M, ErrorAtTime, InstantForecasts, Setting, WorstForecast
from perception.evaluation.forecasting.errors_ground import (
    BASELINES,
    BEST,
    EXPECTED,
    METHODS,
    PROBABLE,
    GroundTargets,
    score_ground_record,
)
from perception.evaluation.forecasting.errors_image import plan_comparison
from perception.evaluation.forecasting.over_time import (
    ErrorsOverTime,
    worst_forecasts,
)
from perception.evaluation.forecasting.target_sums import (
    FDE,
    ForecastCounts,
    HorizonSums,
    JoinedSums,
    compare_with_best,
    joined_fields,
)
from perception.evaluation.tracking.ground import nearness
from perception.evaluation.tracking.mot_metrics import assigned_rows
from perception.state_layout import POSITION
from perception.types import ObjectTable

MISS_M = 2.0
"""A future that ends further off is a miss."""

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]


@dataclass(frozen=True)
class GroundAdeFde:
    """Mean errors of the centre in metres."""

    ade_m: float
    fde_m: float


@dataclass(frozen=True)
class GroundCoverage:
    """Shares of targets inside the central 50 % and 90 % of the forecast mixture, along and across its axis.

    Calibrated standard deviations give 0.5 and 0.9; less is overconfident, more is underconfident.
    """

    along_50: float
    along_90: float
    across_50: float
    across_90: float


@dataclass(frozen=True)
class GroundHorizonScores:
    """All methods on the same ``target_count`` targets (track and instant) of ``object_count`` true objects.

    ``expected`` is the mean over the futures, ``most_probable`` the one future of the highest probability. The
    comparisons set ``expected`` and ``best_of_k`` against the best of ``baselines``, which need no training, for that
    metric; differences are in metres. ``baseline_miss_rate`` is that of ``fde_baseline``. Scores are None without
    targets.
    """

    horizon_s: float
    target_count: int
    object_count: int
    without_future_count: int
    expected: GroundAdeFde | None = None
    most_probable: GroundAdeFde | None = None
    best_of_k: GroundAdeFde | None = None
    baselines: Mapping[str, GroundAdeFde] = field(default_factory=dict)
    ade_baseline: str | None = None
    fde_baseline: str | None = None
    ade_comparison: PairedComparison | None = None
    fde_comparison: PairedComparison | None = None
    best_ade_comparison: PairedComparison | None = None
    best_fde_comparison: PairedComparison | None = None
    miss_rate: float | None = None
    baseline_miss_rate: float | None = None
    coverage: GroundCoverage | None = None
    calibration: Calibration | None = None


@dataclass(frozen=True)
class GroundForecastingReport:
    """``horizons`` over all targets, ``moving_horizons`` and ``standing_horizons`` over those that truly moved or not.

    ``track_count`` tracks were known over all instants, one count per instant. Not scored are, by the first reason
    that holds, those without a forecast, without a true object, on one that does not count, and at first sight (where
    no velocity exists); the others are candidates. Of ``truth_count`` true objects that count, ``truth_matched_count``
    had a track. ``over_time`` are the errors at the forecasts' own steps, ``worst`` the largest of
    different objects.
    """

    setting: Setting
    horizons: tuple[GroundHorizonScores, ...]
    moving_horizons: tuple[GroundHorizonScores, ...]
    standing_horizons: tuple[GroundHorizonScores, ...]
    future_count: int
    instant_count: int
    track_count: int
    without_forecast_count: int
    unmatched_count: int
    ignored_count: int
    first_sight_count: int
    candidate_count: int
    truth_count: int
    truth_matched_count: int
    unreached_horizons_s: tuple[float, ...]
    over_time: tuple[ErrorAtTime, ...] = ()
    worst: tuple[WorstForecast, ...] = ()


def evaluate_ground_forecasts(
    *,
    records: Sequence[InstantForecasts],
    objects: ObjectTable,
    truth: GroundTable,
    setting: Setting,
    rng: np.random.Generator,
    horizons_s: Sequence[float] = (1.0, 2.0, 3.0, 4.0),
    bootstrap_samples: int = 1000,
) -> GroundForecastingReport:
    """Compare the forecasts of a run with where the objects of ``objects`` went.

    ``truth`` are the same objects at the instants of the records. ``setting="tracked"``: a track is the true object
    within 2 m of it, one to one; ``"ground-truth tracks"``: the tracks carry the truth's ids. Only objects that count
    at that instant are targets, wherever they go. Intervals come from ``rng`` by bootstrap over objects.

    Raises ``UsageError`` for forecasts that are not on the ground, ``ValueError`` for records of different
    forecasters or without states.
    """
    counts = count_ground_forecasts(
        records=records, objects=objects, truth=truth, setting=setting, horizons_s=horizons_s
    )
    return ground_forecasting_report([counts], rng=rng, bootstrap_samples=bootstrap_samples)


def count_ground_forecasts(
    *,
    records: Sequence[InstantForecasts],
    objects: ObjectTable,
    truth: GroundTable,
    setting: Setting,
    horizons_s: Sequence[float] = (1.0, 2.0, 3.0, 4.0),
) -> ForecastCounts:
    """What ``evaluate_ground_forecasts`` needs of one recording. Raises as it does."""
    if any(record.forecasts.reference_frame != "ground" for record in records if len(record.forecasts)):
        raise UsageError("Forecasts in the image cannot be compared in metres: evaluate a run of calibrated cameras.")
    plan = plan_comparison(
        forecasts=[record.forecasts for record in records if len(record.forecasts)], horizons_s=horizons_s
    )
    rows = _TrackRows.of(records)
    given = rows.true_rows(truth, setting)
    is_matched = given >= 0
    is_target = is_matched & (truth.counts[given] if len(truth) else False)
    usable = is_target & rows.has_forecast & ~rows.is_first
    paths, names = paths_of(objects), np.unique(objects.ids)
    numbers = np.searchsorted(names, truth.ids)
    parts, over_time = [], ErrorsOverTime(plan.times_s, METHODS, plan.at)
    for record, start, end in zip(records, rows.starts[:-1].tolist(), rows.starts[1:].tolist(), strict=True):
        chosen = np.flatnonzero(usable[start:end])
        if len(chosen):
            true_numbers = numbers[given[start + chosen]]
            parts.append(
                score_ground_record(
                    record, rows=chosen, objects=true_numbers, paths=paths, plan=plan, over_time=over_time
                )
            )
    targets = GroundTargets.join(parts, horizon_count=len(plan.horizons_s))
    is_moving = targets.moved_m > MOVING_M
    every, moving, standing = (
        tuple(_sums(targets, index, chosen[:, index]) for index in range(len(plan.horizons_s)))
        for chosen in (np.ones_like(is_moving), is_moving, ~is_moving)
    )
    return ForecastCounts(
        setting=setting,
        steps=plan.steps,
        horizons_s=plan.horizons_s,
        unreached_horizons_s=tuple(sorted(set(map(float, horizons_s)) - set(plan.horizons_s))),
        every=every,
        moving=moving,
        standing=standing,
        tally={
            "instant_count": len(records),
            "track_count": len(given),
            "without_forecast_count": int((~rows.has_forecast).sum()),
            "unmatched_count": int((rows.has_forecast & ~is_matched).sum()),
            "ignored_count": int((rows.has_forecast & is_matched & ~is_target).sum()),
            "first_sight_count": int((rows.has_forecast & is_target & rows.is_first).sum()),
            "candidate_count": len(targets.objects),
            "truth_count": int(truth.counts.sum()),
            "truth_matched_count": int(is_target.sum()),
        },
        future_count=max((record.forecasts.probabilities.shape[1] for record in records), default=0),
        over_time=over_time.sums(),
        worst=worst_forecasts(
            targets.errors_m[:, :, EXPECTED, FDE],
            horizons_s=plan.horizons_s,
            objects=targets.objects,
            instants=targets.instants,
            track_ids=targets.track_ids,
        ),
    )


def ground_forecasting_report(
    parts: Sequence[ForecastCounts], *, rng: np.random.Generator, bootstrap_samples: int = 1000
) -> GroundForecastingReport:
    """The scores of recordings together, of one at least; intervals, by bootstrap over the objects of all, from
    ``rng``.

    Raises ``UsageError`` where the forecasts have different steps.
    """
    return GroundForecastingReport(
        **joined_fields(parts, lambda sums, horizon_s: _score_ground_horizon(sums, horizon_s, rng, bootstrap_samples))
    )


@dataclass(frozen=True)
class _TrackRows:
    """The tracks of all records, one after the other; record i has rows ``starts[i]`` to ``starts[i + 1]``."""

    starts: Int64
    instants: Int64
    ids: Int64
    positions_m: Float64
    has_forecast: NDArray[np.bool_]
    is_first: NDArray[np.bool_]

    @classmethod
    def of(cls, records: Sequence[InstantForecasts]) -> _TrackRows:
        counts = [len(record.track_ids) for record in records]
        positions = [np.zeros((0, 2))]
        for record in records:
            if record.state_means is None:
                raise ValueError("records: expected the tracks' states on the ground, got None")
            positions.append(record.state_means[:, POSITION].astype(np.float64))
        instants = np.repeat(np.array([record.frame_index for record in records], np.int64), counts)
        ids = np.concatenate([np.zeros(0, np.int64), *(record.track_ids for record in records)])
        has_forecast = [np.isin(record.track_ids, record.forecasts.track_ids) for record in records]
        previous = previous_rows(cameras=np.zeros(len(ids), "U1"), ids=ids, timestamps_ns=instants)
        return cls(
            starts=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
            instants=instants,
            ids=ids,
            positions_m=np.concatenate(positions),
            has_forecast=np.concatenate([np.zeros(0, bool), *has_forecast]),
            is_first=previous < 0,
        )

    def true_rows(self, truth: GroundTable, setting: Setting) -> Int64:
        """For each track the row of ``truth`` that it is, -1 without one."""
        if setting == "tracked":
            return assigned_rows(truth.instants, self.instants, nearness(truth.positions_m, self.positions_m))
        return truth.rows_of(instants=self.instants, ids=self.ids)


def _sums(targets: GroundTargets, index: int, chosen: NDArray[np.bool_]) -> HorizonSums:
    """One horizon, over the ``chosen`` targets (N,)."""
    has_future = ~np.isnan(targets.errors_m[:, index, EXPECTED, FDE])
    is_target = has_future & chosen
    return HorizonSums.of(
        targets.errors_m[is_target, index],
        targets.calibration_samples[is_target],
        time=index,
        objects=targets.objects[is_target],
        without_future_count=int((~has_future).sum()),
        miss=MISS_M,
    )


def _score_ground_horizon(
    parts: Sequence[HorizonSums], horizon_s: float, rng: np.random.Generator, bootstrap_samples: int
) -> GroundHorizonScores:
    joined = JoinedSums.of(parts)
    scores = GroundHorizonScores(
        horizon_s=horizon_s,
        target_count=joined.target_count,
        object_count=joined.object_count,
        without_future_count=joined.without_future_count,
    )
    if not joined.target_count:
        return scores
    baselines = {name: METHODS.index(name) for name in BASELINES}
    compared = compare_with_best(
        [part.by_object for part in parts],
        methods=(EXPECTED, BEST),
        baselines=baselines,
        rng=rng,
        samples=bootstrap_samples,
    )
    return replace(
        scores,
        expected=_mean_errors(joined, EXPECTED),
        most_probable=_mean_errors(joined, PROBABLE),
        best_of_k=_mean_errors(joined, BEST),
        baselines={name: _mean_errors(joined, method) for name, method in baselines.items()},
        ade_baseline=compared.ade_baseline,
        fde_baseline=compared.fde_baseline,
        ade_comparison=compared.ade[0],
        fde_comparison=compared.fde[0],
        best_ade_comparison=compared.ade[1],
        best_fde_comparison=compared.fde[1],
        miss_rate=float(joined.miss_rates[BEST]),
        baseline_miss_rate=float(joined.miss_rates[baselines[compared.fde_baseline]]),
        coverage=_coverage(joined.calibration),
        calibration=joined.calibration,
    )


def _mean_errors(joined: JoinedSums, method: int) -> GroundAdeFde:
    ade_m, fde_m = joined.means[method].tolist()
    return GroundAdeFde(ade_m=ade_m, fde_m=fde_m)


def _coverage(calibration: Calibration | None) -> GroundCoverage | None:
    if calibration is None:
        return None
    (along_50, across_50), (along_90, across_90) = calibration.within(0.5), calibration.within(0.9)
    return GroundCoverage(along_50=along_50, along_90=along_90, across_50=across_50, across_90=across_90)
