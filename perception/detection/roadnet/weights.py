"""RoadNet to a weights file and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import torch

from perception.detection.roadnet.detector import RoadNetDetector
from perception.detection.roadnet.engines import (
    EngineName,
    RoadNetEngine,
    RoadNetOnnxEngine,
    RoadNetTorchEngine,
    choose_engine,
)
from perception.detection.roadnet.network import RoadNet, RoadNetConfig, fold_batch_norms
from perception.detection.roadnet.onnx_export import CONFIG_KEY, roadnet_graph
from perception.detection.roadnet.shuffle import AnyRoadNet, ShuffleRoadNet, ShuffleRoadNetConfig
from perception.detection.settings import DetectionSettings
from perception.errors import UsageError
from perception.taxonomy import CLASSES
from perception.weights import fingerprint, load_into, read_weights, save_weights

KIND = "detector"
_LARGEST_SIZE = 4096


def save_roadnet(model: AnyRoadNet, path: Path, *, extras: Mapping[str, str] | None = None) -> str:
    """Write the network with what it is built from; return its ``feature_space``.

    ``extras`` are further strings; "feature_space" among them replaces the name derived from the tensors. Raises
    ``PerceptionError`` when a tensor is not finite or the file cannot be written.
    """
    state = model.state_dict()
    feature_space = (extras or {}).get("feature_space") or _derived_feature_space(state)
    save_weights(
        path, state, kind=KIND, config=asdict(model.config), extras={**(extras or {}), "feature_space": feature_space}
    )
    return feature_space


def read_roadnet(path: Path) -> tuple[AnyRoadNet, str]:
    """The network on the CPU, ready to run or to go on learning, and its ``feature_space``.

    Raises ``UsageError`` when the file is missing, damaged, or not of a RoadNet.
    """
    weights = read_weights(path, kind=KIND)
    model: AnyRoadNet
    if "stage_channels" in weights.config:
        model = ShuffleRoadNet(_shuffle_config(weights.config, path))
        load_into(model, weights, path)
        return model, weights.extras.get("feature_space") or _derived_feature_space(weights.state)
    model = RoadNet(_config(weights.config, path))
    if not any(name.endswith("running_mean") for name in weights.state):
        fold_batch_norms(model.eval())
    load_into(model, weights, path)
    return model, weights.extras.get("feature_space") or _derived_feature_space(weights.state)


def load_roadnet(
    path: Path,
    settings: DetectionSettings,
    *,
    device: torch.device,
    half: bool = False,
    engine: EngineName = "auto",
) -> RoadNetDetector:
    """A detector from a weights file; its name is the file's. Raises ``UsageError`` as ``read_roadnet`` and
    ``choose_engine`` do."""
    model, feature_space = read_roadnet(path)
    computes: RoadNetEngine
    if choose_engine(engine, device=device, half=half) == "onnx":
        computes = RoadNetOnnxEngine(roadnet_graph(model, feature_space=feature_space))
    else:
        computes = RoadNetTorchEngine(model, device=device, half=half)
    return RoadNetDetector(computes, settings, name=path.stem, feature_space=feature_space)


def is_exported_roadnet(path: Path) -> bool:
    """Whether the file states that ``export_roadnet`` wrote it."""
    try:
        return bool(CONFIG_KEY.encode() in path.read_bytes())
    except OSError:
        return False


def open_exported(path: Path, settings: DetectionSettings) -> RoadNetDetector:
    """A detector on the CPU from the file that ``export_roadnet`` wrote. Raises ``UsageError`` as its engine does."""
    engine = RoadNetOnnxEngine(path)
    return RoadNetDetector(engine, settings, name=path.stem, feature_space=engine.feature_space)


def _derived_feature_space(state: Mapping[str, torch.Tensor]) -> str:
    return f"roadnet-{fingerprint(state)}"


def _shuffle_config(values: Mapping[str, Any], path: Path) -> ShuffleRoadNetConfig:
    _check_names(values, ShuffleRoadNetConfig, path)
    lists = [values[name] for name in ("stage_channels", "stage_depths")]
    sizes = [values[name] for name in ("stem_channels", "channels", "head_depth", "embedding_size")]
    lists_fit = all(isinstance(part, list) and len(part) == 3 for part in lists)
    if not lists_fit or not _are_sizes([*sizes, *lists[0], *lists[1]]) or not _is_share(values["dropout"]):
        raise _no_such_size(path)
    if any(channels % 2 for channels in (*lists[0], values["channels"])):
        raise _no_such_size(path)
    stages = {name: tuple(values[name]) for name in ("stage_channels", "stage_depths")}
    return ShuffleRoadNetConfig(**{**values, **stages, "classes": _classes(values, path)})


def _config(values: Mapping[str, Any], path: Path) -> RoadNetConfig:
    values = {"width": 1.0, **values}  # files of before there was a choice do not name it
    _check_names(values, RoadNetConfig, path)
    classes = _classes(values, path)
    sizes = [values[name] for name in ("channels", "tower_depth", "embedding_size")]
    width_fits = isinstance(values["width"], (int, float)) and 0.1 <= values["width"] <= 4
    if not _are_sizes(sizes) or not width_fits or not _is_share(values["dropout"]):
        raise _no_such_size(path)
    return RoadNetConfig(**{**values, "classes": classes})


def _check_names(values: Mapping[str, Any], kind: type[RoadNetConfig] | type[ShuffleRoadNetConfig], path: Path) -> None:
    names = {field.name for field in fields(kind)}
    unknown, missing = set(values) - names, names - set(values)
    if unknown or missing:
        raise UsageError(
            f"{path}: is not built like RoadNet (config {sorted(unknown | missing)[0]}); give weights of this version."
        )


def _classes(values: Mapping[str, Any], path: Path) -> tuple[str, ...]:
    classes = tuple(values["classes"]) if isinstance(values["classes"], list) else ()
    if classes != CLASSES:
        raise UsageError(f"{path}: finds {', '.join(map(str, classes))}; give weights for {', '.join(CLASSES)}.")
    return classes


def _are_sizes(values: list[Any]) -> bool:
    return all(type(size) is int and 0 < size <= _LARGEST_SIZE for size in values)


def _is_share(value: Any) -> bool:
    return isinstance(value, (int, float)) and 0 <= value <= 1


def _no_such_size(path: Path) -> UsageError:
    return UsageError(f"{path}: its config holds a size that no RoadNet has; give weights of this version.")
