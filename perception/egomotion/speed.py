"""How far a camera travelled, from the flow of the road: its height above the road gives the scale."""

from __future__ import annotations

import numpy as np

from perception.arrays import FloatArray
from perception.egomotion.rotation import CameraMotion
from perception.geometry.cameras import Camera

_MIN_SUPPORT = 10
_MIN_SUPPORT_SHARE = 0.35
_MAX_DISTANCE_M = 20.0
_AGREEMENT = 0.04


def travelled_m(
    before: FloatArray,
    now: FloatArray,
    motion: CameraMotion,
    *,
    camera: Camera,
    road_height_m: float,
    point_std: float,
) -> float | None:
    """Metres along the direction of ``motion`` between two pictures; None where too few points lie on one plane.

    ``before`` and ``now`` (N, 3) are bearings at depth 1 whose x and y stray by ``point_std``. The road is the plane
    ``road_height_m`` above the vehicle's origin. Each point tells a distance as if it lay there. What stands on the
    road tells others, so that most agree on the true one.
    """
    height_m = float(camera.position_m[2] - road_height_m)
    if motion.direction is None or height_m <= 0:
        return None
    descents = -before @ camera.camera_from_vehicle[:3, 2]
    points_m = before * (height_m / np.maximum(descents, 1e-6))[:, None]
    is_road = (descents > 0) & (np.linalg.norm(points_m, axis=1) < _MAX_DISTANCE_M) & motion.is_inlier
    if is_road.sum() < _MIN_SUPPORT:
        return None
    seen_m, rays = points_m[is_road] @ motion.now_from_before.T, now[is_road]
    # The ray of now runs through the point after the travel: ray x (seen - travelled * direction) = 0.
    across, along = np.cross(rays, seen_m), np.cross(rays, motion.direction)
    leverages = np.square(along).sum(axis=1)
    travelled = (across * along).sum(axis=1) / np.maximum(leverages, 1e-12)
    stds_m = point_std * np.linalg.norm(seen_m, axis=1) / np.sqrt(np.maximum(leverages, 1e-12))
    weights = 1 / np.square(stds_m)
    apart = np.abs(travelled[:, None] - travelled)
    agrees = apart < 2 * np.maximum(stds_m[:, None], stds_m) + _AGREEMENT * np.abs(travelled)[:, None]
    best = agrees[int((agrees * weights).sum(axis=1).argmax())]
    if best.sum() < max(_MIN_SUPPORT, _MIN_SUPPORT_SHARE * len(rays)):
        return None
    found = float(np.average(travelled[best], weights=weights[best]))
    return found if found > 0 else None
