"""Sparse optical flow: where points of one picture lie in the next one.

Corners are the best ones of a grid's cells (Harris and Stephens 1988), so that they cover the picture. They are
followed by the pyramidal method of Lucas and Kanade (Bouguet 2001) and back again, and kept where they return.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from perception.arrays import FloatArray, StructOfArrays

MAX_WIDTH_PX = 640
"""Pictures are reduced to this width."""

CELL_PX = 24
"""Side of a grid cell in the reduced picture; each holds at most one point."""

POINT_STD_PX = 0.25
"""How far a followed point strays, in pixels of the reduced picture."""

_LEVELS = 3
_WINDOW_PX = (13, 13)
_MIN_CORNER = 1e-8
_EDGE_PENALTY = 0.1
_CORNER_BLOCK_PX = 5
_MAX_RETURN_ERROR_PX = 0.5
_STOP = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 8, 0.03)


@dataclass(frozen=True, kw_only=True)
class Flow(StructOfArrays):
    """Points of two pictures, N rows: ``before_px`` (N, 2) and ``now_px`` (N, 2) x and y of the original pictures."""

    before_px: FloatArray
    now_px: FloatArray


@dataclass(frozen=True)
class Picture:
    """``grey`` (h, w), reduced to at most ``MAX_WIDTH_PX``; ``size_px`` is (width, height) of the original."""

    grey: NDArray[np.uint8]
    size_px: tuple[int, int]

    @classmethod
    def of(cls, image: NDArray[np.uint8]) -> Picture:
        """From an RGB image (H, W, 3)."""
        height, width = image.shape[:2]
        scale = MAX_WIDTH_PX / width
        if scale < 1:
            image = np.asarray(
                cv2.resize(image, (MAX_WIDTH_PX, max(1, round(height * scale))), interpolation=cv2.INTER_AREA),
                np.uint8,
            )
        return cls(np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8), (width, height))

    @property
    def scale(self) -> FloatArray:
        """(2,): pixels of the original for one of the reduced picture, along x and y."""
        return np.asarray(np.array(self.size_px) / np.array(self.grey.shape[::-1]), float)


def corners(picture: Picture) -> FloatArray:
    """(N, 2): x and y in the original picture of the best corner of each cell that has one.

    Edges are left out: a point slides along them.
    """
    half = cv2.pyrDown(picture.grey)
    strengths = cv2.cornerHarris(half, _CORNER_BLOCK_PX, 3, _EDGE_PENALTY)
    side = CELL_PX // 2
    rows, columns = strengths.shape[0] // side, strengths.shape[1] // side
    tiles = strengths[: rows * side, : columns * side].reshape(rows, side, columns, side)
    cells = tiles.transpose(0, 2, 1, 3).reshape(rows * columns, side * side)
    best = cells.argmax(axis=1)
    cell = np.flatnonzero(cells[np.arange(len(cells)), best] > _MIN_CORNER)
    offset = best[cell]
    x = cell % max(columns, 1) * side + offset % side
    y = cell // max(columns, 1) * side + offset // side
    # A pixel of the half picture lies on every second one of the reduced picture.
    return np.asarray((np.stack([x, y], axis=1) * 2.0 + 0.5) * picture.scale)


def follow(before: Picture, now: Picture, points_px: FloatArray, guesses_px: FloatArray | None = None) -> Flow:
    """Where ``points_px`` (N, 2) of the original picture ``before`` lie ``now``; those that are lost are left out.

    The search begins at ``guesses_px`` (N, 2), by default at the points.
    """
    start = _reduced(points_px, before)
    begin = start if guesses_px is None else _reduced(guesses_px, now)
    there, is_found = _track(before, now, start, begin)
    start, begin, there = start[is_found], begin[is_found], there[is_found]
    back, is_kept = _track(now, before, there, there + start - begin)
    is_kept &= np.linalg.norm(back - start, axis=1) < _MAX_RETURN_ERROR_PX
    return Flow(
        before_px=(start[is_kept].astype(np.float64) + 0.5) * before.scale,
        now_px=(there[is_kept].astype(np.float64) + 0.5) * now.scale,
    )


def _reduced(points_px: FloatArray, picture: Picture) -> NDArray[np.float32]:
    """(N, 2): points of the original in the reduced picture, as OpenCV counts: from the centre of the first pixel."""
    return (points_px / picture.scale - 0.5).astype(np.float32)


def _track(
    source: Picture, target: Picture, points: NDArray[np.float32], begin: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Where ``points`` (N, 2) of ``source`` lie in ``target`` (N, 2), looked for from ``begin``; which were found."""
    if not len(points):
        return points, np.zeros(0, bool)
    found, status, _ = cv2.calcOpticalFlowPyrLK(
        source.grey,
        target.grey,
        points[:, None],
        begin[:, None].copy(),
        winSize=_WINDOW_PX,
        maxLevel=_LEVELS,
        criteria=_STOP,
        flags=cv2.OPTFLOW_USE_INITIAL_FLOW,
    )
    return np.asarray(found[:, 0], np.float32), np.asarray(status[:, 0] > 0)
