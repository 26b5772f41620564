"""NanoDet-Plus (RangiLyu): at strides 8 to 64 the class scores, and a distribution for each side of the box.

Pictures are BGR, normalised. Points lie on the corners of their cells. Two exports are known: the eight outputs of its
heads, ``cls8`` to ``dis64``, and the one output of its own exporter with a row (scores, sides) for each point.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from perception.detection.backends.layouts.class_columns import class_columns
from perception.detection.backends.layouts.distributions import BINS, STRIDES_PX, decode_points, joined_levels
from perception.detection.backends.layouts.layout import FLOAT, Decoded, Graph, Layout, Pixels, point_count

TITLE = "NanoDet-Plus"
PIXELS = Pixels(is_bgr=True, mean=(103.53, 116.28, 123.675), std=(57.375, 57.12, 58.395))
_CLASS_MAPS = [f"cls{stride}" for stride in STRIDES_PX]
_SIDE_MAPS = [f"dis{stride}" for stride in STRIDES_PX]
_SIDE_COLUMNS = 4 * BINS


def recognize(graph: Graph) -> Layout | None:
    """None for another layout. Raises ``UsageError`` where the classes are unknown."""
    if graph.image is None or len(graph.inputs) != 1 or any(port.type != FLOAT for port in graph.outputs):
        return None
    return _of_heads(graph) or _of_rows(graph)


def _of_heads(graph: Graph) -> Layout | None:
    names = [port.name for port in graph.outputs]
    if not {*_CLASS_MAPS, *_SIDE_MAPS} <= set(names) or any(len(port.shape) != 4 for port in graph.outputs):
        return None
    count = graph.outputs[names.index(_CLASS_MAPS[0])].shape[1]
    columns = class_columns(graph.path, TITLE, count if isinstance(count, int) else None, graph.classes)

    def decode(outputs: Sequence[NDArray[Any]], size_px: tuple[int, int]) -> Decoded:
        scores, sides = (
            joined_levels([outputs[names.index(name)] for name in wanted]) for wanted in (_CLASS_MAPS, _SIDE_MAPS)
        )
        return decode_points(scores, sides, size_px, columns, offset=0.0)

    return Layout(title=TITLE, columns=columns, pixels=PIXELS, decode=decode, multiple_px=STRIDES_PX[-1])


def _of_rows(graph: Graph) -> Layout | None:
    if len(graph.outputs) != 1 or len(graph.outputs[0].shape) != 3:
        return None
    _, rows, row_size = graph.outputs[0].shape
    expected = point_count(graph, STRIDES_PX)
    # Without the rows to count, a row as broad as this could be another layout's.
    if expected is None or rows != expected or not isinstance(row_size, int) or row_size <= _SIDE_COLUMNS:
        return None
    count = row_size - _SIDE_COLUMNS
    columns = class_columns(graph.path, TITLE, count, graph.classes)

    def decode(outputs: Sequence[NDArray[Any]], size_px: tuple[int, int]) -> Decoded:
        (rows,) = outputs
        return decode_points(rows[..., :count], rows[..., count:], size_px, columns, offset=0.0)

    return Layout(title=TITLE, columns=columns, pixels=PIXELS, decode=decode, multiple_px=STRIDES_PX[-1])
