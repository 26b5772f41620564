"""``perception demo``: from a recorded video to boxes, identities and futures."""

from __future__ import annotations

import typer

from perception.cli import options
from perception.pipeline.config import RunConfig, load_config


def demo(
    context: typer.Context,
    source: options.Source = None,
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
    show: options.Show = None,
    save: options.Save = None,
    writer: options.Writers = None,
    output: options.Output = None,
) -> None:
    """Find, follow and forecast the road users in a recording; writes video, tables and a report."""
    from perception.runtime.sessions import run_demo

    run_demo(load_config(RunConfig, path=config, options=options.given_options(context)))
