"""Distances between forecast and true centres, target by target, for the forecaster and for constant velocity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from perception.arrays import IntArray
from perception.errors import UsageError
from perception.evaluation.core.calibration import CalibrationSamples, sample_calibration
from perception.evaluation.core.camera_turning import CameraTurning
from perception.evaluation.core.gt_interpolation import (
    RECENT_S,
    TURNING_REMOVED,
    GtPaths,
    constant_velocity_paths,
    kalman_velocity_paths,
    last_difference_paths,
)
from perception.evaluation.core.records import InstantForecasts, Setting
from perception.evaluation.core.table_boxes import ImageKey, rows_by_image
from perception.evaluation.forecasting.over_time import ErrorsOverTime
from perception.geometry.boxes import box_centres, pairwise_iou
from perception.state_layout import POSITION
from perception.types import BoxTable, Forecasts

MATCH_IOU = 0.5
"""The overlap from which a track at one instant is taken to be a true object."""

BASELINES = ("CV last", f"CV {RECENT_S:g} s", "CV Kalman", TURNING_REMOVED, "stays")
"""Constant velocity by the last two boxes, over the last ``RECENT_S``, by the tracker's filter, and over ``RECENT_S``
less what the camera's turning moved; and no motion."""

METHODS = ("expected", *BASELINES, "best of K")
"""The order of the methods in ``Targets.errors_px``."""
EXPECTED, BEST = METHODS.index("expected"), METHODS.index("best of K")

_TOLERANCE_S = 1e-6

Float64 = NDArray[np.float64]


@dataclass(frozen=True)
class Plan:
    """At which times forecasts are compared: ``times_s`` (E,), ``weights`` (E, T) take them from the T steps;
    ``until`` (H, E) marks the times up to each horizon, ``at`` (H,) the horizon itself. ``steps`` are the seconds and
    the number of the forecasts' steps, None without a forecast."""

    horizons_s: tuple[float, ...]
    times_s: Float64
    weights: Float64
    until: NDArray[np.bool_]
    at: NDArray[np.int64]
    steps: tuple[float, int] | None = None


@dataclass(frozen=True)
class ImageGroundTruth:
    """The true boxes of a recording by image, and their futures."""

    table: BoxTable
    rows: dict[ImageKey, IntArray]
    cameras: tuple[str, ...]
    futures: GtPaths

    @classmethod
    def from_table(cls, *, table: BoxTable, frame_timestamps_ns: IntArray) -> ImageGroundTruth:
        """Raises ``UsageError`` as ``GtPaths.from_truth`` does."""
        return cls(
            table=table,
            rows=rows_by_image(table),
            cameras=tuple(sorted(set(table.cameras.tolist()))),
            futures=GtPaths.from_truth(truth=table, frame_timestamps_ns=frame_timestamps_ns),
        )


@dataclass(frozen=True)
class Past:
    """Where N tracks were: boxes (N, 4) at the instant before and about ``RECENT_S`` ago, and how many seconds (N,) ago
    that was. At first sight there is none: zeros, and zero seconds."""

    last_xyxy_px: Float64
    last_s: Float64
    recent_xyxy_px: Float64
    recent_s: Float64


@dataclass(frozen=True)
class Targets:
    """N targets: ``errors_px`` (N, H, methods, ADE and FDE), NaN without a future; ``calibration_samples`` at
    the horizons, in pixels; ``moved_widths`` (N, H), how far the centre truly went, in widths of its box; true object,
    image width, instant and track of each, all (N,)."""

    errors_px: Float64
    calibration_samples: CalibrationSamples
    moved_widths: Float64
    objects: NDArray[np.int64]
    widths_px: Float64
    instants: NDArray[np.int64]
    track_ids: NDArray[np.int64]

    @classmethod
    def join(cls, parts: Sequence[Targets], *, horizon_count: int) -> Targets:
        """All targets of several instants."""
        return cls(
            errors_px=np.concatenate(
                [np.zeros((0, horizon_count, len(METHODS), 2)), *(part.errors_px for part in parts)]
            ),
            calibration_samples=CalibrationSamples.join(
                [part.calibration_samples for part in parts], times=horizon_count
            ),
            moved_widths=np.concatenate([np.zeros((0, horizon_count)), *(part.moved_widths for part in parts)]),
            objects=np.concatenate([np.zeros(0, np.int64), *(part.objects for part in parts)]),
            widths_px=np.concatenate([np.zeros(0), *(part.widths_px for part in parts)]),
            instants=np.concatenate([np.zeros(0, np.int64), *(part.instants for part in parts)]),
            track_ids=np.concatenate([np.zeros(0, np.int64), *(part.track_ids for part in parts)]),
        )


