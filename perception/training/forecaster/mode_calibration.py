"""Calibrated mode probabilities: a mode of probability 0.3 is the lowest-error mode in 30 of 100 cases.

The loss trains the first mode alone, too, which draws it to the middle of the others: it is the lowest-error mode more
often than its probability predicts. Two numbers, fitted after the training on validation data, correct that: a
temperature (Guo et al. 2017) and a first-mode bias. Both become part of the weights; the order stays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from torch import Tensor

from perception.forecasting.batch_prediction import predict_windows
from perception.forecasting.track_dataset import XY, Grid, Windows
from perception.forecasting.trajectory_gru import TrajectoryGRU
from perception.training.forecaster.loss import masked_mean

_BOUNDS = ((-2.0, 2.0), (0.0, 4.0))
"""Of the temperature's logarithm, and of the first-mode bias."""
_MIN_OBJECTS = 200
"""Objects with a known future that a set needs to count."""


@dataclass(frozen=True)
class ModeCalibration:
    """How often the most probable mode was the lowest-error mode, and its mean probability before and after."""

    accuracy: float
    probability_before: float
    probability_after: float


def calibrate_modes(
    model: TrajectoryGRU, sets: Mapping[str, Sequence[Windows]], grid: Grid
) -> dict[str, ModeCalibration]:
    """Fit on ``sets``, of equal weight, and put the result into ``model``, which is on the CPU.

    The futures of their windows lie on ``grid``. A set with few known futures is left out of fit and result.
    """
    model.mode_correction.zero_()
    times_s = torch.from_numpy(grid.times_s).float()
    found = {name: _best_modes(model, windows, times_s) for name, windows in sets.items()}
    found = {name: part for name, part in found.items() if len(part[1]) >= _MIN_OBJECTS}
    if not found or model.config.modes == 1:
        return {}

    def mean_nll(correction: NDArray[np.float64]) -> float:
        """The mean negative log-probability of the lowest-error mode."""
        of_sets = [
            model.log_probabilities(logit_gaps, torch.from_numpy(correction)).gather(1, best_modes[:, None]).mean()
            for logit_gaps, best_modes in found.values()
        ]
        return -float(torch.stack(of_sets).mean())

    identity = torch.zeros(2, dtype=torch.float64)
    fitted = torch.from_numpy(minimize(mean_nll, x0=(0.0, 0.1), method="Nelder-Mead", bounds=_BOUNDS).x)
    model.mode_correction.copy_(fitted)
    return {
        name: ModeCalibration(
            float((best_modes == 0).double().mean()),
            *(float(model.log_probabilities(logit_gaps, by)[:, 0].exp().mean()) for by in (identity, fitted)),
        )
        for name, (logit_gaps, best_modes) in found.items()
    }


def _best_modes(model: TrajectoryGRU, windows: Sequence[Windows], times_s: Tensor) -> tuple[Tensor, Tensor]:
    """Of n objects the logit gaps of the modes to the first (n, K - 1), and the lowest-error mode (n,)."""
    logit_gaps, best_modes = (
        [torch.zeros(0, model.config.modes - 1, dtype=torch.float64)],
        [torch.zeros(0, dtype=torch.int64)],
    )
    for batch in windows:
        known = batch.known.float()
        is_known = known.sum(dim=1) > 0
        futures, _ = predict_windows(model, batch, times_s)
        errors = (futures.means - batch.futures[:, None])[..., XY].norm(dim=-1)
        logs = futures.log_probabilities[is_known].double()
        logit_gaps.append(logs[:, :1] - logs[:, 1:])
        best_modes.append(masked_mean(errors, known[:, None])[is_known].argmin(dim=1))
    return torch.cat(logit_gaps), torch.cat(best_modes)
