"""What a pinhole camera sees when it turns: pixels move, whatever is there and however far it is.

Pixel positions and camera matrices may be in pixels or over the width and height of the image, both alike.
"""

from __future__ import annotations

import numpy as np

from perception.arrays import FloatArray

_MIN_DEPTH = 1e-3


def bearings(points_px: FloatArray, camera_matrix: FloatArray) -> FloatArray:
    """(..., 3): in the camera's axes, at depth 1, where pixel positions (..., 2) are seen by a pinhole (3, 3)."""
    homogeneous = np.concatenate([points_px, np.ones((*points_px.shape[:-1], 1))], axis=-1)
    return np.asarray(homogeneous @ np.linalg.inv(camera_matrix).T)


def turned_points(points_px: FloatArray, now_from_before: FloatArray, camera_matrix: FloatArray) -> FloatArray:
    """(..., 2): where pixel positions (..., 2) lie after a pinhole (3, 3) turned by ``now_from_before`` (3, 3).

    For points that leave the half space before the camera the result means nothing.
    """
    rays = bearings(points_px, camera_matrix) @ (camera_matrix @ now_from_before).T
    return np.asarray(rays[..., :2] / np.maximum(rays[..., 2:], _MIN_DEPTH))


def turning_gradient(points_px: FloatArray, now_from_before: FloatArray, camera_matrix: FloatArray) -> FloatArray:
    """(..., 2, 2): how ``turned_points`` (rows) change with the positions (..., 2) that they come from (columns)."""
    homography = camera_matrix @ now_from_before @ np.linalg.inv(camera_matrix)
    turned = turned_points(points_px, now_from_before, camera_matrix)
    depths = points_px @ homography[2, :2] + homography[2, 2]
    slopes = homography[:2, :2] - turned[..., :, None] * homography[2, :2]
    return np.asarray(slopes / np.maximum(depths, _MIN_DEPTH)[..., None, None])


def rotational_flow(rays: FloatArray) -> FloatArray:
    """(..., 2, 3): how x and y at depth 1 of bearings (..., 3) change with a small rotation of what is seen about the
    camera's three axes."""
    x, y = rays[..., 0] / rays[..., 2], rays[..., 1] / rays[..., 2]
    of_x = np.stack([-x * y, 1 + x * x, -y], axis=-1)
    of_y = np.stack([-1 - y * y, x * y, x], axis=-1)
    return np.stack([of_x, of_y], axis=-2)
