"""Road users of usual shape that point somewhere: what a camera sees of them, and where lifting puts that.

Their outlines are not those of boxes. A car seen from behind touches the road where its wheels do, most of a metre
behind its bumper, and its roof is shorter than it is. Taken for a box, it would stand that much too far away.

Lifting knows no heading. It takes the middle of the image box for the middle of the object and guesses how deep it is,
which is wrong by a metre for a near car seen at an angle or from the side. A track knows its heading, so its image box
can be made and lifted too; the difference from where the track stands is the error of lifting there.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from perception.arrays import FloatArray, IntArray
from perception.geometry.boxes import box_sizes, clip_boxes
from perception.geometry.rotation import rotate
from perception.taxonomy import PEDESTRIAN_LABEL
from perception.tracking.ground.lifting import Lifted, LiftingNoise, Views, cut_sides, lift, usual_lwh_m
from perception.tracking.ground.road_plane import MIN_DEPTH_M, RoadPlane

_NEAREST_M = 0.3
"""Points nearer than this, or behind the camera, are drawn at this depth: far outside, on their own side."""

_SCALES = (0.7, 1.4)
"""How much smaller or larger than usual an object is taken to be, so that it shows the width that was measured."""

_WHEELS = (0.32, 0.46, 0.0)
_CAR = (_WHEELS, (0.5, 0.38, 0.2), (0.46, 0.5, 0.4), (0.25, 0.38, 1.0))
_LORRY = (_WHEELS, (0.5, 0.48, 0.12), (0.5, 0.5, 0.3), (0.5, 0.5, 1.0))
_RIDER = ((0.36, 0.0, 0.0), (0.5, 0.0, 0.2), (0.08, 0.5, 0.6), (0.08, 0.15, 1.0))
_WALKER = ((0.1, 0.3, 0.0), (0.35, 0.45, 0.4), (0.35, 0.45, 0.7), (0.12, 0.12, 1.0))
_MIRRORED: FloatArray = np.array([[1, 1, 1], [1, -1, 1], [-1, 1, 1], [-1, -1, 1]])

OUTLINES: FloatArray = np.array(
    [
        (np.array(points)[:, None] * _MIRRORED).reshape(-1, 3)
        for points in (_CAR, _LORRY, _LORRY, _RIDER, _RIDER, _WALKER)
    ]
)
"""(6, 16, 3): the points of each class that can be its lowest, highest or outermost, in its lengths, widths and
heights; from the middle of its footprint."""


def image_boxes(
    states: FloatArray, headings_rad: FloatArray, labels: IntArray, views: Views, road: RoadPlane
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Boxes (..., 4) that objects fill in images, not cut at the border, and whether any of it is in front (...).

    ``states`` (..., 4) are x, y, shown width and height, ``headings_rad`` and ``labels`` (...), all in the vehicle's
    axes; their leading axes go with those of ``views`` by broadcasting. Pedestrians are round, so their heading does
    not matter.
    """
    usual_m = usual_lwh_m(labels, road)
    offsets_m = states[..., :2] - views.positions_m[..., :2]
    sights = np.arctan2(offsets_m[..., 1], offsets_m[..., 0])
    turns = np.where(labels == PEDESTRIAN_LABEL, 0.0, headings_rad - sights)
    shown_m = usual_m[..., 0] * np.abs(np.sin(turns)) + usual_m[..., 1] * np.abs(np.cos(turns))
    scales = np.clip(states[..., 2] / shown_m, *_SCALES)[..., None]
    points = OUTLINES[labels]
    ends_m = points[..., :2] * (usual_m[..., :2] * scales)[..., None, :]
    x, y = np.moveaxis(states[..., None, :2] + rotate(ends_m, (sights + turns)[..., None]), -1, 0)
    feet_m = road.coefficients[0] + road.coefficients[1] * x + road.coefficients[2] * y
    points_m = np.stack([x, y, feet_m + points[..., 2] * states[..., None, 3]], axis=-1)
    in_camera = views.project(points_m)
    # From the image's middle, where the optical axis about is, so that moving a point forward keeps its side.
    depths_m, middles_px = in_camera[..., 2:], views.sizes_px[..., None, :] / 2
    from_axis = in_camera[..., :2] - depths_m * middles_px
    pixels = middles_px + from_axis / np.maximum(depths_m, _NEAREST_M)
    boxes = np.concatenate([pixels.min(axis=-2), pixels.max(axis=-2)], axis=-1)
    # What reaches behind the camera on both sides of it surrounds it, and has no box.
    reaches_behind = (depths_m < _NEAREST_M).any(axis=(-2, -1))
    surrounds = reaches_behind & (from_axis[..., 0] < 0).any(axis=-1) & (from_axis[..., 0] > 0).any(axis=-1)
    is_in_front = (depths_m > MIN_DEPTH_M).any(axis=(-2, -1)) & ~surrounds
    return boxes, np.asarray(is_in_front)


def expected_lifting(
    states: FloatArray,
    headings_rad: FloatArray,
    labels: IntArray,
    *,
    seen_xyxy_px: FloatArray,
    views: Views,
    road: RoadPlane,
    noise: LiftingNoise,
) -> tuple[Lifted, NDArray[np.bool_]]:
    """Where lifting puts objects of usual height that are at ``states`` (K, 4), in the vehicle's axes.

    ``seen_xyxy_px`` (K, 4) are the boxes that were found. Where other sides of them are cut than of the expected ones
    the comparison means nothing, which the second array (K,) marks by False.
    """
    usual_m = usual_lwh_m(labels, road)
    states = np.column_stack([states[:, :3], usual_m[:, 2]])
    boxes, is_in_front = image_boxes(states, headings_rad, labels, views, road)
    boxes = clip_boxes(boxes, views.sizes_px)
    is_like = (cut_sides(boxes, views, noise) == cut_sides(seen_xyxy_px, views, noise)).all(axis=1) & is_in_front
    is_like &= (box_sizes(boxes) > 1.0).all(axis=1)
    lifted = lift(boxes, labels, views, road, noise)
    is_like &= np.linalg.norm(lifted.measured[:, :2] - states[:, :2], axis=1) <= usual_m[:, 0]
    return lifted, is_like
