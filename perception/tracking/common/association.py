"""Which detection belongs to which track, and which tracks are one object.

Two stages after ByteTrack (Zhang et al. 2022, https://arxiv.org/abs/2110.06864): strong detections choose among all
tracks, weak ones among those that are left. Overlap decides. Where frames lie so far apart that an object leaves its
own box, a strong detection may also match by its Mahalanobis distance from the prediction.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from perception.arrays import FloatArray, IntArray
from perception.geometry.boxes import pairwise_iou, xyxy_from_cxcywh
from perception.tracking.common.kalman import MEASUREMENT_SIZE, squared_mahalanobis
from perception.tracking.common.settings import TrackerSettings
from perception.tracking.common.track_state import Observations, TrackMemory

BoolArray = NDArray[np.bool_]

NEARNESS_WEIGHT = 0.1
"""Nearness orders pairs without overlap; it stays small beside the IoU, which orders the others."""


class Matches(NamedTuple):
    """Indices (K,) of tracks and of the observations that belong to them."""

    tracks: IntArray
    observations: IntArray


def pairwise_cosine(features: FloatArray, others: FloatArray) -> FloatArray:
    """Cosine (N, M) of features (N, F) and (M, F); zero where one has no length."""
    lengths = np.linalg.norm(features, axis=1)[:, None] * np.linalg.norm(others, axis=1)[None]
    products = features.astype(np.float64) @ others.astype(np.float64).T
    cosine: FloatArray = np.divide(products, lengths, out=np.zeros_like(products), where=lengths > 0)
    return cosine


def assign(similarities: FloatArray, feasible: BoolArray) -> tuple[IntArray, IntArray]:
    """Rows and columns (K,) of the ``feasible`` pairs (N, M) with the greatest sum of ``similarities`` (N, M > 0)."""
    rows, columns = linear_sum_assignment(np.where(feasible, similarities, 0.0), maximize=True)
    kept = feasible[rows, columns]
    return rows[kept], columns[kept]


def associate(tracks: TrackMemory, observed: Observations, settings: TrackerSettings) -> Matches:
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
    return Matches(np.concatenate(track_parts), np.concatenate(observation_parts))


def _pairs(
    tracks: TrackMemory, observed: Observations, settings: TrackerSettings, *, strong: bool
) -> tuple[FloatArray, BoolArray]:
    """How well each track and observation of one camera fit (N, M > 0), and whether they may match at all (N, M)."""
    iou = pairwise_iou(xyxy_from_cxcywh(tracks.means), xyxy_from_cxcywh(observed.boxes_cxcywh))
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


def overlaps_any(observed: Observations, tracks: TrackMemory, min_iou: float) -> BoolArray:
    """Whether each observation (M,) overlaps a track of its camera and group by more than ``min_iou``."""
    iou = pairwise_iou(xyxy_from_cxcywh(observed.boxes_cxcywh), xyxy_from_cxcywh(tracks.means))
    same = (observed.cameras[:, None] == tracks.cameras[None]) & (observed.groups[:, None] == tracks.groups[None])
    overlaps: BoolArray = (same & (iou > min_iou)).any(axis=1)
    return overlaps


def duplicates(tracks: TrackMemory, timestamp_ns: int, settings: TrackerSettings) -> BoolArray:
    """Whether each track (N,) is a copy of another one that is seen now, or else older.

    A copy overlaps by more than ``duplicate_iou`` and its rates agree; without the rates an object that passes behind
    another one would be taken for it.
    """
    boxes = xyxy_from_cxcywh(tracks.means)
    overlap = np.triu(pairwise_iou(boxes, boxes) > settings.duplicate_iou, k=1)
    first, second = np.nonzero(overlap)
    rates = tracks.means[:, MEASUREMENT_SIZE:]
    variances = np.diagonal(tracks.covariances, axis1=1, axis2=2)[:, MEASUREMENT_SIZE:]
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
