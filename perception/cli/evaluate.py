"""``perception evaluate``: how good it is, on a recording with ground truth, a finished run, or labelled images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from perception.cli import options
from perception.pipeline.config import EvaluateConfig, load_config

_TRUTH = "Ground truth"
_BENCHMARK = "Forecasting benchmark"


def evaluate(
    context: typer.Context,
    recording: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Recordings with ground truth, measured together, or the folder of a finished run; "
            "with --benchmark the word forecaster.",
            show_default=False,
        ),
    ] = None,
    source: options.Source = None,
    results: Annotated[
        Path | None,
        typer.Option("--results", help="The folder of a finished run: nothing is run.", rich_help_panel=_TRUTH),
    ] = None,
    truth: Annotated[
        Path | None,
        typer.Option("--truth", help="The recording with the ground truth.", rich_help_panel=_TRUTH),
    ] = None,
    images: Annotated[
        list[Path] | None,
        typer.Option("--images", help="COCO file or frames.json: detection only.", rich_help_panel=_TRUTH),
    ] = None,
    riders: Annotated[
        str | None,
        typer.Option(
            "--riders",
            help="labelled, or joined: rider and machine as one box where a COCO file has them apart.",
            show_default="labelled",
            rich_help_panel=_TRUTH,
        ),
    ] = None,
    vehicles: Annotated[
        bool | None,
        typer.Option(
            "--vehicles/--each",
            help="Count car, truck and bus as one class, or each class for itself.",
            show_default="both",
            rich_help_panel=_TRUTH,
        ),
    ] = None,
    min_height: Annotated[
        float | None,
        typer.Option("--min-height", help="Objects lower than this are ignored.", rich_help_panel=_TRUTH),
    ] = None,
    min_visible: Annotated[
        float | None,
        typer.Option(
            "--min-visible",
            help="Objects of which less can be seen (0 to 1) are ignored.",
            rich_help_panel=_TRUTH,
        ),
    ] = None,
    failures: Annotated[
        int | None,
        typer.Option(
            "--failures",
            help="Pictures of so many of the worst misses and false alarms; recall by size, distance, light.",
            show_default="0",
            rich_help_panel=_TRUTH,
        ),
    ] = None,
    benchmark: Annotated[
        str | None,
        typer.Option(
            "--benchmark",
            help="jaad, nuscenes, ethucy or kitti: the forecaster alone, by its protocol.",
            rich_help_panel=_BENCHMARK,
        ),
    ] = None,
    data: Annotated[
        Path | None, typer.Option("--data", help="The benchmark's tracks.", rich_help_panel=_BENCHMARK)
    ] = None,
    split: Annotated[
        str | None,
        typer.Option("--split", help="train, val or test.", show_default="test", rich_help_panel=_BENCHMARK),
    ] = None,
    references: Annotated[
        Path | None,
        typer.Option("--references", help="jaad: others' errors on the same windows.", rich_help_panel=_BENCHMARK),
    ] = None,
    neighbours: Annotated[
        bool | None,
        typer.Option(
            "--neighbours/--alone",
            help="Hear what the others do, or not.",
            show_default="neighbours",
            rich_help_panel=_BENCHMARK,
        ),
    ] = None,
    stride: options.Stride = None,
    max_frames: options.MaxFrames = None,
    rig: options.RigName = None,
    road_height: options.RoadHeight = None,
    config: options.ConfigFile = None,
    frame: options.FrameName = None,
    detector: options.DetectorName = None,
    weights: options.Weights = None,
    tracker: options.TrackerName = None,
    forecaster: options.ForecasterName = None,
    device: options.Device = None,
    conf: options.Confidence = None,
    iou: options.Iou = None,
    imgsz: options.ImageSize = None,
    classes: options.Classes = None,
    half: options.Half = None,
    engine: options.Engine = None,
    seed: options.Seed = None,
    save: options.Save = None,
    writer: options.Writers = None,
    output: options.Output = None,
) -> None:
    """Measure detection, tracking, forecasting and speed; prints the report and writes report.json."""
    from perception.runtime.evaluate import run_evaluation

    given = options.given_options(context, without=("config", "recording", "vehicles"))
    if vehicles is not None:
        given["grouping"] = "vehicles" if vehicles else "each"
    recordings = recording or []
    if benchmark is not None and recordings == [Path("forecaster")]:
        recordings = []  # it says what is measured, which --benchmark says already
    run_evaluation(load_config(EvaluateConfig, path=config, options=given), recordings=recordings)
