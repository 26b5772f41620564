"""Where points of the road lie in a picture: the same three numbers by three for a camera and for a view from above."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from perception.arrays import FloatArray
from perception.geometry.cameras import Camera

_NEAR = 0.8

BoolArray = NDArray[np.bool_]


@dataclass(frozen=True)
class RoadProjection:
    """Maps points (..., 2) on the road, in the vehicle's axes in metres, to pixels.

    ``pixels_from_road`` (3, 3) is a homography whose third row gives the depth in metres for a camera, and 1 for a
    view from above. What lies behind the camera or less than 0.8 m in front of it is cut off, so that a path that
    passes beside the car ends at the picture's border and does not come back from the sky.
    """

    pixels_from_road: FloatArray

    @classmethod
    def of_camera(
        cls, camera: Camera, road_height_m: float, scale: FloatArray, offset_px: FloatArray
    ) -> RoadProjection:
        """The road as ``camera`` sees it, in a picture whose pixels are ``scale`` (2,) * its own + ``offset_px``."""
        to_camera = camera.camera_from_vehicle
        on_road = np.column_stack([to_camera[:3, :2], to_camera[:3, 2] * road_height_m + to_camera[:3, 3]])
        picture_from_image = np.array([[scale[0], 0, offset_px[0]], [0, scale[1], offset_px[1]], [0, 0, 1]])
        return cls(picture_from_image @ camera.intrinsics @ on_road)

    @classmethod
    def from_above(cls, origin_px: tuple[float, float], px_per_m: float) -> RoadProjection:
        """The vehicle at ``origin_px`` heading up."""
        return cls(np.array([[0, -px_per_m, origin_px[0]], [-px_per_m, 0, origin_px[1]], [0, 0, 1.0]]))

    def pixels(self, points_m: FloatArray) -> tuple[FloatArray, BoolArray]:
        """Pixels (..., 2) and whether the point lies in front (...); the pixels of others mean nothing."""
        homogeneous = self._homogeneous(points_m)
        return _divided(homogeneous), homogeneous[..., 2] >= _NEAR

    def segments(self, paths_m: FloatArray) -> tuple[FloatArray, BoolArray]:
        """The pieces (..., P - 1, 2, 2) in pixels of paths (..., P, 2), cut at the near plane, and which are seen."""
        points = self._homogeneous(paths_m)
        starts, ends, seen = _cut(points[..., :-1, :], points[..., 1:, :])
        return np.stack([_divided(starts), _divided(ends)], axis=-2), seen

    def strips(self, left_m: FloatArray, right_m: FloatArray) -> tuple[FloatArray, BoolArray]:
        """The quadrilaterals (..., P - 1, 4, 2) in pixels between two borders (..., P, 2), and which are seen."""
        left, left_seen = self.segments(left_m)
        right, right_seen = self.segments(right_m)
        return np.concatenate([left, right[..., ::-1, :]], axis=-2), left_seen & right_seen

    def may_show(self, paths_m: FloatArray, size_px: tuple[int, int]) -> BoolArray:
        """(...): which paths (..., P, 2) have a point in front that lies in the picture, or half of it beside."""
        homogeneous = self._homogeneous(paths_m)
        x, y, depth = homogeneous[..., 0], homogeneous[..., 1], homogeneous[..., 2]
        width, height = size_px
        inside = (x > -0.5 * width * depth) & (x < 1.5 * width * depth) & (y > -0.5 * height * depth)
        return np.asarray((inside & (depth >= _NEAR)).any(axis=-1))

    def _homogeneous(self, points_m: FloatArray) -> FloatArray:
        homogeneous: FloatArray = points_m @ self.pixels_from_road[:, :2].T + self.pixels_from_road[:, 2]
        return homogeneous


def _divided(homogeneous: FloatArray) -> FloatArray:
    divided: FloatArray = homogeneous[..., :2] / np.maximum(homogeneous[..., 2:], 1e-6)
    return divided


def _cut(starts: FloatArray, ends: FloatArray) -> tuple[FloatArray, FloatArray, BoolArray]:
    """Pull the end that lies before the near plane onto it; False where both do."""
    start_is_near, end_is_near = starts[..., 2] < _NEAR, ends[..., 2] < _NEAR
    change = ends[..., 2] - starts[..., 2]
    share = (_NEAR - starts[..., 2]) / np.where(np.abs(change) > 1e-12, change, 1.0)
    crossing = starts + share[..., None] * (ends - starts)
    starts = np.where(start_is_near[..., None], crossing, starts)
    ends = np.where(end_is_near[..., None], crossing, ends)
    return starts, ends, ~(start_is_near & end_is_near)
