"""The boxes that a detector would find in a simulated street, with its faults, without drawing a picture.

Thousands of drives cost no more than their traffic so. Houses hide nothing here, only road users one another do.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from perception.arrays import FloatArray, IntArray
from perception.geometry.boxes import clip_boxes
from perception.geometry.cameras import Camera, Rig, inverse_rigid, transform_points
from perception.geometry.cuboids import corners_of, frames_around
from perception.geometry.rotation import rotation_about_z
from perception.simulation.world import RoadUsers
from perception.tracking.ground.object_shapes import OUTLINES
from perception.types import NO_FEATURE_SPACE, Detections

IMAGE_WIDTH_PX = 640

_NEAR_M = 0.3
_MIN_HEIGHT_PX = 10.0
_MIN_VISIBLE_SHARE = 0.35
_EDGE_STD_PX, _EDGE_STD_SHARE = 0.7, 0.025
_ERROR_LASTS_S = 1.0
_MISSED, _MISTAKEN = 0.04, 0.04
_MISTAKES = np.array([1, 0, 1, 4, 3, 5])
"""What each label is taken for when it is mistaken."""

_SAMPLES = (np.stack(np.meshgrid(np.arange(6), np.arange(6)), axis=-1).reshape(-1, 2) + 0.5) / 6


class SimulatedDetector:
    """Stands in for a detector on the pictures of ``rig``; its errors last about a second and come from ``rng``.

    The images are ``IMAGE_WIDTH_PX`` wide. ``noise`` scales the errors of the boxes, whose usual size is 1.
    """

    def __init__(self, rig: Rig, rng: np.random.Generator, *, noise: float = 1.0) -> None:
        self._noise = noise
        self.rig = Rig({name: _resized(camera) for name, camera in rig.cameras.items()}, rig.road_height_m)
        self._rng = rng
        self._errors = np.zeros((len(rig), 0, 4))
        self._time_s: float | None = None

    def detect(self, users: RoadUsers, town_from_vehicle: FloatArray, time_s: float) -> list[Detections]:
        """What every camera sees of the road users from the car at ``town_from_vehicle`` (4, 4)."""
        seen = boxes_of(users, inverse_rigid(town_from_vehicle), list(self.rig.cameras.values()))
        errors = self._errors_at(time_s, int(users.ids.max(initial=-1)) + 1)[:, users.ids]
        cameras = zip(self.rig.cameras.values(), seen, errors, strict=True)
        return [self._seen_by(camera, users.labels, *boxes, of_camera) for camera, boxes, of_camera in cameras]

    def _seen_by(
        self, camera: Camera, labels: IntArray, boxes: FloatArray, depths_m: FloatArray, errors: FloatArray
    ) -> Detections:
        sides = boxes[:, 2:] - boxes[:, :2]
        rows = np.flatnonzero((sides[:, 1] >= _MIN_HEIGHT_PX) & (sides[:, 0] >= 2))
        shares = visible_shares(boxes[rows], depths_m[rows])
        is_seen = (shares >= _MIN_VISIBLE_SHARE) & (self._rng.random(len(rows)) >= _MISSED + 0.3 * (1 - shares))
        rows, shares = rows[is_seen], shares[is_seen]
        count = len(rows)
        spread = _EDGE_STD_PX + _EDGE_STD_SHARE * np.tile(sides[rows], 2)
        noise = (errors[rows] + self._rng.normal(size=(count, 4))) * np.sqrt(0.5) * self._noise * spread
        limit = np.tile(camera.size_px, 2)
        is_mistaken = self._rng.random(count) < _MISTAKEN
        return Detections(
            boxes_xyxy_px=np.clip(boxes[rows] + noise, 0, limit),
            scores=np.clip(0.35 + 0.5 * shares + self._rng.normal(0, 0.08, count), 0.05, 0.99),
            labels=np.where(is_mistaken, _MISTAKES[labels[rows]], labels[rows]),
            features=np.zeros((count, 0), np.float32),
            camera=camera.name,
            image_size_px=camera.size_px,
            feature_space=NO_FEATURE_SPACE,
        )

    def _errors_at(self, time_s: float, count: int) -> FloatArray:
        """(cameras, count, 4): the lasting error of each object's box in each camera, of unit spread."""
        missing = count - self._errors.shape[1]
        if missing > 0:
            fresh = self._rng.normal(size=(len(self._errors), missing, 4))
            self._errors = np.concatenate([self._errors, fresh], axis=1)
        kept = 1.0 if self._time_s is None else np.exp(-(time_s - self._time_s) / _ERROR_LASTS_S)
        self._errors = kept * self._errors + np.sqrt(1 - kept**2) * self._rng.normal(size=self._errors.shape)
        self._time_s = time_s
        return self._errors


def boxes_in(camera: Camera, corners_m: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Boxes (N, 4) in pixels around objects with corners (N, 8, 3) in the vehicle's axes, and their depths (N,).

    Boxes are cut at the image's border; one without area stands for an object that is not in the image.
    """
    boxes = np.nan_to_num(frames_around(corners_m, camera, nearest_m=_NEAR_M))
    return boxes, transform_points(camera.camera_from_vehicle, corners_m)[..., 2].mean(axis=1)


def visible_shares(boxes_xyxy_px: FloatArray, depths_m: FloatArray) -> FloatArray:
    """(N,) 0..1: how much of each box (N, 4) no nearer box covers."""
    low, sides = boxes_xyxy_px[:, :2], boxes_xyxy_px[:, 2:] - boxes_xyxy_px[:, :2]
    points = low[:, None] + _SAMPLES * sides[:, None]
    inside = np.all((points[:, :, None] > low) & (points[:, :, None] < boxes_xyxy_px[:, 2:]), axis=-1)
    is_hidden = np.any(inside & (depths_m < depths_m[:, None])[:, None], axis=2)
    shares: FloatArray = 1.0 - is_hidden.mean(axis=1)
    return shares


def boxes_of(
    users: RoadUsers, vehicle_from_town: FloatArray, cameras: Sequence[Camera]
) -> list[tuple[FloatArray, FloatArray]]:
    """For each camera the boxes (N, 4) of the road users and their depths (N,); see ``boxes_in``.

    Road users have their usual outlines, as they are drawn and as the ground tracker expects them: a car's roof is
    shorter than the car, and it touches the road with its wheels. What is too near to be seen whole is a cuboid.
    """
    rotations = rotation_about_z(users.yaws_rad)
    centres_m = users.positions_m + users.sizes_lwh_m * np.array([0, 0, 0.5])
    corners_m = transform_points(vehicle_from_town, corners_of(centres_m, rotations, users.sizes_lwh_m))
    points = OUTLINES[users.labels] * users.sizes_lwh_m[:, None]
    outlines_m = np.einsum("nij,nkj->nki", rotations, points) + users.positions_m[:, None]
    outlines_m = transform_points(vehicle_from_town, outlines_m)
    found = []
    for camera in cameras:
        boxes, depths_m = boxes_in(camera, corners_m)
        pixels, point_depths_m = camera.project(outlines_m)
        rounded = np.concatenate([pixels.min(axis=1), pixels.max(axis=1)], axis=1)
        is_whole = point_depths_m.min(axis=1, initial=np.inf) > _NEAR_M
        found.append((np.where(is_whole[:, None], clip_boxes(rounded, camera.size_px), boxes), depths_m))
    return found


def _resized(camera: Camera) -> Camera:
    width, height = camera.size_px
    return camera.resized((IMAGE_WIDTH_PX, round(height * IMAGE_WIDTH_PX / width)))
