"""3-D boxes as the cameras see them."""

from __future__ import annotations

import numpy as np

from perception.arrays import FloatArray
from perception.geometry.boxes import box_sizes, clip_boxes
from perception.geometry.cameras import Camera

NEAREST_M = 0.1
MIN_SIDE_PX = 1.0
_CORNERS = np.array([[x, y, z] for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)])
# Pairs of corners that differ in one axis.
_EDGES = np.array([[a, b] for a in range(8) for b in range(a + 1, 8) if (a ^ b) in (1, 2, 4)])


def corners_of(centres_m: FloatArray, rotations: FloatArray, sizes_lwh_m: FloatArray) -> FloatArray:
    """(N, 8, 3): the corners of boxes whose length lies along the x axis that ``rotations`` (N, 3, 3) turn."""
    corners: FloatArray = np.einsum("nij,nkj->nki", rotations, _CORNERS * sizes_lwh_m[:, None]) + centres_m[:, None]
    return corners


def frames_around(corners_vehicle_m: FloatArray, camera: Camera, *, nearest_m: float = NEAREST_M) -> FloatArray:
    """(N, 4): the box in pixels around 3-D boxes (N, 8, 3), clipped to the image; NaN where it is empty.

    Nothing nearer than ``nearest_m`` along the optical axis is seen; the corners come in the order of ``corners_of``.

    Edges are cut where they pass behind the camera, so that a near object keeps its true border.
    """
    ends_m = corners_vehicle_m[:, _EDGES] @ camera.camera_from_vehicle[:3, :3].T + camera.camera_from_vehicle[:3, 3]
    start, end = ends_m[:, :, 0], ends_m[:, :, 1]
    rise = end[..., 2] - start[..., 2]
    share = np.divide(nearest_m - start[..., 2], rise, out=np.zeros_like(rise), where=np.abs(rise) > 1e-9)
    crossing = start + np.clip(share, 0, 1)[..., None] * (end - start)
    cut = [np.where(point[..., 2:] >= nearest_m, point, crossing) for point in (start, end)]
    points = np.concatenate(cut, axis=1)
    is_ahead = points[..., 2] >= nearest_m * 0.999
    depths = np.where(is_ahead, points[..., 2], np.inf)
    pixels = (points / np.where(is_ahead, depths, 1.0)[..., None]) @ camera.intrinsics.T
    low = np.where(is_ahead[..., None], pixels[..., :2], np.inf).min(axis=1)
    high = np.where(is_ahead[..., None], pixels[..., :2], -np.inf).max(axis=1)
    boxes = clip_boxes(np.concatenate([low, high], axis=1), camera.size_px)
    boxes[(box_sizes(boxes) < 1).any(axis=1)] = np.nan
    return boxes
