"""Detection quality: COCO's average precision, and what a user sees at one score threshold.

Average precision and recall come from faster-coco-eval (Lin et al., "Microsoft COCO: Common Objects in Context", 2014).
Images whose labels are not complete for a class follow LVIS (Gupta et al., 2019): there a detection that fits a
labelled object counts, any other is ignored, since whether it is wrong is unknown.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from faster_coco_eval import COCO, COCOeval_faster
from numpy.typing import NDArray

from perception.errors import UsageError
from perception.evaluation.core.table_boxes import (
    LARGEST_HEIGHT_PX,
    Grouping,
    ImageKey,
    Prepared,
    check_thresholds,
    counts_in_image,
    image_keys,
    prepare,
    ratio,
)
from perception.evaluation.detection.matching import ClassMatches, incomplete_images, match_class
from perception.types import ANY_LABEL, BoxTable, IgnoredRegions

MAX_DETECTIONS_PER_IMAGE = 100
"""COCO's limit per image and class for average precision."""

FALSE_ALARMS_PER_IMAGE = 0.5
"""The rate of false positives at which ``recall_at_half_false_alarm`` is read."""

_IOU_50, _IOU_75 = 0, 5
"""Where these thresholds stand among COCO's ten."""

_OUTSIDE_PX = -1.0
"""A height that lies in no size range, so that COCO ignores the object."""


@dataclass(frozen=True)
class DetectionScores:
    """Scores in 0..1, None where they are not defined.

    ``ap`` is the mean over IoU 0.50:0.95, ``ap50`` that at 0.5, ``ar`` the recall averaged over 0.50:0.95 with at most
    100 detections per image and class. ``precision`` and ``recall`` hold at the report's score threshold and IoU 0.5,
    as do ``*_positive_count`` and ``false_negative_count``. ``recall_at_half_false_alarm`` is the recall at the lowest
    score threshold that gives at most 0.5 false positives per image. ``image_count`` are the images in which a
    detection of the class can be a false positive; where classes differ in that, they have no common recall at a rate.
    """

    ap: float | None
    ap50: float | None
    ar: float | None
    precision: float | None
    recall: float | None
    recall_at_half_false_alarm: float | None
    true_positive_count: int
    false_positive_count: int
    false_negative_count: int
    truth_count: int
    ignored_truth_count: int
    detection_count: int
    ignored_detection_count: int
    image_count: int


@dataclass(frozen=True)
class PrecisionRecallCurve:
    """COCO's interpolated precision at recall 0, 0.01 ... 1 (101,), at IoU 0.5 and 0.75; the mean is the AP there.

    ``recall`` and ``precision`` are those at the report's score threshold, None where they are not defined.
    """

    precision_50: tuple[float, ...]
    precision_75: tuple[float, ...]
    recall: float | None = None
    precision: float | None = None


@dataclass(frozen=True)
class DetectionReport:
    """``per_class`` has the classes that occur. ``overall``: AP and AR as means over the classes that the truth has,
    the rest over all objects together. ``curves`` has the classes that the truth has."""

    grouping: Grouping
    overall: DetectionScores
    per_class: dict[str, DetectionScores]
    score_threshold: float
    min_height_px: float
    min_visible_share: float
    image_count: int
    partly_labelled_image_count: int
    outside_truth_count: int
    outside_detection_count: int
    other_class_truth_count: int
    other_class_detection_count: int
    curves: dict[str, PrecisionRecallCurve] = field(default_factory=dict)


