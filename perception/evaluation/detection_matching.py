"""Which detections found an object at IoU 0.5, given out one by one as COCO does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from perception.evaluation.boxes import ImageKey, Prepared, box_iou, counts_in_image, heights_px, rows_by_image

IOU_THRESHOLD = 0.5
"""The overlap from which precision and recall count an object as found."""


@dataclass(frozen=True)
class Matches:
    """Detections of one class: (D,) scores, hits, and those that count neither way; ``truth_count`` to be found."""

    scores: NDArray[np.float64]
    is_hit: NDArray[np.bool_]
    is_ignored: NDArray[np.bool_]
    truth_count: int
    ignored_truth_count: int
    image_count: int


def match_class(
    data: Prepared, label: int, incomplete: frozenset[ImageKey], *, min_height_px: float, min_visible_share: float
) -> Matches:
    """Give each detection of one class the best free object at IoU 0.5, the highest scores first, as COCO does."""
    truth, results = data.truth[data.truth.labels == label], data.results[data.results.labels == label]
    left_out = ~counts_in_image(truth, min_height_px=min_height_px, min_visible_share=min_visible_share)
    is_hit, fits_ignored = np.zeros(len(results), bool), np.zeros(len(results), bool)
    truth_rows = rows_by_image(truth)
    for key, rows in rows_by_image(results).items():
        if key in truth_rows:
            objects = truth_rows[key]
            ranked = rows[np.argsort(-results.scores[rows], kind="stable")]
            iou = box_iou(results.boxes_xyxy_px[ranked], truth.boxes_xyxy_px[objects])
            is_hit[ranked], fits_ignored[ranked] = _match_image(iou, left_out[objects])
    in_incomplete = np.fromiter(
        (key in incomplete for key in zip(results.cameras.tolist(), results.frame_indices.tolist(), strict=True)),
        bool,
        count=len(results),
    )
    return Matches(
        scores=results.scores.astype(np.float64),
        is_hit=is_hit,
        is_ignored=fits_ignored | (~is_hit & (in_incomplete | (heights_px(results.boxes_xyxy_px) < min_height_px))),
        truth_count=int((~left_out).sum()),
        ignored_truth_count=int(left_out.sum()),
        image_count=len(data.images - incomplete),
    )


def _match_image(
    iou: NDArray[np.float64], is_ignored: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """For ranked detections (D, G): which hit an object, which fit only an ignored one; each (D,)."""
    free_iou = iou.copy()
    is_hit, fits_ignored = np.zeros(len(iou), bool), np.zeros(len(iou), bool)
    # The order matters: what a better detection took is gone for the next.
    for rank in np.flatnonzero((iou >= IOU_THRESHOLD).any(axis=1)):
        for wanted, found in ((~is_ignored, is_hit), (is_ignored, fits_ignored)):
            overlaps = np.where(wanted, free_iou[rank], -1.0)
            best = int(overlaps.argmax())
            if overlaps[best] >= IOU_THRESHOLD:
                found[rank] = True
                free_iou[:, best] = -1.0
                break
    return is_hit, fits_ignored
