"""RoadNet to a weights file and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import torch

from perception.detection.roadnet.detector import RoadNetDetector
from perception.detection.roadnet.engines import (
    EngineName,
    RoadNetEngine,
    RoadNetOnnxEngine,
    RoadNetTorchEngine,
    choose_engine,
)
from perception.detection.roadnet.network import SIDE_MULTIPLE_PX, RoadNet, RoadNetConfig
from perception.detection.roadnet.onnx_export import CONFIG_KEY, roadnet_graph
from perception.detection.settings import DetectionSettings
from perception.errors import UsageError
from perception.safety.input_limits import MAX_WEIGHTS_BYTES
from perception.safety.onnx_files import check_onnx_file
from perception.safety.regular_files import read_regular
from perception.taxonomy import CLASSES
from perception.weights import fingerprint, loaded, read_weights, save_weights

KIND = "detector"
_LARGEST_SIZE, _LARGEST_DEPTH = 4096, 64


def save_roadnet(model: RoadNet, path: Path, *, extras: Mapping[str, str] | None = None) -> str:
    """Write the network with what it is built from; return its ``feature_space``.

    ``extras`` are further strings; "feature_space" among them replaces the name derived from the tensors. Raises
    ``PerceptionError`` when a tensor is not finite or the file cannot be written.
    """
    state = model.state_dict()
    feature_space = (extras or {}).get("feature_space") or _derived_feature_space(state)
    save_weights(
        path,
        state,
        kind=KIND,
        config=model.config.to_plain(),
        extras={**(extras or {}), "feature_space": feature_space},
    )
    return feature_space


def read_roadnet(path: Path) -> tuple[RoadNet, str]:
    """The network on the CPU, ready to run or to go on learning, and its ``feature_space``.

    Raises ``UsageError`` when the file is missing, damaged, or not of a RoadNet.
    """
    weights = read_weights(path, kind=KIND)
    config = _config(weights.config, path)
    model = loaded(lambda: RoadNet(config), weights, path)
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
        return bool(CONFIG_KEY.encode() in read_regular(path, max_bytes=MAX_WEIGHTS_BYTES))
    except OSError:
        return False


def open_exported(path: Path, settings: DetectionSettings) -> RoadNetDetector:
    """A detector on the CPU from the file that ``export_roadnet`` wrote. Raises ``UsageError`` as its engine does,
    and where the graph does not run."""
    check_onnx_file(path)
    engine = RoadNetOnnxEngine(path)
    try:
        engine(np.zeros((1, 2 * SIDE_MULTIPLE_PX, 2 * SIDE_MULTIPLE_PX, 3), np.uint8))
    except Exception as error:  # ONNX Runtime raises types of its own
        raise UsageError(f"{path}: not a readable RoadNet of this version; export it again.") from error
    return RoadNetDetector(engine, settings, name=path.stem, feature_space=engine.feature_space)


def _derived_feature_space(state: Mapping[str, torch.Tensor]) -> str:
    return f"roadnet-{fingerprint(state)}"


def _config(values: Mapping[str, Any], path: Path) -> RoadNetConfig:
    names = {field.name for field in fields(RoadNetConfig)}
    values = dict(values)
    values.setdefault("stands_for", values.get("classes"))
    if differing := sorted(set(values) ^ names):
        raise UsageError(f"{path}: is not built like RoadNet (config {differing[0]}); give weights of this version.")
    classes, stands_for = (
        tuple(values[key]) if isinstance(values[key], list) else () for key in ("classes", "stands_for")
    )
    are_ours = all(name is None or (isinstance(name, str) and name in CLASSES) for name in stands_for)
    are_named = bool(classes) and all(isinstance(name, str) for name in classes)
    if not are_named or len(classes) != len(stands_for) or not are_ours:
        found = ", ".join(map(str, classes))
        raise UsageError(
            f"{path}: finds {found}; give weights for {', '.join(CLASSES)}, or for classes that stand for them."
        )
    if not _has_sizes(values):
        raise UsageError(f"{path}: its config holds a size that no RoadNet has; give weights of this version.")
    stages: dict[str, Any] = {name: tuple(values[name]) for name in ("stage_channels", "stage_depths")}
    return RoadNetConfig(**{**values, **stages, "classes": classes, "stands_for": stands_for})


def _has_sizes(values: Mapping[str, Any]) -> bool:
    stages = [values[name] for name in ("stage_channels", "stage_depths")]
    if not all(isinstance(part, list) and len(part) == 3 for part in stages):
        return False
    sizes = [values[name] for name in ("stem_channels", "channels", "embedding_size")]
    if not all(type(size) is int and 0 < size <= _LARGEST_SIZE for size in (*sizes, *stages[0])):
        return False
    if not all(type(depth) is int and 0 < depth <= _LARGEST_DEPTH for depth in (values["head_depth"], *stages[1])):
        return False
    in_halves = (*values["stage_channels"], values["channels"])
    is_share = isinstance(values["dropout"], (int, float)) and 0 <= values["dropout"] <= 1
    return is_share and all(channels % 2 == 0 for channels in in_halves)
