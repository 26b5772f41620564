"""From the name that a user gives to a detector."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from perception.detection.backends.ncnn import NcnnDetector
from perception.detection.backends.onnx import OnnxDetector
from perception.detection.backends.torchvision import TorchvisionDetector
from perception.detection.model_zoo import did_you_mean, fetchable_detectors, torchvision_names
from perception.detection.roadnet.detector import RoadNetDetector
from perception.detection.roadnet.engines import EngineName
from perception.detection.roadnet.weights import is_exported_roadnet, load_roadnet, open_exported
from perception.detection.settings import DetectionSettings
from perception.errors import UsageError
from perception.protocols import Detector
from perception.weights import WEIGHTS_SUFFIX, bundled_cards

AUTO = "auto"
ROADNET = "roadnet"
_OWN_INPUT_SIZE = "at its own input size, which --imgsz does not change"


def open_detector(
    name: str,
    settings: DetectionSettings,
    *,
    device: torch.device,
    weights: Path | None = None,
    half: bool = False,
    engine: EngineName = "auto",
) -> tuple[Detector, str]:
    """The detector of that name, and one sentence that says which was taken and why.

    ``name`` is "auto" (the best that is present), a bundled RoadNet, a model of torchvision, or a file: FILE.onnx
    (YOLOX, or an exported RoadNet), FILE.param (ncnn), FILE.safetensors (RoadNet). ``weights`` replaces RoadNet's or
    the torchvision model's. ``engine`` computes RoadNet, see ``choose_engine``. Nothing is fetched. Raises
    ``UsageError`` when the name is unknown, weights are absent or do not fit, or an option has no meaning for that
    detector.
    """
    how = _How(device, half, engine)
    path = Path(name)
    if path.suffix in (".onnx", ".param", WEIGHTS_SUFFIX):
        if weights is not None:
            raise UsageError(f"--weights {weights}: {name} holds its own weights; leave one of the two away.")
        return _open_file(path, settings, how)
    if name == AUTO:
        return _open_best(settings, how, weights)
    bundled = _bundled()
    if name in bundled or name == ROADNET:
        return _open_roadnet(name, settings, how, weights)
    known = torchvision_names()
    if name in known:
        return _open_torchvision(name, settings, how, weights)
    raise UsageError(
        f"--detector {name}: there is no such detector; "
        f"{did_you_mean(name, [AUTO, *bundled, *known, 'FILE.onnx', 'FILE.param', 'FILE' + WEIGHTS_SUFFIX])}."
    )


@dataclass(frozen=True)
class _How:
    """Where and how a network computes."""

    device: torch.device
    half: bool
    engine: EngineName

    def check_has_no_engine(self, name: str) -> None:
        if self.engine != "auto":
            raise UsageError(f"--engine {self.engine}: {name} has one engine of its own; leave --engine away.")


def _open_file(path: Path, settings: DetectionSettings, how: _How) -> tuple[Detector, str]:
    if path.suffix == WEIGHTS_SUFFIX:
        return _roadnet(path, settings, how, f"RoadNet from {path}", "as asked")
    how.check_has_no_engine(path.name)
    if how.half:
        raise UsageError(f"--half: {path.name} computes in the precision that it was exported with; leave --half away.")
    if path.suffix == ".param":
        return NcnnDetector(path, settings), f"Detector: {path} by ncnn on the CPU, as asked."
    if is_exported_roadnet(path):
        return open_exported(path, settings), f"Detector: RoadNet from {path} by ONNX Runtime on the CPU, as asked."
    detector = OnnxDetector(path, settings, device=how.device)
    place = "the GPU" if detector.runs_on_gpu else "the CPU"
    if how.device.type == "cuda" and not detector.runs_on_gpu:
        place += " (this ONNX Runtime has no CUDA)"
    return detector, f"Detector: {path} by ONNX Runtime on {place}, {_OWN_INPUT_SIZE}, as asked."


def _roadnet(path: Path, settings: DetectionSettings, how: _How, what: str, why: str) -> tuple[RoadNetDetector, str]:
    detector = load_roadnet(path, settings, device=how.device, half=how.half, engine=how.engine)
    return detector, f"Detector: {what} by {detector.engine.title}, {why}."


def _open_roadnet(name: str, settings: DetectionSettings, how: _How, weights: Path | None) -> tuple[Detector, str]:
    if weights is None:
        what = "the bundled RoadNet" if name == ROADNET else f"the bundled {name}"
        return _roadnet(_bundled_roadnet(name), settings, how, what, "as asked")
    if weights.suffix in (".onnx", ".param"):
        if is_exported_roadnet(weights):
            return _open_file(weights, settings, how)
        raise UsageError(f"--weights {weights}: not of RoadNet; give it as --detector {weights}.")
    return _roadnet(weights, settings, how, f"RoadNet from {weights}", "as asked")


def _open_torchvision(name: str, settings: DetectionSettings, how: _How, weights: Path | None) -> tuple[Detector, str]:
    how.check_has_no_engine(name)
    path, origin = weights, f"with {weights}"
    if path is None:
        path, origin = _cached().get(name), "with its cached COCO weights"
    if path is None:
        raise UsageError(
            f"--detector {name}: its weights are not here; run perception weights fetch {name}, or give --weights FILE."
        )
    detector = TorchvisionDetector(name, path, settings, device=how.device, half=how.half)
    return detector, f"Detector: torchvision's {name} {origin}, {_OWN_INPUT_SIZE}, as asked."


def _open_best(settings: DetectionSettings, how: _How, weights: Path | None) -> tuple[Detector, str]:
    """Preference: the file that the user named; on a GPU the cached model with the best COCO mAP; else RoadNet."""
    if weights is not None:
        if weights.suffix not in (".onnx", ".param", WEIGHTS_SUFFIX):
            raise UsageError(f"--weights {weights}: say whose weights these are with --detector NAME.")
        detector, _ = _open_file(weights, settings, how)
        return detector, f"Detector: {weights}, because --weights names it."
    cached = _cached()
    if cached and how.device.type == "cuda" and how.engine == "auto":
        best, path = next(iter(cached.items()))
        detector = TorchvisionDetector(best, path, settings, device=how.device, half=how.half)
        return detector, (
            f"Detector: torchvision's {best}, because it has the best COCO figure of the weights in the cache, "
            f"{_OWN_INPUT_SIZE}; --detector {ROADNET} takes the bundled one, whose features the forecaster knows."
        )
    why = "because nothing else is in the cache"
    if cached:
        why = f"because {next(iter(cached))} in the cache is too slow for video on a CPU"
    return _roadnet(_bundled_roadnet(ROADNET), settings, how, "the bundled RoadNet", why)


def _cached() -> dict[str, Path]:
    """The fetched torchvision models, best first."""
    paths = {entry.name: entry.cached_path() for entry in fetchable_detectors()}
    return {name: path for name, path in paths.items() if path.is_file()}


def _bundled() -> dict[str, Path]:
    """The RoadNets that are bundled, by name."""
    return {bundled.card.name: bundled.path for bundled in bundled_cards() if bundled.card.kind == "detector"}


def _bundled_roadnet(name: str) -> Path:
    path = _bundled().get(name)
    if path is None:
        raise UsageError(f"--detector {name}: its weights are not bundled here; give --weights FILE{WEIGHTS_SUFFIX}.")
    return path
