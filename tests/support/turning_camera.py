"""Pictures and points that a camera sees which turns and travels: a textured road, a far wall above it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from perception.arrays import FloatArray
from perception.geometry.cameras import Camera
from perception.geometry.rotation import rotation_matrix
from perception.geometry.turning import bearings, turned_points

SIZE_PX = (640, 360)
HEIGHT_M = 1.5
MATRIX = np.array([[457.0, 0.0, 320.0], [0.0, 457.0, 180.0], [0.0, 0.0, 1.0]])
FORWARD = np.array([[0.0, 0.0, 1.0, 0.0], [-1.0, 0.0, 0.0, 0.0], [0.0, -1.0, 0.0, HEIGHT_M], [0.0, 0.0, 0.0, 1.0]])
"""``vehicle_from_camera`` of a camera that looks ahead."""


def front_camera(name: str = "front") -> Camera:
    return Camera(name, SIZE_PX, MATRIX, FORWARD)


def texture(seed: int = 0, size_px: tuple[int, int] = SIZE_PX) -> NDArray[np.uint8]:
    """RGB (H, W, 3): blobs of several sizes, which corners are found on."""
    rng = np.random.default_rng(seed)
    grey = sum(cv2.GaussianBlur(rng.normal(size=size_px[::-1]), (0, 0), sigma) * sigma for sigma in (2.0, 4.0, 8.0))
    low, high = np.percentile(np.asarray(grey), [1, 99])
    return np.repeat(np.clip((grey - low) / (high - low) * 255, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


def turned_picture(image: NDArray[np.uint8], now_from_before: FloatArray) -> NDArray[np.uint8]:
    """What a camera sees after it turned, of a world that is far away and goes on around the picture."""
    warp = MATRIX @ now_from_before @ np.linalg.inv(MATRIX)
    half = np.array([[1, 0, -0.5], [0, 1, -0.5], [0, 0, 1]])
    return np.asarray(
        cv2.warpPerspective(image, half @ warp @ np.linalg.inv(half), SIZE_PX, borderMode=cv2.BORDER_REFLECT), np.uint8
    )


def seen_points(
    turn_rad: FloatArray, travel_m: FloatArray, *, count: int = 300, noise_px: float = 0.1, seed: int = 0
) -> tuple[FloatArray, FloatArray]:
    """Bearings (N, 3) at depth 1 of points before and after the camera turned and travelled, with noise.

    ``travel_m`` (3,) is in the new axes. Half of the points lie on the road, the others 8 to 80 m ahead.
    """
    rng = np.random.default_rng(seed)
    pixels = rng.uniform((0, 0), SIZE_PX, (count, 2))
    rays = bearings(pixels, MATRIX)
    depths_m = rng.uniform(8, 80, count)
    on_road = rays[:, 1] > 0.06
    depths_m[on_road] = HEIGHT_M / rays[on_road, 1]
    moved = (rays * depths_m[:, None]) @ rotation_matrix(turn_rad).T - travel_m
    is_ahead = moved[:, 2] > 0.5
    noisy = [points[is_ahead] @ MATRIX.T for points in (rays, moved)]
    noisy = [p[:, :2] / p[:, 2:] + rng.normal(0, noise_px, (len(p), 2)) for p in noisy]
    return bearings(noisy[0], MATRIX), bearings(noisy[1], MATRIX)


def turned_boxes(boxes_xyxy_px: FloatArray, now_from_before: FloatArray) -> FloatArray:
    """(N, 4): where boxes (N, 4) lie after the camera turned: around their turned corners."""
    x1, y1, x2, y2 = boxes_xyxy_px.T
    corners = np.stack([np.stack([x, y], axis=1) for x in (x1, x2) for y in (y1, y2)])
    turned = turned_points(corners, now_from_before, MATRIX)
    return np.concatenate([turned.min(axis=0), turned.max(axis=0)], axis=1)
