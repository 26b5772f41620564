"""Tracking quality in metres on the ground, with one identity per object across all cameras.

The similarity of a track and a true object follows from the distance of their centres on the ground as in TrackEval's
``_calculate_euclidean_similarity`` (MOT15 3D): ``max(0, 1 - distance / ZERO_DISTANCE_M)``. With 4 m a similarity of 0.5
is a distance of 2 m, from which nuScenes' tracking benchmark counts a match.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from perception.arrays import FloatArray, IntArray
from perception.errors import UsageError
from perception.evaluation.core.ground_truth import GroundScope, GroundTable
from perception.evaluation.core.table_boxes import Grouping, class_names
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
from perception.taxonomy import VEHICLE_LABELS

ZERO_DISTANCE_M = 4.0
"""The distance of centres from which a track and an object have nothing in common."""


@dataclass(frozen=True)
class GroundTrackingReport:
    """As ``TrackingReport``, but each class is one sequence over all cameras; ``scope`` states which objects count.

    ``ignored_truth_count`` true objects (one count per instant) are outside the scope, ``ignored_result_count`` tracks
    followed one of those, or nothing beyond the greatest distance. ``instant_without_pose_count`` instants are left
    out because the recording car's pose is unknown.
    """

    overall: TrackingScores
    per_class: dict[str, TrackingScores]
    grouping: Grouping
    scope: GroundScope
    zero_distance_m: float
    instant_count: int
    instant_without_pose_count: int
    ignored_truth_count: int
    ignored_result_count: int
    other_class_truth_count: int
    other_class_result_count: int
    hota_curve: HotaCurve | None = None


@dataclass(frozen=True)
class GroundTrackingCounts:
    """What ``ground_tracking_report`` needs of one recording; ``classes`` are those that occur in it."""

    grouping: Grouping
    scope: GroundScope
    classes: dict[str, CountTotals]
    overall: CountTotals
    instant_count: int
    instant_without_pose_count: int
    truth_count: int
    result_count: int
    other_class_truth_count: int
    other_class_result_count: int


def evaluate_ground_tracking(
    *,
    truth: GroundTable,
    tracks: GroundTable,
    scope: GroundScope,
    instant_count: int,
    instant_without_pose_count: int = 0,
    grouping: Grouping = "each",
) -> GroundTrackingReport:
    """Compare ``tracks`` with ``truth`` within each class, over all cameras.

    ``grouping="vehicles"`` makes car, truck and bus one class and leaves everything else out. What does not count is
    treated as ``evaluate_tracking`` treats it. ``scope`` is the one that made the tables.

    Raises ``UsageError`` for an id that occurs twice at one instant.
    """
    counts = count_ground_tracking(
        truth=truth,
        tracks=tracks,
        scope=scope,
        instant_count=instant_count,
        instant_without_pose_count=instant_without_pose_count,
        grouping=grouping,
    )
    return ground_tracking_report([counts])


def count_ground_tracking(
    *,
    truth: GroundTable,
    tracks: GroundTable,
    scope: GroundScope,
    instant_count: int,
    instant_without_pose_count: int = 0,
    grouping: Grouping = "each",
) -> GroundTrackingCounts:
    """What ``evaluate_ground_tracking`` needs of one recording. Raises ``UsageError`` as it does."""
    _check_ids(truth, name="ground truth")
    _check_ids(tracks, name="result")
    gt, found = _of_classes(truth, grouping), _of_classes(tracks, grouping)
    by_class: dict[str, Counts] = {}
    for label, name in enumerate(class_names(grouping)):
        of_class = (gt, found) if grouping != "each" else (gt[gt.labels == label], found[found.labels == label])
        counts = _count(*of_class)
        if counts.truth_boxes or counts.result_boxes:
            by_class[name] = counts
    return GroundTrackingCounts(
        grouping=grouping,
        scope=scope,
        classes={name: CountTotals.of([counts]) for name, counts in by_class.items()},
        overall=CountTotals.of(list(by_class.values())),
        instant_count=instant_count,
        instant_without_pose_count=instant_without_pose_count,
        truth_count=len(gt),
        result_count=len(found),
        other_class_truth_count=len(truth) - len(gt),
        other_class_result_count=len(tracks) - len(found),
    )


def ground_tracking_report(parts: Sequence[GroundTrackingCounts]) -> GroundTrackingReport:
    """The scores of recordings together, which are counted in the same way; of one at least."""
    first = parts[0]
    overall = tracking_scores([part.overall for part in parts])
    return GroundTrackingReport(
        overall=overall,
        per_class={
            name: tracking_scores(own)
            for name in class_names(first.grouping)
            if (own := [part.classes[name] for part in parts if name in part.classes])
        },
        grouping=first.grouping,
        scope=first.scope,
        zero_distance_m=ZERO_DISTANCE_M,
        instant_count=sum(part.instant_count for part in parts),
        instant_without_pose_count=sum(part.instant_without_pose_count for part in parts),
        ignored_truth_count=sum(part.truth_count for part in parts) - overall.truth_box_count,
        ignored_result_count=sum(part.result_count for part in parts) - overall.result_box_count,
        other_class_truth_count=sum(part.other_class_truth_count for part in parts),
        other_class_result_count=sum(part.other_class_result_count for part in parts),
        hota_curve=hota_curve([part.overall for part in parts]),
    )


def nearness(truth_m: FloatArray, results_m: FloatArray) -> Similarity:
    """The similarity of positions (M, 2) and (L, 2) on the ground, in metres."""

    def similarity(truth_rows: IntArray, result_rows: IntArray) -> Float64:
        away_m = np.linalg.norm(truth_m[truth_rows][:, None] - results_m[result_rows][None, :], axis=2)
        similarity: Float64 = np.maximum(0.0, 1.0 - away_m / ZERO_DISTANCE_M)
        return similarity

    return similarity


def _of_classes(table: GroundTable, grouping: Grouping) -> GroundTable:
    return table[np.isin(table.labels, VEHICLE_LABELS)] if grouping == "vehicles" else table


def _count(truth: GroundTable, tracks: GroundTable) -> Counts:
    """Count the matches of one class."""
    if not (truth.counts.all() and tracks.counts.all()):
        matched = assigned_rows(truth.instants, tracks.instants, nearness(truth.positions_m, tracks.positions_m))
        tracks = tracks[comparable_results(matched, truth_counts=truth.counts, result_counts=tracks.counts)]
        truth = truth[truth.counts]
    return count_sequence(
        truth_instants=truth.instants,
        truth_ids=truth.ids,
        result_instants=tracks.instants,
        result_ids=tracks.ids,
        similarity=nearness(truth.positions_m, tracks.positions_m),
    )


def _check_ids(table: GroundTable, *, name: str) -> None:
    pairs, repeats = np.unique(np.stack([table.instants, table.ids], axis=1), axis=0, return_counts=True)
    if (repeats > 1).any():
        instant, identity = pairs[repeats.argmax()]
        raise UsageError(f"The {name} has id {identity} twice at instant {instant}: give each object its own id.")
