"""From boxes in images to road users on the road.

A box shows how far its object stands in two ways: the ray through its foot meets the road, and an object of usual
height looks small when it is far. Both give the distance of the near edge; they are averaged by their variances in
the logarithm of the distance. From the near edge to the centre it is half of what the object measures along the
line of sight, which follows from the width that it shows (a car seen from behind is narrow and deep).

Distances are depths: horizontal, along the camera's optical axis. All functions take boxes of any cameras, one row of
``Views`` for each; positions are in the vehicle's axes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, PositiveFloat

from perception.arrays import FloatArray, IntArray, StructOfArrays
from perception.geometry.cameras import Camera
from perception.geometry.rotation import left_normals
from perception.state_layout import SIZE
from perception.taxonomy import CLASSES, USUAL_SIZES_LWH_M, VEHICLE_LABELS
from perception.tracking.ground.road_plane import MAX_DEPTH_M, MIN_DEPTH_M, MIN_DROP_M, RoadPlane, RoadSamples

USUAL_LWH_M: FloatArray = np.array(USUAL_SIZES_LWH_M)

_UNKNOWN_STD = 1.5
"""Spread of the logarithm of a distance that is hardly known."""

_MAX_SAMPLE_DEPTH_M = 60.0
_WIDTH_ROUNDS = 3
_EXTENT_SPREAD = 0.2
"""Spread of an object's extent along the line of sight, as a share of it."""

_DOUBT_FROM = 0.85
"""Share of the usual length from which on an object may be seen from its side."""

_OFF_CENTRE = 0.04
"""Spread of the box's middle around the object's, in lengths of the object: its near half looks larger."""

_GUESS_SHARE = 0.3
"""Spread of the centre of an object that is cut at the left or the right, in its lengths."""


