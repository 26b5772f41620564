"""PicoDet (Yu et al. 2021) as PaddlePaddle exports it without suppression: four outputs of class scores, four of sides.

Pictures are RGB, normalised, and stretched to a square as in its training. Points lie in the centres of their cells.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perception.detection.backends.layouts.class_columns import class_columns
from perception.detection.backends.layouts.distributions import STRIDES_PX, decode_points, joined_levels
from perception.detection.backends.layouts.layout import FLOAT, Decoded, Graph, Layout, Pixels, Port

TITLE = "PicoDet"
_PIXELS = Pixels(is_bgr=False, mean=(123.675, 116.28, 103.53), std=(58.395, 57.12, 57.375))
_PADDLE_NAME = re.compile(r"\.tmp_\d+$")
_LEVELS = len(STRIDES_PX)
_TRAINED_SIZE_PX = 416
_LARGEST_SIDE_PX = 0.8 * _TRAINED_SIZE_PX
"""In larger pictures than those of its training the coarsest grid points invent objects as large as the picture."""


def recognize(graph: Graph) -> Layout | None:
    """None for another layout. Raises ``UsageError`` where the classes are unknown."""
    outputs = graph.outputs
    if graph.image is None or len(graph.inputs) != 1 or len(outputs) != 2 * _LEVELS:
        return None
    ranks = {len(port.shape) for port in outputs}
    is_paddle = all(_PADDLE_NAME.search(port.name) and port.type == FLOAT for port in outputs)
    counts = {_channels(port) for port in outputs[:_LEVELS]}
    if not is_paddle or ranks not in ({3}, {4}) or len(counts) != 1:
        return None
    (count,) = counts
    columns = class_columns(graph.path, TITLE, count, graph.classes)

    def decode(outputs: Sequence[NDArray[Any]], size_px: tuple[int, int]) -> Decoded:
        scores, sides = joined_levels(outputs[:_LEVELS]), joined_levels(outputs[_LEVELS:])
        decoded = decode_points(scores, sides, size_px, columns, offset=0.5)
        return decoded if max(size_px) <= _TRAINED_SIZE_PX else _without_largest(decoded)

    return Layout(
        title=TITLE,
        columns=columns,
        pixels=_PIXELS,
        decode=decode,
        usual_size_px=_TRAINED_SIZE_PX,
        keeps_aspect=False,
    )


def _without_largest(decoded: Decoded) -> Decoded:
    sides = decoded.boxes_xyxy[..., 2:] - decoded.boxes_xyxy[..., :2]
    is_trusted = sides.max(axis=-1, keepdims=True) <= _LARGEST_SIDE_PX
    return decoded._replace(scores=np.where(is_trusted, decoded.scores, np.float32(0)))


def _channels(port: Port) -> int | None:
    """Of a map (B, K, h, w) or of rows (B, A, K); None where it is free."""
    size = port.shape[1] if len(port.shape) == 4 else port.shape[-1]
    return size if isinstance(size, int) else None
