"""``perception export detector|forecaster``: a network as an ONNX file, kept only when its outputs match."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from perception.cli.terminal import Terminal, terminal_of
from perception.errors import UsageError, counted

if TYPE_CHECKING:
    from perception.detection.roadnet.network import RoadNet

_TIMED_TRACKS = 1000
ROADNET = "roadnet"
ONNX_SUFFIX = ".onnx"

app = typer.Typer(help="Write a network as an ONNX file, for runtimes without PyTorch.", no_args_is_help=True)


Output = Annotated[Path | None, typer.Option("--output", help="The file; by default the weights' name in this folder.")]
Format = Annotated[Literal["onnx"], typer.Option("--format", help="The kind of file.")]


@app.command()
def detector(
    context: typer.Context,
    weights: Annotated[
        str, typer.Option("--detector", help="The name of bundled weights, or a weights file.")
    ] = ROADNET,
    int8: Annotated[bool, typer.Option("--int8", help="With 8-bit integers, if as good and faster.")] = False,
    half: Annotated[
        bool, typer.Option("--half", help="With 16-bit numbers, if as good: for runtimes on GPUs.")
    ] = False,
    images: Annotated[
        list[Path] | None,
        typer.Option("--images", help="For --int8 and --half: COCO files or frames.json, to measure on."),
    ] = None,
    dynamic: Annotated[
        bool, typer.Option("--dynamic", help="Any number of pictures of any size: so is every file.")
    ] = True,
    output: Output = None,
    kind: Format = "onnx",
) -> None:
    """RoadNet: pictures of any number and size in; scores, boxes and embeddings at every grid point out.

    The graph pads them to multiples of 32 pixels, on the right and below; a multiple of 32 stays as it is.
    """
    from perception.cpu import prepare_processor
    from perception.detection import read_roadnet
    from perception.detection.roadnet.network import SIDE_MULTIPLE_PX
    from perception.weights import bundled_weights

    if int8 + half != bool(images):
        raise UsageError("`int8` or `half`, and `images`: go together; name labelled images that look like yours.")
    path = bundled_weights(weights) or Path(weights)
    target = _target(output, path, "-int8" if int8 else "-half" if half else "")
    prepare_processor()
    terminal, (model, feature_space) = terminal_of(context), read_roadnet(path)
    if images:
        _export_quantised(model, feature_space, images, target, terminal, bits=8 if int8 else 16)
    else:
        _export_detector(model, feature_space, target, terminal)
    terminal.say(
        f"It takes any number of pictures of any size: multiples of {SIDE_MULTIPLE_PX} pixels as they are, others with "
        "grey on the right and below."
    )
    terminal.result(target)


def _export_detector(model: RoadNet, feature_space: str, target: Path, terminal: Terminal) -> None:
    import copy

    import torch

    from perception.detection.roadnet.engines import RoadNetOnnxEngine, RoadNetTorchEngine
    from perception.detection.roadnet.onnx_export import export_roadnet
    from perception.profiling.detector import example_batches, median_ms

    with terminal.err.status("exporting"):
        batches = example_batches()
        apart = export_roadnet(model, target, feature_space=feature_space, images=batches)
        engines = RoadNetTorchEngine(copy.deepcopy(model), device=torch.device("cpu")), RoadNetOnnxEngine(target)
        torch_ms, onnx_ms = median_ms(engines, batches[-1])
    terminal.say(
        f"Outputs match PyTorch's on ONNX Runtime, on {counted(sum(map(len, batches)), 'picture')} of "
        "the bundled drive: "
        f"boxes within {apart.boxes_px:.1g} px, scores within {apart.scores:.1g}.",
    )
    terminal.say(
        f"{counted(len(batches[-1]), 'picture')} at once: median {onnx_ms:.0f} ms, "
        f"{onnx_ms / torch_ms:.2f} of PyTorch's in the "
        "same run.",
    )


def _export_quantised(
    model: RoadNet,
    feature_space: str,
    images: Sequence[Path],
    target: Path,
    terminal: Terminal,
    *,
    bits: Literal[8, 16],
) -> None:
    from perception.detection.roadnet.onnx_export import roadnet_graph
    from perception.errors import PerceptionError
    from perception.evaluation.core.image_dataset import read_image_dataset
    from perception.files import atomic_write
    from perception.profiling.quantization import calibrate_and_quantise, compare
    from perception.sources.images import read_rgb

    labelled = read_image_dataset(images)
    graph = roadnet_graph(model, feature_space=feature_space)
    with terminal.err.status("calibrating and measuring" if bits == 8 else "measuring"):
        if bits == 8:
            small = calibrate_and_quantise(graph, labelled, read_rgb)
        else:
            small = roadnet_graph(model, feature_space=feature_space, half=True)
        found = compare(graph, small, bits, labelled, read_rgb)
    for name, before, after in (
        ("AP50, vehicles as one class", found.full.vehicles, found.small.vehicles),
        ("AP50, mean of the classes", found.full.classes, found.small.classes),
    ):
        terminal.say(f"{name}: {100 * before:.1f} with 32 bits, {100 * after:.1f} with {bits} bits.")
    terminal.say(
        f"Six pictures at once on this processor: median {found.full_ms:.0f} ms with 32 bits, {found.small_ms:.0f} ms "
        f"with {bits}, {found.time_share:.2f} of it.",
    )
    if found.why_not is not None:
        raise PerceptionError(f"{target}: not written, because {found.why_not}.")
    with atomic_write(target) as temporary:
        temporary.write_bytes(small)


@app.command()
def forecaster(
    context: typer.Context,
    weights: Annotated[
        str, typer.Option("--forecaster", help="auto (the bundled one of --frame), or a weights file.")
    ] = "auto",
    frame: Annotated[str, typer.Option("--frame", help="image or ground: which bundled one.")] = "image",
    output: Output = None,
    kind: Format = "onnx",
) -> None:
    """TrajectoryGRU: one step and the decoding of all tracks; what it remembers goes in and comes out."""
    import numpy as np

    from perception.forecasting import BUNDLED_NAMES, read_gru
    from perception.forecasting.onnx_engine import OnnxEngine, export_gru
    from perception.forecasting.registry import STEP_S
    from perception.profiling.forecaster import step_ms
    from perception.weights import WEIGHTS_SUFFIX, bundled_folder

    names = {str(name): path for name, path in BUNDLED_NAMES.items()}
    if frame not in names:
        raise UsageError("give image or ground.", field="frame", value=frame)
    path = bundled_folder() / f"{names[frame]}{WEIGHTS_SUFFIX}" if weights == "auto" else Path(weights)
    target = _target(output, path)
    terminal, model = terminal_of(context), read_gru(path)
    with terminal.err.status("exporting"):
        difference = export_gru(model, target, dt_s=STEP_S)
        taken = step_ms(OnnxEngine(target), model, tracks=_TIMED_TRACKS)
    terminal.say(
        f"The same numbers as PyTorch on ONNX Runtime, within {difference:.1g}; futures every {STEP_S:g} s.",
    )
    terminal.say(
        f"{_TIMED_TRACKS:,} tracks, one step with neighbours and futures: median {np.median(taken):.1f} ms, "
        f"95 % within {np.percentile(taken, 95):.1f} ms.",
    )
    terminal.result(target)


def _target(output: Path | None, weights: Path, addition: str = "") -> Path:
    target = output or Path(weights.stem + addition + ONNX_SUFFIX)
    if target.suffix != ONNX_SUFFIX:
        raise UsageError(f"give a name that ends in {ONNX_SUFFIX}.", field="output", value=target)
    return target
