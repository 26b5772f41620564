"""Which true object a track is where a camera sees it: by the overlap of boxes in the image, not by the position.

So a position error cannot hide itself by making the pair too distant to be one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from perception.arrays import IntArray, StructOfArrays
from perception.evaluation.core.ground_truth import GroundScope
from perception.evaluation.core.table_boxes import counts_in_image, heights_px
from perception.evaluation.core.timeline import Timeline
from perception.evaluation.tracking.image import overlap
from perception.evaluation.tracking.mot_metrics import assigned_rows
from perception.types import BoxTable


@dataclass(frozen=True)
class GtTrackMatches(StructOfArrays):
    """True objects that cameras see well enough, M rows: one for each object, camera and instant.

    ``instants``, ``object_ids``, ``cameras`` (M,); ``track_ids`` (M,) of the track that overlaps it by at least 0.5, -1
    without one, and ``heights_px`` (M,) of that track's box, 0 without one.
    """

    instants: IntArray
    object_ids: IntArray
    cameras: NDArray[np.str_]
    track_ids: IntArray
    heights_px: NDArray[np.float64]


def match_gt_tracks(*, truth: BoxTable, tracks: BoxTable, timeline: Timeline, scope: GroundScope) -> GtTrackMatches:
    """Give each box of ``tracks`` the true box that it overlaps most, one to one in each image.

    Both have the ids that hold for all cameras. Only true boxes within ``scope`` are returned, and only those of
    frames that were handed out.
    """
    track_ids, heights = np.full(len(truth), -1, np.int64), np.zeros(len(truth))
    for camera in sorted(set(truth.cameras.tolist())):
        true_rows, rows = np.flatnonzero(truth.cameras == camera), np.flatnonzero(tracks.cameras == camera)
        true_boxes, boxes = truth[true_rows], tracks[rows]
        given = assigned_rows(true_boxes.frame_indices, boxes.frame_indices, overlap(true_boxes, boxes))
        is_given = given >= 0
        own = true_rows[given[is_given]]
        track_ids[own] = boxes.ids[is_given]
        heights[own] = heights_px(boxes.boxes_xyxy_px[is_given])
    instants = timeline.instants_of(truth)
    kept = (instants >= 0) & counts_in_image(
        truth, min_height_px=scope.min_height_px, min_visible_share=scope.min_visible_share
    )
    return GtTrackMatches(
        instants=instants, object_ids=truth.ids, cameras=truth.cameras, track_ids=track_ids, heights_px=heights
    )[kept]
