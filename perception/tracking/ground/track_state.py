"""What the ground tracker knows of its objects, and where they lie in the images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from perception.arrays import FloatArray, IntArray, StructOfArrays
from perception.geometry.boxes import box_areas, clip_boxes
from perception.state_layout import MEASUREMENT_SIZE
from perception.tracking.common import kalman
from perception.tracking.common.track_state import TrackState
from perception.tracking.ground.ego_pose import PlanarPose
from perception.tracking.ground.lifting import Views
from perception.tracking.ground.motion_models import LASTING_ERRORS, MODEL_STATE_SIZE, MotionModels
from perception.tracking.ground.object_shapes import image_boxes
from perception.tracking.ground.observations import GroundObservations
from perception.tracking.ground.road_plane import RoadPlane
from perception.tracking.ground.settings import GroundMotionNoise

BoolArray = NDArray[np.bool_]

MIN_SIDE_M = 0.2
"""A filtered object never shows less width or height than this."""

_LARGEST_M, _WIDEST = 8.0, 2.5
"""No object reaches farther from its centre; beside the optical axis a camera sees as far as this times the depth."""

OUTSIDE_BOX_PX = (-2.0, -2.0, -1.0, -1.0)
"""The box of a track that its last camera cannot see: just outside the image."""


@dataclass(frozen=True, kw_only=True)
class GroundTrackState(TrackState):
    """All tracks; ``means`` and ``covariances`` are where lifting puts them in the world, with its errors that last.

    Besides what ``TrackState`` holds: ``boxes_xyxy_px`` (N, 4) in the image of ``cameras``; ``missed_s`` (N,), for how
    long a camera should have seen the track and did not; ``headings_rad`` (N,) in the world, guessed until the object
    ``has_moved``; ``is_moving`` now. ``model_means``, ``model_covariances`` and ``model_probabilities`` are those of
    ``MotionModels``, ``lasting`` (N, 4, 2) the errors that last when a track was last seen.
    """

    boxes_xyxy_px: FloatArray
    missed_s: FloatArray
    headings_rad: FloatArray
    has_moved: BoolArray
    is_moving: BoolArray
    model_means: FloatArray
    model_covariances: FloatArray
    model_probabilities: FloatArray
    lasting: FloatArray

    @classmethod
    def none(cls, feature_size: int = 0) -> GroundTrackState:
        """No tracks yet."""
        base = TrackState.empty(feature_size)
        return cls(
            **vars(base),
            boxes_xyxy_px=np.zeros((0, 4)),
            missed_s=np.zeros(0),
            headings_rad=np.zeros(0),
            has_moved=np.zeros(0, bool),
            is_moving=np.zeros(0, bool),
            model_means=np.zeros((0, 2, MODEL_STATE_SIZE)),
            model_covariances=np.zeros((0, 2, MODEL_STATE_SIZE, MODEL_STATE_SIZE)),
            model_probabilities=np.zeros((0, 2)),
            lasting=np.zeros((0, MEASUREMENT_SIZE, LASTING_ERRORS)),
        )

    @classmethod
    def spawned(
        cls,
        observed: GroundObservations,
        *,
        names: Sequence[str],
        views: Views,
        timestamp_ns: int,
        car_yaw_rad: float,
        motion: GroundMotionNoise,
    ) -> GroundTrackState:
        """Tentative tracks that start at ``observed``, with an unknown speed."""
        count = len(observed)
        models = MotionModels.spawned(observed.measured, observed.jitters, observed.lasting, observed.groups, motion)
        means, covariances = models.apparent(observed.lasting)
        return cls(
            ids=np.zeros(count, np.int64),
            means=means,
            covariances=covariances,
            label_votes=observed.label_votes,
            scores=observed.scores,
            features=observed.features,
            cameras=np.array(names, np.str_)[observed.cameras],
            image_sizes_px=views.sizes_px[observed.cameras],
            hits=np.ones(count, np.int64),
            first_ns=np.full(count, timestamp_ns, np.int64),
            last_ns=np.full(count, timestamp_ns, np.int64),
            boxes_xyxy_px=observed.boxes_xyxy_px,
            missed_s=np.zeros(count),
            headings_rad=np.full(count, car_yaw_rad),
            has_moved=np.zeros(count, bool),
            is_moving=np.zeros(count, bool),
            model_means=models.means,
            model_covariances=models.covariances,
            model_probabilities=models.probabilities,
            lasting=observed.lasting,
        )

    @property
    def models(self) -> MotionModels:
        """What the filter knows."""
        return MotionModels(
            means=self.model_means, covariances=self.model_covariances, probabilities=self.model_probabilities
        )

    def with_models(self, models: MotionModels, lasting: FloatArray | None = None) -> GroundTrackState:
        """The same tracks with what the filter knows and, where they were seen, errors ``lasting`` (N, 4, 2)."""
        lasting = self.lasting if lasting is None else lasting
        means, covariances = models.apparent(lasting)
        return replace(
            self,
            means=kalman.with_min_sizes(means, MIN_SIDE_M),
            covariances=covariances,
            model_means=models.means,
            model_covariances=models.covariances,
            model_probabilities=models.probabilities,
            lasting=lasting,
        )


@dataclass(frozen=True, kw_only=True)
class ImageProjections(StructOfArrays):
    """Where N tracks lie in the images of C cameras: ``whole_xyxy_px`` (N, C, 4), ``boxes_xyxy_px`` (N, C, 4) cut at
    the border, ``shares`` (N, C) of the box inside the image; ``is_in_front`` (N, C)."""

    whole_xyxy_px: FloatArray
    boxes_xyxy_px: FloatArray
    shares: FloatArray
    is_in_front: BoolArray

    @classmethod
    def of(cls, tracks: GroundTrackState, views: Views, pose: PlanarPose, road: RoadPlane) -> ImageProjections:
        """The tracks as they stand, seen from the car at ``pose``."""
        states, headings_rad = in_vehicle(tracks, pose), tracks.headings_rad - pose.yaw_rad
        rows, cameras = np.nonzero(_may_be_in_view(states, views))
        whole = np.zeros((len(tracks), len(views), 4))
        is_in_front = np.zeros((len(tracks), len(views)), bool)
        whole[rows, cameras], is_in_front[rows, cameras] = image_boxes(
            states[rows], headings_rad[rows], tracks.labels[rows], views[cameras], road
        )
        cut = clip_boxes(whole, views.sizes_px)
        shares = np.where(is_in_front, box_areas(cut) / np.maximum(box_areas(whole), 1e-6), 0.0)
        return cls(whole_xyxy_px=whole, boxes_xyxy_px=cut, shares=shares, is_in_front=is_in_front)


def _may_be_in_view(states: FloatArray, views: Views) -> BoolArray:
    """(N, C): False where an object with a state (N, 4) is far out of the camera's view, which saves its projection."""
    offsets_m = states[:, None, :2] - views.positions_m[:, :2]
    depths_m = (offsets_m * views.forwards).sum(axis=-1)
    lefts_m = offsets_m[..., 1] * views.forwards[:, 0] - offsets_m[..., 0] * views.forwards[:, 1]
    may_be: BoolArray = (depths_m > -_LARGEST_M) & (np.abs(lefts_m) < _WIDEST * np.maximum(depths_m, 0) + _LARGEST_M)
    return may_be


