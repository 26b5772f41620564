"""What a forecaster must beat on a benchmark's targets: predictions that need no training."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from perception.arrays import FloatArray
from perception.benchmarks.split import Predicted, Split
from perception.evaluation.core.gt_interpolation import RECENT_S, TURNING_REMOVED
from perception.forecasting.features.image_motion import TURNED
from perception.forecasting.track_dataset import XY


def constant_velocity(split: Split, steps: int) -> Predicted:
    """The last displacement, continued, also of the size; a target that was seen once stays where it is."""
    positions = _positions(split)
    has_past = split.tracks.rows_before[split.ends] > 0
    return _straight(split, positions[split.ends], positions[split.ends] - positions[split.ends - has_past], steps)


def recent_velocity(split: Split, steps: int) -> Predicted:
    """The centre's mean velocity over the last ``RECENT_S``, rounded up to whole steps; the size is held.

    A target that was seen for a shorter time has the mean over that.
    """
    return _recent_velocity(split, _positions(split), steps)


def recent_velocity_without_turning(split: Split, steps: int) -> Predicted:
    """The same, less what the camera's own turning moved."""
    turned = split.tracks.observations[:, TURNED]
    first_rows = np.repeat(split.tracks.starts[:-1], np.diff(split.tracks.starts))
    total = np.cumsum(turned, axis=0)
    return _recent_velocity(split, _positions(split) - (total - total[first_rows]), steps)


def _recent_velocity(split: Split, positions: FloatArray, steps: int) -> Predicted:
    """By ``positions`` (M, D) of all observations, which end where each target is."""
    rows = split.ends
    wanted = max(1, math.ceil(RECENT_S * split.tracks.grid.rate_fps))
    past = np.minimum(split.tracks.rows_before[rows], min(wanted, split.history - 1))
    now = _positions(split)[rows]
    step = np.zeros_like(now)
    step[:, XY] = (positions[rows] - positions[rows - past])[:, XY] / np.maximum(past, 1)[:, None]
    return _straight(split, now, step, steps)


def kalman(split: Split, steps: int) -> Predicted:
    """One filter per coordinate, as PIE_traj publishes it: [[1, 1], [0, 1]], Q = I, R = 1, started at rest."""
    positions = _positions(split)
    counts = np.minimum(split.tracks.rows_before[split.ends] + 1, split.history)
    first = split.ends - counts + 1
    position, velocity = positions[first].copy(), np.zeros_like(positions[first])
    transition, covariance = np.array([[1.0, 1.0], [0.0, 1.0]]), np.eye(2)
    for index in range(1, split.history):
        goes_on = (index < counts)[:, None]
        predicted = position + velocity
        covariance = transition @ covariance @ transition.T + np.eye(2)
        gain = covariance[:, 0] / (covariance[0, 0] + 1.0)
        surprise = positions[np.minimum(first + index, split.ends)] - predicted
        position = np.where(goes_on, predicted + gain[0] * surprise, position)
        velocity = np.where(goes_on, velocity + gain[1] * surprise, velocity)
        covariance = covariance - np.outer(gain, covariance[0])
    # The filter is linear and its gains know no unit: a track in other units only gives a line in these.
    return _straight(split, position, velocity, steps)


def stays(split: Split, steps: int) -> Predicted:
    """Everything remains where it was last seen."""
    now = _positions(split)[split.ends]
    return _straight(split, now, np.zeros_like(now), steps)


BASELINES: Mapping[str, Callable[[Split, int], Predicted]] = {
    "CV last step": constant_velocity,
    "CV 0.25 s": recent_velocity,
    "Kalman": kalman,
    "stays": stays,
}
"""By the name that tables and files use."""


def baselines_of(split: Split) -> Mapping[str, Callable[[Split, int], Predicted]]:
    """Those that can be computed for the split's targets."""
    if split.tracks.views is None:
        return BASELINES
    return {**BASELINES, TURNING_REMOVED: recent_velocity_without_turning}


def _straight(split: Split, now: FloatArray, step: FloatArray, steps: int) -> Predicted:
    ahead = np.arange(1, steps + 1)[:, None]
    means = now[:, None] + step[:, None] * ahead
    return Predicted(np.ones((len(split), 1)), (means * split.units[:, None])[:, None])


def _positions(split: Split) -> FloatArray:
    """The columns of all observations that a future has, too."""
    columns = XY if split.units.shape[1] == 2 else slice(0, 4)
    positions: FloatArray = split.tracks.observations[:, columns]
    return positions
