"""Which forecaster a run gets, and TrajectoryGRU to a weights file and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import torch

from perception.errors import UsageError
from perception.forecasting.baselines import ConstantVelocityForecaster
from perception.forecasting.onnx_engine import OnnxEngine
from perception.forecasting.recurrent_forecaster import GruForecaster
from perception.forecasting.trajectory_gru import OLD_NAMES, TrajectoryGRU, correction_shapes, read_gru_config
from perception.plugins import ForecasterRequest, open_forecaster_plugin, unknown_name
from perception.protocols import Forecaster
from perception.safety.onnx_files import check_onnx_file
from perception.types import ReferenceFrame
from perception.weights import WEIGHTS_SUFFIX, bundled_folder, loaded, read_weights, save_weights

KIND = "forecaster"
BUNDLED_NAMES: dict[ReferenceFrame, str] = {"image": "trajectory-gru-image", "ground": "trajectory-gru-ground"}
BUNDLED_NAME = BUNDLED_NAMES["image"]
AUTO = "auto"
CONSTANT_VELOCITY = "constant-velocity"
ONNX_SUFFIX = ".onnx"
STEP_S = 0.2
"""Time between the points of a forecast: fine enough for a smooth curve, and half the file of 0.1 s."""


class OpenedForecaster(NamedTuple):
    """A forecaster, one sentence on which was taken and why, and the files that were read for it."""

    forecaster: Forecaster
    reason: str
    weights: tuple[Path, ...] = ()


def open_forecaster(name: str, *, device: torch.device, reference_frame: ReferenceFrame = "image") -> OpenedForecaster:
    """A forecaster for tracks of ``reference_frame``.

    ``name``: "auto" (the bundled TrajectoryGRU), "constant-velocity", a weights file, the name of an installed
    package's forecaster, or "package.module:factory" (see ``perception.plugins``). Raises ``UsageError``.
    """
    path = Path(name)
    open_file = _FILES.get(path.suffix)
    if open_file is not None:
        return open_file(path, device, reference_frame)
    if name in _BUILT_IN:
        return _BUILT_IN[name](device, reference_frame)
    found = open_forecaster_plugin(
        name, lambda argument: ForecasterRequest(argument=argument, device=device, reference_frame=reference_frame)
    )
    if found is None:
        raise unknown_name("forecaster", name, [*_BUILT_IN, *(f"FILE{suffix}" for suffix in _FILES)])
    return OpenedForecaster(found, f"Forecaster: {name}, as asked.")


def _open_bundled(device: torch.device, reference_frame: ReferenceFrame) -> OpenedForecaster:
    bundled = BUNDLED_NAMES[reference_frame]
    path = bundled_folder() / f"{bundled}{WEIGHTS_SUFFIX}"
    if reference_frame == "ground" and not path.is_file():
        reason = f"Forecaster: constant velocity, because {path} is not there; train it or name another."
        return OpenedForecaster(ConstantVelocityForecaster(dt_s=STEP_S), reason)
    return OpenedForecaster(_open_gru(path, device, reference_frame), f"Forecaster: the bundled {bundled}.", (path,))


def _open_constant_velocity(device: torch.device, reference_frame: ReferenceFrame) -> OpenedForecaster:
    return OpenedForecaster(ConstantVelocityForecaster(dt_s=STEP_S), "Forecaster: constant velocity, as asked.")


def _open_weights_file(path: Path, device: torch.device, reference_frame: ReferenceFrame) -> OpenedForecaster:
    return OpenedForecaster(_open_gru(path, device, reference_frame), f"Forecaster: {path}, as asked.", (path,))


def _open_onnx_file(path: Path, device: torch.device, reference_frame: ReferenceFrame) -> OpenedForecaster:
    reason = f"Forecaster: {path} on ONNX Runtime, as asked."
    return OpenedForecaster(_exported(path, reference_frame), reason, (path,))


_BUILT_IN: Mapping[str, Callable[[torch.device, ReferenceFrame], OpenedForecaster]] = {
    AUTO: _open_bundled,
    CONSTANT_VELOCITY: _open_constant_velocity,
}
_FILES: Mapping[str, Callable[[Path, torch.device, ReferenceFrame], OpenedForecaster]] = {
    WEIGHTS_SUFFIX: _open_weights_file,
    ONNX_SUFFIX: _open_onnx_file,
}


def _open_gru(path: Path, device: torch.device, reference_frame: ReferenceFrame) -> GruForecaster:
    model = read_gru(path)
    _check_frame(path, model.config.reference_frame, reference_frame)
    return GruForecaster.of(model, device=device, dt_s=STEP_S)


def _exported(path: Path, reference_frame: ReferenceFrame) -> GruForecaster:
    if not path.is_file():
        raise UsageError(f"{path}: there is no such file; check the path.")
    check_onnx_file(path)
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
    try:
        config = read_gru_config(weights.config)
    except ValueError as error:
        raise UsageError(f"{path}: is not built like TrajectoryGRU ({error}); give weights of this version.") from error
    for calibration, shape in correction_shapes(config).items():  # the first files had none
        if not any(OLD_NAMES.get(name, name) == calibration for name in weights.state):
            weights.state[calibration] = torch.zeros(shape)
    return loaded(lambda: TrajectoryGRU(config), weights, path).eval()
