"""``perception export forecaster``: the network as an ONNX file, kept only when its numbers are the same."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

_TIMED_TRACKS = 1000

app = typer.Typer(help="Write a network as an ONNX file, for runtimes without PyTorch.", no_args_is_help=True)


@app.callback()
def _which() -> None:
    """So that the network is named even while there is only one."""


@app.command()
def forecaster(
    weights: Annotated[
        str, typer.Option("--forecaster", help="auto (the bundled one of --frame), or a weights file.")
    ] = "auto",
    frame: Annotated[str, typer.Option("--frame", help="image or ground: which bundled one.")] = "image",
    output: Annotated[
        Path | None, typer.Option("--output", help="The file; by default the weights' name in this folder.")
    ] = None,
) -> None:
    """TrajectoryGRU: one step and the decoding of all tracks; what it remembers goes in and comes out."""
    import numpy as np

    from perception.bench.forecaster import step_ms
    from perception.errors import UsageError
    from perception.forecasting import BUNDLED_NAMES, read_gru
    from perception.forecasting.onnx_engine import OnnxEngine, export_gru
    from perception.forecasting.opening import ONNX_SUFFIX, STEP_S
    from perception.weights import WEIGHTS_SUFFIX, bundled_folder

    names = {str(name): path for name, path in BUNDLED_NAMES.items()}
    if frame not in names:
        raise UsageError(f"--frame {frame}: give image or ground.")
    path = bundled_folder() / f"{names[frame]}{WEIGHTS_SUFFIX}" if weights == "auto" else Path(weights)
    target = output or Path(path.stem + ONNX_SUFFIX)
    if target.suffix != ONNX_SUFFIX:
        raise UsageError(f"--output {target}: give a name that ends in {ONNX_SUFFIX}.")
    console, model = Console(), read_gru(path)
    with console.status("exporting"):
        difference = export_gru(model, target, dt_s=STEP_S)
        taken = step_ms(OnnxEngine(target), model, tracks=_TIMED_TRACKS)
    console.print(
        f"The same numbers as PyTorch on ONNX Runtime, within {difference:.1g}; futures every {STEP_S:g} s.",
        highlight=False,
    )
    console.print(
        f"{_TIMED_TRACKS:,} tracks, one step with neighbours and futures: median {np.median(taken):.1f} ms, "
        f"95 % within {np.percentile(taken, 95):.1f} ms.",
        highlight=False,
    )
    console.print(str(target), highlight=False, soft_wrap=True)
