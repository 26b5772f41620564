"""Chooses the implementations for a configuration and puts them together."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from perception.cpu import prepare_processor
from perception.detection import DetectionSettings, open_detector
from perception.detection.model_zoo import fetchable_detectors
from perception.errors import UsageError
from perception.forecasting import BUNDLED_NAMES, open_forecaster
from perception.geometry.cameras import Rig
from perception.pipeline.config import RunConfig
from perception.pipeline.pipeline import Pipeline
from perception.protocols import Detector, Tracker
from perception.tracking import GroundSettings, GroundTracker, ImageTracker, TrackerSettings
from perception.types import ReferenceFrame
from perception.weights import bundled_cards

AUTO = "auto"


@dataclass(frozen=True)
class BuiltPipeline:
    """``pipeline`` computes on ``device``; ``notes`` say in a sentence each what was chosen and why, ``weights`` are
    the files that were read for it."""

    pipeline: Pipeline
    device: torch.device
    notes: list[str]
    weights: tuple[Path, ...] = ()


@dataclass(frozen=True)
class DetectorChoice:
    """A detector on ``device``, the ``reason`` in a sentence, and the files that were read for it."""

    detector: Detector
    device: torch.device
    reason: str
    weights: tuple[Path, ...]


def build_pipeline(config: RunConfig, *, rig: Rig | None = None) -> BuiltPipeline:
    """The pipeline that ``config`` asks for, for cameras that are calibrated by ``rig``, or not at all.

    Raises ``UsageError`` for a device that is not there, for weights that are missing or of another model, and when the
    ground is asked for without a rig.
    """
    choice = choose_detector(config)
    tracker, tracker_reason = choose_tracker(config, rig, choice.detector)
    frame = tracker.reference_frame
    forecaster, forecaster_reason = open_forecaster(config.forecaster, device=choice.device, reference_frame=frame)
    return BuiltPipeline(
        pipeline=Pipeline(detector=choice.detector, tracker=tracker, forecaster=forecaster),
        device=choice.device,
        notes=[choice.reason, tracker_reason, forecaster_reason],
        weights=(*choice.weights, *_forecaster_weights(config, frame)),
    )


def choose_tracker(config: RunConfig, rig: Rig | None, detector: Detector) -> tuple[Tracker, str]:
    """The tracker of what ``detector`` finds, for calibrated or uncalibrated cameras, and the reason in a sentence."""
    if config.frame == "ground" and rig is None:
        raise UsageError("--frame ground: the cameras are not calibrated; say with --rig where they sit.")
    if config.frame == "image" or rig is None:
        why = "as asked" if config.frame == "image" else "for the cameras are not calibrated"
        return ImageTracker(TrackerSettings.for_detector(detector)), f"Tracker: in each image, {why}."
    tracker = GroundTracker(rig, GroundSettings.for_detector(detector))
    return tracker, f"Tracker: on the ground, in metres, across {len(rig)} calibrated cameras."


def choose_detector(config: RunConfig) -> DetectorChoice:
    """The detector alone, for single images. Raises ``UsageError`` as ``build_pipeline`` does."""
    prepare_processor()
    device = choose_device(config.device)
    settings = DetectionSettings(
        confidence=config.conf,
        iou=config.iou,
        image_size_px=config.imgsz,
        classes=None if config.classes is None else tuple(config.classes),
    )
    detector, reason = open_detector(
        config.detector,
        settings,
        device=device,
        weights=config.weights,
        half=config.half,
        engine=config.engine,
    )
    return DetectorChoice(detector, device, reason, tuple(_detector_weights(config, detector)))


def _detector_weights(config: RunConfig, detector: Detector) -> list[Path]:
    if config.weights is not None:
        return [config.weights]
    named = Path(config.detector)
    if named.is_file():
        return [path for path in (named, named.with_suffix(".bin")) if path.is_file()]
    bundled = [weights.path for weights in bundled_cards() if weights.path.stem == detector.name]
    cached = [entry.cached_path() for entry in fetchable_detectors() if entry.name == detector.name]
    return bundled + cached


def _forecaster_weights(config: RunConfig, frame: ReferenceFrame) -> list[Path]:
    if config.forecaster == AUTO:
        return [weights.path for weights in bundled_cards() if weights.path.stem == BUNDLED_NAMES[frame]]
    return [path for path in (Path(config.forecaster),) if path.is_file()]


def choose_device(name: str) -> torch.device:
    """ "auto" is the first GPU that torch can use, else the CPU. Raises ``UsageError`` for a GPU that is not there."""
    if name == AUTO:
        return torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise UsageError(f"--device {name}: there is no such device; use auto, cpu or cuda:0.") from error
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UsageError(f"--device {name}: torch finds {torch.cuda.device_count()} GPUs here; use cpu or auto.")
    return device
