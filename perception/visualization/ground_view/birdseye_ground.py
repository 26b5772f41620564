"""The ground of the bird's-eye view: what the cameras see, a grid that lies still in the world, range rings."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from perception.arrays import FloatArray
from perception.geometry.cameras import Camera, Rig
from perception.geometry.rotation import rotation_2d
from perception.visualization.ground_view.projection import RoadProjection
from perception.visualization.primitives.colours import DARK, MUTED, PANEL, Colour
from perception.visualization.primitives.labels import draw_words
from perception.visualization.primitives.overlay import Overlay

_SHOWN_HEIGHT_M = 84.0
_BEHIND_SHARE = 0.37
_BEHIND_SHARE_AHEAD_ONLY = 0.15
_RING_M = 20.0
_GRID_M = 10.0
_CROSS_M = 0.45
_REACH_M = 62.0
# Light and shade are soft, and need not be computed for each pixel.
_COARSE = 6
_VIEW_LIGHT: Colour = (24, 44, 68)
_GRID: Colour = (58, 66, 80)
_RING: Colour = (120, 138, 165)


@dataclass(frozen=True)
class BirdsEye:
    """The geometry of the view from above: ``size_px`` (width, height), the vehicle's origin at ``origin_px``."""

    size_px: tuple[int, int]
    origin_px: tuple[float, float]
    px_per_m: float

    @classmethod
    def of(cls, rig: Rig, size_px: tuple[int, int]) -> BirdsEye:
        """About 50 m ahead and 30 m behind; further ahead where no camera of ``rig`` looks back."""
        width, height = size_px
        looks_back = any(camera.vehicle_from_camera[0, 2] < -0.3 for camera in rig.cameras.values())
        behind = _BEHIND_SHARE if looks_back else _BEHIND_SHARE_AHEAD_ONLY
        return cls(size_px, (width / 2, round(height * (1 - behind))), height / _SHOWN_HEIGHT_M)

    @property
    def projection(self) -> RoadProjection:
        return RoadProjection.from_above(self.origin_px, self.px_per_m)

    def points_m(self, pixels: FloatArray) -> FloatArray:
        """Points (..., 2) in the vehicle's axes under pixels (..., 2)."""
        away = (np.array(self.origin_px) - pixels) / self.px_per_m
        return np.asarray(away[..., ::-1])


def draw_ground(
    panel: NDArray[np.uint8],
    view: BirdsEye,
    cameras: Sequence[Camera],
    *,
    position_m: FloatArray,
    heading_rad: float,
    unit: float,
) -> None:
    """Fill ``panel`` (H, W, 3) in place. The light shows what ``cameras`` see, those that have a picture now."""
    width, height = view.size_px
    coarse = np.stack(np.meshgrid(np.arange(0.5, -(-width // _COARSE)), np.arange(0.5, -(-height // _COARSE))), axis=-1)
    points = view.points_m(coarse.astype(np.float32) * _COARSE).astype(np.float32)
    distances = np.linalg.norm(points, axis=-1)
    # What lies under the car's nose is seen by none and would look like a spider.
    light = np.maximum(_seen_light(points, cameras), np.clip(1.5 - distances / 6, 0, 0.75))
    light = light * np.clip(1 - distances / _REACH_M, 0, 1)
    shade = np.clip(1.25 - distances / 55, 0, 1)[..., None]
    soft = np.array(DARK, np.float32) + shade * (np.array(PANEL, np.float32) - np.array(DARK, np.float32))
    soft = soft + light[..., None] * np.array(_VIEW_LIGHT, np.float32)
    cv2.resize((soft + 0.5).astype(np.uint8), (width, height), dst=panel, interpolation=cv2.INTER_LINEAR)
    _draw_grid(panel, view, position_m, heading_rad)
    _draw_rings(panel, view, unit)


def _seen_light(points_m: FloatArray, cameras: Sequence[Camera]) -> FloatArray:
    """0..1 for each point (..., 2): 0.75 where a camera sees it, 1 where several do; the borders are soft."""
    light = np.zeros(points_m.shape[:-1], np.float32)
    for camera in cameras:
        away = points_m - camera.position_m[:2].astype(np.float32)
        depth = away @ camera.vehicle_from_camera[:2, 2].astype(np.float32)
        right = away @ camera.vehicle_from_camera[:2, 0].astype(np.float32)
        focal, centre = camera.intrinsics[0, 0], camera.intrinsics[0, 2]
        inside = np.minimum(right + depth * (centre / focal), depth * ((camera.size_px[0] - centre) / focal) - right)
        seen = np.clip((inside + 1.0) / (1.0 + 0.05 * depth), 0, 1) * (depth > 0)
        light = np.maximum(light, 0.75 * seen) + 0.25 * np.minimum(light, seen)
    return np.minimum(light, 1.0)


def _draw_grid(panel: NDArray[np.uint8], view: BirdsEye, position_m: FloatArray, heading_rad: float) -> None:
    """Small crosses every 10 m that stay where they are in the world, so that one sees the car move over them."""
    reach = np.hypot(*view.size_px) / view.px_per_m
    low, high = np.floor((position_m - reach) / _GRID_M), np.ceil((position_m + reach) / _GRID_M)
    x, y = (np.arange(low[axis], high[axis] + 1) * _GRID_M - position_m[axis] for axis in (0, 1))
    world = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 1, 1, 2)
    arms = _CROSS_M * np.array([[[1.0, 0], [-1, 0]], [[0, 1], [0, -1]]])
    crosses = (world + arms) @ rotation_2d(heading_rad)
    pixels, _ = view.projection.pixels(crosses.reshape(-1, 2, 2))
    inside = ((pixels >= -9) & (pixels <= np.array(view.size_px) + 9)).all(axis=(1, 2))
    fixed = np.rint((pixels[inside] - 0.5) * 16).astype(np.int32)
    cv2.polylines(panel, list(fixed), False, _GRID, 1, cv2.LINE_AA, 4)


def _draw_rings(panel: NDArray[np.uint8], view: BirdsEye, unit: float) -> None:
    """Circles of equal distance from the car's origin, named in metres."""
    width, height = view.size_px
    overlay = Overlay(view.size_px)
    origin = overlay.fixed(np.array([view.origin_px, (0.0, 0.0), (width, height)]))[0]
    radii_m = np.arange(_RING_M, np.hypot(width, height) / view.px_per_m, _RING_M).tolist()
    for radius_m in radii_m:
        overlay.ring(origin, radius_m * view.px_per_m, _RING, 0.2, width_px=1)
    overlay.blend_into(panel)
    for radius_m, (left, _, _, bottom) in zip(radii_m, ring_name_boxes(view, unit), strict=False):
        draw_words(panel, f"{radius_m:.0f} m", (left, bottom), text_px=8 * unit, colour=MUTED)


def ring_name_boxes(view: BirdsEye, unit: float) -> list[tuple[float, float, float, float]]:
    """Where the names of the rings stand, from the inmost on: ahead to the right, as far as there is room."""
    boxes: list[tuple[float, float, float, float]] = []
    for number in itertools.count(1):
        x, y = np.array(view.origin_px) + number * _RING_M * view.px_per_m * np.array([0.5, -0.866])
        if x > view.size_px[0] - 40 * unit or y < 20 * unit:
            return boxes
        boxes.append((float(x + 4 * unit), float(y - 12 * unit), float(x + 30 * unit), float(y - 3 * unit)))
    return boxes
