"""Simulated traffic in the images of cameras of every kind: cheap histories and true futures of a camera that moves.

Each drive is seen by a few cameras that look anywhere, through any lens, from any height. How they turn and travel is
told as it is measured on a video: with errors, and not always.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from scipy.spatial.transform import Rotation

from perception.arrays import FloatArray
from perception.egomotion import motion_between
from perception.forecasting.track_dataset import TrackSet
from perception.geometry.boxes import normalized_cxcywh
from perception.geometry.cameras import Camera, Rig, inverse_rigid
from perception.geometry.turning import lens_of
from perception.simulation.traffic.traffic_drive import open_traffic
from perception.simulation.world import RoadUsers
from perception.state_layout import STATE_SIZE
from perception.tracking import ImageTracker, TrackerSettings
from perception.training.forecaster.tracks.image_tracks import CameraPath, ObservedImage, from_recording
from perception.training.forecaster.tracks.simulated_detections import (
    IMAGE_WIDTH_PX,
    SimulatedDetector,
    boxes_of,
)
from perception.training.forecaster.tracks.simulated_tracks import RATE_FPS, SEEN_RANGE_M, TRUTH_RANGE_M, users_within
from perception.types import BoxTable, Detections, EgoMotion, Tracks

_CAMERAS = 3
_ASPECTS = (0.3, 0.5625, 0.5625, 0.75)
_VIEW_DEG = (40.0, 110.0)
_HEIGHT_M = (1.1, 2.4)
_UNKNOWN_SHARE, _NO_SPEED_SHARE, _NO_DIRECTION_SHARE = 0.2, 0.5, 0.2
"""Of the cameras: nothing is known of the motion; the speed is not; the direction is not."""
_MAX_TURN_RATE_STD = math.radians(0.6)
_MAX_BOUNCE, _BOUNCE_LASTS_S = 0.006, 0.3
"""How far the car's springs shift the image at most (standard deviation, in image heights), and for how long."""
_STANDING_MPS = 0.15


def track_views(
    seed: int, *, duration_s: float, strides: tuple[int, ...] = (1,)
) -> tuple[list[TrackSet], list[TrackSet]]:
    """One simulated drive in the images of random cameras, tracked at every ``stride``-th instant of 10 per second.

    Second, the same drive with the true boxes as tracks. Raises ``UsageError`` when SUMO is not installed.
    """
    views = simulate_views(seed, duration_s=duration_s)
    tracked = [view.tracked(stride) for view in views for stride in strides]
    true = [view.gt_tracks() for view in views]
    kept = [[tracks for tracks in sets if len(tracks.observations)] for sets in (tracked, true)]
    return kept[0], kept[1]


def simulate_views(seed: int, *, duration_s: float) -> list[ViewedDrive]:
    """The same before it is tracked."""
    rng = np.random.default_rng([seed, 2])
    rig = random_rig(rng)
    detector = SimulatedDetector(rig, rng, noise=rng.uniform(0.0, 1.3))
    cameras = list(detector.rig.cameras.values())
    times_s: list[float] = []
    poses: list[FloatArray] = []
    detected: list[list[Detections]] = []
    true: list[list[tuple[RoadUsers, FloatArray]]] = []
    with open_traffic(seed, duration_s, RATE_FPS) as traffic:
        for state in traffic.states():
            times_s.append(state.time_s)
            poses.append(state.town_from_vehicle)
            detected.append(detector.detect(users_within(state, SEEN_RANGE_M), state.town_from_vehicle, state.time_s))
            users = users_within(state, TRUTH_RANGE_M)
            seen = boxes_of(users, inverse_rigid(state.town_from_vehicle), cameras)
            true.append([(users, boxes) for boxes, _ in seen])
    return [
        ViewedDrive(
            camera,
            np.array(times_s),
            np.stack(poses),
            [instant[index] for instant in detected],
            [instant[index] for instant in true],
            rng,
        )
        for index, camera in enumerate(cameras)
    ]


def random_rig(rng: np.random.Generator) -> Rig:
    """A camera that looks ahead, and others that look anywhere."""
    cameras = {}
    for number in range(_CAMERAS):
        yaw_rad = rng.normal(0, 0.05) if number == 0 else rng.uniform(-math.pi, math.pi)
        width, height = IMAGE_WIDTH_PX, round(IMAGE_WIDTH_PX * rng.choice(_ASPECTS))
        focal_px = width / 2 / math.tan(math.radians(rng.uniform(*_VIEW_DEG)) / 2)
        looks = Rotation.from_euler("ZYX", [yaw_rad, rng.normal(0, 0.03), rng.normal(0, 0.01)])
        pose = np.eye(4)
        pose[:3, :3] = looks.as_matrix() @ np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]])
        pose[:3, 3] = rng.uniform(0.5, 2.0), rng.uniform(-0.5, 0.5), rng.uniform(*_HEIGHT_M)
        intrinsics = np.array([[focal_px, 0, width / 2], [0, focal_px, height / 2], [0, 0, 1]])
        name = f"camera-{number}"
        cameras[name] = Camera(name, (width, height), intrinsics, pose)
    return Rig(cameras)


