"""``perception stream``: a webcam or a network camera, always the newest frame."""

from __future__ import annotations

from typing import Annotated

import typer

from perception.cli import options
from perception.pipeline.config import StreamConfig, load_config


def stream(
    context: typer.Context,
    source: options.Source = None,
    stride: options.Stride = None,
    max_frames: options.MaxFrames = None,
    duration_s: Annotated[
        float | None,
        typer.Option("--duration", help="End after so many seconds.", rich_help_panel="Input"),
    ] = None,
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
    show: options.Show = None,
    save: options.Save = None,
    writer: options.Writers = None,
    output: options.Output = None,
) -> None:
    """Find, follow and forecast what a live camera sees now; frames that come too fast are dropped and counted."""
    from perception.runtime.sessions import run_stream

    run_stream(load_config(StreamConfig, path=config, options=options.given_options(context)))
