"""What each name and each ending of a file stands for: which detector is opened, and from which files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch

from perception.detection.backends.ncnn import NcnnDetector
from perception.detection.backends.onnx import OnnxDetector
from perception.detection.backends.results import ResultsDetector
from perception.detection.backends.torchvision import TorchvisionDetector
from perception.detection.model_zoo import fetchable_detectors, torchvision_names
from perception.detection.roadnet.detector import RoadNetDetector
from perception.detection.roadnet.engines import EngineName
from perception.detection.roadnet.weights import is_exported_roadnet, load_roadnet, open_exported
from perception.detection.settings import DetectionSettings
from perception.errors import UsageError
from perception.plugins import DetectorRequest
from perception.protocols import Detector
from perception.weights import WEIGHTS_SUFFIX, bundled_cards

AUTO = "auto"
ROADNET = "roadnet"
RESULTS = "results"
_OWN_INPUT_SIZE = "at its own input size, which imgsz does not change"


class Origin(NamedTuple):
    """One sentence that says which detector was taken and why, and the files that were read for it."""

    reason: str
    weights: tuple[Path, ...] = ()


class OpenedDetector(NamedTuple):
    """A detector, and where it comes from."""

    detector: Detector
    origin: Origin


@dataclass(frozen=True)
class DetectorOptions:
    """Where and how a detector computes."""

    settings: DetectionSettings
    device: torch.device
    weights: Path | None
    half: bool
    engine: EngineName
    frame_counts: Mapping[str, int] | None

    def check_has_no_engine(self, name: str) -> None:
        if self.engine != "auto":
            raise UsageError(
                f"{name} has one engine of its own; leave `engine` away.", field="engine", value=self.engine
            )

    def check_has_no_halves(self, name: str, why: str) -> None:
        if self.half:
            raise UsageError(f"{name} {why}; leave `half` away.", field="half")

    def request(self, argument: str) -> DetectorRequest:
        """The same for a detector of others."""
        return DetectorRequest(
            argument=argument,
            device=self.device,
            confidence=self.settings.confidence,
            iou=self.settings.iou,
            image_size_px=self.settings.image_size_px,
            classes=self.settings.classes,
            half=self.half,
            weights=self.weights,
        )


def built_in_detectors() -> dict[str, Callable[[DetectorOptions], OpenedDetector]]:
    """What each name opens, in the order in which they are reported."""
    bundled = dict.fromkeys([*_bundled(), ROADNET])
    return {
        AUTO: _open_best,
        **{name: partial(_open_roadnet, name) for name in bundled},
        **{name: partial(_open_torchvision, name) for name in torchvision_names()},
    }


def _open_weights_file(path: Path, how: DetectorOptions) -> OpenedDetector:
    return _roadnet(path, how, f"RoadNet from {path}", "as asked")


def _open_ncnn_file(path: Path, how: DetectorOptions) -> OpenedDetector:
    _check_is_exported(path, how)
    detector = NcnnDetector(path, how.settings)
    files = tuple(file for file in (path, path.with_suffix(".bin")) if file.is_file())
    return OpenedDetector(detector, Origin(f"Detector: {path} by ncnn on the CPU, as asked.", files))


def _open_onnx_file(path: Path, how: DetectorOptions) -> OpenedDetector:
    _check_is_exported(path, how)
    if is_exported_roadnet(path):
        reason = f"Detector: RoadNet from {path} by ONNX Runtime on the CPU, as asked."
        return OpenedDetector(open_exported(path, how.settings), Origin(reason, (path,)))
    detector = OnnxDetector(path, how.settings, device=how.device)
    place = "the GPU" if detector.runs_on_gpu else "the CPU"
    if how.device.type == "cuda" and not detector.runs_on_gpu:
        place += " (this ONNX Runtime has no CUDA)"
    side = detector.long_side_px
    size = _OWN_INPUT_SIZE if side is None else f"at {side} pixels"
    reason = f"Detector: {path}, read as {detector.layout.title}, by ONNX Runtime on {place}, {size}, as asked."
    reason = f"{reason} {detector.layout.columns.description}".rstrip()
    return OpenedDetector(detector, Origin(reason, (path,)))


def _check_is_exported(path: Path, how: DetectorOptions) -> None:
    how.check_has_no_engine(path.name)
    how.check_has_no_halves(path.name, "computes in the precision that it was exported with")


FILE_OPENERS: Mapping[str, Callable[[Path, DetectorOptions], OpenedDetector]] = {
    ".onnx": _open_onnx_file,
    ".param": _open_ncnn_file,
    WEIGHTS_SUFFIX: _open_weights_file,
}
"""What opens a file with such an ending."""


def open_results(place: str, how: DetectorOptions) -> OpenedDetector:
    """Boxes that are read from ``place``. Raises ``UsageError`` for options that have no meaning there."""
    name = f"{RESULTS}:{place}"
    if how.weights is not None:
        raise UsageError(f"{name} computes nothing; leave `weights` away.", field="weights", value=how.weights)
    how.check_has_no_engine(name)
    how.check_has_no_halves(name, "computes nothing")
    if how.frame_counts is None:
        raise UsageError("these boxes belong to a recording; give it as `source`.", field="detector", value=name)
    detector = ResultsDetector(place, how.settings, frame_counts=how.frame_counts)
    reason = f"Detector: none, the boxes are read from {place}, as asked; iou and imgsz do not change them."
    return OpenedDetector(detector, Origin(reason, tuple(detector.paths.values())))


def _roadnet(path: Path, how: DetectorOptions, what: str, why: str) -> OpenedDetector:
    detector: RoadNetDetector = load_roadnet(path, how.settings, device=how.device, half=how.half, engine=how.engine)
    return OpenedDetector(detector, Origin(f"Detector: {what} by {detector.engine.title}, {why}.", (path,)))


def _open_roadnet(name: str, how: DetectorOptions) -> OpenedDetector:
    weights = how.weights
    if weights is None:
        what = "the bundled RoadNet" if name == ROADNET else f"the bundled {name}"
        return _roadnet(_bundled_roadnet(name), how, what, "as asked")
    if weights.suffix in (".onnx", ".param"):
        if is_exported_roadnet(weights):
            return _open_onnx_file(weights, how)
        raise UsageError(f"not of RoadNet; give it as `detector` {weights}.", field="weights", value=weights)
    return _open_weights_file(weights, how)


def _open_torchvision(name: str, how: DetectorOptions) -> OpenedDetector:
    how.check_has_no_engine(name)
    path, origin = how.weights, f"with {how.weights}"
    if path is None:
        path, origin = _cached().get(name), "with its cached COCO weights"
    if path is None:
        raise UsageError(
            f"its weights are not here; run perception weights fetch {name}, or give `weights` FILE.",
            field="detector",
            value=name,
        )
    detector = TorchvisionDetector(name, path, how.settings, device=how.device, half=how.half)
    return OpenedDetector(
        detector, Origin(f"Detector: torchvision's {name} {origin}, {_OWN_INPUT_SIZE}, as asked.", (path,))
    )


def _open_best(how: DetectorOptions) -> OpenedDetector:
    """Preference: the file that the user named; on a GPU the cached model with the best COCO mAP; else RoadNet."""
    if how.weights is not None:
        open_file = FILE_OPENERS.get(how.weights.suffix)
        if open_file is None:
            raise UsageError("say whose weights these are with `detector` NAME.", field="weights", value=how.weights)
        opened = open_file(how.weights, how)
        return opened._replace(
            origin=opened.origin._replace(reason=f"Detector: {how.weights}, because these weights were named.")
        )
    cached = _cached()
    if cached and how.device.type == "cuda" and how.engine == "auto":
        best, path = next(iter(cached.items()))
        detector = TorchvisionDetector(best, path, how.settings, device=how.device, half=how.half)
        reason = (
            f"Detector: torchvision's {best}, because it has the best COCO figure of the weights in the cache, "
            f"{_OWN_INPUT_SIZE}; the detector {ROADNET} is the bundled one, whose features the forecaster knows."
        )
        return OpenedDetector(detector, Origin(reason, (path,)))
    why = "because nothing else is in the cache"
    if cached:
        why = f"because {next(iter(cached))} in the cache is too slow for video on a CPU"
    return _roadnet(_bundled_roadnet(ROADNET), how, "the bundled RoadNet", why)


def _cached() -> dict[str, Path]:
    """The fetched torchvision models, best first."""
    paths = {entry.name: entry.cached_path() for entry in fetchable_detectors()}
    return {name: path for name, path in paths.items() if path is not None}


def _bundled() -> dict[str, Path]:
    """The RoadNets that are bundled, by name."""
    return {bundled.card.name: bundled.path for bundled in bundled_cards() if bundled.card.kind == "detector"}


def _bundled_roadnet(name: str) -> Path:
    path = _bundled().get(name)
    if path is None:
        raise UsageError(
            f"its weights are not bundled here; give `weights` FILE{WEIGHTS_SUFFIX}.", field="detector", value=name
        )
    return path
