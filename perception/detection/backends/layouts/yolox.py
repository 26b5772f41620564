"""YOLOX (Ge et al. 2021): one output with a row (x, y, width, height, objectness, class scores) for each grid point.

Pictures are BGR 0..255. Its exporter leaves x and y as offsets in cells, and width and height as logarithms, or writes
the decoding into the graph, which then states pixels. YOLOv6 (Li et al. 2022) writes such decoded rows, too, with an
objectness of 1, and takes RGB 0..1. Names and shapes do not tell which; the values do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perception.detection.backends.layouts.class_columns import ClassColumns, class_columns, may_be_classes
from perception.detection.backends.layouts.layout import Decoded, Graph, Layout, Pixels, grid_points, point_count
from perception.detection.backends.layouts.yolo import RGB_SHARES
from perception.geometry.boxes import xyxy_from_cxcywh

TITLE = "YOLOX"
_DECODED, _YOLOV6 = "YOLOX with decoded boxes", "YOLOv6"
_STRIDES_PX = (8, 16, 32)
_BOX_COLUMNS = 5
_LARGEST_LOGARITHM = 10.0
"""Of a side in cells: no picture is e^10 cells large."""


def recognize(graph: Graph) -> Layout | None:
    """None for another layout. Raises ``UsageError`` where the classes are unknown."""
    if graph.rows is None:
        return None
    rows, row_size = graph.rows
    if row_size is None or row_size <= _BOX_COLUMNS or rows != point_count(graph, _STRIDES_PX):
        return None
    count = row_size - _BOX_COLUMNS
    if may_be_classes(count + 1, graph.classes) and not may_be_classes(count, graph.classes):
        return None  # rows without an objectness
    columns = class_columns(graph.path, TITLE, count, graph.classes)

    def decode(outputs: Sequence[NDArray[Any]], size_px: tuple[int, int]) -> Decoded:
        return _decode(outputs[0], size_px, columns)

    def decode_pixels(outputs: Sequence[NDArray[Any]], size_px: tuple[int, int]) -> Decoded:
        return _with_objectness(outputs[0], xyxy_from_cxcywh(outputs[0][..., :4]), columns)

    def settle(layout: Layout, outputs: Sequence[NDArray[Any]], size_px: tuple[int, int]) -> Layout:
        (raw,) = outputs
        if not _is_decoded(raw, size_px):
            return layout
        if (raw[..., _BOX_COLUMNS - 1] == 1).all():
            return replace(layout, title=_YOLOV6, pixels=RGB_SHARES, decode=decode_pixels)
        return replace(layout, title=_DECODED, decode=decode_pixels)

    return Layout(title=TITLE, columns=columns, pixels=Pixels(is_bgr=True), decode=decode, settle=settle)


def _decode(raw: NDArray[Any], size_px: tuple[int, int], columns: ClassColumns) -> Decoded:
    points = grid_points(size_px, _STRIDES_PX)
    centres = (raw[..., :2] + points.cells) * points.strides
    half_sizes = np.exp(np.clip(raw[..., 2:4], -_LARGEST_LOGARITHM, _LARGEST_LOGARITHM)) * points.strides / 2
    return _with_objectness(raw, np.concatenate([centres - half_sizes, centres + half_sizes], axis=-1), columns)


def _with_objectness(raw: NDArray[Any], boxes_xyxy: NDArray[Any], columns: ClassColumns) -> Decoded:
    return Decoded(raw[..., 4:5] * columns.select(raw[..., _BOX_COLUMNS:]), boxes_xyxy.astype(np.float32))


def _is_decoded(raw: NDArray[Any], size_px: tuple[int, int]) -> bool:
    """Whether rows (B, A, ...) state pixels: read otherwise, boxes would leave the picture or their grid points."""
    points, xy = grid_points(size_px, _STRIDES_PX), raw[..., :2]
    grid_cells = np.array(size_px) / points.strides
    beyond_grid = (np.abs(xy) > np.maximum(grid_cells, _LARGEST_LOGARITHM)).any()
    if beyond_grid or raw[..., 2:4].max() > _LARGEST_LOGARITHM:
        return True
    offsets_in_pixels = np.abs(xy / points.strides - points.cells).mean()
    return bool(offsets_in_pixels < np.abs(xy).mean())
