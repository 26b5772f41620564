"""Forecasting quality: displacement errors in the image, always beside constant velocity.

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
from perception.evaluation.core.calibration import Calibration, calibration_of
from perception.evaluation.core.gt_interpolation import previous_rows
from perception.evaluation.core.records import (
    Baseline,
    ForecastingReport,
    HorizonScores,
    ImageAdeFde,
    ImageCoverage,
    InstantForecasts,
    Setting,
)
from perception.evaluation.core.table_boxes import check_table
from perception.evaluation.forecasting.errors_image import (
    BEST,
    DIFFERENCE,
    EXPECTED,
    KALMAN,
    METHODS,
    ImageGroundTruth,
    Tally,
    Targets,
    compare_ade_fde,
    plan_comparison,
    score_record,
)
from perception.evaluation.forecasting.over_time import ErrorsOverTime, worst_forecasts
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
    check_table(truth, name="ground truth")
    _check_records(records, truth, np.asarray(frame_timestamps_ns, np.int64))
    known = ImageGroundTruth.from_table(table=truth, frame_timestamps_ns=frame_timestamps_ns)
    plan = plan_comparison(
        forecasts=[record.forecasts for record in records if len(record.forecasts)], horizons_s=horizons_s
    )
    tally, parts = Tally(), []
    over_time = ErrorsOverTime(plan.times_s, METHODS, plan.at)
    for record, (previous_boxes_xyxy_px, elapsed_s) in zip(records, _histories(records), strict=True):
        part = score_record(
            record,
            truth=known,
            plan=plan,
            previous_boxes_xyxy_px=previous_boxes_xyxy_px,
            elapsed_s=elapsed_s,
            setting=setting,
            tally=tally,
            over_time=over_time,
        )
        parts += [part] if part is not None else []
    targets = Targets.join(parts, horizon_count=len(plan.horizons_s))
    return ForecastingReport(
        setting=setting,
        horizons=tuple(
            _score_image_horizon(targets, index, horizon_s, rng, bootstrap_samples)
            for index, horizon_s in enumerate(plan.horizons_s)
        ),
        future_count=max((record.forecasts.probabilities.shape[1] for record in records), default=0),
        instant_count=len(records),
        track_count=sum(len(record.track_ids) for record in records),
        without_forecast_count=tally.without_forecast,
        unmatched_count=tally.unmatched,
        first_sight_count=tally.first_sight,
        candidate_count=len(targets.objects),
        truth_count=tally.truth,
        truth_matched_count=tally.truth_matched,
        unreached_horizons_s=tuple(sorted(set(map(float, horizons_s)) - set(plan.horizons_s))),
        over_time=over_time.points(),
        worst=worst_forecasts(
            targets.errors_px[:, :, EXPECTED, 1],
            horizons_s=plan.horizons_s,
            objects=targets.objects,
            instants=targets.instants,
            track_ids=targets.track_ids,
        ),
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
            f"The forecasts are of camera {sorted(cameras)[0]!r}, the ground truth of {truth.cameras[0]!r}: "
            "evaluate forecasts and ground truth of the same recording."
        )


def _histories(records: Sequence[InstantForecasts]) -> list[tuple[Float64, Float64]]:
    """For each record the boxes of its tracks one instant before (N, 4), and the seconds since (N,).

    At first sight there is none: zeros, and zero seconds.
    """
    if not records:
        return []
    counts = [len(record.track_ids) for record in records]
    timestamps_ns = np.repeat(np.array([record.timestamp_ns for record in records], np.int64), counts)
    boxes = np.concatenate([record.boxes_xyxy_px for record in records]).astype(np.float64)
    previous = previous_rows(
        cameras=np.concatenate([record.cameras for record in records]),
        ids=np.concatenate([record.track_ids for record in records]),
        timestamps_ns=timestamps_ns,
    )
    is_known = previous >= 0
    previous_boxes, elapsed_s = np.zeros_like(boxes), np.zeros(len(boxes))
    previous_boxes[is_known] = boxes[previous[is_known]]
    elapsed_s[is_known] = (timestamps_ns[is_known] - timestamps_ns[previous[is_known]]) * 1e-9
    cuts = np.cumsum(counts)[:-1]
    return list(zip(np.split(previous_boxes, cuts), np.split(elapsed_s, cuts), strict=True))


def _score_image_horizon(
    targets: Targets, index: int, horizon_s: float, rng: np.random.Generator, bootstrap_samples: int
) -> HorizonScores:
    is_target = ~np.isnan(targets.errors_px[:, index, EXPECTED, 0])
    errors, widths, objects = (
        targets.errors_px[is_target, index],
        targets.widths_px[is_target],
        targets.objects[is_target],
    )
    scores = HorizonScores(
        horizon_s=horizon_s,
        target_count=len(objects),
        object_count=len(np.unique(objects)),
        without_future_count=int((~is_target).sum()),
    )
    if len(objects) == 0:
        return scores
    has_kalman = not np.isnan(errors[:, KALMAN]).any()
    ade_baseline, fde_baseline = (
        KALMAN if has_kalman and errors[:, KALMAN, metric].mean() < errors[:, DIFFERENCE, metric].mean() else DIFFERENCE
        for metric in (0, 1)
    )
    names: dict[int, Baseline] = {DIFFERENCE: "last difference", KALMAN: "Kalman"}
    ade_comparison, fde_comparison = compare_ade_fde(
        errors,
        method=EXPECTED,
        baselines=(ade_baseline, fde_baseline),
        objects=objects,
        rng=rng,
        samples=bootstrap_samples,
    )
    calibration = calibration_of(targets.calibration_samples[is_target], index)
    return replace(
        scores,
        expected=_mean_errors(errors[:, EXPECTED], widths),
        best_of_k=_mean_errors(errors[:, BEST], widths),
        constant_velocity_difference=_mean_errors(errors[:, DIFFERENCE], widths),
        constant_velocity_kalman=_mean_errors(errors[:, KALMAN], widths) if has_kalman else None,
        stronger_ade=names[ade_baseline],
        stronger_fde=names[fde_baseline],
        ade_comparison=ade_comparison,
        fde_comparison=fde_comparison,
        coverage=_coverage(calibration),
        calibration=calibration,
    )


def _mean_errors(errors_px: Float64, widths_px: Float64) -> ImageAdeFde:
    ade_px, fde_px = errors_px.mean(axis=0).tolist()
    ade_per_width, fde_per_width = (errors_px / widths_px[:, None]).mean(axis=0).tolist()
    return ImageAdeFde(ade_px=ade_px, fde_px=fde_px, ade_per_width=ade_per_width, fde_per_width=fde_per_width)


def _coverage(calibration: Calibration | None) -> ImageCoverage | None:
    if calibration is None:
        return None
    (x_50, y_50), (x_90, y_90) = calibration.within(0.5), calibration.within(0.9)
    return ImageCoverage(x_50=x_50, x_90=x_90, y_50=y_50, y_90=y_90)
