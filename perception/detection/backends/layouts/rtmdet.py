"""RTMDet (Lyu et al. 2022) without its post-processing: at strides 8, 16, 32 a map of class logits and distances.

Each cell of (batch, rows, columns, classes + 4) has the logits, then the distances in pixels from the cell's corner to
the left, upper, right and lower edge. Pictures are BGR, normalised. The public person detector has one class.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perception.detection.backends.layouts.class_columns import ClassColumns, class_columns
from perception.detection.backends.layouts.layout import FLOAT, Decoded, Graph, Layout, Pixels, grid_points
from perception.taxonomy import CLASSES, PEDESTRIAN_LABEL

TITLE = "RTMDet"
_PIXELS = Pixels(is_bgr=True, mean=(103.53, 116.28, 123.675), std=(57.375, 57.12, 58.395))
_STRIDES_PX = (8, 16, 32)
_SIDES = 4


def recognize(graph: Graph) -> Layout | None:
    """None for another layout. Raises ``UsageError`` where the classes are unknown."""
    outputs = graph.outputs
    if graph.image is None or len(graph.inputs) != 1 or len(outputs) != len(_STRIDES_PX):
        return None
    if any(len(port.shape) != 4 or port.type != FLOAT for port in outputs):
        return None
    channels = {port.shape[3] for port in outputs}
    (row_size,) = channels if len(channels) == 1 else (None,)
    if not isinstance(row_size, int) or row_size <= _SIDES or not _are_levels(graph):
        return None
    columns = class_columns(graph.path, TITLE, row_size - _SIDES, graph.classes, one_is=CLASSES[PEDESTRIAN_LABEL])

    def decode(outputs: Sequence[NDArray[Any]], size_px: tuple[int, int]) -> Decoded:
        return _decode(outputs, size_px, columns)

    return Layout(title=TITLE, columns=columns, pixels=_PIXELS, decode=decode, is_convolutional=True)


def _are_levels(graph: Graph) -> bool:
    """Whether the maps are as large as the grids of the strides, where the input's size is fixed."""
    size = graph.fixed_size_px
    if size is None:
        return True
    grids = [(-(-size[1] // stride), -(-size[0] // stride)) for stride in _STRIDES_PX]
    return [port.shape[1:3] for port in graph.outputs] == grids


def _decode(outputs: Sequence[NDArray[Any]], size_px: tuple[int, int], columns: ClassColumns) -> Decoded:
    points = grid_points(size_px, _STRIDES_PX)
    rows = np.concatenate([level.reshape(len(level), -1, level.shape[-1]) for level in outputs], axis=1)
    logits, ltrb = rows[..., :-_SIDES], rows[..., -_SIDES:]
    corners = points.cells * points.strides
    boxes = np.concatenate([corners - ltrb[..., :2], corners + ltrb[..., 2:]], axis=-1)
    scores = 1 / (1 + np.exp(-np.clip(logits, -80, 80)))
    return Decoded(columns.select(scores), boxes.astype(np.float32))
