"""Detection quality: COCO's average precision, and what a user sees at one score threshold.

Average precision and recall are those of Lin et al., "Microsoft COCO: Common Objects in Context", 2014. Images whose
labels are not complete for a class follow LVIS (Gupta et al., 2019): there a detection that fits a labelled object
counts, any other is ignored, since whether it is wrong is unknown. Recordings are counted one by one, and reported
together.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from perception.errors import UsageError
from perception.evaluation.core.table_boxes import (
    Grouping,
    ImageKey,
    check_thresholds,
    class_names,
    image_keys,
    prepare,
    ratio,
)
from perception.evaluation.detection.matching import ClassMatches, incomplete_images, match_class
from perception.evaluation.detection.ranked import (
    IOU_THRESHOLDS,
    PrecisionRecall,
    RankedDetections,
    precision_recall,
    recall_at_false_alarms,
)
from perception.types import BoxTable, IgnoredRegions

FALSE_ALARMS_PER_IMAGE = 0.5
"""The rate of false positives at which ``recall_at_half_false_alarm`` is read."""

_IOU_50, _IOU_75 = 0, 5
"""Where these thresholds stand among COCO's ten."""


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


@dataclass(frozen=True)
class ClassCounts:
    """Detections of one class in one recording, and how many of its objects are to be found."""

    ranked: RankedDetections
    truth_count: int
    ignored_truth_count: int

    @classmethod
    def of(cls, matches: ClassMatches) -> ClassCounts:
        """From matches at ``IOU_THRESHOLDS``."""
        return cls(RankedDetections.of(matches), matches.truth_count, matches.ignored_truth_count)


@dataclass(frozen=True)
class DetectionCounts:
    """What ``detection_report`` needs of one recording: ``classes`` that occur in it, and the counts of the report.

    ``complete_image_counts`` has for each class the images in which all of its objects are labelled.
    """

    grouping: Grouping
    classes: dict[str, ClassCounts]
    complete_image_counts: dict[str, int]
    min_height_px: float
    min_visible_share: float
    image_count: int
    partly_labelled_image_count: int
    outside_truth_count: int
    outside_detection_count: int
    other_class_truth_count: int
    other_class_detection_count: int


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
    counts = count_detection(
        truth=truth,
        detections=detections,
        grouping=grouping,
        min_height_px=min_height_px,
        min_visible_share=min_visible_share,
        exhaustive_labels=exhaustive_labels,
        ignored=ignored,
        images=images,
    )
    return detection_report([counts], score_threshold=score_threshold)


def count_detection(
    *,
    truth: BoxTable,
    detections: BoxTable,
    grouping: Grouping = "each",
    min_height_px: float = 0.0,
    min_visible_share: float = 0.0,
    exhaustive_labels: Mapping[ImageKey, Collection[int]] | None = None,
    ignored: IgnoredRegions | None = None,
    images: Collection[ImageKey] | None = None,
) -> DetectionCounts:
    """What ``evaluate_detection`` needs of one recording. Raises ``UsageError`` as it does."""
    check_thresholds(min_height_px=min_height_px, min_visible_share=min_visible_share)
    if images is None and exhaustive_labels:
        images = image_keys(truth) | image_keys(detections) | set(exhaustive_labels)
    data = prepare(truth=truth, results=detections, images=images, grouping=grouping, ignored=ignored)
    incomplete = incomplete_images(data, exhaustive_labels)
    classes: dict[str, ClassCounts] = {}
    for label, name in enumerate(data.class_names):
        if label in data.truth.labels or label in data.results.labels:
            matches = match_class(
                data,
                label,
                incomplete[label],
                min_height_px=min_height_px,
                min_visible_share=min_visible_share,
                thresholds=IOU_THRESHOLDS.tolist(),
            )
            classes[name] = ClassCounts.of(matches)
    return DetectionCounts(
        grouping=grouping,
        classes=classes,
        complete_image_counts={
            name: len(data.images - incomplete[label]) for label, name in enumerate(data.class_names)
        },
        min_height_px=min_height_px,
        min_visible_share=min_visible_share,
        image_count=len(data.images),
        partly_labelled_image_count=len(frozenset().union(*incomplete)),
        outside_truth_count=data.outside_truth_count,
        outside_detection_count=data.outside_result_count,
        other_class_truth_count=data.other_class_truth_count,
        other_class_detection_count=data.other_class_result_count,
    )


