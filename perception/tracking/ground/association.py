"""Which detection of which camera belongs to which track on the ground, and which tracks are one object.

In each camera the tracks are predicted as boxes and compared with the detections there, as in the image frame; the
distance on the ground, in standard deviations, keeps apart what only overlaps in the image. A camera sees a track at
most once, but several cameras may see it at the same instant.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.spatial import cKDTree

from perception.arrays import FloatArray, IntArray
from perception.geometry.boxes import box_areas, intersections_and_unions, paired_iou, pairwise_iou
from perception.state_layout import POSITION, VELOCITY
from perception.tracking.common.association import NEARNESS_WEIGHT, TrackMatches, assign, pairwise_cosine
from perception.tracking.ground.observations import GroundObservations
from perception.tracking.ground.settings import GroundSettings
from perception.tracking.ground.track_state import BoolArray, GroundTrackState, ImageProjections

_NEAR_IMAGE_SHARE = 0.1
"""A track this far outside the image, in image sizes, may still be the one that is seen at its border."""

_LOWER_SHARE = 0.1
"""What stands in front of a box ends below it by at least this share of its height."""


def associate(
    tracks: GroundTrackState,
    projections: ImageProjections,
    sizes_px: IntArray,
    observed: GroundObservations,
    settings: GroundSettings,
    *,
    must_overlap: bool = False,
) -> TrackMatches:
    """Match tracks, predicted to now, with the observations of now, in each camera for itself, never across groups.

    A camera that sees a track less clearly than another one must overlap it by ``second_min_iou``. ``must_overlap``:
    the distance on the ground alone does not make a match.
    """
    is_strong = observed.scores >= settings.strong_score
    parts: list[tuple[IntArray, IntArray, FloatArray]] = [(np.zeros(0, np.intp), np.zeros(0, np.intp), np.zeros(0))]
    for camera in np.unique(observed.cameras):
        is_here = observed.cameras == camera
        track_indices = np.flatnonzero(_near_image(projections, int(camera), sizes_px[camera]))
        for in_stage in (is_strong, ~is_strong):
            observation_indices = np.flatnonzero(in_stage & is_here)
            if len(track_indices) == 0 or len(observation_indices) == 0:
                continue
            similarities, feasible, iou = _pairs(
                (tracks, track_indices),
                projections.boxes_xyxy_px[track_indices, camera],
                (observed, observation_indices),
                settings,
                may_part=in_stage is is_strong and not must_overlap,
            )
            rows, columns = assign(similarities, feasible)
            parts.append((track_indices[rows], observation_indices[columns], iou[rows, columns]))
            track_indices = np.delete(track_indices, rows)
    matched, found, overlaps = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    order = np.argsort(-overlaps, kind="stable")
    matched, found, overlaps = matched[order], found[order], overlaps[order]
    stays = (ranks_within(matched) == 0) | (overlaps >= settings.second_min_iou)
    return TrackMatches(matched[stays], found[stays])


def ground_distances(
    positions_m: FloatArray, covariances: FloatArray, other_positions_m: FloatArray, other_covariances: FloatArray
) -> FloatArray:
    """(N, M): squared Mahalanobis distances between positions (N, 2) and (M, 2) with covariances (N, 2, 2), (M, 2,
    2)."""
    xx, xy, yy = (np.add.outer(covariances[:, i, j], other_covariances[:, i, j]) for i, j in ((0, 0), (0, 1), (1, 1)))
    x, y = (np.subtract.outer(positions_m[:, k], other_positions_m[:, k]) for k in (0, 1))
    distances: FloatArray = (yy * x * x - 2 * xy * x * y + xx * y * y) / (xx * yy - xy * xy)
    return distances


def ranks_within(groups: IntArray) -> IntArray:
    """(K,): how many equal numbers stand before each one."""
    order = np.argsort(groups, kind="stable")
    ordered = groups[order]
    is_first = np.r_[True, ordered[1:] != ordered[:-1]][: len(groups)]
    starts = np.maximum.accumulate(np.where(is_first, np.arange(len(groups)), 0))
    ranks = np.empty(len(groups), np.int64)
    ranks[order] = np.arange(len(groups)) - starts
    return ranks


def overlaps_seen(
    observed: GroundObservations,
    tracks: GroundTrackState,
    projections: ImageProjections,
    timestamp_ns: int,
    min_iou: float,
) -> BoolArray:
    """Whether each observation (M,) overlaps a track of its group that is seen now by more than ``min_iou``."""
    is_seen = tracks.last_ns == timestamp_ns
    overlaps = np.zeros(len(observed), bool)
    for camera in np.unique(observed.cameras):
        rows = np.flatnonzero(observed.cameras == camera)
        boxes = projections.boxes_xyxy_px[is_seen, camera]
        iou = pairwise_iou(observed.boxes_xyxy_px[rows], boxes)
        same = observed.groups[rows, None] == tracks.groups[is_seen][None]
        overlaps[rows] = (same & (iou > min_iou) & projections.is_in_front[is_seen, camera][None]).any(axis=1)
    return overlaps


def missed(
    is_unseen: BoolArray,
    projections: ImageProjections,
    detections: GroundObservations,
    here: IntArray,
    elapsed_s: FloatArray,
    settings: GroundSettings,
) -> FloatArray:
    """For how long each track (N,) was overlooked, by a camera of ``here`` (K,) that looked ``elapsed_s`` (K,) ago
    before: those that are well inside its image, behind nothing."""
    missed_s = np.zeros(len(is_unseen))
    for camera, camera_elapsed_s in zip(here, elapsed_s, strict=True):
        boxes = projections.boxes_xyxy_px[:, camera]
        is_inside = (projections.shares[:, camera] >= settings.inside_share) & is_unseen
        is_inside &= boxes[:, 3] - boxes[:, 1] >= settings.min_seen_height_px
        rows = np.flatnonzero(is_inside & (missed_s == 0))
        covers = detections.boxes_xyxy_px[detections.cameras == camera]
        shared, _ = intersections_and_unions(boxes[rows, None], covers[None])
        own = np.maximum(box_areas(boxes[rows]), 1e-6)
        # What stands in front reaches lower in the image; the own box under another track's name does not.
        in_front = covers[None, :, 3] > (boxes[rows, 3] + _LOWER_SHARE * (boxes[rows, 3] - boxes[rows, 1]))[:, None]
        is_covered = (in_front & (shared >= settings.covered_share * own[:, None])).any(axis=1)
        missed_s[rows] = np.where(is_covered, 0.0, camera_elapsed_s)
    return missed_s


def duplicate_pairs(
    tracks: GroundTrackState, projections: ImageProjections, is_seen_by: BoolArray, settings: GroundSettings
) -> tuple[IntArray, IntArray]:
    """Rows (K,) of tracks to keep and of the copies (K,) that are the same objects.

    Copies have the same position, move alike, overlap in an image, and no camera sees both (``is_seen_by``, (N, C)).
    Each track is in one pair at most. The older one is kept.
    """
    first, second = cKDTree(tracks.positions).query_pairs(_MAX_COPY_DISTANCE_M, output_type="ndarray").T
    alike = tracks.groups[first] == tracks.groups[second]
    alike &= ~(is_seen_by[first] & is_seen_by[second]).any(axis=1)
    first, second = first[alike], second[alike]
    if len(first) == 0:
        return first, second
    # A position that is known to centimetres is not known to better than how the boxes of two cameras differ.
    moving = np.r_[POSITION, VELOCITY]
    residuals = (tracks.means[first] - tracks.means[second])[:, moving]
    total = (tracks.covariances[first] + tracks.covariances[second])[:, moving][:, :, moving]
    total[:, [0, 1], [0, 1]] += np.square(_SAME_POSITION_STD_M[tracks.groups[first]])[:, None]
    distances = (residuals[:, None] @ np.linalg.solve(total, residuals[..., None]))[:, 0, 0]
    first, second = first[distances <= settings.gate], second[distances <= settings.gate]
    overlap = _best_overlap(projections, first, second)
    first, second = first[overlap >= settings.merge_iou], second[overlap >= settings.merge_iou]
    age = np.lexsort((tracks.first_ns, ~tracks.is_confirmed))
    rank = np.empty(len(tracks), np.int64)
    rank[age] = np.arange(len(tracks))
    kept, copies = np.where(rank[first] < rank[second], (first, second), (second, first))
    order = np.lexsort((rank[copies], rank[kept]))
    kept, copies = kept[order], copies[order]
    is_alone = (ranks_within(np.concatenate([kept, copies])) == 0).reshape(2, -1).all(axis=0)
    return kept[is_alone], copies[is_alone]


def merged_pairs(tracks: GroundTrackState, kept: IntArray, copies: IntArray) -> tuple[GroundTrackState, IntArray]:
    """What tracks ``kept`` (K,) are together with their ``copies`` (K,), and the row (N,) whose state each track has.

    A pair has the state of the one whose position is better known, and the id, age and heading of the kept one.
    """
    spreads = tracks.variances[:, POSITION].sum(axis=1)
    sources = np.arange(len(tracks))
    sources[kept] = np.where(spreads[kept] <= spreads[copies], kept, copies)
    older, younger = tracks[kept], tracks[copies]
    merged = replace(
        tracks[sources[kept]],
        ids=older.ids,
        label_votes=older.label_votes + younger.label_votes,
        hits=np.maximum(older.hits, younger.hits),
        first_ns=older.first_ns,
        last_ns=np.maximum(older.last_ns, younger.last_ns),
        missed_s=np.minimum(older.missed_s, younger.missed_s),
        headings_rad=older.headings_rad,
        has_moved=older.has_moved,
        is_moving=older.is_moving,
    )
    return merged, sources


_SAME_POSITION_STD_M: FloatArray = np.array([0.5, 0.3, 0.15])
"""Per group: how far apart the boxes of two cameras put one object besides what the filter knows."""

_MAX_COPY_DISTANCE_M = 8.0


def _best_overlap(projections: ImageProjections, first: IntArray, second: IntArray) -> FloatArray:
    """(K,): the greatest IoU of the two tracks' boxes in any camera."""
    iou = paired_iou(projections.boxes_xyxy_px[first], projections.boxes_xyxy_px[second])
    best: FloatArray = np.where(projections.is_in_front[first] & projections.is_in_front[second], iou, 0.0).max(axis=1)
    return best


