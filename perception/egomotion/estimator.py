"""How cameras move, from their pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from perception.arrays import FloatArray
from perception.egomotion.flow import CELL_PX, POINT_STD_PX, Flow, Picture, corners, follow
from perception.egomotion.overlays import Overlays
from perception.egomotion.rotation import CameraMotion, estimate_motion
from perception.egomotion.speed import travelled_m
from perception.geometry.cameras import Camera, Rig
from perception.geometry.rotation import rotation_matrix, rotation_vector
from perception.geometry.turning import bearings, turned_points
from perception.types import Detections, EgoMotion, EgoMotions, Frame, FrameSet

ASSUMED_FIELD_OF_VIEW_RAD = float(np.deg2rad(65))
"""Horizontal field of view of a camera that is not calibrated."""

MAX_GAP_S = 1.0
"""After a longer gap between two frames nothing is said of the motion between them."""

_MIN_SCORE = 0.25
_BOX_MARGIN = 0.1
_MIN_FOLLOWED_SHARE = 0.25


@dataclass(frozen=True)
class _View:
    """A camera as it was at its last frame: ``boxes_xyxy_px`` (M, 4) of road users, its rate of turning (3,)."""

    picture: Picture
    timestamp_ns: int
    boxes_xyxy_px: FloatArray
    overlays: Overlays
    turn_radps: FloatArray


class _Lens(NamedTuple):
    """The pinhole ``matrix`` (3, 3) of a camera; where it is calibrated, the camera and the height of the road."""

    matrix: FloatArray
    camera: Camera | None = None
    road_height_m: float = 0.0

    @property
    def axis(self) -> FloatArray | None:
        """(3,): the car's forward direction in the camera's axes, where it is known."""
        return None if self.camera is None else self.camera.camera_from_vehicle[:3, 0]


class FlowEgoMotion:
    """The ``EgoMotionEstimator`` for any camera: sparse optical flow on what does not move by itself.

    Detected road users are left out, and so is what belongs to the picture, such as the car's bonnet. Cameras of
    ``rig`` have their own lens and, by their height above the road, a speed; others are assumed to have a field of
    view of ``ASSUMED_FIELD_OF_VIEW_RAD``. Nothing is smoothed over time. A camera's motion is unknown in its first
    frame, after a change of the picture's size, a gap or a cut, and where too few points agree.
    """

    def __init__(self, rig: Rig | None = None) -> None:
        self._rig = rig
        self.reset()

    def reset(self) -> None:
        """Forget the last frames, and what belongs to the pictures."""
        self._views: dict[str, _View] = {}

    def update(self, frame_set: FrameSet, detections: Mapping[str, Detections]) -> EgoMotions:
        """The motion of each camera of ``frame_set`` since its last frame where the pictures tell it."""
        motions = {}
        for frame in frame_set:
            before = self._views.get(frame.camera)
            picture = Picture.of(frame.image)
            if before is not None and before.picture.size_px != picture.size_px:
                before = None
            boxes = _road_users(detections.get(frame.camera), before)
            motion = None if before is None else self._motion(before, picture, frame, boxes)
            self._views[frame.camera] = _View(
                picture,
                frame.timestamp_ns,
                boxes,
                Overlays(picture.grey.shape[::-1], CELL_PX) if before is None else before.overlays,
                np.zeros(3) if motion is None else rotation_vector(motion.now_from_before) / motion.dt_s,
            )
            if motion is not None:
                motions[frame.camera] = motion
        return motions

    def _motion(self, before: _View, picture: Picture, frame: Frame, boxes: FloatArray) -> EgoMotion | None:
        dt_s = (frame.timestamp_ns - before.timestamp_ns) * 1e-9
        if not 0 < dt_s <= MAX_GAP_S:
            return None
        lens = self._lens(frame)
        flow = _flow(before, picture, boxes, rotation_matrix(before.turn_radps * dt_s), lens.matrix)
        if flow is None:
            return None
        rays_before, rays_now = bearings(flow.before_px, lens.matrix), bearings(flow.now_px, lens.matrix)
        point_std = POINT_STD_PX * float(picture.scale[0] / lens.matrix[0, 0])
        motion = estimate_motion(rays_before, rays_now, point_std, axis=lens.axis)
        if motion is None:
            return None
        _learn(before.overlays, flow, motion, lens.matrix, picture.scale)
        distance_m = None
        if lens.camera is not None:
            distance_m = travelled_m(
                rays_before,
                rays_now,
                motion,
                camera=lens.camera,
                road_height_m=lens.road_height_m,
                point_std=point_std,
            )
        return EgoMotion(
            dt_s=dt_s,
            now_from_before=motion.now_from_before,
            rotation_stds_rad=motion.rotation_stds_rad,
            camera_matrix=lens.matrix,
            image_size_px=picture.size_px,
            direction=motion.direction,
            speed_mps=None if distance_m is None else distance_m / dt_s,
        )

    def _lens(self, frame: Frame) -> _Lens:
        if self._rig is None or frame.camera not in self._rig.cameras:
            return _Lens(assumed_camera_matrix(frame.size_px))
        camera = self._rig.cameras[frame.camera].resized(frame.size_px)
        return _Lens(camera.intrinsics, camera, self._rig.road_height_m)


def assumed_camera_matrix(size_px: tuple[int, int]) -> FloatArray:
    """(3, 3): the pinhole camera of images of ``size_px`` (width, height) whose lens is not known."""
    width, height = size_px
    focal_px = width / 2 / np.tan(ASSUMED_FIELD_OF_VIEW_RAD / 2)
    return np.array([[focal_px, 0.0, width / 2], [0.0, focal_px, height / 2], [0.0, 0.0, 1.0]])


def _road_users(found: Detections | None, before: _View | None) -> FloatArray:
    """(M, 4): boxes of what may move, with a margin; those of the last frame where the detector did not look."""
    if found is None:
        return np.zeros((0, 4)) if before is None else before.boxes_xyxy_px
    boxes = found.boxes_xyxy_px[found.scores >= _MIN_SCORE].astype(np.float64)
    margins = _BOX_MARGIN * (boxes[:, 2:] - boxes[:, :2])
    return np.concatenate([boxes[:, :2] - margins, boxes[:, 2:] + margins], axis=1)


def _inside(points_px: FloatArray, boxes_xyxy_px: FloatArray) -> NDArray[np.bool_]:
    """(N,): whether points (N, 2) lie in any of the boxes (M, 4)."""
    points = points_px[:, None]
    is_inside = (points >= boxes_xyxy_px[:, :2]) & (points <= boxes_xyxy_px[:, 2:])
    return np.asarray(np.all(is_inside, axis=2).any(axis=1))


def _flow(
    before: _View, picture: Picture, boxes_xyxy_px: FloatArray, turn: FloatArray, matrix: FloatArray
) -> Flow | None:
    """What can be followed of what does not move by itself; None where most is lost, as at a cut.

    ``boxes_xyxy_px`` (M, 4) are road users in ``picture``; ``turn`` (3, 3) is how the camera may have turned.
    """
    points_px = corners(before.picture)
    points_px = points_px[~_inside(points_px, before.boxes_xyxy_px)]
    points_px = points_px[~before.overlays.cover(points_px / before.picture.scale)]
    flow = follow(before.picture, picture, points_px, turned_points(points_px, turn, matrix))
    return None if len(flow) < _MIN_FOLLOWED_SHARE * len(points_px) else flow[~_inside(flow.now_px, boxes_xyxy_px)]


def _learn(overlays: Overlays, flow: Flow, motion: CameraMotion, matrix: FloatArray, scale: FloatArray) -> None:
    """Tell ``overlays`` what stood still and what turned."""
    turned = turned_points(flow.before_px, motion.now_from_before, matrix)
    overlays.learn(flow.before_px / scale, (flow.now_px - flow.before_px) / scale, (turned - flow.before_px) / scale)
