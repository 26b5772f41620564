"""Weighted boxes fusion (Solovyev et al. 2019): what several detectors found in one image, as one box per object."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from perception.arrays import FloatArray, IntArray
from perception.geometry.boxes import pairwise_iou
from perception.taxonomy import CLASSES, PEDESTRIAN_LABEL, TWO_WHEELED_LABELS, VEHICLE_LABELS
from perception.types import Detections

MIN_IOU = 0.55
"""From this overlap on two boxes are of one object, as in the paper."""

GROUPS: tuple[tuple[int, ...], ...] = (VEHICLE_LABELS, TWO_WHEELED_LABELS, (PEDESTRIAN_LABEL,))
"""Labels that detectors confuse with one another: boxes of one group are fused, and vote for the class."""


class FusedBoxes(NamedTuple):
    """Objects by falling score: ``boxes_xyxy_px`` (n, 4), ``scores`` (n,) in 0..1, ``labels`` (n,)."""

    boxes_xyxy_px: FloatArray
    scores: FloatArray
    labels: IntArray


def fuse_boxes(found: Sequence[Detections], known_labels: NDArray[np.bool_], *, min_iou: float = MIN_IOU) -> FusedBoxes:
    """The boxes of D detectors for one image, which know the classes ``known_labels`` (D, C).

    In the order of their scores, each box joins the object that it overlaps most, of those that its detector has given
    no box yet; where it overlaps only others it is dropped. An object's box is the mean of its boxes, weighted by their
    scores. Its class has the highest sum of scores. Its score is the mean over all detectors that know this class,
    those that missed it included: what one of many saw scores low.
    """
    detectors = np.repeat(np.arange(len(found)), [len(one) for one in found])
    boxes = np.concatenate([np.zeros((0, 4)), *(one.boxes_xyxy_px for one in found)])
    scores = np.concatenate([np.zeros(0), *(one.scores for one in found)])
    labels = np.concatenate([np.zeros(0, np.int64), *(one.labels for one in found)])
    parts = []
    for group in GROUPS:
        rows = np.flatnonzero(np.isin(labels, group) & (scores > 0))
        rows = rows[np.argsort(-scores[rows], kind="stable")]
        parts.append(_fuse_group(boxes[rows], scores[rows], labels[rows], detectors[rows], known_labels, min_iou))
    together = [np.concatenate(values) for values in zip(*parts, strict=True)]
    order = np.argsort(-together[1], kind="stable")
    return FusedBoxes(*(values[order] for values in together))


def _fuse_group(
    boxes: FloatArray,
    scores: FloatArray,
    labels: IntArray,
    detectors: IntArray,
    known_labels: NDArray[np.bool_],
    min_iou: float,
) -> FusedBoxes:
    """Boxes (n, 4) by falling score, each of one of the ``detectors``."""
    count = 0
    fused, box_sums = np.zeros((len(boxes), 4)), np.zeros((len(boxes), 4))
    votes = np.zeros((len(boxes), len(CLASSES)))
    has_voted = np.zeros((len(boxes), len(known_labels)), bool)
    for box, score, label, detector in zip(boxes, scores.tolist(), labels.tolist(), detectors.tolist(), strict=True):
        overlap = pairwise_iou(box[None], fused[:count])[0]
        is_near = overlap >= min_iou
        is_free = is_near & ~has_voted[:count, detector]
        if is_free.any():
            at = int(np.where(is_free, overlap, -1).argmax())
        elif is_near.any():
            continue
        else:
            at, count = count, count + 1
        votes[at, label] += score
        has_voted[at, detector] = True
        box_sums[at] += score * box
        fused[at] = box_sums[at] / votes[at].sum()
    best = votes[:count].argmax(axis=1)
    # A detector that calls the object another class of the group has voted, whether it knows this one or not.
    electorate = (known_labels[:, best].T | has_voted[:count]).sum(axis=1)
    return FusedBoxes(fused[:count], votes[:count].sum(axis=1) / np.maximum(electorate, 1), best)
