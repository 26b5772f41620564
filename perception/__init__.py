"""Cameras in, futures out: find road users in video, keep their identity, predict where they will go.

from perception import RunConfig, build_pipeline, open_source

pipeline = build_pipeline(RunConfig(device="auto")).pipeline
for scene in pipeline.run(open_source(["drive.mp4"])):
    print(scene.tracks.ids, scene.forecasts.expected[:, -1, :2])
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from perception.errors import PerceptionError, UsageError
    from perception.evaluation import EvalConfig, Report, evaluate_run
    from perception.geometry.cameras import Camera, Rig
    from perception.pipeline.build import BuiltPipeline, build_pipeline
    from perception.pipeline.config import RunConfig
    from perception.pipeline.pipeline import Pipeline
    from perception.protocols import Detector, EgoMotionEstimator, Forecaster, Source, Tracker, Writer
    from perception.runtime.evaluate import evaluate_pipeline
    from perception.runtime.run_stats import RunResult, RunStats
    from perception.runtime.runner import run_pipeline
    from perception.sources import open_source, read_objects, read_rig, read_truth
    from perception.taxonomy import CLASSES
    from perception.tracking import GroundTracker, ImageTracker
    from perception.types import (
        Detections,
        EgoMotion,
        Forecasts,
        Frame,
        FrameSet,
        Scene,
        TrackerCounts,
        Tracks,
    )
    from perception.visualization import draw_scene

    __version__: str

__all__ = [
    "CLASSES",
    "BuiltPipeline",
    "Camera",
    "Detections",
    "Detector",
    "EgoMotion",
    "EgoMotionEstimator",
    "EvalConfig",
    "Forecaster",
    "Forecasts",
    "Frame",
    "FrameSet",
    "GroundTracker",
    "ImageTracker",
    "PerceptionError",
    "Pipeline",
    "Report",
    "Rig",
    "RunConfig",
    "RunResult",
    "RunStats",
    "Scene",
    "Source",
    "Tracker",
    "TrackerCounts",
    "Tracks",
    "UsageError",
    "Writer",
    "__version__",
    "build_pipeline",
    "draw_scene",
    "evaluate_pipeline",
    "evaluate_run",
    "open_source",
    "read_objects",
    "read_rig",
    "read_truth",
    "run_pipeline",
]

_MODULES = {
    "perception.errors": ("PerceptionError", "UsageError"),
    "perception.evaluation": ("EvalConfig", "Report", "evaluate_run"),
    "perception.geometry.cameras": ("Camera", "Rig"),
    "perception.pipeline.build": ("BuiltPipeline", "build_pipeline"),
    "perception.pipeline.config": ("RunConfig",),
    "perception.pipeline.pipeline": ("Pipeline",),
    "perception.protocols": ("Detector", "EgoMotionEstimator", "Forecaster", "Source", "Tracker", "Writer"),
    "perception.runtime.evaluate": ("evaluate_pipeline",),
    "perception.runtime.run_stats": ("RunResult", "RunStats"),
    "perception.runtime.runner": ("run_pipeline",),
    "perception.sources": ("open_source", "read_objects", "read_rig", "read_truth"),
    "perception.taxonomy": ("CLASSES",),
    "perception.tracking": ("GroundTracker", "ImageTracker"),
    "perception.types": (
        "Detections",
        "EgoMotion",
        "Forecasts",
        "Frame",
        "FrameSet",
        "Scene",
        "TrackerCounts",
        "Tracks",
    ),
    "perception.visualization": ("draw_scene",),
}

TELEMETRY_SWITCHES = {
    "ORT_DISABLE_TELEMETRY": "1",  # ONNX Runtime from 1.29 on: an id in the home folder, events to its maker
    "RAY_USAGE_STATS_ENABLED": "0",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "FIFTYONE_DO_NOT_TRACK": "true",
    "NO_ALBUMENTATIONS_UPDATE": "1",
    "DO_NOT_TRACK": "1",  # what several libraries have agreed on
}
"""Environment variable -> the value that means no telemetry, of what is used here or may come with a plug-in."""
# Here, because nothing of this package is imported without it; processes that it starts inherit them.
os.environ.update(TELEMETRY_SWITCHES)


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is asked for, so that ``perception --help`` need not wait for torch."""
    if name == "__version__":
        return _version()
    for module, names in _MODULES.items():
        if name in names:
            return getattr(import_module(module), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _version() -> str:
    """The version in pyproject.toml, as the installation keeps it."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(__name__)
    except PackageNotFoundError:  # run from a folder that was never installed
        return "0+unknown"
