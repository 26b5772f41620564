"""TrajectoryGRU on a benchmark's targets."""

from __future__ import annotations

import numpy as np
import torch

from perception.arrays import FloatArray
from perception.benchmarks.split import Benchmark, Predicted, Split
from perception.evaluation.core.calibration import CalibrationSamples, sample_calibration
from perception.forecasting.batch_prediction import predict_windows
from perception.forecasting.interaction import NEIGHBOURS
from perception.forecasting.track_dataset import windows_at
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
                split.futures_of(np.arange(len(split))[batch], benchmark.steps),
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
