"""From what the user names to a detector: a name, a file, a plug-in's detector, or a factory."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch

from perception.detection.registry import (
    FILE_OPENERS,
    RESULTS,
    DetectorOptions,
    OpenedDetector,
    Origin,
    built_in_detectors,
    open_results,
)
from perception.detection.roadnet.engines import EngineName
from perception.detection.settings import DetectionSettings
from perception.errors import UsageError
from perception.plugins import open_detector_plugin, unknown_name


def open_detector(
    name: str,
    settings: DetectionSettings,
    *,
    device: torch.device,
    weights: Path | None = None,
    half: bool = False,
    engine: EngineName = "auto",
    frame_counts: Mapping[str, int] | None = None,
) -> OpenedDetector:
    """The detector that ``name`` stands for.

    ``name`` is "auto" (the best that is present), a bundled RoadNet, a model of torchvision, "results:FILE" (boxes from
    elsewhere, see ``ResultsDetector``), a file: FILE.onnx (a known layout, or an exported RoadNet), FILE.param (ncnn),
    FILE.safetensors (RoadNet), the name of a plug-in's detector, or "package.module:factory" (see
    ``perception.plugins``). ``weights`` replaces RoadNet's or the torchvision model's. ``engine`` computes RoadNet, see
    ``choose_engine``. ``frame_counts`` are the frames of each camera of the recording that will be looked at, None
    where there is none. Nothing is fetched.

    Raises ``UsageError`` when the name is unknown, weights are absent or do not fit, or an option has no meaning for
    that detector.
    """
    how = DetectorOptions(settings, device, weights, half, engine, frame_counts)
    open_file = FILE_OPENERS.get(Path(name).suffix)
    stem, _, argument = name.partition(":")
    if stem == RESULTS:
        return open_results(argument, how)
    if open_file is not None:
        if weights is not None:
            raise UsageError(
                f"{name} holds its own weights; leave one of the two away.", field="weights", value=weights
            )
        return open_file(Path(name), how)
    built_in = built_in_detectors()
    if name in built_in:
        return built_in[name](how)
    found = open_detector_plugin(name, how.request)
    if found is not None:
        how.check_has_no_engine(name)
        files = () if weights is None else (weights,)
        return OpenedDetector(found, Origin(f"Detector: {found.name} of {name}, as asked.", files))
    raise unknown_name("detector", name, [*built_in, f"{RESULTS}:FILE", *(f"FILE{suffix}" for suffix in FILE_OPENERS)])
