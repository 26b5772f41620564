"""The options that several commands share, under the names that people know."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from perception.pipeline.config import EvaluateConfig, RunConfig

_INPUT, _MODELS, _RESULTS = "Input", "Models", "Results"


def _default(name: str, config: type[RunConfig] = RunConfig) -> str:
    return str(config.model_fields[name].default)


# None means "not given", so that a --config file can speak.
Source = Annotated[
    list[str] | None,
    typer.Option(
        "--source",
        help="Video, image folder, glob, recording, webcam number, address, or a package's NAME:PLACE; repeat it for "
        "several cameras.",
        rich_help_panel=_INPUT,
    ),
]
Stride = Annotated[
    int | None,
    typer.Option("--stride", help="Take every n-th frame.", show_default=_default("stride"), rich_help_panel=_INPUT),
]
MaxFrames = Annotated[
    int | None, typer.Option("--max-frames", help="End after so many frames.", rich_help_panel=_INPUT)
]
ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", help="YAML file with options; the command line wins.", rich_help_panel=_INPUT),
]
RigName = Annotated[
    str | None,
    typer.Option(
        "--rig",
        help="Where the cameras sit: a rig file, surround-six, front or dashboard.",
        show_default="what the recording says",
        rich_help_panel=_INPUT,
    ),
]
RoadHeight = Annotated[
    float | None,
    typer.Option(
        "--road-height",
        help="Where the road lies, in metres above the vehicle's origin.",
        show_default="what the rig says",
        rich_help_panel=_INPUT,
    ),
]
FrameName = Annotated[
    str | None,
    typer.Option(
        "--frame",
        help="Track on the ground, in metres, or in each image: auto, ground, image.",
        show_default=_default("frame"),
        rich_help_panel=_MODELS,
    ),
]
DetectorName = Annotated[
    str | None,
    typer.Option(
        "--detector",
        help="auto, roadnet, a torchvision detector, an ONNX or ncnn file, results:FILE (boxes from elsewhere), a "
        "package's, or module:factory.",
        show_default=_default("detector"),
        rich_help_panel=_MODELS,
    ),
]
Weights = Annotated[
    Path | None, typer.Option("--weights", help="The detector's weights file.", rich_help_panel=_MODELS)
]
TrackerName = Annotated[
    str | None,
    typer.Option(
        "--tracker",
        help="auto (as --frame says), a package's, or module:factory.",
        show_default=_default("tracker"),
        rich_help_panel=_MODELS,
    ),
]
ForecasterName = Annotated[
    str | None,
    typer.Option(
        "--forecaster",
        help="auto, constant-velocity, a weights file, a package's, or module:factory.",
        show_default=_default("forecaster"),
        rich_help_panel=_MODELS,
    ),
]
Device = Annotated[
    str | None,
    typer.Option("--device", help="auto, cpu or cuda:0.", show_default=_default("device"), rich_help_panel=_MODELS),
]
Confidence = Annotated[
    float | None,
    typer.Option(
        "--conf",
        help="Report detections from this score on.",
        show_default=f"{_default('conf')}, evaluate {_default('conf', EvaluateConfig)}",
        rich_help_panel=_MODELS,
    ),
]
Iou = Annotated[
    float | None,
    typer.Option(
        "--iou", help="Overlap that makes two boxes one.", show_default=_default("iou"), rich_help_panel=_MODELS
    ),
]
ImageSize = Annotated[
    int | None,
    typer.Option(
        "--imgsz",
        help="Long side of the network's input in pixels.",
        show_default="the image's own, at most 640",
        rich_help_panel=_MODELS,
    ),
]
Classes = Annotated[str | None, typer.Option("--classes", help="Only these, such as car,bus.", rich_help_panel=_MODELS)]
Half = Annotated[bool | None, typer.Option("--half/--no-half", help="Compute with 16 bits.", rich_help_panel=_MODELS)]
Engine = Annotated[
    str | None,
    typer.Option(
        "--engine",
        help="What computes RoadNet: auto, torch or onnx (on a processor).",
        show_default=_default("engine"),
        rich_help_panel=_MODELS,
    ),
]
Seed = Annotated[
    int | None,
    typer.Option("--seed", help="For the report's intervals.", show_default=_default("seed"), rich_help_panel=_RESULTS),
]
Show = Annotated[
    bool | None,
    typer.Option("--show/--no-show", help="Open a window; q or Esc ends the run.", rich_help_panel=_RESULTS),
]
Save = Annotated[
    bool | None,
    typer.Option("--save/--no-save", help="Write the results to files.", show_default="save", rich_help_panel=_RESULTS),
]
Writers = Annotated[
    list[str] | None,
    typer.Option(
        "--writer",
        help="A package's output, or module:factory, beside the tables; repeatable.",
        rich_help_panel=_RESULTS,
    ),
]
Output = Annotated[
    Path | None,
    typer.Option("--output", help="Folder for the results, instead of runs/.", rich_help_panel=_RESULTS),
]


def given_options(context: typer.Context, *, without: tuple[str, ...] = ("config",)) -> dict[str, Any]:
    """The options that stood on the command line."""
    return {
        name: value for name, value in context.params.items() if name not in without and value not in (None, [], ())
    }
