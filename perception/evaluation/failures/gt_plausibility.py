"""Signs that the ground truth lacks objects, or has boxes of objects that no camera sees: notes beside the figures."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from perception.arrays import IntArray
from perception.evaluation.core.table_boxes import rows_by_image
from perception.evaluation.failures.classify import MatchedDetections
from perception.geometry.boxes import box_areas, intersections_and_unions, pairwise_iou
from perception.types import BoxTable

CONFIDENT_SCORE = 0.5
"""A detection from this score on is confident; scores are probabilities where a detector is calibrated."""

CONFIRMED_COUNT = 5
"""A track of so many confident false positives is more than a flicker."""

HIDDEN_BELOW = 0.3
"""An object of which less can be seen is hidden."""

_SAME_IOU = 0.7
_LEAST_COUNT = 20
_LEAST_SHARE = 0.05
"""Fewer, or less of the true boxes, are in any ground truth."""


def gt_notes(matched: MatchedDetections, tracks: BoxTable) -> tuple[str, ...]:
    """Sentences on the ground truth of ``matched``; ``tracks`` are those of the same run."""
    true_count = len(matched.truth)
    missing, hidden = _confirmed_count(matched.false_alarms, tracks), int(_is_hidden(matched.truth).sum())
    notes = []
    if _is_much(missing, true_count):
        notes.append(
            f"The ground truth seems incomplete: {missing:,} confident false positives (score ≥ {CONFIDENT_SCORE:g}) "
            f"belong to tracks that have at least {CONFIRMED_COUNT} of them; there are {true_count:,} true boxes. "
            "Precision, AP and MOTA may be too low."
        )
    if _is_much(hidden, true_count):
        how = (
            f"are covered to more than {1 - HIDDEN_BELOW:.0%} by one nearer object"
            if matched.truth.visible_shares is None
            else f"show less than {HIDDEN_BELOW:.0%} of their object"
        )
        notes.append(
            f"The ground truth seems to hold hidden objects: {hidden:,} of {true_count:,} true boxes {how}. "
            "Recall, AP and HOTA may be too low."
        )
    return tuple(notes)


def _is_much(count: int, true_count: int) -> bool:
    return count >= max(_LEAST_COUNT, _LEAST_SHARE * true_count)


def _confirmed_count(false_alarms: BoxTable, tracks: BoxTable) -> int:
    """How many confident false positives are boxes of tracks that have several of them."""
    confident = false_alarms[false_alarms.scores >= CONFIDENT_SCORE]
    owners: list[IntArray] = [np.zeros(0, np.int64)]
    _, camera_of = np.unique(tracks.cameras, return_inverse=True)
    for alarms, rows in _in_same_image(confident, tracks):
        iou = pairwise_iou(confident.boxes_xyxy_px[alarms], tracks.boxes_xyxy_px[rows])
        best = iou.argmax(axis=1)
        is_same = iou[np.arange(len(best)), best] >= _SAME_IOU
        owners.append(rows[best[is_same]])
    owner = np.concatenate(owners)
    # In the image an identity is one of its camera.
    identities = np.stack([camera_of.reshape(-1)[owner], tracks.ids[owner]], axis=1)
    _, counts = np.unique(identities, axis=0, return_counts=True)
    return int(counts[counts >= CONFIRMED_COUNT].sum())


def _in_same_image(first: BoxTable, second: BoxTable) -> Iterator[tuple[IntArray, IntArray]]:
    """The rows of both tables in each image that both have."""
    first_rows, second_rows = rows_by_image(first), rows_by_image(second)
    for key in first_rows.keys() & second_rows.keys():
        yield first_rows[key], second_rows[key]


def _is_hidden(truth: BoxTable) -> NDArray[np.bool_]:
    """(M,): by the visible share; where it is unknown, by one other box that covers it from nearer by."""
    if truth.visible_shares is not None:
        return np.asarray(truth.visible_shares < HIDDEN_BELOW)
    hidden = np.zeros(len(truth), bool)
    for rows in rows_by_image(truth).values():
        boxes = truth.boxes_xyxy_px[rows].astype(np.float64)
        shared, _ = intersections_and_unions(boxes[:, None], boxes[None, :])
        is_nearer = boxes[None, :, 3] > boxes[:, None, 3]  # what stands nearer ends lower in the picture
        covered = np.where(is_nearer, shared, 0.0).max(axis=1) / np.maximum(box_areas(boxes), 1e-9)
        hidden[rows] = covered > 1 - HIDDEN_BELOW
    return hidden
