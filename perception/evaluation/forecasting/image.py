"""Forecasting quality: displacement errors in the image, always beside baselines that need no training.

ADE is the mean distance of the forecast centre from the true one over all steps up to a horizon, FDE that at the
horizon (Pellegrini et al., 2009; Alahi et al., 2016). ``minADE`` and ``minFDE`` take the best of K futures, chosen for
each metric with the truth in hand: they never stand without the one output.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from perception.arrays import IntArray
from perception.errors import UsageError
from perception.evaluation.core.calibration import Calibration
from perception.evaluation.core.camera_turning import CameraTurning
from perception.evaluation.core.gt_interpolation import previous_rows, recent_rows
from perception.evaluation.core.records import (
    MOVING_WIDTHS,
    ForecastingReport,
    HorizonScores,
    ImageAdeFde,
    ImageCoverage,
    InstantForecasts,
    Setting,
)
from perception.evaluation.core.table_boxes import check_table
from perception.evaluation.forecasting.errors_image import (
    BASELINES,
    BEST,
    EXPECTED,
    METHODS,
    ImageGroundTruth,
    Past,
    Tally,
    Targets,
    plan_comparison,
    score_record,
)
from perception.evaluation.forecasting.over_time import (
    ErrorsOverTime,
    worst_forecasts,
)
from perception.evaluation.forecasting.target_sums import (
    ADE,
    FDE,
    ForecastCounts,
    HorizonSums,
    JoinedSums,
    compare_with_best,
    joined_fields,
)
from perception.types import BoxTable

Float64 = NDArray[np.float64]


def evaluate_forecasts(
    *,
    records: Sequence[InstantForecasts],
    truth: BoxTable,
    frame_timestamps_ns: IntArray,
    setting: Setting,
    rng: np.random.Generator,
    horizons_s: Sequence[float] = (1.0, 2.0, 3.0),
    bootstrap_samples: int = 1000,
) -> ForecastingReport:
    """Compare the forecasts of a run with where the objects went.

    ``setting="tracked"``: a track is the true object that its box overlaps by at least ``MATCH_IOU`` at that instant,
    one to one within its camera; the target is that object's later boxes. ``"ground-truth tracks"``: the tracks were
    made of the truth and carry its ids. Between frames at most 0.5 s apart the truth is linear; a target counts for a
    horizon when its truth is known at every compared time up to it. ``frame_timestamps_ns`` (F,) are the times of the
    recording's frames. Intervals come from ``rng`` by bootstrap over objects.

    Raises ``UsageError`` when truth and records are not of the same recording, and for forecasts in another frame than
    the image; ``ValueError`` for records out of order or of different forecasters.
    """
    counts = count_forecasts(
        records=records, truth=truth, frame_timestamps_ns=frame_timestamps_ns, setting=setting, horizons_s=horizons_s
    )
    return forecasting_report([counts], rng=rng, bootstrap_samples=bootstrap_samples)


def count_forecasts(
    *,
    records: Sequence[InstantForecasts],
    truth: BoxTable,
    frame_timestamps_ns: IntArray,
    setting: Setting,
    horizons_s: Sequence[float] = (1.0, 2.0, 3.0),
) -> ForecastCounts:
    """What ``evaluate_forecasts`` needs of one recording. Raises as it does."""
    check_table(truth, name="ground truth")
    _check_records(records, truth, np.asarray(frame_timestamps_ns, np.int64))
    known = ImageGroundTruth.from_table(table=truth, frame_timestamps_ns=frame_timestamps_ns)
    plan = plan_comparison(
        forecasts=[record.forecasts for record in records if len(record.forecasts)], horizons_s=horizons_s
    )
    tally, parts = Tally(), []
    turning = CameraTurning.by_camera(records)
    over_time = ErrorsOverTime(plan.times_s, METHODS, plan.at)
    for record, past in zip(records, _pasts(records), strict=True):
        part = score_record(
            record,
            truth=known,
            plan=plan,
            past=past,
            setting=setting,
            tally=tally,
            over_time=over_time,
            turning=turning,
        )
        parts += [part] if part is not None else []
    targets = Targets.join(parts, horizon_count=len(plan.horizons_s))
    is_moving = targets.moved_widths > MOVING_WIDTHS
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
            "track_count": sum(len(record.track_ids) for record in records),
            "without_forecast_count": tally.without_forecast,
            "unmatched_count": tally.unmatched,
            "first_sight_count": tally.first_sight,
            "candidate_count": len(targets.objects),
            "truth_count": tally.truth,
            "truth_matched_count": tally.truth_matched,
        },
        future_count=max((record.forecasts.probabilities.shape[1] for record in records), default=0),
        over_time=over_time.sums(),
        worst=worst_forecasts(
            targets.errors_px[:, :, EXPECTED, FDE],
            horizons_s=plan.horizons_s,
            objects=targets.objects,
            instants=targets.instants,
            track_ids=targets.track_ids,
        ),
    )


def forecasting_report(
    parts: Sequence[ForecastCounts], *, rng: np.random.Generator, bootstrap_samples: int = 1000
) -> ForecastingReport:
    """The scores of recordings together, of one at least; intervals, by bootstrap over the objects of all, from
    ``rng``.

    Raises ``UsageError`` where the forecasts have different steps.
    """
    return ForecastingReport(
        **joined_fields(parts, lambda sums, horizon_s: _score_image_horizon(sums, horizon_s, rng, bootstrap_samples))
    )


def _check_records(
    records: Sequence[InstantForecasts], truth: BoxTable, frame_timestamps_ns: NDArray[np.int64]
) -> None:
    previous_ns: int | None = None
    for record in records:
        if previous_ns is not None and record.timestamp_ns <= previous_ns:
            raise ValueError("records: expected growing time stamps")
        previous_ns = record.timestamp_ns
        in_range = 0 <= record.frame_index < len(frame_timestamps_ns)
        if not in_range or record.timestamp_ns != frame_timestamps_ns[record.frame_index]:
            raise UsageError(
                f"Frame {record.frame_index} of the forecasts is not at that time in the recording: "
                "evaluate with the recording that the forecasts were made on."
            )
        if record.forecasts.reference_frame != "image" and len(record.forecasts):
            raise UsageError(
                "Forecasts in metres on the ground cannot be compared with boxes: evaluate a run in the image frame."
            )
    if len({record.state_means is None for record in records if len(record.track_ids)}) > 1:
        raise ValueError("records: expected state_means in all of them or in none")
    cameras = {str(camera) for record in records for camera in np.unique(record.cameras)}
    if len(truth) and cameras and cameras.isdisjoint(truth.cameras.tolist()):
        raise UsageError(
            f"The forecasts are of camera {sorted(cameras)[0]!r}, the ground truth of {str(truth.cameras[0])!r}: "
            "evaluate forecasts and ground truth of the same recording."
        )


def _pasts(records: Sequence[InstantForecasts]) -> list[Past]:
    """For each record where its tracks were."""
    if not records:
        return []
    counts = [len(record.track_ids) for record in records]
    cameras = np.concatenate([record.cameras for record in records])
    ids = np.concatenate([record.track_ids for record in records])
    timestamps_ns = np.repeat(np.array([record.timestamp_ns for record in records], np.int64), counts)
    boxes = np.concatenate([record.boxes_xyxy_px for record in records]).astype(np.float64)
    columns: list[Float64] = []
    for find in (previous_rows, recent_rows):
        rows = find(cameras=cameras, ids=ids, timestamps_ns=timestamps_ns)
        is_known = rows >= 0
        before_xyxy_px, elapsed_s = np.zeros_like(boxes), np.zeros(len(boxes))
        before_xyxy_px[is_known] = boxes[rows[is_known]]
        elapsed_s[is_known] = (timestamps_ns[is_known] - timestamps_ns[rows[is_known]]) * 1e-9
        columns += [before_xyxy_px, elapsed_s]
    cuts = np.cumsum(counts)[:-1]
    return [Past(*parts) for parts in zip(*(np.split(column, cuts) for column in columns), strict=True)]


def _sums(targets: Targets, index: int, chosen: NDArray[np.bool_]) -> HorizonSums:
    """One horizon, over the ``chosen`` targets (N,)."""
    has_future = ~np.isnan(targets.errors_px[:, index, EXPECTED, ADE])
    is_target = has_future & chosen
    return HorizonSums.of(
        targets.errors_px[is_target, index],
        targets.calibration_samples[is_target],
        time=index,
        objects=targets.objects[is_target],
        widths=targets.widths_px[is_target],
        without_future_count=int((~has_future).sum()),
    )


def _score_image_horizon(
    parts: Sequence[HorizonSums], horizon_s: float, rng: np.random.Generator, bootstrap_samples: int
) -> HorizonScores:
    joined = JoinedSums.of(parts)
    scores = HorizonScores(
        horizon_s=horizon_s,
        target_count=joined.target_count,
        object_count=joined.object_count,
        without_future_count=joined.without_future_count,
    )
    if not joined.target_count:
        return scores
    baselines = {
        name: METHODS.index(name) for name in BASELINES if not np.isnan(joined.means[METHODS.index(name)]).any()
    }
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
        best_of_k=_mean_errors(joined, BEST),
        baselines={name: _mean_errors(joined, method) for name, method in baselines.items()},
        ade_baseline=compared.ade_baseline,
        fde_baseline=compared.fde_baseline,
        ade_comparison=compared.ade[0],
        fde_comparison=compared.fde[0],
        best_ade_comparison=compared.ade[1],
        best_fde_comparison=compared.fde[1],
        coverage=_coverage(joined.calibration),
        calibration=joined.calibration,
    )


def _mean_errors(joined: JoinedSums, method: int) -> ImageAdeFde:
    ade_px, fde_px = joined.means[method].tolist()
    ade_per_width, fde_per_width = joined.means_per_width[method].tolist()
    return ImageAdeFde(ade_px=ade_px, fde_px=fde_px, ade_per_width=ade_per_width, fde_per_width=fde_per_width)


def _coverage(calibration: Calibration | None) -> ImageCoverage | None:
    if calibration is None:
        return None
    (x_50, y_50), (x_90, y_90) = calibration.within(0.5), calibration.within(0.9)
    return ImageCoverage(x_50=x_50, x_90=x_90, y_50=y_50, y_90=y_90)
