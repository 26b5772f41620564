"""``perception export detector|forecaster``: a network as an ONNX file, kept only when its answers are the same."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from perception.errors import UsageError

_TIMED_TRACKS = 1000
ROADNET = "roadnet"
ONNX_SUFFIX = ".onnx"

app = typer.Typer(help="Write a network as an ONNX file, for runtimes without PyTorch.", no_args_is_help=True)


Output = Annotated[Path | None, typer.Option("--output", help="The file; by default the weights' name in this folder.")]


@app.command()
def detector(
    weights: Annotated[str, typer.Option("--detector", help="roadnet (the bundled one), or a weights file.")] = ROADNET,
    output: Output = None,
) -> None:
    """RoadNet: pictures of any size in; scores, boxes and embeddings at every place out."""
    from perception.assembly import prepare_processor
    from perception.bench.detector import engines_ms, example_batches
    from perception.detection import read_roadnet
    from perception.detection.roadnet_onnx import export_roadnet
    from perception.weights import WEIGHTS_SUFFIX, bundled_folder

    path = bundled_folder() / f"{ROADNET}{WEIGHTS_SUFFIX}" if weights == ROADNET else Path(weights)
    target = _target(output, path)
    prepare_processor()
    console, (model, feature_space) = Console(), read_roadnet(path)
    with console.status("exporting"):
        batches = example_batches()
        apart = export_roadnet(model, target, feature_space=feature_space, images=batches)
        taken = engines_ms(model, target, batches[-1])
    console.print(
        f"The same answers as PyTorch on ONNX Runtime, on {sum(map(len, batches))} pictures of the bundled drive: "
        f"boxes within {apart.boxes_px:.1g} px, scores within {apart.scores:.1g}.",
        highlight=False,
    )
    console.print(
        f"{len(batches[-1])} pictures at once: median {taken.onnx_ms:.0f} ms, "
        f"{taken.onnx_ms / taken.torch_ms:.2f} of PyTorch's in the same run.",
        highlight=False,
    )
    console.print(str(target), highlight=False, soft_wrap=True)


@app.command()
def forecaster(
    weights: Annotated[
        str, typer.Option("--forecaster", help="auto (the bundled one of --frame), or a weights file.")
    ] = "auto",
    frame: Annotated[str, typer.Option("--frame", help="image or ground: which bundled one.")] = "image",
    output: Output = None,
) -> None:
    """TrajectoryGRU: one step and the decoding of all tracks; what it remembers goes in and comes out."""
    import numpy as np

    from perception.bench.forecaster import step_ms
    from perception.forecasting import BUNDLED_NAMES, read_gru
    from perception.forecasting.onnx_engine import OnnxEngine, export_gru
    from perception.forecasting.opening import STEP_S
    from perception.weights import WEIGHTS_SUFFIX, bundled_folder

    names = {str(name): path for name, path in BUNDLED_NAMES.items()}
    if frame not in names:
        raise UsageError(f"--frame {frame}: give image or ground.")
    path = bundled_folder() / f"{names[frame]}{WEIGHTS_SUFFIX}" if weights == "auto" else Path(weights)
    target = _target(output, path)
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


def _target(output: Path | None, weights: Path) -> Path:
    target = output or Path(weights.stem + ONNX_SUFFIX)
    if target.suffix != ONNX_SUFFIX:
        raise UsageError(f"--output {target}: give a name that ends in {ONNX_SUFFIX}.")
    return target
