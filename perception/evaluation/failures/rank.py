"""The worst failures of a detector: the most visible misses and the highest-scoring false positives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from perception.arrays import IntArray
from perception.evaluation.core.table_boxes import ImageKey
from perception.evaluation.failures.classify import MatchedDetections
from perception.geometry.boxes import box_areas, paired_iou
from perception.types import BoxTable

SAME_LOCATION_IOU = 0.3
"""False positives in nearby frames that overlap by so much are one thing, shown once."""

NEARBY_FRAMES = 30
"""How many frames of the recording two of them may lie apart: one to three seconds."""


@dataclass(frozen=True)
class Failures:
    """The worst ones first: ``misses`` are true objects, ``false_alarms`` detections; and of how many they are."""

    misses: BoxTable
    false_alarms: BoxTable
    miss_count: int
    false_alarm_count: int


def worst_failures(
    matched: MatchedDetections,
    *,
    count: int,
    ids_span_cameras: bool = False,
    sites: Mapping[ImageKey, str | None] | None = None,
) -> Failures:
    """At most ``count`` misses, each object once, and ``count`` false positives, each location once.

    ``ids_span_cameras``: an id means the same object in all cameras, else it belongs to one. ``sites`` is given for
    single images, which do not follow one another in time: those of one site show the same view, None is a view of its
    own.
    """
    misses = matched.truth[~matched.is_found]
    return Failures(
        misses=worst_misses(misses, ids_span_cameras=ids_span_cameras)[:count],
        false_alarms=worst_false_alarms(matched.false_alarms, sites=sites)[:count],
        miss_count=len(misses),
        false_alarm_count=len(matched.false_alarms),
    )


def worst_misses(misses: BoxTable, *, ids_span_cameras: bool) -> BoxTable:
    """Missed objects by how easy they were to see, the visible area of the box; of each object the easiest."""
    ease = box_areas(misses.boxes_xyxy_px)
    if misses.visible_shares is not None:
        ease = ease * misses.visible_shares
    cameras = np.zeros(len(misses), np.int64) if ids_span_cameras else _numbers(misses.cameras)
    return _best_of_each(misses, ease, np.stack([cameras, misses.ids], axis=1))


def worst_false_alarms(false_alarms: BoxTable, *, sites: Mapping[ImageKey, str | None] | None = None) -> BoxTable:
    """False positives by their score; of each position the highest-scoring.

    A location is a chain of false positives of one camera, each of which overlaps the next one and is at most
    ``NEARBY_FRAMES`` away from it: so it may wander with what it is on. In single images of the same of ``sites`` it
    is a chain of those that overlap.
    """
    locations = _chains(false_alarms if sites is None else _as_one_frame(false_alarms, sites))
    return _best_of_each(false_alarms, false_alarms.scores.astype(np.float64), locations[:, None])


def _as_one_frame(table: BoxTable, sites: Mapping[ImageKey, str | None]) -> BoxTable:
    """The boxes of all images of a site as if they were in one image."""
    keys = zip(table.cameras.tolist(), table.frame_indices.tolist(), strict=True)
    views = [f"site {sites[key]}" if sites.get(key) else f"image {key}" for key in keys]
    return replace(table, cameras=np.array(views, np.str_), frame_indices=np.zeros(len(table), np.int64))


def _best_of_each(table: BoxTable, worth: NDArray[np.float64], keys: IntArray) -> BoxTable:
    """The rows of ``table`` (M,) by falling ``worth`` (M,), of equal ``keys`` (M, K) only the first."""
    if not len(table):
        return table
    order = np.argsort(-worth, kind="stable")
    firsts = np.unique(keys[order], axis=0, return_index=True)[1]
    return table[order[np.sort(firsts)]]


def _chains(table: BoxTable) -> NDArray[np.int64]:
    """(M,) the number of the chain that each box belongs to."""
    if not len(table):
        return np.zeros(0, np.int64)
    pairs = _nearby_pairs(table)
    iou = paired_iou(table.boxes_xyxy_px[pairs[:, 0]], table.boxes_xyxy_px[pairs[:, 1]])
    linked = pairs[iou >= SAME_LOCATION_IOU]
    graph = coo_array((np.ones(len(linked), bool), (linked[:, 0], linked[:, 1])), shape=(len(table), len(table)))
    chains: NDArray[np.int64] = connected_components(graph, directed=False)[1].astype(np.int64)
    return chains


def _nearby_pairs(table: BoxTable) -> NDArray[np.int64]:
    """(P, 2) rows of each two boxes of one camera in the same frame or in frames that are near in time."""
    cameras = _numbers(table.cameras)
    span = int(table.frame_indices.max()) + NEARBY_FRAMES + 1
    moments = cameras * span + table.frame_indices
    order = np.argsort(moments, kind="stable")
    ordered = moments[order]
    # Of each box, those that follow it in the order and are not too late.
    after = np.arange(1, len(order) + 1)
    counts = np.searchsorted(ordered, ordered + NEARBY_FRAMES, side="right") - after
    offsets = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.stack([np.repeat(order, counts), order[np.repeat(after, counts) + offsets]], axis=1)


def _numbers(names: NDArray[np.str_]) -> NDArray[np.int64]:
    """(M,) an integer for each name."""
    return np.unique(names, return_inverse=True)[1].reshape(-1).astype(np.int64)
