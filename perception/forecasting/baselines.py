"""Constant velocity, the baseline of the trained forecaster."""

from __future__ import annotations

import numpy as np

from perception.arrays import FloatArray
from perception.forecasting.features.ground_motion import motion_axes_rad
from perception.forecasting.trajectory_gru import HORIZONS_S
from perception.geometry.rotation import rotation_2d
from perception.state_layout import MEASURED, POSITION, RATES, VELOCITY
from perception.types import EgoMotions, Forecasts, Tracks


class ConstantVelocityForecaster:
    """Continues the tracker's filtered velocity in a straight line; the spread is the filter's, propagated.

    One future, K = 1, in steps of ``dt_s``; ``horizon_s`` ahead, by default as far as TrajectoryGRU looks in the
    reference frame of the tracks.
    """

    def __init__(self, *, horizon_s: float | None = None, dt_s: float = 0.1) -> None:
        self._horizon_s = horizon_s
        self._dt_s = dt_s

    def reset(self) -> None:
        """It remembers nothing."""

    def step(
        self,
        tracks: Tracks,
        timestamp_ns: int,
        world_from_vehicle: FloatArray | None = None,
        ego_motions: EgoMotions | None = None,
    ) -> Forecasts:
        """The futures of all ``tracks``."""
        horizon_s = self._horizon_s or HORIZONS_S[tracks.reference_frame]
        times_s = np.arange(1, round(horizon_s / self._dt_s) + 1)[:, None] * self._dt_s
        is_ground = tracks.reference_frame == "ground"
        position, rate = (POSITION, VELOCITY) if is_ground else (MEASURED, RATES)
        means = tracks.means[:, None, position] + tracks.means[:, None, rate] * times_s
        if not is_ground:
            means[..., 2:] = np.maximum(means[..., 2:], 1e-4)
        axes_rad = motion_axes_rad(tracks) if is_ground else None
        positions, cross, rates = _variances(tracks, position, rate, axes_rad)
        spread = positions[:, None] + 2 * cross[:, None] * times_s + rates[:, None] * times_s**2
        return Forecasts(
            track_ids=tracks.ids,
            probabilities=np.ones((len(tracks), 1)),
            means=means[:, None],
            stds=np.sqrt(np.maximum(spread, 1e-12))[:, None],
            dt_s=self._dt_s,
            reference_frame=tracks.reference_frame,
            axes_rad=axes_rad,
        )


def _variances(
    tracks: Tracks, position: slice, rate: slice, axes_rad: FloatArray | None
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """(N, D) each: of the position, between position and rate, of the rate; along and across ``axes_rad`` where
    given."""
    pairs = ((position, position), (position, rate), (rate, rate))
    blocks = [tracks.covariances[:, rows, columns] for rows, columns in pairs]
    if axes_rad is not None:
        axes_from_world = rotation_2d(-axes_rad)
        blocks = [axes_from_world @ block @ axes_from_world.transpose(0, 2, 1) for block in blocks]
    diagonals = [np.diagonal(block, axis1=1, axis2=2) for block in blocks]
    return diagonals[0], diagonals[1], diagonals[2]