@dataclass
class Tally:
    """Tracks that cannot be scored, by the first reason that holds, and the true boxes at the same instants."""

    without_forecast: int = 0
    unmatched: int = 0
    first_sight: int = 0
    truth: int = 0
    truth_matched: int = 0


def plan_comparison(*, forecasts: Sequence[Forecasts], horizons_s: Sequence[float]) -> Plan:
    """Compare at the forecasts' own steps and at each horizon, which may lie between two steps.

    Horizons beyond the last step are left out. Raises ``ValueError`` for forecasts of different steps or lengths,
    ``UsageError`` for a horizon shorter than one step.
    """
    if not horizons_s or min(horizons_s) <= 0:
        raise ValueError(f"horizons_s: expected positive numbers, got {tuple(horizons_s)}")
    horizons = sorted(float(horizon) for horizon in set(horizons_s))
    kinds = {(forecast.dt_s, forecast.means.shape[2]) for forecast in forecasts}
    if len(kinds) > 1:
        raise ValueError(f"records: expected forecasts of one step and length, got (dt_s, steps) {sorted(kinds)}")
    own_steps = next(iter(kinds), None)
    dt_s, steps = own_steps or (horizons[0], round(horizons[-1] / horizons[0]))
    if horizons[0] < dt_s - _TOLERANCE_S:
        raise UsageError(
            f"The forecasts' steps of {dt_s:g} s are longer than the shortest horizon, {horizons[0]:g} s; check that "
            "their times are seconds."
        )
    reached = tuple(horizon for horizon in horizons if horizon <= steps * dt_s + _TOLERANCE_S)
    own_s = dt_s * np.arange(1, steps + 1)
    own_s = own_s[own_s <= max(reached, default=0.0) + _TOLERANCE_S]
    between_s = [horizon for horizon in reached if np.abs(own_s - horizon).min() > _TOLERANCE_S]
    times_s = np.sort(np.r_[own_s, between_s])
    step = np.clip(times_s / dt_s - 1.0, 0.0, steps - 1.0)
    return Plan(
        horizons_s=reached,
        times_s=times_s,
        weights=np.maximum(0.0, 1.0 - np.abs(step[:, None] - np.arange(steps)[None, :])),
        until=times_s[None, :] <= np.array(reached)[:, None] + _TOLERANCE_S,
        at=np.array([np.abs(times_s - horizon).argmin() for horizon in reached], np.int64),
        steps=own_steps,
    )


