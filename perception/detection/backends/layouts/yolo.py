"""YOLOv5 to YOLO12: one output of decoded boxes (x, y, width, height) in pixels and class scores in 0..1.

YOLOv5 and YOLOv7 have a row (box, objectness, class scores) for each of three anchors of each grid point. YOLOv8 (and
v9, v11 and v12, with the same head) has a column (box, class scores) for each grid point; some exporters turn these
into rows. Pictures are RGB 0..1, letterboxed. Ultralytics' RT-DETR (Zhao et al. 2024) writes rows of this kind for its
queries, with boxes as shares of the picture, which is stretched.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perception.detection.backends.layouts.class_columns import ClassColumns, class_columns, may_be_classes
from perception.detection.backends.layouts.layout import (
    Decoded,
    Graph,
    Layout,
    Pixels,
    look_like_shares,
    point_count,
)
from perception.geometry.boxes import xyxy_from_cxcywh

RGB_SHARES = Pixels(is_bgr=False, std=(255.0, 255.0, 255.0))
"""RGB in 0..1."""

TITLE = "YOLOv8"
_SAME_HEAD = "YOLOv8 (v9, v11 and v12 have the same)"
_YOLOV5 = "YOLOv5 (v7 has the same)"
_QUERIES = "RT-DETR in one output"
_STRIDES_PX = ((8, 16, 32), (8, 16, 32, 64), (4, 8, 16, 32))
_ANCHORS = 3
_SIDES = 4


def recognize(graph: Graph) -> Layout | None:
    """None for another layout. Raises ``UsageError`` where the classes are unknown."""
    if graph.rows is None:
        return None
    first, second = graph.rows
    counts = {point_count(graph, strides_px) for strides_px in _STRIDES_PX}
    with_anchors = {_ANCHORS * count for count in counts if count is not None}
    is_row = second is not None and second > _SIDES
    if first in with_anchors and is_row and second != _SIDES + 1:
        return _layout(graph, _YOLOV5, second, is_row=True, has_objectness=True)
    if second in counts and first is not None and first > _SIDES:
        return _layout(graph, _SAME_HEAD, first, is_row=False)
    if is_row and second is not None and may_be_classes(second - _SIDES, graph.classes):
        if first in counts:
            return _layout(graph, _SAME_HEAD, second, is_row=True)
        if first is not None:
            return replace(_layout(graph, _QUERIES, second, is_row=True), keeps_aspect=False)
    return None


def _layout(graph: Graph, title: str, size: int | None, *, is_row: bool, has_objectness: bool = False) -> Layout:
    before = _SIDES + has_objectness
    columns = class_columns(graph.path, title, None if size is None else size - before, graph.classes)

    def rows_of(outputs: Sequence[NDArray[Any]]) -> NDArray[Any]:
        return outputs[0] if is_row else outputs[0].transpose(0, 2, 1)

    def decode(outputs: Sequence[NDArray[Any]], size_px: tuple[int, int]) -> Decoded:
        return _decode(rows_of(outputs), (1, 1), columns, before)

    def decode_shares(outputs: Sequence[NDArray[Any]], size_px: tuple[int, int]) -> Decoded:
        return _decode(rows_of(outputs), size_px, columns, before)

    def settle(layout: Layout, outputs: Sequence[NDArray[Any]], size_px: tuple[int, int]) -> Layout:
        return replace(layout, decode=decode_shares) if look_like_shares(rows_of(outputs)[..., :_SIDES]) else layout

    return Layout(title=title, columns=columns, pixels=RGB_SHARES, decode=decode, settle=settle, has_grid=False)


def _decode(rows: NDArray[Any], unit_px: tuple[int, int], columns: ClassColumns, before: int) -> Decoded:
    """Rows (B, A, K) with boxes in units of ``unit_px`` (width, height) and class scores from column ``before`` on."""
    boxes = xyxy_from_cxcywh(rows[..., :_SIDES]) * np.tile(np.array(unit_px, np.float32), 2)
    scores = columns.select(rows[..., before:])
    if before > _SIDES:
        scores *= rows[..., _SIDES : _SIDES + 1]
    return Decoded(scores, boxes.astype(np.float32))
