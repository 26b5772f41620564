"""Undistort and distort images: from a distorting lens to a pinhole camera, and back.

OpenCV's models, whose coefficients every calibration tool writes: that of usual lenses (Brown 1966; Zhang 2000) and of
fisheyes (Kannala and Brandt 2006). Sources undistort what they read, so that behind them each camera is a pinhole; the
simulator distorts what it renders.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from perception.arrays import FloatArray
from perception.geometry.cameras import Camera, DistortionModel

Maps = tuple[NDArray[np.int16], NDArray[np.uint16]]
_INVERSION_STEPS = 40
_HALF_PIXEL = np.array([[0, 0, 0.5], [0, 0, 0.5], [0, 0, 0]])
"""OpenCV counts from the centre of the first pixel, we from its corner."""


def undistort(image: NDArray[np.uint8], camera: Camera) -> NDArray[np.uint8]:
    """The picture (H, W, 3) that a pinhole with the camera's intrinsics takes; ``image`` itself without
    distortion. Pixels outside the image are black."""
    if not camera.distortion:
        return image
    maps = _undistortion_maps(camera.size_px, camera.intrinsics.tobytes(), camera.distortion, camera.distortion_model)
    return np.asarray(cv2.remap(image, *maps, cv2.INTER_LINEAR), np.uint8)


def distort(image: NDArray[np.uint8], camera: Camera) -> NDArray[np.uint8]:
    """The picture (H, W, 3) that the camera's lens makes of what a pinhole sees; ``image`` itself without
    distortion. Pixels outside the pinhole's image are black."""
    if not camera.distortion:
        return image
    maps = _distortion_maps(camera.size_px, camera.intrinsics.tobytes(), camera.distortion, camera.distortion_model)
    return np.asarray(cv2.remap(image, *maps, cv2.INTER_LINEAR), np.uint8)


@lru_cache(maxsize=64)
def _undistortion_maps(
    size_px: tuple[int, int], intrinsics: bytes, distortion: tuple[float, ...], model: DistortionModel
) -> Maps:
    matrix = _opencv_matrix(intrinsics)
    make_maps = cv2.fisheye.initUndistortRectifyMap if model == "fisheye" else cv2.initUndistortRectifyMap
    first, second = make_maps(matrix, np.array(distortion), np.eye(3), matrix, size_px, cv2.CV_16SC2)
    return np.asarray(first, np.int16), np.asarray(second, np.uint16)


@lru_cache(maxsize=64)
def _distortion_maps(
    size_px: tuple[int, int], intrinsics: bytes, distortion: tuple[float, ...], model: DistortionModel
) -> Maps:
    matrix, (width, height) = _opencv_matrix(intrinsics), size_px
    pixels = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1).reshape(-1, 2)
    taken = np.asarray(np.column_stack([pixels, np.ones(len(pixels))]) @ np.linalg.inv(matrix).T, float)
    see = _seen_by_fisheye if model == "fisheye" else _seen_by_usual_lens
    pixels_xy = (see(taken, np.array(distortion)) @ matrix.T)[:, :2].reshape(height, width, 2).astype(np.float32)
    first, second = cv2.convertMaps(pixels_xy[..., 0], pixels_xy[..., 1], cv2.CV_16SC2)
    return np.asarray(first, np.int16), np.asarray(second, np.uint16)


def _seen_by_usual_lens(taken: FloatArray, distortion: FloatArray) -> FloatArray:
    """(M, 3) at depth 1: what a pinhole sees where the lens puts it to ``taken`` (M, 3)."""
    seen, nothing = taken.copy(), np.zeros(3)
    for _ in range(_INVERSION_STEPS):  # the lens' own model has no inverse in closed form
        found, _ = cv2.projectPoints(seen, nothing, nothing, np.eye(3), distortion)
        seen[:, :2] += taken[:, :2] - found[:, 0]
    return seen


def _seen_by_fisheye(taken: FloatArray, distortion: FloatArray) -> FloatArray:
    """As ``_seen_by_usual_lens``; far outside where the lens sees what lies behind a pinhole's picture."""
    seen = np.asarray(cv2.fisheye.undistortPoints(taken[:, None, :2], np.eye(3), distortion))[:, 0]
    return np.column_stack([seen, np.ones(len(seen))])


def _opencv_matrix(intrinsics: bytes) -> FloatArray:
    matrix: FloatArray = np.frombuffer(intrinsics).reshape(3, 3) - _HALF_PIXEL
    return matrix