class LiftingNoise(BaseModel):
    """How far boxes stray from the truth, and road users from their usual size."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    edge_std_px: PositiveFloat = Field(default=1.0, description="spread of a box's edge")
    edge_std_share: PositiveFloat = Field(default=0.03, description="the same, in sides of the box; both add up")
    lasting_jitter_share: float = Field(
        default=0.3, ge=0, lt=1, description="share of the variance of these edges that lasts instead of being new"
    )
    border_px: PositiveFloat = Field(default=2.0, description="an edge this near to the image's border is cut off")
    height_spreads: tuple[PositiveFloat, ...] = Field(
        default=(0.12, 0.25, 0.12, 0.12, 0.10, 0.08),
        min_length=len(CLASSES),
        max_length=len(CLASSES),
        description="spread of each class's height, as a share of the usual one",
    )


@dataclass(frozen=True, kw_only=True)
class Views(StructOfArrays):
    """Cameras as rows: ``vehicle_from_px`` (C, 3, 3) turns homogeneous pixels into rays, ``px_from_vehicle`` (C, 3, 4)
    projects, ``positions_m`` (C, 3), ``forwards`` (C, 2) is the optical axis on the road, ``sizes_px`` (C, 2)."""

    vehicle_from_px: FloatArray
    px_from_vehicle: FloatArray
    positions_m: FloatArray
    forwards: FloatArray
    sizes_px: IntArray

    @classmethod
    def of(cls, cameras: Sequence[Camera]) -> Views:
        intrinsics = np.array([camera.intrinsics for camera in cameras])
        rotations = np.array([camera.vehicle_from_camera[:3, :3] for camera in cameras])
        forwards = rotations[:, :2, 2]
        return cls(
            vehicle_from_px=rotations @ np.linalg.inv(intrinsics),
            px_from_vehicle=intrinsics @ np.array([camera.camera_from_vehicle[:3] for camera in cameras]),
            positions_m=np.array([camera.position_m for camera in cameras]),
            forwards=forwards / np.maximum(np.linalg.norm(forwards, axis=1, keepdims=True), 1e-6),
            sizes_px=np.array([camera.size_px for camera in cameras]),
        )

    def slopes(self, points_px: FloatArray) -> FloatArray:
        """(N, P, 2): per metre of depth, how far the rays through pixels (N, P, 2) go to the left, and upwards."""
        rays = np.einsum("nij,npj->npi", self.vehicle_from_px, _homogeneous(points_px))
        depths = np.einsum("npi,ni->np", rays[..., :2], self.forwards)
        lefts = np.einsum("npi,ni->np", rays[..., :2], left_normals(self.forwards))
        slopes: FloatArray = np.stack([lefts, rays[..., 2]], axis=-1) / np.maximum(depths, 1e-6)[..., None]
        return slopes

    def project(self, points_m: FloatArray) -> FloatArray:
        """(..., P, 3): pixels times depth, and depth, of points (..., P, 3)."""
        turned = points_m @ np.swapaxes(self.px_from_vehicle[..., :3], -1, -2)
        projected: FloatArray = turned + self.px_from_vehicle[..., None, :, 3]
        return projected

    def ground_points(self, depths_m: FloatArray, lefts: FloatArray) -> FloatArray:
        """(..., 2): where a ray that goes ``lefts`` (...,) per metre of depth is at depths (...,)."""
        along = self.forwards + lefts[..., None] * left_normals(self.forwards)
        ground_points: FloatArray = self.positions_m[..., :2] + depths_m[..., None] * along
        return ground_points


@dataclass(frozen=True, kw_only=True)
class Lifted(StructOfArrays):
    """Boxes on the road: ``measured`` (N, 4), the centre's x, y and the width and height that the object shows, metres.

    ``jitters`` (N, 4, 4) are the covariances of the errors that are new in each frame. Others last for seconds: one
    standard deviation of those along and across the line of sight are the columns of ``lasting`` (N, 4, 2).
    """

    measured: FloatArray
    jitters: FloatArray
    lasting: FloatArray

    @property
    def covariances(self) -> FloatArray:
        """(N, 4, 4): of all errors together."""
        covariances: FloatArray = self.jitters + self.lasting @ self.lasting.transpose(0, 2, 1)
        return covariances


class _Sight(NamedTuple):
    """What N boxes measure before the road is known. Slopes are metres per metre of depth.

    ``left`` and ``up`` (N,) are the slopes of the ray through the foot's centre, ``extent`` (N, 2) is width and
    height, ``edge_stds`` (N, 2) spread of one edge in x and in y, ``depths_m`` (N,) what the usual height measures of
    the near edge, ``depth_stds`` and ``depth_jitters`` (N,) the spread of its logarithm, ``is_cut`` (N, 4) the sides
    (left, top, right, bottom) at the image's border.
    """

    left: FloatArray
    up: FloatArray
    extent: FloatArray
    edge_stds: FloatArray
    depths_m: FloatArray
    depth_stds: FloatArray
    depth_jitters: FloatArray
    is_cut: NDArray[np.bool_]


def lift(boxes_xyxy_px: FloatArray, labels: IntArray, views: Views, road: RoadPlane, noise: LiftingNoise) -> Lifted:
    """Where the objects in boxes (N, 4) with labels (N,) stand; box n was seen by row n of ``views``.

    Sides at the image's border measure little: a foot below the border is nearer than it seems, and of an object that
    is cut at the left or the right the centre is guessed by its usual width.
    """
    sight = _look(boxes_xyxy_px, labels, views, noise)
    foot_depths_m, foot_stds, foot_jitters = _foot_depths(sight, views, road)
    foot_share = np.square(sight.depth_stds) / (np.square(sight.depth_stds) + np.square(foot_stds))
    usual_m = usual_lwh_m(labels, road)
    size_depths_m = sight.depths_m * usual_m[:, 2] / USUAL_LWH_M[labels, 2]
    log_depths = foot_share * np.log(foot_depths_m) + (1 - foot_share) * np.log(size_depths_m)
    near_m = np.clip(np.exp(log_depths), MIN_DEPTH_M, MAX_DEPTH_M)
    # Of two independent measurements; the smaller of the two bounds it.
    stds = np.sqrt(foot_share) * foot_stds
    jitters = np.hypot(foot_share * foot_jitters, (1 - foot_share) * sight.depth_jitters)
    return _centre(sight, usual_m, views, near_m, stds, jitters, noise.lasting_jitter_share)


def road_samples(boxes_xyxy_px: FloatArray, labels: IntArray, views: Views, noise: LiftingNoise) -> RoadSamples:
    """What boxes (N, 4) measure of the road; those cut at the top or the bottom, or far away, are left out."""
    sight = _look(boxes_xyxy_px, labels, views, noise)
    is_good = ~sight.is_cut[:, [1, 3]].any(axis=1) & (sight.depths_m <= _MAX_SAMPLE_DEPTH_M)
    samples = RoadSamples(
        origins_m=views.positions_m,
        rays=_rays(sight, views),
        depths_m=sight.depths_m,
        depth_stds=sight.depth_stds,
        ray_stds=sight.edge_stds[:, 1],
        is_vehicle=np.isin(labels, VEHICLE_LABELS),
    )
    return samples[is_good]


def cut_sides(boxes_xyxy_px: FloatArray, views: Views, noise: LiftingNoise) -> NDArray[np.bool_]:
    """(N, 4): which sides (left, top, right, bottom) of boxes (N, 4) lie at the border of their image."""
    low, high = boxes_xyxy_px[:, :2], boxes_xyxy_px[:, 2:]
    return np.concatenate([low <= noise.border_px, high >= views.sizes_px - noise.border_px], axis=1)


def usual_lwh_m(labels: IntArray, road: RoadPlane) -> FloatArray:
    """(..., 3): length, width and height of the usual objects of this region, for labels (...)."""
    scales = np.where(np.isin(labels, VEHICLE_LABELS), road.vehicle_scale, 1.0)
    sizes: FloatArray = USUAL_LWH_M[labels] * scales[..., None]
    return sizes


def _look(boxes_xyxy_px: FloatArray, labels: IntArray, views: Views, noise: LiftingNoise) -> _Sight:
    left, top, right, bottom = boxes_xyxy_px.astype(np.float64).T
    middle = (left + right) / 2
    points_px = np.stack([left, bottom, right, bottom, middle, bottom, middle, top], axis=1).reshape(-1, 4, 2)
    slopes = views.slopes(points_px)
    extent = np.stack([slopes[:, 0, 0] - slopes[:, 1, 0], slopes[:, 3, 1] - slopes[:, 2, 1]], axis=1)
    extent = np.maximum(extent, 1e-6)
    sides_px = np.maximum(np.stack([right - left, bottom - top], axis=1), 1e-6)
    edge_stds = np.hypot(noise.edge_std_px, noise.edge_std_share * sides_px) * extent / sides_px
    is_cut = cut_sides(boxes_xyxy_px, views, noise)
    jitters = np.where(is_cut[:, 1] | is_cut[:, 3], _UNKNOWN_STD, np.sqrt(2) * edge_stds[:, 1] / extent[:, 1])
    return _Sight(
        left=slopes[:, 2, 0],
        up=slopes[:, 2, 1],
        extent=extent,
        edge_stds=edge_stds,
        depths_m=np.clip(USUAL_LWH_M[labels, 2] / extent[:, 1], MIN_DEPTH_M, MAX_DEPTH_M),
        depth_stds=np.hypot(jitters, np.asarray(noise.height_spreads)[labels]),
        depth_jitters=jitters,
        is_cut=is_cut,
    )


def _rays(sight: _Sight, views: Views) -> FloatArray:
    """(N, 3): the rays through the feet, per metre of depth."""
    return np.column_stack([views.forwards + sight.left[:, None] * left_normals(views.forwards), sight.up])


def _foot_depths(sight: _Sight, views: Views, road: RoadPlane) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Depths (N,) at which the rays through the feet meet the road, the spread of their logarithm, its jitter."""
    rays = _rays(sight, views)
    depths_m, drops, meets = road.meet(views.positions_m, rays)
    jitters = np.where(meets & ~sight.is_cut[:, 3], sight.edge_stds[:, 1] / drops, _UNKNOWN_STD)
    above_m = np.maximum(views.positions_m[:, 2] - road.heights_m(views.positions_m[:, :2]), MIN_DROP_M)
    road_stds = road.height_stds_m(views.ground_points(depths_m, sight.left)) / above_m
    return depths_m, np.minimum(np.hypot(jitters, road_stds), _UNKNOWN_STD), np.minimum(jitters, _UNKNOWN_STD)


