"""Signs that the ground truth lacks objects, or has boxes of objects that no camera sees: notes beside the figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from perception.arrays import IntArray
from perception.evaluation.core.pairs import image_numbers, pairs_of_groups
from perception.evaluation.failures.classify import MatchedDetections
from perception.geometry.boxes import box_areas, intersections_and_unions, paired_iou
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


@dataclass(frozen=True)
class GtDoubts:
    """Of the true boxes of one recording: how many there are, how many seem to lack (``missing_count``) and to be
    hidden, and whether the truth states itself how much can be seen (``knows_visible``)."""

    true_count: int
    missing_count: int
    hidden_count: int
    knows_visible: bool

    @classmethod
    def of(cls, matched: MatchedDetections, tracks: BoxTable) -> GtDoubts:
        """``tracks`` are those of the run that was ``matched``."""
        return cls(
            true_count=len(matched.truth),
            missing_count=_confirmed_count(matched.false_alarms, tracks),
            hidden_count=int(_is_hidden(matched.truth).sum()),
            knows_visible=matched.truth.visible_shares is not None,
        )


def gt_notes(parts: Sequence[GtDoubts]) -> tuple[str, ...]:
    """Sentences on the ground truth of all recordings."""
    true_count, missing, hidden = (
        sum(getattr(part, name) for part in parts) for name in ("true_count", "missing_count", "hidden_count")
    )
    notes = []
    if _is_much(missing, true_count):
        notes.append(
            f"The ground truth seems incomplete: {missing:,} confident false positives (score ≥ {CONFIDENT_SCORE:g}) "
            f"belong to tracks that have at least {CONFIRMED_COUNT} of them; there are {true_count:,} true boxes. "
            "Precision, AP and MOTA may be too low."
        )
    if _is_much(hidden, true_count):
        how = (
            f"show less than {HIDDEN_BELOW:.0%} of their object"
            if all(part.knows_visible for part in parts)
            else f"are covered to more than {1 - HIDDEN_BELOW:.0%} by one nearer object"
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
    _, camera_of = np.unique(tracks.cameras, return_inverse=True)
    owners: list[IntArray] = [np.zeros(0, np.int64)]
    for alarms, rows in pairs_of_groups(*image_numbers(confident, tracks)):
        iou = paired_iou(confident.boxes_xyxy_px[alarms], tracks.boxes_xyxy_px[rows])
        starts = np.flatnonzero(np.diff(alarms, prepend=-1))
        best = np.repeat(np.maximum.reduceat(iou, starts), np.diff(np.append(starts, len(alarms))))
        is_owner = (iou == best) & (iou >= _SAME_IOU)
        _, firsts = np.unique(alarms[is_owner], return_index=True)
        owners.append(rows[is_owner][firsts])
    owner = np.concatenate(owners)
    # In the image an identity is one of its camera.
    identities = np.stack([camera_of.reshape(-1)[owner], tracks.ids[owner]], axis=1)
    _, counts = np.unique(identities, axis=0, return_counts=True)
    return int(counts[counts >= CONFIRMED_COUNT].sum())


def _is_hidden(truth: BoxTable) -> NDArray[np.bool_]:
    """(M,): by the visible share; where it is unknown, by one other box that covers it from nearer by."""
    if truth.visible_shares is not None:
        return np.asarray(truth.visible_shares < HIDDEN_BELOW)
    boxes, covered_px = truth.boxes_xyxy_px.astype(np.float64), np.zeros(len(truth))
    numbers = image_numbers(truth)[0]
    for rows, others in pairs_of_groups(numbers, numbers):
        is_nearer = boxes[others, 3] > boxes[rows, 3]  # what stands nearer ends lower in the picture
        shared, _ = intersections_and_unions(boxes[rows[is_nearer]], boxes[others[is_nearer]])
        np.maximum.at(covered_px, rows[is_nearer], shared)
    return np.asarray(covered_px / np.maximum(box_areas(boxes), 1e-9) > 1 - HIDDEN_BELOW)
