"""How cameras moved by the recording's poses of the car, which is exact."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from perception.arrays import FloatArray
from perception.geometry.cameras import Camera, Rig
from perception.types import Detections, EgoMotion, EgoMotions, FrameSet

POSE_STD_RAD = 3e-4
"""A pose's own error from one instant to the next."""

MAX_SPEED_MPS = 100.0
"""Poses that are farther apart are not of one drive."""

_LEAST_TRAVEL_M = 0.02


def motion_between(
    world_from_vehicle_before: FloatArray, world_from_vehicle_now: FloatArray, camera: Camera, dt_s: float
) -> EgoMotion | None:
    """The motion of ``camera`` between two poses (4, 4) of its car, ``dt_s`` apart; None where they leap."""
    before = world_from_vehicle_before @ camera.vehicle_from_camera
    now = world_from_vehicle_now @ camera.vehicle_from_camera
    travel_m = now[:3, :3].T @ (now[:3, 3] - before[:3, 3])
    distance_m = float(np.linalg.norm(travel_m))
    if dt_s <= 0 or distance_m > MAX_SPEED_MPS * dt_s:
        return None
    return EgoMotion(
        dt_s=dt_s,
        now_from_before=now[:3, :3].T @ before[:3, :3],
        rotation_stds_rad=np.full(3, POSE_STD_RAD),
        camera_matrix=camera.intrinsics,
        image_size_px=camera.size_px,
        direction=travel_m / distance_m if distance_m > _LEAST_TRAVEL_M else None,
        speed_mps=distance_m / dt_s,
        from_poses=True,
    )


class PoseEgoMotion:
    """The ``EgoMotionEstimator`` of recordings that state the car's pose and where its cameras sit, by ``rig``.

    Of an instant without a pose nothing is said, nor of the next one.
    """

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self.reset()

    def reset(self) -> None:
        """Forget the last poses."""
        self._last: dict[str, tuple[int, FloatArray]] = {}

    def update(self, frame_set: FrameSet, detections: Mapping[str, Detections]) -> EgoMotions:
        """The motion of each camera since its last frame; of none where the pose is not known."""
        pose = frame_set.world_from_vehicle
        if pose is None:
            for frame in frame_set:
                self._last.pop(frame.camera, None)
            return {}
        motions = {}
        for frame in frame_set:
            if frame.camera in self._last:
                before_ns, before = self._last[frame.camera]
                dt_s = (frame_set.timestamp_ns - before_ns) * 1e-9
                camera = self._rig.cameras[frame.camera].resized(frame.size_px)
                motion = motion_between(before, pose, camera, dt_s)
                if motion is not None:
                    motions[frame.camera] = motion
            self._last[frame.camera] = frame_set.timestamp_ns, pose
        return motions