def _centre(
    sight: _Sight,
    sizes_lwh_m: FloatArray,
    views: Views,
    near_m: FloatArray,
    stds: FloatArray,
    jitters: FloatArray,
    lasting_jitter_share: float,
) -> Lifted:
    """From the near edges' depths (N,), with the spread and the jitter of their logarithms, to the centres."""
    lengths_m, widths_m, usual_heights_m = sizes_lwh_m.T
    usual_m = (lengths_m + widths_m) / 2
    cut_left, cut_top, cut_right, cut_bottom = sight.is_cut.T
    is_narrowed, is_lowered = cut_left | cut_right, cut_top | cut_bottom
    cosines = 1 / np.hypot(1.0, sight.left)
    half_depths_m = usual_m / 2
    for _ in range(_WIDTH_ROUNDS):
        shown_m = sight.extent[:, 0] * (near_m + half_depths_m) * cosines
        half_depths_m = np.where(is_narrowed, usual_m / 2, _half_depths_m(shown_m, sizes_lwh_m))
    depths_m = near_m + half_depths_m
    shown_m = sight.extent[:, 0] * depths_m * cosines
    hidden_m = np.where(is_narrowed, np.maximum(usual_m - shown_m, 0.0), 0.0)
    towards = cut_left.astype(np.float64) - cut_right
    lefts = sight.left + towards * hidden_m / (2 * cosines * depths_m)
    heights_m = sight.extent[:, 1] * near_m
    heights_m = np.where(is_lowered, np.maximum(heights_m, usual_heights_m), heights_m)
    ground_points = views.ground_points(depths_m, lefts)
    measured = np.column_stack([ground_points, shown_m + hidden_m, heights_m])

    scale = np.column_stack([ground_points - views.positions_m[:, :2], shown_m + hidden_m, heights_m])
    across = np.column_stack([left_normals(views.forwards), np.zeros_like(ground_points)])
    edges_m = sight.edge_stds * np.column_stack([depths_m, near_m])
    guessed_m = _GUESS_SHARE * np.where(is_narrowed, lengths_m, 0.0)
    side_stds_m = np.sqrt(2) * edges_m
    side_stds_m = np.hypot(side_stds_m, np.column_stack([2 * guessed_m, np.where(is_lowered, usual_heights_m, 0.0)]))
    across_jitters_m = np.hypot(edges_m[:, 0] / np.sqrt(2), guessed_m)
    variances = np.square(stds) + np.square(_EXTENT_SPREAD * half_depths_m / depths_m)
    across_variances_m2 = np.square(across_jitters_m) + np.square(_OFF_CENTRE * lengths_m)
    new_variances = (1 - lasting_jitter_share) * np.square(np.column_stack([jitters, across_jitters_m]))
    all_variances = np.column_stack([variances, across_variances_m2])
    lasting_variances = np.maximum(all_variances - new_variances, 0.0)
    # A wrong distance stretches all four numbers, a wrong bearing moves the position across.
    directions = np.stack([scale, across], axis=-1)
    new, sides = directions * np.sqrt(new_variances)[:, None], np.zeros_like(measured)
    sides[:, SIZE] = np.square(side_stds_m)
    return Lifted(
        measured=measured,
        jitters=new @ new.transpose(0, 2, 1) + sides[:, :, None] * np.eye(4),
        lasting=directions * np.sqrt(lasting_variances)[:, None],
    )