def in_vehicle(tracks: GroundTrackState, pose: PlanarPose) -> FloatArray:
    """(N, 4): x, y, shown width and height in the vehicle's axes."""
    return np.concatenate([pose.to_vehicle(tracks.positions), tracks.sizes], axis=1)


def with_best_boxes(
    tracks: GroundTrackState,
    projections: ImageProjections,
    names: NDArray[np.str_],
    sizes_px: IntArray,
    is_seen: BoolArray,
    timestamp_ns: int,
) -> GroundTrackState:
    """The tracks with their boxes as they lie in the image of the camera that sees them best.

    That is the camera of the last detection while they are seen (``is_seen``, (N,)), then the one in which they should
    be largest, then the last one; there the box may lie outside the image.
    """
    rows = np.arange(len(tracks))
    areas = box_areas(projections.boxes_xyxy_px) * projections.is_in_front
    last = (tracks.cameras[:, None] == names[None]).argmax(axis=1)
    best = np.where(is_seen | ~(areas > 0).any(axis=1), last, areas.argmax(axis=1))
    is_inside = areas[rows, best] > 0
    far = np.tile(sizes_px[best], 2)
    outside = np.where(
        projections.is_in_front[rows, best, None],
        np.clip(projections.whole_xyxy_px[rows, best], -far, 2 * far),
        OUTSIDE_BOX_PX,
    )
    boxes = np.where(is_inside[:, None], projections.boxes_xyxy_px[rows, best], outside)
    # A near object may be seen though its centre is beside the camera, where nothing can be projected.
    boxes = np.where(((tracks.last_ns == timestamp_ns) & ~is_inside)[:, None], tracks.boxes_xyxy_px, boxes)
    return replace(tracks, boxes_xyxy_px=boxes, cameras=names[best], image_sizes_px=sizes_px[best])
