"""YOLOX (Ge et al. 2021): one output with a row (x, y, width, height, objectness, class scores) for each grid point.

Pictures are BGR 0..255. Its exporter leaves x and y as offsets in cells, and width and height as logarithms, or writes
the decoding into the graph, which then states pixels. Names and shapes do not tell which; the values do.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perception.detection.backends.layouts.class_columns import ClassColumns, class_columns
from perception.detection.backends.layouts.layout import FLOAT, Decoded, Graph, Layout, Pixels, grid_points, point_count
from perception.errors import UsageError
from perception.geometry.boxes import xyxy_from_cxcywh

TITLE = "YOLOX"
_STRIDES_PX = (8, 16, 32)
_BOX_COLUMNS = 5


def recognize(graph: Graph) -> Layout | None:
    """None for another layout. Raises ``UsageError`` where the classes are unknown."""
    if graph.image is None or len(graph.inputs) != 1 or len(graph.outputs) != 1:
        return None
    (output,) = graph.outputs
    if len(output.shape) != 3 or output.type != FLOAT:
        return None
    _, rows, row_size = output.shape
    expected = point_count(graph, _STRIDES_PX)
    if not isinstance(row_size, int) or row_size <= _BOX_COLUMNS:
        return None
    if (rows != expected) if expected is not None else isinstance(rows, int):
        return None
    columns = class_columns(graph.path, row_size - _BOX_COLUMNS, graph.class_names)

    def decode(outputs: Sequence[NDArray[Any]], size_px: tuple[int, int]) -> Decoded:
        return _decode(outputs[0], size_px, columns, graph)

    return Layout(title=TITLE, columns=columns, pixels=Pixels(is_bgr=True), decode=decode)


def _decode(raw: NDArray[Any], size_px: tuple[int, int], columns: ClassColumns, graph: Graph) -> Decoded:
    points = grid_points(size_px, _STRIDES_PX)
    if _is_decoded(raw[..., :2], points.cells, points.strides):
        if (raw[..., 4] == 1).all():
            # YOLOv6 writes such rows, without an objectness, and takes other pixels.
            raise UsageError(f"{graph.path}: states no objectness as {TITLE} does; give one of the known layouts.")
        boxes = xyxy_from_cxcywh(raw[..., :4])
    else:
        centres = (raw[..., :2] + points.cells) * points.strides
        half_sizes = np.exp(np.clip(raw[..., 2:4], -10, 10)) * points.strides / 2
        boxes = np.concatenate([centres - half_sizes, centres + half_sizes], axis=-1)
    return Decoded(raw[..., 4:5] * columns.select(raw[..., _BOX_COLUMNS:]), boxes.astype(np.float32))


def _is_decoded(xy: NDArray[Any], cells: NDArray[np.float32], strides: NDArray[np.float32]) -> bool:
    """Whether ``xy`` (B, A, 2) are pixels: an object's centre lies near its grid point, in one of the two readings."""
    offsets_in_pixels = np.abs(xy[:1] / strides - cells).mean()
    return bool(offsets_in_pixels < np.abs(xy[:1]).mean())
