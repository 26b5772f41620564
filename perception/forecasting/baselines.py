"""Constant velocity, which always stands beside the learnt forecaster."""

from __future__ import annotations

import numpy as np

from perception.types import FloatArray, Forecasts, Tracks


class ConstantVelocityForecaster:
    """Continues the tracker's filtered velocity in a straight line; the spread is the filter's, propagated.

    One future, K = 1, ``horizon_s`` ahead in steps of ``dt_s``.
    """

    def __init__(self, *, horizon_s: float = 3.0, dt_s: float = 0.1) -> None:
        self._times_s = np.arange(1, round(horizon_s / dt_s) + 1) * dt_s
        self._dt_s = dt_s

    def reset(self) -> None:
        """It remembers nothing."""

    def step(self, tracks: Tracks, timestamp_ns: int, world_from_vehicle: FloatArray | None = None) -> Forecasts:
        boxes, rates = tracks.means[:, :4], tracks.means[:, 4:8]
        means = boxes[:, None, :] + rates[:, None, :] * self._times_s[:, None]
        means[..., 2:] = np.maximum(means[..., 2:], 1e-4)
        variances = np.diagonal(tracks.covariances, axis1=1, axis2=2)
        cross = np.diagonal(tracks.covariances[:, :4, 4:8], axis1=1, axis2=2)
        times = self._times_s[:, None]
        spread = variances[:, None, :4] + 2 * cross[:, None] * times + variances[:, None, 4:8] * times**2
        return Forecasts(
            track_ids=tracks.ids,
            probabilities=np.ones((len(tracks), 1)),
            means=means[:, None],
            stds=np.sqrt(np.maximum(spread, 1e-12))[:, None],
            dt_s=self._dt_s,
        )
