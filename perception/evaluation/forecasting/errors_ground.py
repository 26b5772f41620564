"""Distances in metres between forecast and true centres on the ground, target by target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from perception.arrays import FloatArray
from perception.evaluation.core.calibration import CalibrationSamples, sample_calibration
from perception.evaluation.core.gt_interpolation import GtPaths, constant_velocity_paths
from perception.evaluation.core.records import InstantForecasts
from perception.evaluation.forecasting.errors_image import Plan, ade_fde, forecasts_of
from perception.evaluation.forecasting.over_time import ErrorsOverTime
from perception.geometry.rotation import rotation_2d
from perception.state_layout import POSITION, VELOCITY

BASELINES = ("CV", "stays")
"""Constant velocity of the track's state; and no motion."""

METHODS = ("expected", "most probable", *BASELINES, "best of K")
"""The order of the methods in ``GroundTargets.errors_m``."""
EXPECTED, PROBABLE, BEST = (METHODS.index(name) for name in ("expected", "most probable", "best of K"))

Float64 = NDArray[np.float64]


@dataclass(frozen=True)
class GroundTargets:
    """N targets: ``errors_m`` (N, H, methods, ADE and FDE), NaN without a future; ``calibration_samples`` at
    the horizons, along and across, in metres; ``moved_m`` (N, H), how far the object truly went; true object, instant
    and track of each, all (N,)."""

    errors_m: Float64
    calibration_samples: CalibrationSamples
    moved_m: Float64
    objects: NDArray[np.int64]
    instants: NDArray[np.int64]
    track_ids: NDArray[np.int64]

    @classmethod
    def join(cls, parts: Sequence[GroundTargets], *, horizon_count: int) -> GroundTargets:
        """All targets of several instants."""
        return cls(
            errors_m=np.concatenate(
                [np.zeros((0, horizon_count, len(METHODS), 2)), *(part.errors_m for part in parts)]
            ),
            calibration_samples=CalibrationSamples.join(
                [part.calibration_samples for part in parts], times=horizon_count
            ),
            moved_m=np.concatenate([np.zeros((0, horizon_count)), *(part.moved_m for part in parts)]),
            objects=np.concatenate([np.zeros(0, np.int64), *(part.objects for part in parts)]),
            instants=np.concatenate([np.zeros(0, np.int64), *(part.instants for part in parts)]),
            track_ids=np.concatenate([np.zeros(0, np.int64), *(part.track_ids for part in parts)]),
        )


def score_ground_record(
    record: InstantForecasts,
    *,
    rows: NDArray[np.int64],
    objects: NDArray[np.int64],
    paths: GtPaths,
    plan: Plan,
    over_time: ErrorsOverTime,
) -> GroundTargets:
    """Errors of the record's tracks ``rows`` (N,), which are the true ``objects`` (N,) of ``paths``.

    Each of them must have a forecast and a state. Constant velocity is that of the state. The errors are also added to
    the curves ``over_time``.
    """
    if record.state_means is None:
        raise ValueError("record.state_means: expected the tracks' states on the ground, got None")
    forecasts = forecasts_of(record, rows)
    ahead_ns = np.rint(np.r_[0.0, plan.times_s] * 1e9).astype(np.int64)
    truth_m = paths.centres_at(
        objects=objects, timestamps_ns=np.broadcast_to(record.timestamp_ns + ahead_ns, (len(rows), len(ahead_ns)))
    )
    now_m, future_m = truth_m[:, :1], truth_m[:, 1:]
    means_m, stds_m = (np.einsum("nktd,et->nked", values, plan.weights) for values in (forecasts.means, forecasts.stds))
    likeliest = forecasts.probabilities.argmax(axis=1)
    state = record.state_means[rows].astype(np.float64)
    lone_m = (
        np.einsum("nk,nked->ned", forecasts.probabilities, means_m),
        means_m[np.arange(len(rows)), likeliest],
        constant_velocity_paths(state[:, POSITION], state[:, VELOCITY], plan.times_s),
        constant_velocity_paths(state[:, POSITION], np.zeros_like(state[:, VELOCITY]), plan.times_s),
    )
    axes_rad = np.zeros(len(rows)) if forecasts.axes_rad is None else forecasts.axes_rad
    at_m = future_m[:, plan.at]
    calibration_samples = sample_calibration(
        forecasts.probabilities,
        _turned(means_m[:, :, plan.at], axes_rad),
        stds_m[:, :, plan.at],
        _turned(at_m[:, None], axes_rad)[:, 0],
    )
    lone = np.stack(lone_m, axis=1)
    over_time.add(
        lone=_turned(lone, axes_rad),
        modes=_turned(means_m, axes_rad),
        stds=stds_m,
        probabilities=forecasts.probabilities,
        future=_turned(future_m[:, None], axes_rad)[:, 0],
    )
    return GroundTargets(
        errors_m=ade_fde(lone, means_m, future_m, plan),
        calibration_samples=calibration_samples,
        moved_m=np.linalg.norm(at_m - now_m, axis=2),
        objects=objects,
        instants=np.full(len(rows), record.frame_index, np.int64),
        track_ids=record.track_ids[rows].astype(np.int64),
    )


def _turned(positions_m: Float64, axes_rad: FloatArray) -> Float64:
    """Positions (N, K, H, 2) in the world, seen along and across directions (N,)."""
    turned_m: Float64 = np.einsum("nkhd,nad->nkha", positions_m, rotation_2d(-axes_rad))
    return turned_m
