"""Calibrated standard deviations: half of what happens lies in the middle half of the forecast.

Fitted after the training, on validation data, like the detector's scores (Guo et al. 2017 scale a classifier's
logits): for each class and axis a curve in time widens or narrows all spreads. It becomes part of the weights.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import ndtr
from torch import Tensor

from perception.forecasting.batch_prediction import predict_windows
from perception.forecasting.track_dataset import Grid, Windows
from perception.forecasting.trajectory_gru import TrajectoryGRU
from perception.taxonomy import CLASSES
from perception.training.forecaster.loss import turned_along

_FIT_TIMES = 8
"""Times between now and the horizon at which factors are chosen."""
_MIN_FUTURES = 200
"""Futures of a class at a time from which it has factors of its own; rarer classes take those of all."""
_LOG_FACTORS = np.linspace(-2.5, 2.5, 101)
_PRIOR = 1e-4
"""A factor of e costs as much as a middle that is wrong by one point."""
_MIDDLES = (0.5, 0.9)

Float64 = NDArray[np.float64]


@dataclass(frozen=True)
class Coverage:
    """Shares of the truth inside the middle 50 % and 90 % of the futures, over all times and axes."""

    middle_50: float
    middle_90: float


class SigmaCalibration(NamedTuple):
    """What the futures covered before the calibration, and after it."""

    before: Coverage
    after: Coverage


@dataclass(frozen=True)
class _Predictions:
    """N futures at T times: ``deviations`` (N, K, T, D) of the truth in standard deviations, NaN where unknown."""

    deviations: Float64
    probabilities: Float64
    labels: NDArray[np.int64]

    def inside(self, log_factor: float, rows: NDArray[np.bool_], time: int, axis: int) -> Float64:
        """How far from the middle the truth lies (n,), in probability, with spreads e to ``log_factor`` as wide."""
        deviations = self.deviations[rows, :, time, axis]
        levels: Float64 = (self.probabilities[rows] * ndtr(deviations * np.exp(-log_factor))).sum(axis=1)
        return np.asarray(2 * np.abs(levels[np.isfinite(levels)] - 0.5))


def calibrate_sigmas(
    model: TrajectoryGRU, sets: Mapping[str, Sequence[Windows]], grid: Grid
) -> dict[str, SigmaCalibration]:
    """Fit on ``sets``, of equal weight, and put the result into ``model``, which is on the CPU.

    The futures of their windows lie on ``grid``. Returns what was covered before and after, by set; a set in which no
    future is known is left out.
    """
    sets = {name: windows for name, windows in sets.items() if any(batch.known.any() for batch in windows)}
    times_s = torch.from_numpy(grid.times_s).float()
    before = {name: _predict(model, windows, times_s) for name, windows in sets.items()}
    chosen = np.unique(np.linspace(0, len(times_s) - 1, _FIT_TIMES).astype(int))
    size = model.motion.dimensions
    factors = np.zeros((len(CLASSES) + 1, len(chosen), size))
    for label in (*range(len(CLASSES)), None):
        row = -1 if label is None else label
        for column, time in enumerate(chosen.tolist()):
            for axis in range(size):
                factors[row, column, axis] = _log_factor(list(before.values()), label, time, axis)
    factors = np.nan_to_num(np.where(np.isfinite(factors), factors, factors[-1:]))
    curves = model.spread_curves(times_s[chosen]).double().numpy()
    fitted = np.linalg.lstsq(curves, factors[:-1].transpose(1, 0, 2).reshape(len(chosen), -1), rcond=None)[0]
    correction = torch.from_numpy(fitted.reshape(curves.shape[1], len(CLASSES), size).transpose(1, 0, 2)).float()
    with torch.no_grad():
        model.sigma_correction += correction.to(model.sigma_correction.device)
    after = {name: _predict(model, windows, times_s) for name, windows in sets.items()}
    return {name: SigmaCalibration(_coverage(before[name]), _coverage(after[name])) for name in sets}


def _log_factor(sets: Sequence[_Predictions], label: int | None, time: int, axis: int) -> float:
    """The logarithm of the factor with which both middles hold what they should; NaN where too little is known."""
    errors = []
    for predictions in sets:
        rows = np.isfinite(predictions.deviations[:, 0, time, axis])
        if label is not None:
            rows &= predictions.labels == label
        if rows.sum() < _MIN_FUTURES:
            continue
        inside = [predictions.inside(log_factor, rows, time, axis) for log_factor in _LOG_FACTORS]
        errors.append([[float((values <= middle).mean()) - middle for middle in _MIDDLES] for values in inside])
    if not errors:
        return math.nan
    # Where futures lie far from one another, widths hardly matter: then they stay nearly as they are.
    cost = np.square(np.mean(errors, axis=0)).sum(axis=1) + _PRIOR * _LOG_FACTORS**2
    return float(_LOG_FACTORS[cost.argmin()])


def _predict(model: TrajectoryGRU, windows: Sequence[Windows], times_s: Tensor) -> _Predictions:
    parts = []
    for batch in windows:
        futures, state = predict_windows(model, batch, times_s)
        errors, axes_rad = batch.futures[:, None] - futures.means, model.motion.axes_rad(state)
        if axes_rad is not None:
            errors = turned_along(errors, axes_rad)
        deviations = torch.where(batch.known[:, None, :, None], errors / futures.stds, torch.nan)
        is_known = batch.known.any(dim=1)
        parts.append((deviations[is_known], futures.log_probabilities.exp()[is_known], batch.labels[is_known]))
    columns = [torch.cat(column).numpy() for column in zip(*parts, strict=True)]
    return _Predictions(columns[0].astype(np.float64), columns[1].astype(np.float64), columns[2])


def _coverage(predictions: _Predictions) -> Coverage:
    rows = np.ones(len(predictions.labels), bool)
    _, _, times, axes = predictions.deviations.shape
    inside = np.concatenate([predictions.inside(0.0, rows, t, axis) for t in range(times) for axis in range(axes)])
    return Coverage(*(float((inside <= middle).mean()) for middle in _MIDDLES))
