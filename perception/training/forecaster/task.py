"""``perception train forecaster``: TrajectoryGRU from a data module to weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from perception.forecasting.batch_prediction import encode_windows
from perception.forecasting.track_dataset import Windows
from perception.forecasting.trajectory_gru import HORIZONS_S, GruConfig, TrajectoryGRU
from perception.protocols import Detector
from perception.training.engine.trainer import Task, Validation
from perception.training.forecaster.config import ForecasterTraining
from perception.training.forecaster.data_modules.base import DataModule
from perception.training.forecaster.mode_calibration import ModeCalibration, calibrate_modes
from perception.training.forecaster.sigma_calibration import SigmaCalibration, calibrate_sigmas


def load_data_module(config: ForecasterTraining, root: Path, detector: Detector, fold: str = "") -> DataModule:
    """Read, track and simulate what the configuration names; paths are relative to ``root``.

    Of a benchmark its ``fold`` is read. Raises ``UsageError`` naming what is wrong.
    """
    rng = np.random.default_rng([config.settings.seed, 1])
    return config.data.load(config.batches, root=root, detector=detector, rng=rng, fold=fold)


def forecaster_task(
    config: ForecasterTraining, data: DataModule, *, feature_space: str, feature_size: int, device: torch.device
) -> Task[Windows]:
    """What ``trainer.train`` needs: a fresh model of ``config`` that is trained on ``data``."""
    torch.manual_seed(config.settings.seed)
    frame = config.data.reference_frame
    model = TrajectoryGRU(
        GruConfig(
            hidden_size=config.hidden_size,
            dropout=config.dropout,
            feature_size=feature_size,
            feature_space=feature_space,
            horizon_s=max(HORIZONS_S[frame], float(data.grid.times_s[-1])),
            modes=config.modes,
            interaction_dim=config.interaction_dim,
            reference_frame=frame,
        )
    )
    times = torch.from_numpy(data.grid.times_s).float().to(device)

    def sample_batch(step: int) -> Windows:
        return data.sample(np.random.default_rng([config.settings.seed, step])).to(device)

    def compute_loss(network: nn.Module, windows: Windows) -> dict[str, Tensor]:
        assert isinstance(network, TrajectoryGRU)
        encoded, state = encode_windows(network, windows)
        return data.loss(network.decode(encoded, state, times, windows.labels), windows, state)

    def validate(network: nn.Module) -> Validation:
        assert isinstance(network, TrajectoryGRU)
        try:
            return data.validate(network.cpu())
        finally:
            network.to(device)

    return Task(model, sample_batch, compute_loss, validate)


def calibrate(data: DataModule, model: TrajectoryGRU) -> tuple[dict[str, ModeCalibration], dict[str, SigmaCalibration]]:
    """Calibrate probabilities and standard deviations of a trained ``model``; see ``calibrate_modes`` and
    ``calibrate_sigmas``, whose results by data set are returned."""
    windows, model = data.calibration_set(), model.cpu()
    modes = calibrate_modes(model, windows, data.grid)  # first, for the sigmas are those of the weighted mixture
    return modes, calibrate_sigmas(model, windows, data.grid)
