"""NanoDet-Plus's weights for COCO into RoadNet: where a training starts.

Its convolutions, batch norms folded, go by the names that they have in ncnn's graph of NanoDet-Plus. Of its 80 classes
ours are taken; the embedding, which it lacks, stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from perception.detection.roadnet.network import GhostBottleneck, RoadNet, ShuffleDown, ShuffleUnit
from perception.errors import UsageError
from perception.safety.input_limits import MAX_WEIGHTS_BYTES
from perception.safety.regular_files import check_regular
from perception.weights import read_plain_state

COCO_ROWS = (2, 7, 5, 3, 1, 0)
"""Of our classes, among COCO's 80."""

_STD_RGB = (58.395, 57.12, 57.375)
_COCO_CLASSES = 80
_FIRST_DEPTHWISE = 161
_GHOSTS = ((38, 0, 60, 181, 182, 61), (40, 1, 63, 184, 185, 64), (42, 3, 67, 188, 189, 68), (44, 5, 71, 192, 193, 72))
"""Of the two bottlenecks on the way up and the two on the way down: numbers of the layers as they are named."""

_DOWNS = ((2, 41), (4, 43), (6, 46), (7, 45))
_HEADS = (((8, 47), (9, 54), 77), ((10, 48), (11, 53), 80), ((12, 49), (13, 52), 83), ((14, 50), (15, 51), 86))


_IN_ONNX = re.compile(r"(?:.*\.)?(?P<layer>conv\w*_\d+)[._](?P<part>w|weight|b|bias)")
"""A convolution's tensor in an ONNX file: ``convrelu_0_w``, or ``n.mods.convrelu_0.weight``."""


def read_nanodet(path: Path) -> dict[str, Tensor]:
    """``NAME.weight`` and ``NAME.bias`` of each convolution: of an ONNX file, or all tensors of a file of tensors.

    Raises ``UsageError`` when the file is missing or damaged.
    """
    if path.suffix != ".onnx":
        return read_plain_state(path)
    try:
        check_regular(path, max_bytes=MAX_WEIGHTS_BYTES)
        initializers = onnx.load(path).graph.initializer
    except Exception as error:  # protobuf raises types of its own for a damaged file
        raise UsageError(f"{path}: is not a readable ONNX file.") from error
    state = {}
    for tensor in initializers:
        if named := _IN_ONNX.fullmatch(tensor.name):
            part = "weight" if named["part"].startswith("w") else "bias"
            state[f"{named['layer']}.{part}"] = torch.from_numpy(numpy_helper.to_array(tensor).copy())
    return state


@torch.no_grad()
def load_nanodet(model: RoadNet, state: Mapping[str, Tensor]) -> None:
    """Start ``model`` from the tensors of NanoDet-Plus-m, as size ``nano``, or of NanoDet-Plus-m-1.5x, as ``small``.

    Raises ``ValueError`` where a tensor is missing or of another shape, as with another size of either network.
    """
    for name, layer in _layers(model):
        _copy(layer, state, name)
    first = model.stem[0][0]  # type: ignore[index]
    # The file's network sees BGR over its deviation, ours RGB in -1..1.
    first.weight.copy_(first.weight.flip(1) * (127.5 / torch.tensor(_STD_RGB))[:, None, None])
    for head, (*_, last) in zip(model.heads, _HEADS, strict=True):
        for layer, rows in ((head.classes, list(COCO_ROWS)), (head.ltrb, slice(_COCO_CLASSES, None))):
            chosen = {f"{part}": _tensor(state, f"conv_{last}.{part}")[rows] for part in ("weight", "bias")}
            _copy(layer, {f"rows.{part}": value for part, value in chosen.items()}, "rows")


def _layers(model: RoadNet) -> Iterator[tuple[str, nn.Module]]:
    """Each convolution with the name it has in the file, but for the last ones of the heads."""
    yield "convrelu_0", model.stem[0]
    pointwise, depthwise = 1, _FIRST_DEPTHWISE
    for stage in model.stages:
        for unit in stage.children():
            if isinstance(unit, ShuffleDown):
                yield from _chain(unit.short, f"convdw_{depthwise}", f"convrelu_{pointwise + 2}")
                depthwise += 1
                changed = unit.long
            else:
                assert isinstance(unit, ShuffleUnit)
                changed = unit.changed
            yield from _chain(changed, f"convrelu_{pointwise}", f"convdw_{depthwise}", f"convrelu_{pointwise + 1}")
            pointwise += 3 if isinstance(unit, ShuffleDown) else 2
            depthwise += 1
    neck = model.neck
    yield from zip(("convrelu_39", "convrelu_37", "convrelu_36"), neck.reduce, strict=True)
    for merge, (primary, cheap, primary_2, cheap_2, wide, narrow) in zip(
        [*neck.top_down, *neck.bottom_up], _GHOSTS, strict=True
    ):
        assert isinstance(merge, GhostBottleneck)
        first, second = merge.ghosts
        yield f"convrelu_{primary}", first.primary  # type: ignore[misc]
        yield f"convdwrelu_{cheap}", first.cheap  # type: ignore[misc]
        yield f"conv_{primary_2}", second.primary  # type: ignore[misc]
        yield f"convdw_{cheap_2}", second.cheap  # type: ignore[misc]
        yield from _chain(merge.shortcut, f"convdw_{wide}", f"conv_{narrow}")
    for down, numbers in zip([*neck.down, neck.coarsest_before, neck.coarsest_after], _DOWNS, strict=True):
        yield from _separable(down, numbers)
    for head, (*tower, _) in zip(model.heads, _HEADS, strict=True):
        for block, numbers in zip(head.tower, tower, strict=True):
            yield from _separable(block, numbers)


def _chain(layers: nn.Module, *names: str) -> Iterator[tuple[str, nn.Module]]:
    yield from zip(names, layers.children(), strict=True)


def _separable(layers: nn.Module, numbers: tuple[int, int]) -> Iterator[tuple[str, nn.Module]]:
    yield from _chain(layers, f"convdwrelu_{numbers[0]}", f"convrelu_{numbers[1]}")


def _copy(layer: nn.Module, state: Mapping[str, Tensor], name: str) -> None:
    convolution = next(module for module in layer.modules() if isinstance(module, nn.Conv2d))
    for part in ("weight", "bias"):
        value, own = _tensor(state, f"{name}.{part}"), getattr(convolution, part)
        if value.numel() != own.numel():
            raise ValueError(f"{name}.{part} has shape {tuple(value.shape)}, not {tuple(own.shape)}")
        own.copy_(value.reshape(own.shape))


def _tensor(state: Mapping[str, Tensor], name: str) -> Tensor:
    if name not in state:
        raise ValueError(f"{name} is missing")
    return state[name].float()
