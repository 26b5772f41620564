"""DEIM and DEIMv2 (Huang et al. 2025): a set of labels, boxes and scores, in pixels of a size that it is told.

Pictures are RGB 0..1, stretched to the input. The network states each object once, so its rows are no grid points.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perception.detection.backends.layouts.class_columns import class_columns
from perception.detection.backends.layouts.layout import FLOAT, INT64, Decoded, Graph, Layout, Pixels

TITLE = "DEIM"
_PIXELS = Pixels(is_bgr=False, std=(255.0, 255.0, 255.0))
_NAMES = ("labels", "boxes", "scores")


def recognize(graph: Graph) -> Layout | None:
    """None for another layout. Raises ``UsageError`` where the classes are unknown."""
    ports = {port.name: port for port in graph.outputs}
    if graph.image is None or len(graph.inputs) != 2 or set(ports) != set(_NAMES):
        return None
    labels, boxes, scores = (ports[name] for name in _NAMES)
    (sizes,) = (port for port in graph.inputs if port != graph.image)
    has_types = (sizes.type, labels.type, boxes.type, scores.type) == (INT64, INT64, FLOAT, FLOAT)
    has_ranks = (len(labels.shape), len(boxes.shape), len(scores.shape)) == (2, 3, 2)
    if not has_types or not has_ranks or len(sizes.shape) != 2 or graph.fixed_size_px is None:
        return None
    order = [[port.name for port in graph.outputs].index(name) for name in _NAMES]
    columns = class_columns(graph.path, TITLE, None, graph.classes)

    def decode(outputs: Sequence[NDArray[Any]], size_px: tuple[int, int]) -> Decoded:
        labels, boxes, scores = (outputs[index] for index in order)
        return Decoded(columns.select_labels(labels, scores), boxes.astype(np.float32))

    return Layout(
        title=TITLE,
        columns=columns,
        pixels=_PIXELS,
        decode=decode,
        keeps_aspect=False,
        size_input=sizes.name,
        has_grid=False,
    )