def detection_report(parts: Sequence[DetectionCounts], *, score_threshold: float = 0.5) -> DetectionReport:
    """The scores of recordings together, which are counted in the same way; of one at least.

    Raises ``UsageError`` for a threshold outside 0..1.
    """
    if not 0.0 <= score_threshold <= 1.0:
        raise UsageError(f"The score threshold is {score_threshold}: choose a number from 0 to 1.")
    first = parts[0]
    by_class = {
        name: [part.classes[name] for part in parts if name in part.classes]
        for name in class_names(first.grouping)
        if any(name in part.classes for part in parts)
    }
    image_counts = {name: sum(part.complete_image_counts[name] for part in parts) for name in by_class}
    image_count = sum(part.image_count for part in parts)
    coco = {name: precision_recall(*_ranked(own)) for name, own in by_class.items()}
    per_class = {
        name: _scores(own, _averages(coco[name]), score_threshold, {image_counts[name]})
        for name, own in by_class.items()
    }
    everything = [one for own in by_class.values() for one in own]
    return DetectionReport(
        grouping=first.grouping,
        overall=_scores(
            everything,
            _mean_over_classes([_averages(result) for result in coco.values()]),
            score_threshold,
            set(image_counts.values()) or {image_count},
        ),
        per_class=per_class,
        score_threshold=score_threshold,
        min_height_px=first.min_height_px,
        min_visible_share=first.min_visible_share,
        image_count=image_count,
        partly_labelled_image_count=sum(part.partly_labelled_image_count for part in parts),
        outside_truth_count=sum(part.outside_truth_count for part in parts),
        outside_detection_count=sum(part.outside_detection_count for part in parts),
        other_class_truth_count=sum(part.other_class_truth_count for part in parts),
        other_class_detection_count=sum(part.other_class_detection_count for part in parts),
        curves={
            name: PrecisionRecallCurve(
                precision_50=tuple(np.round(result.precision[_IOU_50], 6).tolist()),
                precision_75=tuple(np.round(result.precision[_IOU_75], 6).tolist()),
                recall=per_class[name].recall,
                precision=per_class[name].precision,
            )
            for name, result in coco.items()
            if result is not None
        },
    )


_Averages = tuple[float | None, float | None, float | None]


def _ranked(parts: Sequence[ClassCounts]) -> tuple[list[RankedDetections], int]:
    return [part.ranked for part in parts], sum(part.truth_count for part in parts)


def _averages(coco: PrecisionRecall | None) -> _Averages:
    """AP, AP50 and AR of a class; None for a class without an object to find."""
    if coco is None:
        return None, None, None
    return float(coco.precision.mean()), float(coco.precision[_IOU_50].mean()), float(coco.recall.mean())


def _mean_over_classes(averages: list[_Averages]) -> _Averages:
    present = np.array([values for values in averages if None not in values], np.float64).reshape(-1, 3)
    if len(present) == 0:
        return None, None, None
    ap, ap50, ar = present.mean(axis=0).tolist()
    return ap, ap50, ar


def _scores(
    parts: Sequence[ClassCounts], averages: _Averages, score_threshold: float, image_counts: set[int]
) -> DetectionScores:
    """Put classes and recordings together; ``image_counts`` are those of the classes."""
    ranked, truth_count = _ranked(parts)
    hits, false_alarms, ignored = (
        sum(counts) for counts in zip((0, 0, 0), *(_counts_from(one, score_threshold) for one in ranked), strict=True)
    )
    ap, ap50, ar = averages
    return DetectionScores(
        ap=ap,
        ap50=ap50,
        ar=ar,
        precision=ratio(hits, hits + false_alarms),
        recall=ratio(hits, truth_count),
        recall_at_half_false_alarm=recall_at_false_alarms(
            ranked, truth_count, FALSE_ALARMS_PER_IMAGE * min(image_counts)
        )
        # Classes that are complete in different images have no common rate of false positives.
        if len(image_counts) == 1 and min(image_counts)
        else None,
        true_positive_count=hits,
        false_positive_count=false_alarms,
        false_negative_count=truth_count - hits,
        truth_count=truth_count,
        ignored_truth_count=sum(part.ignored_truth_count for part in parts),
        detection_count=sum(map(len, ranked)),
        ignored_detection_count=ignored,
        image_count=max(image_counts),
    )


def _counts_from(ranked: RankedDetections, score_threshold: float) -> tuple[int, int, int]:
    """Hits and false positives from the threshold on, and what is ignored at any score."""
    is_counted, accepted = ranked.is_counted(_IOU_50), ranked.scores[:] >= score_threshold
    hits = int((ranked.is_hit(_IOU_50) & is_counted & accepted).sum())
    return hits, int((is_counted & accepted).sum()) - hits, int((~is_counted).sum())
