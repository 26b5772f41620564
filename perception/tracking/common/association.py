"""What the association of detections and tracks needs in both reference frames."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from perception.arrays import FloatArray, IntArray

BoolArray = NDArray[np.bool_]

NEARNESS_WEIGHT = 0.1
"""Nearness orders pairs without overlap; it stays small beside the IoU, which orders the others."""


class TrackMatches(NamedTuple):
    """Indices (K,) of tracks and of the observations that belong to them."""

    tracks: IntArray
    observations: IntArray


def pairwise_cosine(features: FloatArray, others: FloatArray) -> FloatArray:
    """Cosine (N, M) of features (N, F) and (M, F); zero where one has no length."""
    lengths = np.linalg.norm(features, axis=1)[:, None] * np.linalg.norm(others, axis=1)[None]
    products = features.astype(np.float64) @ others.astype(np.float64).T
    cosine: FloatArray = np.divide(products, lengths, out=np.zeros_like(products), where=lengths > 0)
    return cosine


def assign(similarities: FloatArray, feasible: BoolArray) -> tuple[IntArray, IntArray]:
    """Rows and columns (K,) of the ``feasible`` pairs (N, M) with the greatest sum of ``similarities`` (N, M > 0)."""
    rows, columns = linear_sum_assignment(np.where(feasible, similarities, 0.0), maximize=True)
    kept = feasible[rows, columns]
    return rows[kept], columns[kept]
