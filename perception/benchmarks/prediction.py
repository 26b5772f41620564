"""Forecasters on a benchmark's targets: TrajectoryGRU, constant velocity, a Kalman filter."""

from __future__ import annotations

import numpy as np
import torch

from perception.arrays import FloatArray
from perception.benchmarks.split import Benchmark, Predicted, Split
from perception.evaluation.core.calibration import CalibrationSamples, sample_calibration
from perception.forecasting.batch_prediction import predict_windows
from perception.forecasting.interaction import NEIGHBOURS
from perception.forecasting.track_dataset import XY, windows_at
from perception.forecasting.trajectory_gru import TrajectoryGRU
from perception.geometry.rotation import rotate

_BATCH = 1024


def predict(model: TrajectoryGRU, split: Split, benchmark: Benchmark, *, neighbours: bool) -> Predicted:
    """The futures of all targets, in the unit of the errors. Without ``neighbours`` each object is alone."""
    times_s = torch.from_numpy(benchmark.grid.times_s).float()
    count = NEIGHBOURS if neighbours and model.config.interaction_dim else 0
    parts: list[tuple[FloatArray, FloatArray]] = []
    calibration_samples = []
    for start in range(0, len(split), _BATCH):
        batch = slice(start, start + _BATCH)
        windows = windows_at(split.tracks, split.ends[batch], length=split.history, neighbours=count)
        futures, state = predict_windows(model, windows, times_s)
        targets = len(split.ends[batch])
        axes_rad = model.motion.axes_rad(state)
        probabilities = futures.log_probabilities[:targets].exp().numpy()
        means = futures.means[:targets].numpy()
        calibration_samples.append(
            sample_calibration_along(
                probabilities,
                means,
                futures.stds[:targets].numpy(),
                split.tracks.truth[
                    split.tracks.truth_rows[split.ends[batch]][:, None] + np.array(benchmark.grid.steps)
                ],
                None if axes_rad is None else axes_rad[:targets].numpy(),
            )
        )
        parts.append((probabilities, means * split.units[batch][:, None, None]))
    probabilities, means = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Predicted(
        probabilities, means, CalibrationSamples.join(calibration_samples, times=means.shape[2], axes=means.shape[3])
    )


def sample_calibration_along(
    probabilities: FloatArray, means: FloatArray, stds: FloatArray, actual: FloatArray, axes_rad: FloatArray | None
) -> CalibrationSamples:
    """``sample_calibration`` of what happened (w, T, D).

    ``stds`` (w, K, T, D) lie along and across ``axes_rad`` (w,) where that is given.
    """
    away: FloatArray = actual[:, None] - means
    if axes_rad is not None:
        away = rotate(away, -axes_rad[:, None, None])
    return sample_calibration(probabilities, -away, stds, np.zeros_like(actual))  # seen from the truth


def constant_velocity(split: Split, steps: int) -> Predicted:
    """The last displacement, continued; a target that was seen once stays where it is."""
    rows = split.ends
    positions = split.tracks.observations[:, _positions(split)]
    has_past = split.tracks.rows_before[rows] > 0
    last = np.where(has_past[:, None], positions[rows] - positions[rows - has_past], 0)
    return _straight(split, positions[rows], last, steps)


def kalman(split: Split, steps: int) -> Predicted:
    """One filter per coordinate, as PIE_traj publishes it: [[1, 1], [0, 1]], Q = I, R = 1, started at rest."""
    positions = split.tracks.observations[:, _positions(split)]
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


def _straight(split: Split, now: FloatArray, step: FloatArray, steps: int) -> Predicted:
    ahead = np.arange(1, steps + 1)[:, None]
    means = now[:, None] + step[:, None] * ahead
    return Predicted(np.ones((len(split), 1)), (means * split.units[:, None])[:, None])


def _positions(split: Split) -> slice:
    """The columns of an observation that a future has, too."""
    return XY if split.units.shape[1] == 2 else slice(0, 4)