def score_record(
    record: InstantForecasts,
    *,
    truth: ImageGroundTruth,
    plan: Plan,
    past: Past,
    setting: Setting,
    tally: Tally,
    over_time: ErrorsOverTime,
    turning: Mapping[str, CameraTurning],
) -> Targets | None:
    """Errors of those tracks of one instant that can be scored, None without any; ``tally`` counts the others.

    They are also added to the curves ``over_time``. Where the ``turning`` of their camera is known, the truth is what
    it would see if it pointed on as it does at this instant.
    """
    true_rows = _true_rows(record, truth, setting, tally)
    has_forecast = np.isin(record.track_ids, record.forecasts.track_ids)
    is_matched, has_history = true_rows >= 0, past.last_s > 0
    tally.without_forecast += int((~has_forecast).sum())
    tally.unmatched += int((has_forecast & ~is_matched).sum())
    tally.first_sight += int((has_forecast & is_matched & ~has_history).sum())
    chosen = np.flatnonzero(has_forecast & is_matched & has_history)
    if len(chosen) == 0:
        return None
    forecasts = forecasts_of(record, chosen)
    objects = truth.futures.object_of_row[true_rows[chosen]]
    ahead_ns = np.rint(plan.times_s * 1e9).astype(np.int64)
    times_ns = np.broadcast_to(record.timestamp_ns + ahead_ns, (len(chosen), len(ahead_ns)))
    future_px = truth.futures.centres_at(objects=objects, timestamps_ns=times_ns)
    future_px = _without_turning(future_px, times_ns, record, chosen, turning)
    true_boxes_xyxy_px = truth.table.boxes_xyxy_px[true_rows[chosen]].astype(np.float64)
    moved_px = np.linalg.norm(future_px[:, plan.at] - box_centres(true_boxes_xyxy_px)[:, None], axis=2)
    sizes_px = record.image_sizes_px[chosen]
    means_px, stds_px = (
        np.einsum("nktd,et->nked", values[..., POSITION], plan.weights) * sizes_px[:, None, None, :]
        for values in (forecasts.means, forecasts.stds)
    )
    single_px = np.einsum("nk,nked->ned", forecasts.probabilities, means_px)
    lone_px = [single_px, *_baselines_px(record, chosen, past, plan, turning)]
    calibration_samples = sample_calibration(
        forecasts.probabilities, means_px[:, :, plan.at], stds_px[:, :, plan.at], future_px[:, plan.at]
    )
    lone = np.stack(lone_px, axis=1)
    over_time.add(lone=lone, modes=means_px, stds=stds_px, probabilities=forecasts.probabilities, future=future_px)
    return Targets(
        errors_px=ade_fde(lone, means_px, future_px, plan),
        calibration_samples=calibration_samples,
        moved_widths=moved_px / np.maximum(np.ptp(true_boxes_xyxy_px[:, ::2], axis=1), 1.0)[:, None],
        objects=objects,
        widths_px=sizes_px[:, 0].astype(np.float64),
        instants=np.full(len(chosen), record.frame_index, np.int64),
        track_ids=record.track_ids[chosen].astype(np.int64),
    )


def forecasts_of(record: InstantForecasts, rows: IntArray) -> Forecasts:
    """The forecasts of the record's tracks ``rows``, in that order; each must have one."""
    order = np.argsort(record.forecasts.track_ids)
    index = np.searchsorted(record.forecasts.track_ids, record.track_ids[rows], sorter=order)
    return record.forecasts[order[index]]


def _without_turning(
    points_px: Float64,
    times_ns: NDArray[np.int64],
    record: InstantForecasts,
    chosen: NDArray[np.int64],
    turning: Mapping[str, CameraTurning],
) -> Float64:
    """(N, E, 2): ``points_px`` of the tracks ``chosen`` (N,), seen at ``times_ns`` (N, E), as their cameras would see
    them that point as at the ``record``'s instant; as they are where the turning is not known."""
    if not turning:
        return points_px
    turned = points_px.copy()
    for camera, path in turning.items():
        rows = np.flatnonzero(record.cameras[chosen] == camera)
        turned[rows] = path.as_pointing_at(record.timestamp_ns, points_px[rows], times_ns[rows])
    return turned


