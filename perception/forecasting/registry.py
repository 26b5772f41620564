"""Which forecaster a run gets, and TrajectoryGRU to a weights file and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path

import torch

from perception.errors import UsageError
from perception.forecasting.baselines import ConstantVelocityForecaster
from perception.forecasting.onnx_engine import OnnxEngine
from perception.forecasting.recurrent_forecaster import GruForecaster
from perception.forecasting.trajectory_gru import GruConfig, TrajectoryGRU
from perception.protocols import Forecaster
from perception.types import ReferenceFrame
from perception.weights import WEIGHTS_SUFFIX, bundled_folder, load_into, read_weights, save_weights

KIND = "forecaster"
BUNDLED_NAMES: dict[ReferenceFrame, str] = {"image": "trajectory-gru-image", "ground": "trajectory-gru-ground"}
BUNDLED_NAME = BUNDLED_NAMES["image"]
CONSTANT_VELOCITY = "constant-velocity"
ONNX_SUFFIX = ".onnx"
STEP_S = 0.2
"""Time between the points of a forecast: fine enough for a smooth curve, and half the file of 0.1 s."""


def open_forecaster(
    name: str, *, device: torch.device, reference_frame: ReferenceFrame = "image"
) -> tuple[Forecaster, str]:
    """A forecaster for tracks of ``reference_frame``, and one sentence that says which was taken and why.

    ``name``: "auto" (the bundled TrajectoryGRU), "constant-velocity", or a weights file. Raises ``UsageError``.
    """
    straight = ConstantVelocityForecaster(dt_s=STEP_S)
    if name == CONSTANT_VELOCITY:
        return straight, "Forecaster: constant velocity, as asked."
    if name == "auto":
        bundled = BUNDLED_NAMES[reference_frame]
        path = bundled_folder() / f"{bundled}{WEIGHTS_SUFFIX}"
        if reference_frame == "ground" and not path.is_file():
            return straight, f"Forecaster: constant velocity, because {path} is not there; train it or name another."
        return _learnt(path, device, reference_frame), f"Forecaster: the bundled {bundled}."
    path = Path(name)
    if path.suffix == ONNX_SUFFIX:
        return _exported(path, reference_frame), f"Forecaster: {path} on ONNX Runtime, as asked."
    if path.suffix != WEIGHTS_SUFFIX:
        raise UsageError(
            f"--forecaster {name}: give auto, {CONSTANT_VELOCITY}, a {WEIGHTS_SUFFIX} or {ONNX_SUFFIX} file."
        )
    return _learnt(path, device, reference_frame), f"Forecaster: {path}, as asked."


def _learnt(path: Path, device: torch.device, reference_frame: ReferenceFrame) -> GruForecaster:
    model = read_gru(path)
    _check_frame(path, model.config.reference_frame, reference_frame)
    return GruForecaster.of(model, device=device, dt_s=STEP_S)


def _exported(path: Path, reference_frame: ReferenceFrame) -> GruForecaster:
    if not path.is_file():
        raise UsageError(f"{path}: there is no such file; check the path.")
    engine = OnnxEngine(path)
    _check_frame(path, engine.config.reference_frame, reference_frame)
    return GruForecaster(engine, engine.config, dt_s=engine.dt_s)


def _check_frame(path: Path, found: ReferenceFrame, reference_frame: ReferenceFrame) -> None:
    if found != reference_frame:
        raise UsageError(
            f"{path}: forecasts in the {found} frame, but these tracks are in the {reference_frame} frame; "
            f"give weights that were trained there, or auto."
        )


def save_gru(model: TrajectoryGRU, path: Path, *, extras: Mapping[str, str] | None = None) -> None:
    """Write the network with what it is built from; raises ``PerceptionError`` as ``save_weights`` does."""
    save_weights(path, model.state_dict(), kind=KIND, config=asdict(model.config), extras=extras)


def read_origin(path: Path) -> Mapping[str, str]:
    """What ``save_gru`` wrote beside the network; raises ``UsageError`` as ``read_gru`` does."""
    return read_weights(path, kind=KIND).extras


def read_gru(path: Path) -> TrajectoryGRU:
    """The network on the CPU; raises ``UsageError`` when the file is missing, damaged, or of another network."""
    weights = read_weights(path, kind=KIND)
    names = {field.name for field in fields(GruConfig)}
    wrong = sorted((set(weights.config) - names) | (names - set(weights.config)))
    if wrong:
        raise UsageError(f"{path}: is not built like TrajectoryGRU ({wrong[0]}); give weights of this version.")
    frame = weights.config["reference_frame"]
    if frame not in BUNDLED_NAMES:
        raise UsageError(f"{path}: forecasts in an unknown frame ({frame}); give weights of this version.")
    model = TrajectoryGRU(GruConfig(**weights.config))
    for calibration in ("spread_correction", "choice_correction"):  # files of before had none
        weights.state.setdefault(calibration, getattr(model, calibration))
    load_into(model, weights, path)
    return model.eval()
