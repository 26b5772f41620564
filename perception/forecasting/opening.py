"""Which forecaster a run gets, and TrajectoryGRU to a weights file and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path

import torch

from perception.errors import UsageError
from perception.forecasting.baselines import ConstantVelocityForecaster
from perception.forecasting.gru import GruConfig, TrajectoryGRU
from perception.forecasting.online import GruForecaster
from perception.types import Forecaster
from perception.weights import WEIGHTS_SUFFIX, bundled_folder, load_into, read_weights, save_weights

KIND = "forecaster"
BUNDLED_NAME = "trajectory-gru-image"
CONSTANT_VELOCITY = "constant-velocity"
STEP_S = 0.2
"""Time between the points of a forecast: fine enough for a smooth curve, and half the file of 0.1 s."""


def open_forecaster(name: str, *, device: torch.device) -> tuple[Forecaster, str]:
    """A forecaster by name, and one sentence that says which was taken and why.

    ``name``: "auto" (the bundled TrajectoryGRU), "constant-velocity", or a weights file. Raises ``UsageError``.
    """
    if name == CONSTANT_VELOCITY:
        return ConstantVelocityForecaster(dt_s=STEP_S), "Forecaster: constant velocity, as asked."
    if name == "auto":
        path = bundled_folder() / f"{BUNDLED_NAME}{WEIGHTS_SUFFIX}"
        return GruForecaster(read_gru(path), device=device, dt_s=STEP_S), f"Forecaster: the bundled {BUNDLED_NAME}."
    path = Path(name)
    if path.suffix != WEIGHTS_SUFFIX:
        raise UsageError(f"--forecaster {name}: give auto, {CONSTANT_VELOCITY} or a {WEIGHTS_SUFFIX} file.")
    return GruForecaster(read_gru(path), device=device, dt_s=STEP_S), f"Forecaster: {path}, as asked."


def save_gru(model: TrajectoryGRU, path: Path, *, extras: Mapping[str, str] | None = None) -> None:
    """Write the network with what it is built from; raises ``PerceptionError`` as ``save_weights`` does."""
    save_weights(path, model.state_dict(), kind=KIND, config=asdict(model.config), extras=extras)


def read_gru(path: Path) -> TrajectoryGRU:
    """The network on the CPU; raises ``UsageError`` when the file is missing, damaged, or of another network."""
    weights = read_weights(path, kind=KIND)
    names = {field.name for field in fields(GruConfig)}
    if set(weights.config) != names:
        difference = sorted(set(weights.config) ^ names)[0]
        raise UsageError(f"{path}: is not built like TrajectoryGRU ({difference}); give weights of this version.")
    model = TrajectoryGRU(GruConfig(**weights.config))
    load_into(model, weights, path)
    return model.eval()