def evaluate_detection(
    *,
    truth: BoxTable,
    detections: BoxTable,
    grouping: Grouping = "each",
    score_threshold: float = 0.5,
    min_height_px: float = 0.0,
    min_visible_share: float = 0.0,
    exhaustive_labels: Mapping[ImageKey, Collection[int]] | None = None,
    ignored: IgnoredRegions | None = None,
    images: Collection[ImageKey] | None = None,
) -> DetectionReport:
    """Compare ``detections`` (ids are not looked at) with ``truth``.

    ``grouping="vehicles"`` makes car, truck and bus one class and leaves everything else out. Objects shorter than
    ``min_height_px`` are ignored as COCO ignores those outside a size range: missing one is no miss, and neither a
    detection that fits one nor one that is itself too low is a false positive. Objects of which less than
    ``min_visible_share`` can be seen are ignored too, where the truth knows it. ``exhaustive_labels`` names for images
    that are labelled in part the classes that are labelled completely; an image not in it is complete.
    What lies in a region of ``ignored`` and finds no object is left out, as COCO leaves out what lies in a crowd.
    ``images`` are those that the truth speaks of; by default all in which either table has a box or
    ``exhaustive_labels`` has an entry.

    Raises ``UsageError`` for an empty truth without ``images``, a camera that the truth does not know, a threshold or
    share outside 0..1 or a negative height.
    """
    if not 0.0 <= score_threshold <= 1.0:
        raise UsageError(f"The score threshold is {score_threshold}: choose a number from 0 to 1.")
    check_thresholds(min_height_px=min_height_px, min_visible_share=min_visible_share)
    if images is None and exhaustive_labels:
        images = image_keys(truth) | image_keys(detections) | set(exhaustive_labels)
    data = prepare(truth=truth, results=detections, images=images, grouping=grouping, ignored=ignored)
    incomplete = incomplete_images(data, exhaustive_labels)
    coco = _coco_results(data, incomplete, min_height_px, min_visible_share)
    averages = [result.averages for result in coco]
    per_class: dict[str, DetectionScores] = {}
    all_matches: list[ClassMatches] = []
    for label, name in enumerate(data.class_names):
        if label in data.truth.labels or label in data.results.labels:
            matches = match_class(
                data, label, incomplete[label], min_height_px=min_height_px, min_visible_share=min_visible_share
            )
            all_matches.append(matches)
            per_class[name] = _scores([matches], averages[label], score_threshold, len(data.images))
    return DetectionReport(
        grouping=grouping,
        overall=_scores(all_matches, _mean_over_classes(averages), score_threshold, len(data.images)),
        per_class=per_class,
        score_threshold=score_threshold,
        min_height_px=min_height_px,
        min_visible_share=min_visible_share,
        image_count=len(data.images),
        partly_labelled_image_count=len(frozenset().union(*incomplete)),
        outside_truth_count=data.outside_truth_count,
        outside_detection_count=data.outside_result_count,
        other_class_truth_count=data.other_class_truth_count,
        other_class_detection_count=data.other_class_result_count,
        curves={
            name: replace(result.curve, recall=per_class[name].recall, precision=per_class[name].precision)
            for name, result in zip(data.class_names, coco, strict=True)
            if result.curve is not None
        },
    )


_Averages = tuple[float | None, float | None, float | None]


@dataclass(frozen=True)
class _CocoResult:
    """AP, AP50 and AR of a class, and its curve; None for a class without an object to find."""

    averages: _Averages = (None, None, None)
    curve: PrecisionRecallCurve | None = None


def _mean_over_classes(averages: list[_Averages]) -> _Averages:
    present = np.array([values for values in averages if None not in values], np.float64).reshape(-1, 3)
    if len(present) == 0:
        return None, None, None
    ap, ap50, ar = present.mean(axis=0).tolist()
    return ap, ap50, ar


def _coco_results(
    data: Prepared, incomplete: list[frozenset[ImageKey]], min_height_px: float, min_visible_share: float
) -> list[_CocoResult]:
    """What COCO's evaluation says of each class."""
    ids = {key: index for index, key in enumerate(sorted(data.images), start=1)}
    frame = {
        "images": [{"id": index, "width": 0, "height": 0} for index in ids.values()],
        "categories": [{"id": label, "name": name} for label, name in enumerate(data.class_names)],
    }
    if not ids:
        return [_CocoResult()] * len(data.class_names)
    marks = [
        {"score": float(score), "lvis_mark": (str(camera), int(index)) in incomplete[label]}
        for score, camera, index, label in zip(
            data.results.scores, data.results.cameras, data.results.frame_indices, data.results.labels, strict=True
        )
    ]
    counts = counts_in_image(data.truth, min_height_px=min_height_px, min_visible_share=min_visible_share)
    truth = [
        annotation if is_counted else {**annotation, "area": _OUTSIDE_PX}
        for annotation, is_counted in zip(_annotations(data.truth, ids), counts.tolist(), strict=True)
    ]
    truth += _ignored_annotations(data, ids)
    evaluation = COCOeval_faster(
        COCO({**frame, "annotations": truth}),
        COCO({**frame, "annotations": _annotations(data.results, ids, marks)}),
        "bbox",
        print_function=_say_nothing,
    )
    evaluation.params.areaRng = [[min_height_px, LARGEST_HEIGHT_PX]]
    evaluation.params.areaRngLbl = ["all"]
    evaluation.params.maxDets = [MAX_DETECTIONS_PER_IMAGE]
    evaluation.evaluate()
    evaluation.accumulate()
    precision = evaluation.eval["precision"][:, :, :, 0, 0]  # (10 thresholds, 101 recalls, classes)
    recall = evaluation.eval["recall"][:, :, 0, 0]  # (10 thresholds, classes)
    return [
        _CocoResult(
            averages=(
                float(precision[:, :, label].mean()),
                float(precision[0, :, label].mean()),
                float(recall[:, label].mean()),
            ),
            curve=PrecisionRecallCurve(
                precision_50=tuple(np.round(precision[_IOU_50, :, label], 6).tolist()),
                precision_75=tuple(np.round(precision[_IOU_75, :, label], 6).tolist()),
            ),
        )
        if recall[0, label] >= 0
        else _CocoResult()
        for label in range(len(data.class_names))
    ]


