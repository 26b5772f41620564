"""Which detection belongs to which track of an image, and which tracks are one object.

Two stages after ByteTrack (Zhang et al. 2022, https://arxiv.org/abs/2110.06864): strong detections choose among all
tracks, weak ones among those that are left. Overlap decides. Where frames lie so far apart that an object leaves its
own box, a strong detection may also match by its Mahalanobis distance from the prediction.
"""

from __future__ import annotations

import numpy as np

from perception.arrays import FloatArray
from perception.geometry.boxes import pairwise_iou, xyxy_from_cxcywh
from perception.state_layout import MEASUREMENT_SIZE, RATES
from perception.tracking.common.association import NEARNESS_WEIGHT, BoolArray, TrackMatches, assign, pairwise_cosine
from perception.tracking.common.track_state import TrackState
from perception.tracking.image.box_filter import squared_mahalanobis
from perception.tracking.image.observations import ImageObservations
from perception.tracking.image.settings import TrackerSettings


def associate(tracks: TrackState, observed: ImageObservations, settings: TrackerSettings) -> TrackMatches:
    """Match the tracks, predicted to now, with the observations of now; never across cameras or groups of labels."""
    is_strong = observed.scores >= settings.strong_score
    track_is_free = np.ones(len(tracks), dtype=bool)
    track_parts, observation_parts = [np.zeros(0, np.intp)], [np.zeros(0, np.intp)]
    for in_stage in (is_strong, ~is_strong):
        for camera in np.unique(observed.cameras[in_stage]):
            track_indices = np.flatnonzero(track_is_free & (tracks.cameras == camera))
            observation_indices = np.flatnonzero(in_stage & (observed.cameras == camera))
            similarities, feasible = _pairs(
                tracks[track_indices], observed[observation_indices], settings, strong=in_stage is is_strong
            )
            rows, columns = assign(similarities, feasible)
            track_parts.append(track_indices[rows])
            observation_parts.append(observation_indices[columns])
            track_is_free[track_indices[rows]] = False
    return TrackMatches(np.concatenate(track_parts), np.concatenate(observation_parts))


def _pairs(
    tracks: TrackState, observed: ImageObservations, settings: TrackerSettings, *, strong: bool
) -> tuple[FloatArray, BoolArray]:
    """How well each track and observation of one camera fit (N, M > 0), and whether they may match at all (N, M)."""
    iou = pairwise_iou(xyxy_from_cxcywh(tracks.boxes_cxcywh), observed.boxes_xyxy)
    distances = squared_mahalanobis(tracks.means, tracks.covariances, observed.boxes_cxcywh, observed.stds)
    feasible = iou >= (settings.min_iou if strong else settings.weak_min_iou)
    if strong:
        feasible |= distances <= settings.gate
    feasible &= tracks.groups[:, None] == observed.groups[None]
    # A pair far outside the gate keeps a trace of nearness, for a similarity of zero means "not matched".
    nearness = np.exp(-np.minimum(distances, 100.0) / (2 * MEASUREMENT_SIZE))
    similarities = iou + NEARNESS_WEIGHT * nearness
    if settings.appearance_weight > 0:
        cosine = pairwise_cosine(tracks.features, observed.features)
        similarities = similarities + settings.appearance_weight * (1 + cosine) / 2
    return similarities, feasible


def overlaps_any(observed: ImageObservations, tracks: TrackState, min_iou: float) -> BoolArray:
    """Whether each observation (M,) overlaps a track of its camera and group by more than ``min_iou``."""
    iou = pairwise_iou(observed.boxes_xyxy, xyxy_from_cxcywh(tracks.boxes_cxcywh))
    same = (observed.cameras[:, None] == tracks.cameras[None]) & (observed.groups[:, None] == tracks.groups[None])
    overlaps: BoolArray = (same & (iou > min_iou)).any(axis=1)
    return overlaps


def duplicates(tracks: TrackState, timestamp_ns: int, settings: TrackerSettings) -> BoolArray:
    """Whether each track (N,) is a copy of another one that is seen now, or else older.

    A copy overlaps by more than ``duplicate_iou`` and its rates agree; without the rates an object that passes behind
    another one would be taken for it.
    """
    boxes = xyxy_from_cxcywh(tracks.boxes_cxcywh)
    overlap = np.triu(pairwise_iou(boxes, boxes) > settings.duplicate_iou, k=1)
    first, second = np.nonzero(overlap)
    rates = tracks.rates
    variances = tracks.variances[:, RATES]
    distances = np.square(rates[first] - rates[second]) / (variances[first] + variances[second])
    alike = (
        (tracks.cameras[first] == tracks.cameras[second])
        & (tracks.groups[first] == tracks.groups[second])
        & (distances.sum(axis=1) <= settings.gate)
    )
    first, second = first[alike], second[alike]
    is_unseen = (tracks.last_ns < timestamp_ns).astype(np.int64)
    # The later in this order goes: unseen before seen, then unconfirmed, then young, then the lower score.
    rank = np.empty(len(tracks), np.int64)
    rank[np.lexsort((-tracks.scores, tracks.first_ns, ~tracks.is_confirmed, is_unseen))] = np.arange(len(tracks))
    copies = np.zeros(len(tracks), dtype=bool)
    copies[np.where(rank[first] > rank[second], first, second)] = True
    return copies
