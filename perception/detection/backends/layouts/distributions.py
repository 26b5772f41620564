"""Sides of boxes as distributions (Li et al. 2020, generalised focal loss), as NanoDet-Plus and PicoDet state them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perception.arrays import FloatArray
from perception.detection.backends.layouts.class_columns import ClassColumns
from perception.detection.backends.layouts.layout import Decoded, grid_points

STRIDES_PX = (8, 16, 32, 64)
"""Of the grid points of both networks."""

BINS = 8
"""A side is 0 to 7 strides long."""


def expected_distances(logits: FloatArray) -> FloatArray:
    """(..., bins) logits over whole strides to the mean distance (...) in strides."""
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    weights /= weights.sum(axis=-1, keepdims=True)
    distances: FloatArray = weights @ np.arange(logits.shape[-1], dtype=np.float32)
    return distances


def decode_points(
    class_scores: FloatArray,
    side_logits: FloatArray,
    size_px: tuple[int, int],
    columns: ClassColumns,
    *,
    offset: float,
) -> Decoded:
    """Scores (B, A, K) and logits (B, A, 4 * bins) at all grid points of an input of ``size_px`` (width, height).

    Points lie at ``offset`` 0..1 within their cells: 0 is the corner, 0.5 the centre.
    """
    points = grid_points(size_px, STRIDES_PX)
    ltrb = expected_distances(side_logits.reshape(*side_logits.shape[:2], 4, -1)) * points.strides
    at = (points.cells + np.float32(offset)) * points.strides
    boxes = np.concatenate([at - ltrb[..., :2], at + ltrb[..., 2:]], axis=-1)
    return Decoded(columns.select(class_scores), boxes.astype(np.float32))


def joined_levels(levels: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Maps (B, K, h, w), or rows (B, h * w, K), of several strides to (B, A, K)."""
    rows = [level.reshape(*level.shape[:2], -1).transpose(0, 2, 1) if level.ndim == 4 else level for level in levels]
    return np.concatenate(rows, axis=1)
