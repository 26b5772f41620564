"""YOLO networks whose graph ends with the objects: a row (x1, y1, x2, y2, score, class) for each, in pixels.

YOLOv10 and YOLO26 state each object once, and Ultralytics' exporter writes the suppression into graphs of others; all
of them give as many rows for each picture. YOLOv7's gives rows (picture, x1, y1, x2, y2, class, score) as objects are
found. Pictures are RGB 0..1, letterboxed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perception.detection.backends.layouts.class_columns import class_columns
from perception.detection.backends.layouts.layout import FLOAT, Decoded, Graph, Layout, look_like_shares
from perception.detection.backends.layouts.yolo import RGB_SHARES

TITLE = "end-to-end YOLO"
_ROWS, _YOLOV7 = f"{TITLE} (v10 and 26)", f"{TITLE} (v7)"
_ROW_SIZE, _YOLOV7_ROW_SIZE = 6, 7


def recognize(graph: Graph) -> Layout | None:
    """None for another layout. Raises ``UsageError`` where none of the classes is ours."""
    if graph.rows is not None and graph.rows[1] == _ROW_SIZE:
        return _layout(graph, _ROWS, lambda outputs: outputs[0])
    if graph.image is None or len(graph.inputs) != 1 or len(graph.outputs) != 1:
        return None
    (output,) = graph.outputs
    if output.type == FLOAT and len(output.shape) == 2 and output.shape[1] == _YOLOV7_ROW_SIZE:
        order = [1, 2, 3, 4, 6, 5]
        return replace(_layout(graph, _YOLOV7, lambda outputs: outputs[0][None, :, order]), takes_batches=False)
    return None


def _layout(graph: Graph, title: str, rows_of: Any) -> Layout:
    """``rows_of`` makes rows (B, A, 6) of the outputs."""
    columns = class_columns(graph.path, title, None, graph.classes)

    def decode(outputs: Sequence[NDArray[Any]], size_px: tuple[int, int]) -> Decoded:
        rows = rows_of(outputs)
        labels = np.rint(rows[..., 5]).astype(np.int64)
        return Decoded(columns.select_labels(labels, rows[..., 4]), rows[..., :4].astype(np.float32))

    def decode_shares(outputs: Sequence[NDArray[Any]], size_px: tuple[int, int]) -> Decoded:
        scores, boxes = decode(outputs, size_px)
        return Decoded(scores, boxes * np.tile(np.array(size_px, np.float32), 2))

    def settle(layout: Layout, outputs: Sequence[NDArray[Any]], size_px: tuple[int, int]) -> Layout:
        return replace(layout, decode=decode_shares) if look_like_shares(rows_of(outputs)[..., :4]) else layout

    return Layout(title=title, columns=columns, pixels=RGB_SHARES, decode=decode, settle=settle, has_grid=False)
