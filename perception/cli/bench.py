"""``perception bench``: latency, throughput, share of the roofline, and scaling with cameras and objects."""

from __future__ import annotations

from typing import Annotated

import typer

from perception.cli import options
from perception.pipeline.config import BenchConfig, load_config

_SIZES = "Sizes"


def bench(
    context: typer.Context,
    source: options.Source = None,
    rig: options.RigName = None,
    config: options.ConfigFile = None,
    cameras: Annotated[
        str | None,
        typer.Option(
            "--cameras",
            help="Camera counts to time.",
            show_default="1,2,4,6,8,12",
            rich_help_panel=_SIZES,
        ),
    ] = None,
    objects: Annotated[
        str | None,
        typer.Option(
            "--objects",
            help="Counts of tracked objects to time.",
            show_default="10,30,100,300",
            rich_help_panel=_SIZES,
        ),
    ] = None,
    sizes: Annotated[
        str | None,
        typer.Option(
            "--sizes", help="Input sizes, long sides in pixels.", show_default="416,640", rich_help_panel=_SIZES
        ),
    ] = None,
    instants: Annotated[
        int | None,
        typer.Option("--instants", help="Instants timed for each load.", show_default="40", rich_help_panel=_SIZES),
    ] = None,
    peers: Annotated[
        list[str] | None,
        typer.Option("--peer", help="Another detector to time, as for --detector; repeatable."),
    ] = None,
    detector: options.DetectorName = None,
    weights: options.Weights = None,
    tracker: options.TrackerName = None,
    forecaster: options.ForecasterName = None,
    device: options.Device = None,
    conf: options.Confidence = None,
    imgsz: options.ImageSize = None,
    half: options.Half = None,
    engine: options.Engine = None,
    output: options.Output = None,
) -> None:
    """Measure the speed: engines side by side, then more and more cameras, and more and more objects."""
    from perception.profiling.run import run_bench

    run_bench(load_config(BenchConfig, path=config, options=options.given_options(context)))