def _half_depths_m(shown_m: FloatArray, sizes_lwh_m: FloatArray) -> FloatArray:
    """(N,): half of what objects of ``sizes_lwh_m`` (N, 3) that show ``shown_m`` (N,) measure along the sight."""
    lengths_m, widths_m, _ = sizes_lwh_m.T
    diagonals_m = np.hypot(lengths_m, widths_m)
    # Turned by an angle from the line of sight, a box L x W shows L sin + W cos = diagonal * sin(angle + atan(W / L)).
    reached = np.arcsin(np.clip(shown_m / diagonals_m, 0.0, 1.0))
    corner = np.arctan2(widths_m, lengths_m)
    slanted, broadside = np.maximum(reached - corner, 0.0), np.minimum(np.pi - reached - corner, np.pi / 2)
    half_slanted, half_broadside = (
        (lengths_m * np.cos(angles) + widths_m * np.sin(angles)) / 2 for angles in (slanted, broadside)
    )
    # About as wide as it is long, it may be seen slantwise or from the side: the middle is the smaller loss.
    doubt = np.clip((shown_m / lengths_m - _DOUBT_FROM) / (1 - _DOUBT_FROM), 0.0, 1.0) / 2
    half_depths: FloatArray = (1 - doubt) * half_slanted + doubt * half_broadside
    return half_depths


def _homogeneous(points: FloatArray) -> FloatArray:
    return np.concatenate([points, np.ones((*points.shape[:-1], 1))], axis=-1)