class ViewedDrive:
    """A drive in the images of one camera, with what is ``found`` and ``true`` at each instant.

    The car was at ``poses`` (I, 4, 4) at ``times_s`` (I,). ``rng`` draws what is known of the camera's motion.
    """

    def __init__(
        self,
        camera: Camera,
        times_s: FloatArray,
        poses: FloatArray,
        found: list[Detections],
        true: list[tuple[RoadUsers, FloatArray]],
        rng: np.random.Generator,
    ) -> None:
        self.camera, self.times_s = camera, times_s
        self._poses = poses
        self.is_known = rng.random() >= _UNKNOWN_SHARE
        self._knows_speed = rng.random() >= _NO_SPEED_SHARE
        self._knows_direction = rng.random() >= _NO_DIRECTION_SHARE
        self._turn_rate_std = rng.uniform(0, _MAX_TURN_RATE_STD)
        self._bounces = _wandering(len(times_s), rng.uniform(0, _MAX_BOUNCE), rng) * camera.size_px[1]
        self._rng = rng
        self._found = [self._bounced(part, number) for number, part in enumerate(found)]
        self._truth = self._bounced_truth(true)

    @property
    def path(self) -> CameraPath | None:
        """Where the camera looks, if that is known."""
        if not self.is_known:
            return None
        lens = lens_of(self.camera.intrinsics, self.camera.size_px)
        pointing = (self._poses @ self.camera.vehicle_from_camera)[:, :3, :3]
        return CameraPath(self.times_s, pointing, lens)

    def _bounced(self, found: Detections, instant: int) -> Detections:
        """Detections, shifted by the car's springs."""
        shift = np.array([0, self._bounces[instant], 0, self._bounces[instant]])
        return replace(found, boxes_xyxy_px=found.boxes_xyxy_px + shift)

    def _bounced_truth(self, instants: list[tuple[RoadUsers, FloatArray]]) -> BoxTable:
        """The true boxes in the image, shifted alike."""
        rows = [np.flatnonzero((boxes[:, 2:] - boxes[:, :2] >= 2).all(axis=1)) for _, boxes in instants]
        parts = list(zip(instants, rows, self._bounces, strict=True))
        count = sum(len(part) for part in rows)
        shifts = [boxes[kept] + [0, bounce, 0, bounce] for (_, boxes), kept, bounce in parts]
        return BoxTable(
            frame_indices=np.repeat(np.arange(len(rows)), [len(part) for part in rows]),
            ids=np.concatenate([users.ids[kept] for (users, _), kept, _ in parts]),
            labels=np.concatenate([users.labels[kept] for (users, _), kept, _ in parts]),
            scores=np.ones(count),
            boxes_xyxy_px=np.concatenate([np.zeros((0, 4)), *shifts]),
            cameras=np.full(count, self.camera.name),
        )

    def tracked(self, stride: int) -> TrackSet:
        """What our tracker makes of every ``stride``-th instant."""
        tracker = ImageTracker(TrackerSettings())
        observed = []
        for number in range(0, len(self._found), stride):
            ego = self._measured(number - stride, number) if number and self.is_known else None
            motions = {} if ego is None else {self.camera.name: ego}
            tracks = tracker.update([self._found[number]], round(self.times_s[number] * 1e9), None, motions)
            observed.append(ObservedImage(self.times_s[number], tracks, motions))
        return self._with_futures(observed)

    def gt_tracks(self) -> TrackSet:
        """The true boxes as tracks: what a forecaster gets from a perfect tracker."""
        observed = []
        for number in range(len(self._found)):
            ego = self._measured(number - 1, number) if number and self.is_known else None
            motions = {} if ego is None else {self.camera.name: ego}
            present = self._truth[self._truth.frame_indices == number]
            observed.append(ObservedImage(self.times_s[number], _exact_tracks(present, self.camera), motions))
        return self._with_futures(observed, same_ids=True)

    def _with_futures(self, observed: list[ObservedImage], *, same_ids: bool = False) -> TrackSet:
        times_s = dict(enumerate(self.times_s.tolist()))
        size_px = self.camera.size_px
        return from_recording(self._truth, times_s, size_px, observed, path=self.path, same_ids=same_ids)

    def _measured(self, before: int, now: int) -> EgoMotion | None:
        dt_s = float(self.times_s[now] - self.times_s[before])
        exact = motion_between(self._poses[before], self._poses[now], self.camera, dt_s)
        if exact is None:
            return None
        error = Rotation.from_rotvec(self._rng.normal(0, self._turn_rate_std * math.sqrt(dt_s * 0.1), 3))
        stands = exact.speed_mps is not None and exact.speed_mps < _STANDING_MPS
        return replace(
            exact,
            now_from_before=error.as_matrix() @ exact.now_from_before,
            rotation_stds_rad=np.full(3, max(self._turn_rate_std * dt_s, 1e-4)),
            direction=exact.direction if self._knows_direction and not stands else None,
            speed_mps=0.0 if stands else exact.speed_mps if self._knows_speed else None,
        )


def _exact_tracks(truth: BoxTable, camera: Camera) -> Tracks:
    """True boxes as tracks that are known without any error."""
    count = len(truth)
    boxes = normalized_cxcywh(truth.boxes_xyxy_px, np.array(camera.size_px))
    return Tracks(
        ids=truth.ids,
        labels=truth.labels,
        scores=truth.scores,
        means=np.concatenate([boxes, np.zeros_like(boxes)], axis=1),
        covariances=np.zeros((count, STATE_SIZE, STATE_SIZE)),
        boxes_xyxy_px=truth.boxes_xyxy_px,
        cameras=truth.cameras,
        image_sizes_px=np.tile(camera.size_px, (count, 1)),
        ages_s=np.zeros(count),
        unseen_s=np.zeros(count),
        features=np.zeros((count, 0), np.float32),
    )


def _wandering(count: int, std: float, rng: np.random.Generator) -> FloatArray:
    """(count,) of a standard deviation, forgotten after ``_BOUNCE_LASTS_S``."""
    kept = math.exp(-1 / (RATE_FPS * _BOUNCE_LASTS_S))
    values = np.zeros(count)
    values[0] = rng.normal(0, std)
    for number in range(1, count):
        values[number] = kept * values[number - 1] + math.sqrt(1 - kept**2) * rng.normal(0, std)
    return values
