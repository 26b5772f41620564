"""Chooses the implementations for a configuration and puts them together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from perception.class_names import ClassMap, read_class_map
from perception.cpu import prepare_processor
from perception.detection import DetectionSettings, open_detector
from perception.egomotion import open_ego_motion
from perception.errors import UsageError
from perception.forecasting import open_forecaster
from perception.geometry.cameras import Rig
from perception.pipeline.config import RunConfig
from perception.pipeline.pipeline import Pipeline
from perception.pipeline.schedule import DetectionSchedule
from perception.protocols import Detector
from perception.tracking import open_tracker

AUTO = "auto"


@dataclass(frozen=True)
class BuiltPipeline:
    """``pipeline`` computes on ``device``; ``notes`` state in a sentence each what was chosen and why, ``weights`` are
    the files that were read for it, ``tracker_settings`` all settings of a tracker of ours by name."""

    pipeline: Pipeline
    device: torch.device
    notes: list[str]
    weights: tuple[Path, ...] = ()
    tracker_settings: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class DetectorChoice:
    """A detector on ``device``, the ``reason`` in a sentence, and the files that were read for it."""

    detector: Detector
    device: torch.device
    reason: str
    weights: tuple[Path, ...]


def build_pipeline(
    config: RunConfig, *, rig: Rig | None = None, frame_counts: Mapping[str, int] | None = None
) -> BuiltPipeline:
    """The pipeline that ``config`` asks for, for cameras that are calibrated by ``rig``, or not at all.

    ``frame_counts`` are the frames of each camera of a recording, which a detector needs that reads its boxes from a
    file. Raises ``UsageError`` for a device that is not there, for weights that are missing or of another model, and
    when the ground, or ego-motion by poses, is asked for without a rig.
    """
    choice = choose_detector(config, frame_counts=frame_counts)
    tracker = open_tracker(
        config.tracker,
        detector=choice.detector,
        rig=rig,
        frame=config.frame,
        detect_interval=config.detect_interval,
        tracker_config=config.tracker_config,
    )
    frame = tracker.tracker.reference_frame
    ego_motion = open_ego_motion(config.ego_motion, rig=rig, reference_frame=frame)
    forecaster = open_forecaster(config.forecaster, device=choice.device, reference_frame=frame)
    return BuiltPipeline(
        pipeline=Pipeline(
            detector=choice.detector,
            tracker=tracker.tracker,
            forecaster=forecaster.forecaster,
            schedule=DetectionSchedule(config.detect_interval),
            ego_motion=ego_motion.estimator,
        ),
        device=choice.device,
        notes=[choice.reason, tracker.reason, ego_motion.reason, forecaster.reason],
        weights=(*choice.weights, *forecaster.weights),
        tracker_settings=tracker.settings,
    )


def choose_detector(config: RunConfig, *, frame_counts: Mapping[str, int] | None = None) -> DetectorChoice:
    """The detector alone, for single images. Raises ``UsageError`` as ``build_pipeline`` does."""
    prepare_processor()
    device = choose_device(config.device)
    settings = DetectionSettings(
        confidence=config.conf,
        iou=config.iou,
        image_size_px=config.imgsz,
        classes=None if config.classes is None else tuple(config.classes),
        class_map=ClassMap() if config.class_map is None else read_class_map(config.class_map),
    )
    opened = open_detector(
        config.detector,
        settings,
        device=device,
        weights=config.weights,
        half=config.half,
        engine=config.engine,
        frame_counts=frame_counts,
    )
    return DetectorChoice(opened.detector, device, *opened.origin)


def choose_device(name: str) -> torch.device:
    """ "auto" is the first GPU that torch can use, else the CPU. Raises ``UsageError`` for a GPU that is not there."""
    if name == AUTO:
        return torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise UsageError("there is no such device; use auto, cpu or cuda:0.", field="device", value=name) from error
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UsageError(
            f"torch finds {torch.cuda.device_count()} GPUs here; use cpu or auto.", field="device", value=name
        )
    return device