def _ignored_annotations(data: Prepared, ids: dict[ImageKey, int]) -> list[dict[str, Any]]:
    """The regions to ignore, each once for every class that it holds for; ids follow those of the truth."""
    known = range(len(data.class_names))
    rows = [
        (row, label)
        for row, own in enumerate(data.ignored.labels.tolist())
        for label in (known if own == ANY_LABEL else (own,))
    ]
    regions = data.ignored[np.array([row for row, _ in rows], np.int64)]
    as_boxes = BoxTable(
        frame_indices=regions.frame_indices,
        ids=np.arange(len(rows)),
        labels=np.array([label for _, label in rows], np.int64),
        scores=np.ones(len(rows)),
        boxes_xyxy_px=regions.boxes_xyxy_px,
        cameras=regions.cameras,
    )
    return [
        {**annotation, "id": len(data.truth) + number, "area": _OUTSIDE_PX, "iscrowd": int(not is_object)}
        for number, (annotation, is_object) in enumerate(
            zip(_annotations(as_boxes, ids), regions.is_object.tolist(), strict=True), start=1
        )
    ]


def _annotations(
    table: BoxTable, ids: dict[ImageKey, int], marks: list[dict[str, Any]] | None = None
) -> list[dict[str, Any]]:
    """COCO annotations whose ``area`` is the height: so COCO's size range is one of heights."""
    left_top = table.boxes_xyxy_px[:, :2].astype(np.float64)
    size = table.boxes_xyxy_px[:, 2:].astype(np.float64) - left_top
    rows = zip(table.cameras.tolist(), table.frame_indices.tolist(), table.labels.tolist(), strict=True)
    return [
        {
            "id": row,
            "image_id": ids[camera, frame],
            "category_id": label,
            "bbox": [*left_top[row - 1].tolist(), *size[row - 1].tolist()],
            "area": float(size[row - 1, 1]),
            "iscrowd": 0,
            **(marks[row - 1] if marks is not None else {}),
        }
        for row, (camera, frame, label) in enumerate(rows, start=1)
    ]


def _say_nothing(*_: object) -> None:
    return None


def _scores(
    matches: list[ClassMatches], averages: _Averages, score_threshold: float, image_count: int
) -> DetectionScores:
    """Put the matches of one or several classes together."""
    counts = [~part.is_ignored for part in matches]
    scores = np.concatenate([np.zeros(0), *(part.scores[keep] for part, keep in zip(matches, counts, strict=True))])
    is_hit = np.concatenate(
        [np.zeros(0, bool), *(part.is_hit[keep] for part, keep in zip(matches, counts, strict=True))]
    )
    truth_count = sum(part.truth_count for part in matches)
    rates = {part.image_count for part in matches} or {image_count}
    accepted = scores >= score_threshold
    hits = int(is_hit[accepted].sum())
    ap, ap50, ar = averages
    return DetectionScores(
        ap=ap,
        ap50=ap50,
        ar=ar,
        precision=ratio(hits, int(accepted.sum())),
        recall=ratio(hits, truth_count),
        recall_at_half_false_alarm=_recall_at_false_alarms(scores, is_hit, truth_count, min(rates))
        # Classes that are complete in different images have no common rate of false positives.
        if len(rates) == 1
        else None,
        true_positive_count=hits,
        false_positive_count=int(accepted.sum()) - hits,
        false_negative_count=truth_count - hits,
        truth_count=truth_count,
        ignored_truth_count=sum(part.ignored_truth_count for part in matches),
        detection_count=sum(len(part.scores) for part in matches),
        ignored_detection_count=sum(int(part.is_ignored.sum()) for part in matches),
        image_count=max(rates),
    )


def _recall_at_false_alarms(
    scores: NDArray[np.float64], is_hit: NDArray[np.bool_], truth_count: int, image_count: int
) -> float | None:
    if truth_count == 0 or image_count == 0:
        return None
    order = np.argsort(-scores, kind="stable")
    ranked_scores = scores[order]
    hits, false_alarms = np.cumsum(is_hit[order]), np.cumsum(~is_hit[order])
    # A threshold takes all detections of the same score or none.
    is_threshold = np.r_[ranked_scores[1:] != ranked_scores[:-1], True][: len(scores)]
    allowed = is_threshold & (false_alarms <= FALSE_ALARMS_PER_IMAGE * image_count)
    return float(hits[allowed].max(initial=0) / truth_count)
