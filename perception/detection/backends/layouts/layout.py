"""What a file says of its graph, and what has to be known of a layout to run such a graph."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from perception.arrays import FloatArray
from perception.class_names import ClassMap
from perception.detection.backends.layouts.class_columns import ClassColumns
from perception.detection.settings import USUAL_IMAGE_SIZE_PX

_LARGEST_SHARE = 2.0
"""A box may reach beyond the picture."""

FLOAT, INT64 = "tensor(float)", "tensor(int64)"


class Port(NamedTuple):
    """An input or output: its name, its ``shape``, where a size that is free is no number, and ONNX Runtime's type."""

    name: str
    shape: tuple[Any, ...]
    type: str

    def __str__(self) -> str:
        sizes = "x".join(str(size) if isinstance(size, int) else "?" for size in self.shape)
        return f"{self.name} {sizes}"


@dataclass(frozen=True)
class Graph:
    """The inputs and outputs of the file ``path``, and its classes where its metadata or the user names them."""

    path: Path
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    classes: ClassMap = field(default_factory=ClassMap)

    @property
    def rows(self) -> tuple[int | None, int | None] | None:
        """The last two sizes (A, K) of the only output (B, A, K), None for a free one; None for other outputs.

        None, too, where not exactly one input takes pictures.
        """
        if self.image is None or len(self.inputs) != 1 or len(self.outputs) != 1:
            return None
        (output,) = self.outputs
        if len(output.shape) != 3 or output.type != FLOAT:
            return None
        _, first, second = (size if isinstance(size, int) else None for size in output.shape)
        return first, second

    @property
    def image(self) -> Port | None:
        """The input that takes pictures (batch, 3, height, width); None where there is not exactly one.

        The batch is 1 or free; height and width are both fixed or both free.
        """
        found = [port for port in self.inputs if _takes_pictures(port)]
        return found[0] if len(found) == 1 else None

    @property
    def fixed_size_px(self) -> tuple[int, int] | None:
        """(width, height) of the pictures; None where any will do."""
        image = self.image
        if image is None or not isinstance(image.shape[2], int):
            return None
        return image.shape[3], image.shape[2]


class Pixels(NamedTuple):
    """How a network takes its pictures: the order of channels, and what of 0..255 is subtracted and divided by."""

    is_bgr: bool
    mean: tuple[float, float, float] | None = None
    std: tuple[float, float, float] | None = None

    def blob(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(B, H, W, 3) uint8 RGB to (B, 3, H, W)."""
        values = (images[..., ::-1] if self.is_bgr else images).astype(np.float32)
        if self.mean is not None:
            values -= np.array(self.mean, np.float32)
        if self.std is not None:
            values /= np.array(self.std, np.float32)
        return np.ascontiguousarray(values.transpose(0, 3, 1, 2))


class Decoded(NamedTuple):
    """Before suppression: ``scores`` (B, A, C) in 0..1 over ``CLASSES``, ``boxes`` (B, A, 4) in pixels of the input."""

    scores: FloatArray
    boxes_xyxy: FloatArray


@dataclass(frozen=True, kw_only=True)
class Layout:
    """A graph's inputs and outputs, understood.

    ``decode`` takes the outputs in the graph's order and the (width, height) of the input. Where the graph takes any
    size, ``usual_size_px`` is the long side where none is asked for, and sides are multiples of ``multiple_px``.
    ``keeps_aspect`` is False where pictures are stretched to a square. ``size_input`` names an input for the (width,
    height) that boxes are to refer to, ``mask_input`` one (B, H, W) that marks the picture. ``has_grid``: rows are grid
    points in RoadNet's order. ``is_convolutional``: a fixed size in the graph may be freed. ``takes_batches``: where
    the graph does. ``settle`` takes this layout and the outputs for a grey picture, and returns the layout that their
    values have.
    """

    title: str
    columns: ClassColumns
    pixels: Pixels
    decode: Callable[[Sequence[NDArray[Any]], tuple[int, int]], Decoded]
    multiple_px: int = 32
    usual_size_px: int = USUAL_IMAGE_SIZE_PX
    keeps_aspect: bool = True
    size_input: str | None = None
    mask_input: str | None = None
    has_grid: bool = True
    is_convolutional: bool = False
    takes_batches: bool = True
    settle: Callable[[Layout, Sequence[NDArray[Any]], tuple[int, int]], Layout] | None = None


class GridPoints(NamedTuple):
    """``cells`` (A, 2) indices x, y and ``strides`` (A, 1) in pixels, row by row, the finest stride first."""

    cells: NDArray[np.float32]
    strides: NDArray[np.float32]


@lru_cache(maxsize=16)
def grid_points(size_px: tuple[int, int], strides_px: tuple[int, ...]) -> GridPoints:
    """The grid points of an input of (width, height)."""
    cells, strides = [], []
    for stride in strides_px:
        width, height = (math.ceil(side / stride) for side in size_px)
        ys, xs = np.mgrid[:height, :width]
        cells.append(np.stack([xs, ys], axis=-1).reshape(-1, 2))
        strides.append(np.full((width * height, 1), stride))
    return GridPoints(np.concatenate(cells).astype(np.float32), np.concatenate(strides).astype(np.float32))


def point_count(graph: Graph, strides_px: tuple[int, ...]) -> int | None:
    """How many grid points the graph's input has; None where its size is free."""
    size = graph.fixed_size_px
    return None if size is None else len(grid_points(size, strides_px).cells)


def look_like_shares(boxes: NDArray[Any]) -> bool:
    """Whether boxes (..., 4) are shares of the picture: in pixels some would be larger."""
    return bool(0 < np.abs(boxes).max(initial=0) <= _LARGEST_SHARE)


def _takes_pictures(port: Port) -> bool:
    if len(port.shape) != 4 or port.shape[1] != 3 or port.type != FLOAT:
        return False
    batch, _, height, width = port.shape
    return (batch == 1 or not isinstance(batch, int)) and isinstance(height, int) == isinstance(width, int)
