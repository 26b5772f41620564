"""DETR and its successors: for each query class logits and a box (x, y, width, height) as shares of the picture.

DETR (Carion et al. 2020) has a last class for "no object" and compares classes by a softmax; its pictures are
normalised. RT-DETR and D-FINE (Zhao et al. 2024, Peng et al. 2024) score each class alone and take RGB 0..1. RF-DETR
scores each class alone, too, has one that stands for nothing behind those of one's own, and takes normalised pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perception.detection.backends.layouts.class_columns import class_columns, may_be_classes
from perception.detection.backends.layouts.layout import FLOAT, Decoded, Graph, Layout, Pixels, Port
from perception.detection.backends.layouts.yolo import RGB_SHARES
from perception.geometry.boxes import xyxy_from_cxcywh

TITLE = "DETR"
_RT_DETR, _RF_DETR = "RT-DETR", "RF-DETR or Deformable DETR"
_NORMALISED = Pixels(is_bgr=False, mean=(123.675, 116.28, 103.53), std=(58.395, 57.12, 57.375))
_NAMES = (("logits", "pred_boxes"), ("pred_logits", "pred_boxes"), ("labels", "dets"))
"""Of the logits and the boxes, in the exports of Transformers, DETR and RF-DETR."""

_COCO_IDS = 91


def recognize(graph: Graph) -> Layout | None:
    """None for another layout. Raises ``UsageError`` where the classes are unknown."""
    ports = _logits_and_boxes(graph)
    masks = [port for port in graph.inputs if port != graph.image]
    if graph.image is None or ports is None or len(masks) > 1 or any(len(mask.shape) != 3 for mask in masks):
        return None
    logits, boxes = ports
    count = logits.shape[-1] if isinstance(logits.shape[-1], int) else None
    # One class more than there are names, or than COCO has, stands for no object.
    has_none = (
        count is not None and not may_be_classes(count, graph.classes) and may_be_classes(count - 1, graph.classes)
    )
    is_rf_detr = logits.name == _NAMES[-1][0] or count == _COCO_IDS
    title = _RF_DETR if is_rf_detr else TITLE if has_none else _RT_DETR
    columns = class_columns(graph.path, title, count if count is None else count - has_none, graph.classes)
    order = [graph.outputs.index(port) for port in (logits, boxes)]

    def decode(outputs: Sequence[NDArray[Any]], size_px: tuple[int, int]) -> Decoded:
        logits, boxes = (outputs[index] for index in order)
        scores = _softmax(logits) if title == TITLE else 1 / (1 + np.exp(-np.clip(logits, -80, 80)))
        corners = xyxy_from_cxcywh(boxes) * np.tile(np.array(size_px, np.float32), 2)
        return Decoded(columns.select(scores), corners.astype(np.float32))

    return Layout(
        title=title,
        columns=columns,
        pixels=RGB_SHARES if title == _RT_DETR else _NORMALISED,
        decode=decode,
        keeps_aspect=title == TITLE and graph.fixed_size_px is None,
        mask_input=masks[0].name if masks else None,
        has_grid=False,
    )


def _logits_and_boxes(graph: Graph) -> tuple[Port, Port] | None:
    ports = {port.name: port for port in graph.outputs}
    for names in _NAMES:
        if set(names) <= set(ports):
            logits, boxes = (ports[name] for name in names)
            are_floats = logits.type == boxes.type == FLOAT
            if are_floats and len(logits.shape) == len(boxes.shape) == 3 and boxes.shape[-1] == 4:
                return logits, boxes
    return None


def _softmax(logits: NDArray[Any]) -> NDArray[Any]:
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    shares: NDArray[Any] = weights / weights.sum(axis=-1, keepdims=True)
    return shares