def _near_image(projections: ImageProjections, camera: int, size_px: IntArray) -> BoolArray:
    boxes, margin = projections.whole_xyxy_px[:, camera], _NEAR_IMAGE_SHARE * size_px
    near: BoolArray = (
        projections.is_in_front[:, camera]
        & (boxes[:, 2:] > -margin).all(axis=1)
        & (boxes[:, :2] < size_px + margin).all(axis=1)
    )
    return near


def _pairs(
    of_tracks: tuple[GroundTrackState, IntArray],
    boxes_xyxy_px: FloatArray,
    of_observed: tuple[GroundObservations, IntArray],
    settings: GroundSettings,
    *,
    may_part: bool,
) -> tuple[FloatArray, BoolArray, FloatArray]:
    """How well tracks and observations (tables and rows of one camera) fit, whether they may match, and their IoU,
    each (N, M).

    Only the columns that are needed are taken: whole rows are heavy.
    """
    (tracks, rows), (observed, columns) = of_tracks, of_observed
    iou = pairwise_iou(boxes_xyxy_px, observed.boxes_xyxy_px[columns])
    distances = ground_distances(
        tracks.positions[rows],
        tracks.position_covariances[rows],
        observed.positions[columns],
        observed.position_covariances[columns],
    )
    feasible = (iou >= (settings.min_iou if may_part else settings.weak_min_iou)) & (distances <= settings.overlap_gate)
    if may_part:
        feasible |= distances <= settings.gate
    feasible &= tracks.groups[rows, None] == observed.groups[columns]
    similarities = iou + NEARNESS_WEIGHT * np.exp(-np.minimum(distances, 100.0) / 4)
    if settings.appearance_weight > 0:
        cosine = pairwise_cosine(tracks.features[rows], observed.features[columns])
        similarities = similarities + settings.appearance_weight * (1 + cosine) / 2
    return similarities, feasible, iou
