"""Tracking quality in the images: HOTA, IDF1 and CLEAR by overlap of boxes, per class and overall.

Every camera and class is a sequence of its own. Sequences are put together as TrackEval does it: counts are added,
association is averaged over the matches.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from perception.arrays import IntArray
from perception.errors import UsageError
from perception.evaluation.core.ignored_regions import lies_inside, with_ignored_objects
from perception.evaluation.core.table_boxes import (
    Grouping,
    ImageKey,
    check_thresholds,
    class_names,
    counts_in_image,
    heights_px,
    prepare,
)
from perception.evaluation.tracking.mot_metrics import (
    Counts,
    CountTotals,
    Float64,
    HotaCurve,
    Similarity,
    TrackingScores,
    assigned_rows,
    comparable_results,
    count_sequence,
    hota_curve,
    tracking_scores,
)
from perception.geometry.boxes import pairwise_iou
from perception.types import BoxTable, IgnoredRegions


@dataclass(frozen=True)
class TrackingReport:
    """``overall`` joins all cameras and classes by counts; ``per_class`` has the classes that occur, by name.

    ``ignored_truth_count`` true boxes were too low or too hidden to count, ``ignored_result_count`` tracked boxes fit
    one of those, were too low themselves, or lay in a region to ignore.
    """

    overall: TrackingScores
    per_class: dict[str, TrackingScores]
    grouping: Grouping
    camera_count: int
    image_count: int
    ignored_truth_count: int
    ignored_result_count: int
    outside_truth_count: int
    outside_result_count: int
    other_class_truth_count: int
    other_class_result_count: int
    hota_curve: HotaCurve | None = None


@dataclass(frozen=True)
class TrackingCounts:
    """What ``tracking_report`` needs of one recording; ``classes`` are those that occur in it."""

    grouping: Grouping
    classes: dict[str, CountTotals]
    overall: CountTotals
    cameras: tuple[str, ...]
    image_count: int
    truth_count: int
    result_count: int
    outside_truth_count: int
    outside_result_count: int
    other_class_truth_count: int
    other_class_result_count: int


def evaluate_tracking(
    *,
    truth: BoxTable,
    tracks: BoxTable,
    grouping: Grouping = "each",
    images: Collection[ImageKey] | None = None,
    min_height_px: float = 0.0,
    min_visible_share: float = 0.0,
    ignored: IgnoredRegions | None = None,
) -> TrackingReport:
    """Compare ``tracks`` with ``truth``, within each camera and class.

    ``grouping="vehicles"`` makes car, truck and bus one class and leaves everything else out. ``images`` are the
    (camera, frame index) that have ground truth; by default all in which either table has a box. Objects shorter than
    ``min_height_px``, or less visible than ``min_visible_share`` where the truth knows it, are ignored, as
    TrackEval does it for KITTI: a tracked box that is given one of them is left out, and so is one that is given
    none and is too low itself, or lies in a region of ``ignored``.

    Raises ``UsageError`` for an empty truth without ``images``, a camera that the truth does not know, an id that
    occurs twice in one image, and thresholds that cannot be.
    """
    counts = count_tracking(
        truth=truth,
        tracks=tracks,
        grouping=grouping,
        images=images,
        min_height_px=min_height_px,
        min_visible_share=min_visible_share,
        ignored=ignored,
    )
    return tracking_report([counts])


def count_tracking(
    *,
    truth: BoxTable,
    tracks: BoxTable,
    grouping: Grouping = "each",
    images: Collection[ImageKey] | None = None,
    min_height_px: float = 0.0,
    min_visible_share: float = 0.0,
    ignored: IgnoredRegions | None = None,
) -> TrackingCounts:
    """What ``evaluate_tracking`` needs of one recording. Raises ``UsageError`` as it does."""
    check_thresholds(min_height_px=min_height_px, min_visible_share=min_visible_share)
    data = prepare(truth=truth, results=tracks, images=images, grouping=grouping, ignored=ignored)
    _check_ids(truth, name="ground truth")
    _check_ids(tracks, name="result")
    by_class: dict[str, list[Counts]] = {}
    for label, name in enumerate(data.class_names):
        gt, found = data.truth[data.truth.labels == label], data.results[data.results.labels == label]
        regions = data.ignored_of(label)
        sequences = [
            _count(
                gt[gt.cameras == camera],
                found[found.cameras == camera],
                regions[regions.cameras == camera],
                camera=camera,
                min_height_px=min_height_px,
                min_visible_share=min_visible_share,
            )
            for camera in sorted({*gt.cameras.tolist(), *found.cameras.tolist()})
        ]
        if sequences:
            by_class[name] = sequences
    return TrackingCounts(
        grouping=grouping,
        classes={name: CountTotals.of(sequences) for name, sequences in by_class.items()},
        overall=CountTotals.of([one for sequences in by_class.values() for one in sequences]),
        cameras=tuple(sorted({camera for camera, _ in data.images})),
        image_count=len(data.images),
        truth_count=len(data.truth),
        result_count=len(data.results),
        outside_truth_count=data.outside_truth_count,
        outside_result_count=data.outside_result_count,
        other_class_truth_count=data.other_class_truth_count,
        other_class_result_count=data.other_class_result_count,
    )


def tracking_report(parts: Sequence[TrackingCounts]) -> TrackingReport:
    """The scores of recordings together, which are counted in the same way; of one at least."""
    grouping = parts[0].grouping
    overall = tracking_scores([part.overall for part in parts])
    return TrackingReport(
        overall=overall,
        per_class={
            name: tracking_scores(own)
            for name in class_names(grouping)
            if (own := [part.classes[name] for part in parts if name in part.classes])
        },
        grouping=grouping,
        camera_count=len({camera for part in parts for camera in part.cameras}),
        image_count=sum(part.image_count for part in parts),
        ignored_truth_count=sum(part.truth_count for part in parts) - overall.truth_box_count,
        ignored_result_count=sum(part.result_count for part in parts) - overall.result_box_count,
        outside_truth_count=sum(part.outside_truth_count for part in parts),
        outside_result_count=sum(part.outside_result_count for part in parts),
        other_class_truth_count=sum(part.other_class_truth_count for part in parts),
        other_class_result_count=sum(part.other_class_result_count for part in parts),
        hota_curve=hota_curve([part.overall for part in parts]),
    )


def overlap(truth: BoxTable, results: BoxTable) -> Similarity:
    """The similarity of boxes in an image: their intersection over union."""

    def similarity(truth_rows: IntArray, result_rows: IntArray) -> Float64:
        return pairwise_iou(truth.boxes_xyxy_px[truth_rows], results.boxes_xyxy_px[result_rows])

    return similarity


def _check_ids(table: BoxTable, *, name: str) -> None:
    order = np.lexsort((table.ids, table.frame_indices, table.cameras))
    ordered = table[order]
    repeated = (
        (ordered.ids[1:] == ordered.ids[:-1])
        & (ordered.frame_indices[1:] == ordered.frame_indices[:-1])
        & (ordered.cameras[1:] == ordered.cameras[:-1])
    )
    if repeated.any():
        row = int(np.flatnonzero(repeated)[0])
        raise UsageError(
            f"The {name} has id {ordered.ids[row]} twice in frame {ordered.frame_indices[row]} of camera "
            f"{ordered.cameras[row]}: give each object of an image its own id."
        )


def _count(
    truth: BoxTable,
    results: BoxTable,
    ignored: IgnoredRegions,
    *,
    camera: str,
    min_height_px: float,
    min_visible_share: float,
) -> Counts:
    """Count the matches of one camera and class."""
    counts = counts_in_image(truth, min_height_px=min_height_px, min_visible_share=min_visible_share)
    comparable = (heights_px(results.boxes_xyxy_px) >= min_height_px) & ~lies_inside(results, ignored)
    candidates = with_ignored_objects(truth, ignored)
    candidate_counts = np.r_[counts, np.zeros(len(candidates) - len(truth), bool)]
    if not (candidate_counts.all() and comparable.all()):
        matched = assigned_rows(candidates.frame_indices, results.frame_indices, overlap(candidates, results))
        keep = comparable_results(matched, truth_counts=candidate_counts, result_counts=comparable)
        truth, results = truth[counts], results[keep]
    return count_sequence(
        truth_instants=truth.frame_indices,
        truth_ids=truth.ids,
        result_instants=results.frame_indices,
        result_ids=results.ids,
        similarity=overlap(truth, results),
        camera=camera,
    )
