"""Pictures at another size."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def resized(picture: NDArray[np.uint8], size_px: tuple[int, int]) -> NDArray[np.uint8]:
    """A new array: ``picture`` (H, W, 3) at ``size_px`` (width, height), without the moiré of skipped pixels."""
    if size_px == (picture.shape[1], picture.shape[0]):
        return picture.copy()
    interpolation = cv2.INTER_AREA if size_px[0] < picture.shape[1] else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(picture, size_px, interpolation=interpolation), dtype=np.uint8)


def letterboxed(picture: NDArray[np.uint8], size_px: tuple[int, int]) -> NDArray[np.uint8]:
    """``picture`` as large as it fits into ``size_px`` (width, height), in the middle of black.

    What is at most one pixel smaller is padded and not resampled.
    """
    width, height = size_px
    if picture.shape[:2] == (height, width):
        return picture
    if (height - picture.shape[0], width - picture.shape[1]) not in ((0, 1), (1, 0), (1, 1)):
        scale = min(width / picture.shape[1], height / picture.shape[0])
        inner_w, inner_h = (max(1, round(side * scale)) for side in (picture.shape[1], picture.shape[0]))
        picture = resized(picture, (inner_w, inner_h))
    canvas = np.zeros((height, width, 3), np.uint8)
    top, left = (height - picture.shape[0]) // 2, (width - picture.shape[1]) // 2
    canvas[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    return canvas
