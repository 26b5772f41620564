"""How far true objects are from the recording car, where the truth or the calibration gives it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from perception.arrays import FloatArray
from perception.evaluation.core.ground_truth import GroundScope, true_objects
from perception.evaluation.core.timeline import Timeline
from perception.geometry.cameras import Rig
from perception.types import BoxTable, ObjectTable

_EVERYTHING = GroundScope(min_visible_share=0.0, min_height_px=0.0, max_distance_m=float("inf"))


def object_distances_m(
    truth: BoxTable, *, timeline: Timeline, instants: Sequence[int], objects: ObjectTable | None, rig: Rig | None
) -> NDArray[np.float64] | None:
    """(M,) from the vehicle's origin to each object of ``truth`` at ``instants``, NaN where unknown.

    From ``objects`` it is the distance of the centre. Of those that are not among them it is, with a ``rig``, that of
    the position where the middle of the box's lower edge meets a flat road. None without both.
    """
    if objects is None and rig is None:
        return None
    distances_m = np.full(len(truth), np.nan) if rig is None else foot_distances_m(truth, rig)
    if objects is not None:
        ground = true_objects(objects=objects, truth=truth, timeline=timeline, instants=instants, scope=_EVERYTHING)
        rows = ground.rows_of(instants=timeline.instants_of(truth), ids=truth.ids)
        exact_m = np.r_[ground.distances_m, np.nan][rows]
        distances_m = np.where(np.isnan(exact_m), distances_m, exact_m)
    return distances_m


def foot_distances_m(truth: BoxTable, rig: Rig) -> NDArray[np.float64]:
    """(M,) horizontal distance from the vehicle's origin to where the boxes stand on a flat road, NaN above it."""
    distances_m = np.full(len(truth), np.nan)
    for name, camera in rig.cameras.items():
        rows = np.flatnonzero(truth.cameras == name)
        boxes: FloatArray = truth.boxes_xyxy_px[rows]
        feet_px = np.stack([(boxes[:, 0] + boxes[:, 2]) / 2, boxes[:, 3]], axis=1)
        rays, height_m = camera.rays(feet_px), camera.position_m[2] - rig.road_height_m
        depths_m = np.divide(height_m, -rays[:, 2], out=np.full(len(rows), np.nan), where=rays[:, 2] < 0)
        distances_m[rows] = np.linalg.norm(camera.position_m[:2] + depths_m[:, None] * rays[:, :2], axis=1)
    return distances_m
