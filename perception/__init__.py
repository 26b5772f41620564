"""Cameras in, futures out: find road users in video, keep their identity, predict where they will go.

from perception import RunConfig, build_pipeline, open_source

pipeline = build_pipeline(RunConfig(device="auto")).pipeline
for scene in pipeline.run(open_source(["drive.mp4"])):
    print(scene.tracks.ids, scene.forecasts.expected[:, -1, :2])
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from perception.errors import PerceptionError, UsageError
    from perception.pipeline.build import BuiltPipeline, build_pipeline
    from perception.pipeline.config import RunConfig
    from perception.pipeline.pipeline import Pipeline
    from perception.sources import open_source, read_objects, read_rig, read_truth
    from perception.types import Detections, Forecasts, Frame, FrameSet, Scene, Tracks

__all__ = [
    "BuiltPipeline",
    "Detections",
    "Forecasts",
    "Frame",
    "FrameSet",
    "PerceptionError",
    "Pipeline",
    "RunConfig",
    "Scene",
    "Tracks",
    "UsageError",
    "build_pipeline",
    "open_source",
    "read_objects",
    "read_rig",
    "read_truth",
]

_MODULES = {
    "perception.pipeline.build": ("BuiltPipeline", "build_pipeline"),
    "perception.pipeline.config": ("RunConfig",),
    "perception.errors": ("PerceptionError", "UsageError"),
    "perception.pipeline.pipeline": ("Pipeline",),
    "perception.sources": ("open_source", "read_objects", "read_rig", "read_truth"),
    "perception.types": ("Detections", "Forecasts", "Frame", "FrameSet", "Scene", "Tracks"),
}


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is asked for, so that ``perception --help`` need not wait for torch."""
    for module, names in _MODULES.items():
        if name in names:
            return getattr(import_module(module), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
