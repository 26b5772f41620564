"""A drive among usual road users on a flat road: six cameras, known ways, and the boxes that a detector would find."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from perception.geometry.cameras import Camera, Rig, inverse_rigid, transform_points
from perception.taxonomy import USUAL_SIZES_LWH_M
from perception.tracking.ground.object_shapes import OUTLINES
from perception.types import Detections

Array = NDArray[np.float64]
Ints = NDArray[np.int64]

SIX_YAWS_DEG = {"front": 0, "front_left": 55, "back_left": 110, "back": 180, "back_right": -110, "front_right": -55}


def camera_towards(
    name: str, yaw_deg: float, *, size_px: tuple[int, int] = (640, 360), pitch_deg: float = 0.0, view_deg: float = 70.0
) -> Camera:
    """A camera 1.5 m above the road that appearance_seeds ``yaw_deg`` to the left and ``pitch_deg`` down."""
    yaw, pitch = np.radians(yaw_deg), np.radians(pitch_deg)
    forward = np.array([np.cos(yaw) * np.cos(pitch), np.sin(yaw) * np.cos(pitch), -np.sin(pitch)])
    right = np.array([np.sin(yaw), -np.cos(yaw), 0.0])
    pose = np.eye(4)
    pose[:3, :3] = np.stack([right, np.cross(forward, right), forward], axis=1)
    pose[:3, 3] = [1.0 + 0.7 * np.cos(yaw), 0.5 * np.sin(yaw), 1.5]
    focal_px = size_px[0] / 2 / np.tan(np.radians(view_deg) / 2)
    intrinsics = np.array([[focal_px, 0, size_px[0] / 2], [0, focal_px, size_px[1] / 2], [0, 0, 1.0]])
    return Camera(name, size_px, intrinsics, pose)


def six_cameras(size_px: tuple[int, int] = (640, 360), *, view_deg: float = 70.0) -> Rig:
    """All around; the images of neighbours overlap by 15 degrees, behind there are gaps unless ``view_deg`` grows."""
    return Rig(
        {
            name: camera_towards(name, yaw, size_px=size_px, view_deg=110 if name == "back" else view_deg)
            for name, yaw in SIX_YAWS_DEG.items()
        }
    )


def pose_at(x_m: float, y_m: float, yaw_rad: float) -> Array:
    """``world_from_vehicle`` (4, 4) on a level road."""
    pose = np.eye(4)
    pose[:2, :2] = [[np.cos(yaw_rad), -np.sin(yaw_rad)], [np.sin(yaw_rad), np.cos(yaw_rad)]]
    pose[:2, 3] = x_m, y_m
    return pose


@dataclass(frozen=True)
class Traffic:
    """N road users that drive circles or straight on: where they start, their speed and rate of turn."""

    labels: Ints
    starts_m: Array
    yaws_rad: Array
    speeds_mps: Array
    turns_radps: Array
    sizes_lwh_m: Array

    @classmethod
    def of(cls, rows: Sequence[tuple[int, float, float, float, float]], *, turns_radps: float = 0.0) -> Traffic:
        """Rows of label, x, y, yaw in degrees, speed."""
        table = np.array(rows, float).reshape(-1, 5)
        labels = table[:, 0].astype(np.int64)
        sizes = np.array(USUAL_SIZES_LWH_M)[labels]
        turns = np.full(len(table), turns_radps)
        return cls(labels, table[:, 1:3], np.radians(table[:, 3]), table[:, 4], turns, sizes)

    def at(self, time_s: float) -> tuple[Array, Array]:
        """Centres (N, 2) and yaws (N,) in the world."""
        yaws = self.yaws_rad + self.turns_radps * time_s
        middle = self.yaws_rad + self.turns_radps * time_s / 2
        # A chord of the circle.
        chords = self.speeds_mps * time_s * np.sinc(self.turns_radps * time_s / 2 / np.pi)
        return self.starts_m + chords[:, None] * np.stack([np.cos(middle), np.sin(middle)], axis=1), yaws


@dataclass(frozen=True)
class Eye:
    """A detector that finds boxes with noise: edges stray by ``edge_px`` and ``edge_share`` of the side, some are
    missed, and what is hidden or tiny is not found."""

    edge_px: float = 0.0
    edge_share: float = 0.0
    miss_rate: float = 0.0
    min_height_px: float = 8.0
    min_shown_share: float = 0.3
    sees_through: bool = False

    def look(
        self, rig: Rig, world_from_vehicle: Array, traffic: Traffic, time_s: float, rng: np.random.Generator
    ) -> tuple[list[Detections], list[Ints]]:
        """What all cameras see, and for each detection the row of the road user."""
        found = [self._look(camera, world_from_vehicle, traffic, time_s, rng) for camera in rig.cameras.values()]
        return [detections for detections, _ in found], [rows for _, rows in found]

    def _look(
        self, camera: Camera, world_from_vehicle: Array, traffic: Traffic, time_s: float, rng: np.random.Generator
    ) -> tuple[Detections, Ints]:
        centres, yaws = traffic.at(time_s)
        local = OUTLINES[traffic.labels] * traffic.sizes_lwh_m[:, None]
        cosines, sines = np.cos(yaws)[:, None], np.sin(yaws)[:, None]
        points = np.stack(
            [
                centres[:, :1] + cosines * local[..., 0] - sines * local[..., 1],
                centres[:, 1:] + sines * local[..., 0] + cosines * local[..., 1],
                local[..., 2],
            ],
            axis=-1,
        )
        pixels, depths = camera.project(transform_points(inverse_rigid(world_from_vehicle), points))
        whole = np.concatenate([pixels.min(axis=1), pixels.max(axis=1)], axis=1)
        whole = np.where((depths.min(axis=1) > 0.3)[:, None], whole, 0.0)
        boxes = np.clip(whole, 0, np.tile(camera.size_px, 2))
        areas, whole_areas = (np.prod(b[:, 2:] - b[:, :2], axis=1) for b in (boxes, whole))
        is_seen = (boxes[:, 3] - boxes[:, 1] >= self.min_height_px) & (areas > self.min_shown_share * whole_areas)
        if not self.sees_through:
            is_seen &= ~_is_hidden(boxes, depths.min(axis=1), is_seen)
        is_seen &= rng.random(len(boxes)) >= self.miss_rate
        rows = np.flatnonzero(is_seen)
        boxes = boxes[rows]
        sides = np.tile(boxes[:, 2:] - boxes[:, :2], 2)
        noise = rng.normal(size=boxes.shape) * np.hypot(self.edge_px, self.edge_share * sides)
        at_border = (boxes <= 0) | (boxes >= np.tile(camera.size_px, 2))
        boxes = np.clip(boxes + np.where(at_border, 0.0, noise), 0, np.tile(camera.size_px, 2))
        return make_detections(boxes, traffic.labels[rows], camera.name, camera.size_px), rows


def make_detections(
    boxes: Array, labels: Ints, camera: str, size_px: tuple[int, int], *, scores: float = 0.8
) -> Detections:
    """Detections without features, all with one score."""
    count = len(boxes)
    return Detections(
        boxes_xyxy_px=boxes.reshape(count, 4),
        scores=np.full(count, scores, np.float32),
        labels=labels,
        features=np.zeros((count, 0), np.float32),
        camera=camera,
        image_size_px=size_px,
    )


def _is_hidden(boxes: Array, depths: Array, is_seen: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether more than half of each box lies behind one nearer box."""
    low = np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=2)
    own = np.maximum(np.prod(boxes[:, 2:] - boxes[:, :2], axis=1), 1e-9)
    hides = (depths[None] < depths[:, None]) & is_seen[None] & (shared > 0.5 * own[:, None])
    hidden: NDArray[np.bool_] = hides.any(axis=1)
    return hidden