def _baselines_px(
    record: InstantForecasts,
    chosen: NDArray[np.int64],
    past: Past,
    plan: Plan,
    turning: Mapping[str, CameraTurning],
) -> list[Float64]:
    """The paths of ``BASELINES``, each (N, E, 2); NaN where the tracker's state, or the camera's turning, is not
    known."""
    boxes = record.boxes_xyxy_px[chosen]
    by_differences = [
        last_difference_paths(
            boxes_xyxy_px=boxes,
            previous_boxes_xyxy_px=before_xyxy_px[chosen],
            elapsed_s=elapsed_s[chosen],
            times_s=plan.times_s,
        )
        for before_xyxy_px, elapsed_s in (
            (past.last_xyxy_px, past.last_s),
            (past.recent_xyxy_px, past.recent_s),
        )
    ]
    staying = np.repeat(box_centres(boxes)[:, None], len(plan.times_s), axis=1)
    unknown = np.full_like(staying, np.nan)
    without_turning = _straight_without_turning(record, chosen, past, plan, turning) if turning else unknown
    if record.state_means is None:
        return [*by_differences, unknown, without_turning, staying]
    by_kalman = kalman_velocity_paths(
        boxes_xyxy_px=boxes,
        state_means=record.state_means[chosen],
        image_sizes_px=record.image_sizes_px[chosen],
        times_s=plan.times_s,
    )
    return [*by_differences, by_kalman, without_turning, staying]


def _straight_without_turning(
    record: InstantForecasts,
    chosen: NDArray[np.int64],
    past: Past,
    plan: Plan,
    turning: Mapping[str, CameraTurning],
) -> Float64:
    """(N, E, 2): the velocity of the centre since ``RECENT_S`` ago, seen from a camera that pointed as it does now."""
    now_px = box_centres(record.boxes_xyxy_px[chosen].astype(np.float64))
    elapsed_s = past.recent_s[chosen]
    before_ns = record.timestamp_ns - np.rint(elapsed_s * 1e9).astype(np.int64)
    before_px = box_centres(past.recent_xyxy_px[chosen])[:, None]
    before_px = _without_turning(before_px, before_ns[:, None], record, chosen, turning)[:, 0]
    return constant_velocity_paths(now_px, (now_px - before_px) / elapsed_s[:, None], plan.times_s)


def _true_rows(record: InstantForecasts, truth: ImageGroundTruth, setting: Setting, tally: Tally) -> NDArray[np.int64]:
    """(N,) for each track the row of its true object at this instant, -1 without one."""
    result = np.full(len(record.track_ids), -1, np.int64)
    for camera in truth.cameras:
        rows = truth.rows.get((camera, record.frame_index), np.zeros(0, np.int64))
        here = np.flatnonzero(record.cameras == camera)
        if setting == "ground-truth tracks":
            taken, given = np.nonzero(record.track_ids[here][:, None] == truth.table.ids[rows][None, :])
        else:
            iou = pairwise_iou(record.boxes_xyxy_px[here], truth.table.boxes_xyxy_px[rows])
            taken, given = linear_sum_assignment(np.where(iou >= MATCH_IOU, iou, 0.0), maximize=True)
            fits = iou[taken, given] >= MATCH_IOU
            taken, given = taken[fits], given[fits]
        result[here[taken]] = rows[given]
        tally.truth += len(rows)
        tally.truth_matched += len(given)
    return result


def ade_fde(lone: Float64, modes: Float64, future: Float64, plan: Plan) -> Float64:
    """ADE and FDE up to each horizon, (N, H, L + 1, 2); NaN where the future is not known.

    ``lone`` (N, L, E, 2) are the paths of methods that give one, ``modes`` (N, K, E, 2) those of which the best is
    taken for each metric: it comes last. ``future`` (N, E, 2) is the truth.
    """
    distances = np.linalg.norm(np.concatenate([lone, modes], axis=1) - future[:, None], axis=-1)
    errors = np.empty((*distances.shape[:2], len(plan.horizons_s), 2))
    for horizon, (until, at) in enumerate(zip(plan.until, plan.at, strict=True)):
        errors[:, :, horizon, 0] = distances[:, :, until].mean(axis=2)
        errors[:, :, horizon, 1] = distances[:, :, at]
    count = lone.shape[1]
    result = np.concatenate([errors[:, :count], errors[:, count:].min(axis=1, keepdims=True)], axis=1).swapaxes(1, 2)
    # A gap before the horizon leaves out the FDE too: both metrics then speak of the same targets.
    has_gap = np.isnan(result[:, :, 0, 0])
    return np.where(has_gap[:, :, None, None], np.nan, result)
