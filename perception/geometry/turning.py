"""What a pinhole camera sees when it turns: pixels move, whatever is there and however far it is.

Pixel positions and camera matrices may be in pixels or over the width and height of the image, both alike. Lenses
(..., 4) are pinhole cameras over the image's size: focal lengths over width and height, then the principal point.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.spatial.transform import Rotation, Slerp

from perception.arrays import FloatArray

_MIN_DEPTH = 1e-3

_EDGE_MIDDLES = np.array([[-0.5, 0.0], [0.5, 0.0], [0.0, -0.5], [0.0, 0.5]])
"""The middles of a box's left, right, top and bottom edge, in widths and heights from its centre."""

_MIN_SHOWN_DEPTH = 0.2
"""Of a direction of unit depth after turning: below this, 79 degrees off the axis, no image shows it."""


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


def lens_of(camera_matrix: FloatArray, image_size_px: tuple[int, int]) -> FloatArray:
    """(4,): the pinhole camera (3, 3), in pixels, over the image's width and height."""
    width, height = image_size_px
    (fx, _, cx), (_, fy, cy), _ = camera_matrix
    return np.array([fx / width, fy / height, cx / width, cy / height])


def turned_boxes(boxes_cxcywh: FloatArray, now_from_before: FloatArray, lenses: FloatArray) -> FloatArray:
    """(..., 4): where boxes (..., 4) are after the camera turned by ``now_from_before`` (..., 3, 3).

    Boxes are centre x, y, width and height over the image's width and height. What lies in direction d of the old axes
    lies in ``now_from_before @ d`` of the new ones. The middles of the edges are turned, so that a box keeps around
    what is far away. NaN for what no longer lies before the camera.
    """
    points = boxes_cxcywh[..., None, :2] + _EDGE_MIDDLES * boxes_cxcywh[..., None, 2:]
    focal, centre = lenses[..., None, :2], lenses[..., None, 2:]
    flat = (points - centre) / focal
    directions = np.concatenate([flat, np.ones((*flat.shape[:-1], 1))], axis=-1)
    turned = np.einsum("...ij,...pj->...pi", now_from_before, directions)
    depths = np.where(turned[..., 2:] < _MIN_SHOWN_DEPTH, np.nan, turned[..., 2:])
    left, right, top, bottom = np.moveaxis(turned[..., :2] / depths * focal + centre, -2, 0)
    return np.stack(
        [
            (left[..., 0] + right[..., 0]) / 2,
            (top[..., 1] + bottom[..., 1]) / 2,
            right[..., 0] - left[..., 0],
            bottom[..., 1] - top[..., 1],
        ],
        axis=-1,
    )


def turned_dots(points: FloatArray, now_from_before: FloatArray, lenses: FloatArray) -> FloatArray:
    """(..., 2): ``turned_boxes`` of points (..., 2)."""
    boxes = np.concatenate([points, np.zeros_like(points)], axis=-1)
    turned: FloatArray = turned_boxes(boxes, now_from_before, lenses)[..., :2]
    return turned


def pointings(turns: Sequence[FloatArray | None]) -> FloatArray:
    """(I, 3, 3): ``world_from_camera`` at each frame, from ``now_from_before`` (3, 3) of each; the world is the
    camera's axes before the first. Where a turn is not known, None, the camera is taken not to turn."""
    pointing, path = np.eye(3), []
    for turn in turns:
        pointing = pointing if turn is None else pointing @ turn.T
        path.append(pointing)
    return np.stack(path)


def pointing_at(at_s: FloatArray, times_s: FloatArray, world_from_camera: FloatArray) -> FloatArray:
    """(..., 3, 3): how a camera points at ``at_s`` (...) that points as in ``world_from_camera`` (I, 3, 3) at growing
    ``times_s`` (I,): in between it turns evenly, before and after not at all."""
    if len(times_s) == 1:
        return np.broadcast_to(world_from_camera[0], (*at_s.shape, 3, 3))
    turning = Slerp(times_s, Rotation.from_matrix(world_from_camera))
    clipped = np.clip(at_s, times_s[0], times_s[-1])
    return np.asarray(turning(clipped.reshape(-1)).as_matrix().reshape(*at_s.shape, 3, 3))


class Pointing:
    """Where the cameras of a run point, from how they turn step by step; one that is not known to turn stands still."""

    def __init__(self) -> None:
        self._world_from_camera: dict[str, FloatArray] = {}
        self._lenses_px: dict[str, FloatArray] = {}

    def turn(self, camera: str, now_from_before: FloatArray, camera_matrix: FloatArray) -> None:
        """``camera`` has turned since its last frame; its matrix (3, 3) is in pixels."""
        self._world_from_camera[camera] = self.of(camera) @ now_from_before.T
        self._lenses_px[camera] = lens_of(camera_matrix, (1, 1))

    def of(self, camera: str) -> FloatArray:
        """(3, 3): ``world_from_camera``, the world being the camera's axes at its first frame."""
        return self._world_from_camera.get(camera, np.eye(3))

    def seen_from(self, camera: str, points_px: FloatArray, then: FloatArray, now: FloatArray) -> FloatArray:
        """(..., 2): points (..., 2) that ``camera`` saw as it pointed ``then`` (..., 3, 3), as seen as it points
        ``now`` (3, 3); NaN for what is not before it."""
        lens = self._lenses_px.get(camera)
        if lens is None:
            return points_px
        return turned_dots(points_px, now.T @ then, np.broadcast_to(lens, (*points_px.shape[:-1], 4)))
