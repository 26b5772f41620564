"""Which detections found an object at IoU 0.5, given out one by one as COCO does."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from perception.evaluation.core.ignored_regions import lies_inside, with_ignored_objects
from perception.evaluation.core.table_boxes import (
    ANY_NAME,
    VEHICLE_NAME,
    ImageKey,
    Prepared,
    counts_in_image,
    heights_px,
    rows_by_image,
)
from perception.geometry.boxes import pairwise_iou
from perception.taxonomy import CLASSES, VEHICLE_LABELS

IOU_THRESHOLD = 0.5
"""The overlap from which precision and recall count an object as found."""


@dataclass(frozen=True)
class ClassMatches:
    """Detections of one class: (D,) ``rows`` of the results, scores, hits, and those that are ignored.

    ``truth_rows`` (T,) are the objects that are to be found, ``found_scores`` (T,) those of the detections that found
    them, -inf for an object that none found.
    """

    rows: NDArray[np.int64]
    scores: NDArray[np.float64]
    is_hit: NDArray[np.bool_]
    is_ignored: NDArray[np.bool_]
    truth_rows: NDArray[np.int64]
    found_scores: NDArray[np.float64]
    ignored_truth_count: int
    image_count: int

    @property
    def truth_count(self) -> int:
        """How many objects are to be found."""
        return len(self.truth_rows)


def incomplete_images(
    data: Prepared, exhaustive_labels: Mapping[ImageKey, Collection[int]] | None
) -> list[frozenset[ImageKey]]:
    """For each class of ``data`` the images in which not all of its objects are labelled.

    ``exhaustive_labels`` names the labels that are complete in an image; without an entry all are.
    """
    partial = {key: frozenset(labels) for key, labels in (exhaustive_labels or {}).items() if key in data.images}
    everything = tuple(range(len(CLASSES)))
    as_one = {VEHICLE_NAME: VEHICLE_LABELS, ANY_NAME: everything}
    originals = [as_one.get(name, (label,)) for label, name in enumerate(data.class_names)]
    return [frozenset(key for key, labels in partial.items() if not labels.issuperset(wanted)) for wanted in originals]


def match_class(
    data: Prepared, label: int, incomplete: frozenset[ImageKey], *, min_height_px: float, min_visible_share: float
) -> ClassMatches:
    """Give each detection of one class the best free object at IoU 0.5, the highest scores first, as COCO does.

    What finds none and lies in a region to ignore is ignored.
    """
    true_rows, result_rows = np.flatnonzero(data.truth.labels == label), np.flatnonzero(data.results.labels == label)
    truth, results = data.truth[true_rows], data.results[result_rows]
    left_out = ~counts_in_image(truth, min_height_px=min_height_px, min_visible_share=min_visible_share)
    ignored = data.ignored_of(label)
    candidates = with_ignored_objects(truth, ignored)
    is_unwanted = np.r_[left_out, np.ones(len(candidates) - len(truth), bool)]
    taken = np.full(len(results), -1)
    rows_of_truth = rows_by_image(candidates)
    for key, rows in rows_by_image(results).items():
        if key in rows_of_truth:
            objects = rows_of_truth[key]
            ranked = rows[np.argsort(-results.scores[rows], kind="stable")]
            iou = pairwise_iou(results.boxes_xyxy_px[ranked], candidates.boxes_xyxy_px[objects])
            taken[ranked] = np.r_[objects, -1][_match_image(iou, is_unwanted[objects])]
    # The last entry is for the detections that took none.
    fits_ignored = np.r_[is_unwanted, False][taken]
    is_hit = (taken >= 0) & ~fits_ignored
    found_scores = np.full(len(truth), -np.inf)
    found_scores[taken[is_hit]] = results.scores[is_hit]
    in_incomplete = np.fromiter(
        (key in incomplete for key in zip(results.cameras.tolist(), results.frame_indices.tolist(), strict=True)),
        bool,
        count=len(results),
    )
    is_low = heights_px(results.boxes_xyxy_px) < min_height_px
    return ClassMatches(
        rows=result_rows,
        scores=results.scores.astype(np.float64),
        is_hit=is_hit,
        is_ignored=fits_ignored | (~is_hit & (in_incomplete | is_low | lies_inside(results, ignored))),
        truth_rows=true_rows[~left_out],
        found_scores=found_scores[~left_out],
        ignored_truth_count=int(left_out.sum()),
        image_count=len(data.images - incomplete),
    )


def _match_image(iou: NDArray[np.float64], is_ignored: NDArray[np.bool_]) -> NDArray[np.int64]:
    """(D,): the object that each of the ranked detections (D, G) takes, -1 for none; ignored ones as a last resort."""
    free_iou = iou.copy()
    taken = np.full(len(iou), -1)
    # The order matters: what a better detection took is gone for the next.
    for rank in np.flatnonzero((iou >= IOU_THRESHOLD).any(axis=1)):
        for wanted in (~is_ignored, is_ignored):
            overlaps = np.where(wanted, free_iou[rank], -1.0)
            best = int(overlaps.argmax())
            if overlaps[best] >= IOU_THRESHOLD:
                taken[rank] = best
                free_iou[:, best] = -1.0
                break
    return taken
