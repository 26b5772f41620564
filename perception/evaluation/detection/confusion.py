"""Which class is taken for which: every object beside the detection that overlaps it best, of whatever class."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from perception.arrays import IntArray
from perception.evaluation.core.ignored_regions import lies_inside, with_ignored_objects
from perception.evaluation.core.table_boxes import (
    GroupingChoice,
    ImageKey,
    counts_in_image,
    heights_px,
    prepare,
    rows_by_image,
)
from perception.evaluation.detection.matching import IOU_THRESHOLD, incomplete_images
from perception.geometry.boxes import pairwise_iou
from perception.taxonomy import CLASSES
from perception.types import BoxTable, IgnoredRegions


@dataclass(frozen=True)
class ConfusionMatrix:
    """``counts[t][d]``: objects of the true class t that were detected as class d, at ``score_threshold`` and IoU 0.5.

    Rows and columns are ``class_names``, those that occur; the last row counts detections without an object, the last
    column objects without a detection.
    """

    class_names: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    score_threshold: float


@dataclass(frozen=True)
class ClassPairs:
    """P objects and detections that lie on each other: their rows in ``truth`` and ``detections``, -1 for none."""

    truth: BoxTable
    detections: BoxTable
    truth_rows: IntArray
    detection_rows: IntArray

    def labels(self) -> tuple[IntArray, IntArray]:
        """(P,) the true and the detected class of each pair, ``len(CLASSES)`` for none."""
        none = len(CLASSES)
        true = np.append(self.truth.labels, none)[self.truth_rows]
        found = np.append(self.detections.labels, none)[self.detection_rows]
        return true.astype(np.int64), found.astype(np.int64)


def pair_classes(
    *,
    truth: BoxTable,
    detections: BoxTable,
    images: Collection[ImageKey],
    score_threshold: float,
    min_height_px: float = 0.0,
    min_visible_share: float = 0.0,
    exhaustive_labels: Mapping[ImageKey, Collection[int]] | None = None,
    ignored: IgnoredRegions | None = None,
    grouping: GroupingChoice = "each",
) -> ClassPairs | None:
    """Give each object in ``images`` at most one detection from ``score_threshold`` on, at IoU 0.5.

    A detection of the right class is preferred to one of another, then the overlap decides. What
    ``evaluate_detection`` ignores is left out: objects too low or too hidden with the detections on them, detections
    that are too low, and those without an object in a region of ``ignored`` or where their class is not labelled
    completely. None where ``grouping`` states that classes do not count.
    """
    if grouping == "any":
        return None
    confident = detections[detections.scores >= score_threshold]
    data = prepare(truth=truth, results=confident, images=images, grouping="each", ignored=ignored)
    gt, found = data.truth, data.results
    candidates = with_ignored_objects(gt, data.ignored)
    taken = np.full(len(found), -1)
    rows_of_truth = rows_by_image(candidates)
    for key, rows in rows_by_image(found).items():
        objects = rows_of_truth.get(key)
        if objects is not None:
            iou = pairwise_iou(found.boxes_xyxy_px[rows], candidates.boxes_xyxy_px[objects])
            is_same = found.labels[rows][:, None] == candidates.labels[objects][None, :]
            worth = np.where(iou >= IOU_THRESHOLD, iou + is_same, 0.0)
            given, of = linear_sum_assignment(worth, maximize=True)
            fits = worth[given, of] > 0
            taken[rows[given[fits]]] = objects[of[fits]]
    counts = counts_in_image(gt, min_height_px=min_height_px, min_visible_share=min_visible_share)
    incomplete = incomplete_images(data, exhaustive_labels)
    is_open = np.array(
        [
            (camera, frame) in incomplete[label]
            for camera, frame, label in zip(
                found.cameras.tolist(), found.frame_indices.tolist(), found.labels.tolist(), strict=True
            )
        ],
        bool,
    )
    for label in np.unique(found.labels).tolist():
        own = np.flatnonzero(found.labels == label)
        is_open[own] |= lies_inside(found[own], data.ignored_of(label))
    is_alone = (taken < 0) & ~is_open & (heights_px(found.boxes_xyxy_px) >= min_height_px)
    is_pair = (taken >= 0) & np.r_[counts, np.zeros(len(candidates) - len(gt) + 1, bool)][taken]
    missed = np.setdiff1d(np.flatnonzero(counts), taken)
    shown = np.flatnonzero(is_pair | is_alone)
    return ClassPairs(
        truth=gt,
        detections=found,
        truth_rows=np.concatenate([taken[shown], missed]),
        detection_rows=np.concatenate([shown, np.full(len(missed), -1)]),
    )


def count_confusions(pairs: ClassPairs) -> NDArray[np.int64]:
    """(C + 1, C + 1) over ``CLASSES`` and none: how often a true class was detected as which."""
    true, found = pairs.labels()
    size = len(CLASSES) + 1
    return np.bincount(true * size + found, minlength=size * size).reshape(size, size)


def confusion_matrix(parts: Sequence[NDArray[np.int64]], *, score_threshold: float) -> ConfusionMatrix | None:
    """The sum of ``count_confusions``; classes that occur on neither side are left out. None for a truth without
    classes, which has no ``parts``."""
    if not parts:
        return None
    counts = np.sum(parts, axis=0)
    occurs = (counts.sum(axis=0) + counts.sum(axis=1)) > 0
    occurs[-1] = True
    return ConfusionMatrix(
        class_names=tuple(name for name, is_there in zip(CLASSES, occurs, strict=False) if is_there),
        counts=tuple(map(tuple, counts[np.ix_(occurs, occurs)].tolist())),
        score_threshold=score_threshold,
    )
