"""Which detections found an object, given out one by one as COCO does, at one or several overlaps."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from perception.evaluation.core.ignored_regions import shares_of_pairs, with_ignored_objects
from perception.evaluation.core.pairs import image_numbers, pairs_of_groups
from perception.evaluation.core.table_boxes import (
    ANY_NAME,
    VEHICLE_NAME,
    ImageKey,
    Prepared,
    counts_in_image,
    heights_px,
)
from perception.geometry.boxes import paired_iou
from perception.taxonomy import CLASSES, VEHICLE_LABELS
from perception.types import BoxTable, IgnoredRegions

IOU_THRESHOLD = 0.5
"""The overlap from which precision and recall count an object as found."""

_WANTED = 2.0
"""What is added to the overlap of an object that counts: an ignored one is the last resort."""


@dataclass(frozen=True)
class ClassMatches:
    """Detections of one class at T overlaps: (D,) ``rows`` of the results, their scores, and ``ranks``, their places by
    score in their images; (T, D) the hits, and those that are ignored.

    ``truth_rows`` (G,) are the objects that are to be found, ``found_scores`` (G,) those of the detections that found
    them at the first overlap, -inf for an object that none found.
    """

    rows: NDArray[np.int64]
    scores: NDArray[np.float64]
    ranks: NDArray[np.int64]
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
    data: Prepared,
    label: int,
    incomplete: frozenset[ImageKey],
    *,
    min_height_px: float,
    min_visible_share: float,
    thresholds: Sequence[float] = (IOU_THRESHOLD,),
) -> ClassMatches:
    """Give each detection of one class the best free object at each of ``thresholds``, the highest scores first.

    As COCO does it: what finds none and lies in a region to ignore, or is too low itself, is ignored.
    """
    true_rows, result_rows = np.flatnonzero(data.truth.labels == label), np.flatnonzero(data.results.labels == label)
    # Equal scores are ranked by their images, in whatever order a table has them.
    result_rows = result_rows[np.lexsort((data.results.frame_indices[result_rows], data.results.cameras[result_rows]))]
    truth, results = data.truth[true_rows], data.results[result_rows]
    left_out = ~counts_in_image(truth, min_height_px=min_height_px, min_visible_share=min_visible_share)
    pairs = _Pairs.of(results, truth, left_out, data.ignored_of(label), least=min(thresholds))
    taken = pairs.match(np.array(thresholds, np.float64))
    is_wanted = np.r_[~left_out, np.zeros(pairs.candidate_count - len(truth) + 1, bool)]  # the last stands for none
    is_hit = is_wanted[taken]
    found_scores = np.full(len(truth), -np.inf)
    found_scores[taken[0][is_hit[0]]] = results.scores[is_hit[0]]
    is_open = heights_px(results.boxes_xyxy_px) < min_height_px
    if incomplete:
        keys = zip(results.cameras.tolist(), results.frame_indices.tolist(), strict=True)
        is_open |= np.fromiter((key in incomplete for key in keys), bool, count=len(results))
    return ClassMatches(
        rows=result_rows,
        scores=results.scores.astype(np.float64),
        ranks=pairs.ranks,
        is_hit=is_hit,
        is_ignored=~is_hit & ((taken >= 0) | is_open),
        truth_rows=true_rows[~left_out],
        found_scores=found_scores[~left_out],
        ignored_truth_count=int(left_out.sum()),
        image_count=len(data.images - incomplete),
    )


@dataclass(frozen=True)
class _Pairs:
    """P pairs of a detection and a candidate of its image that overlap enough, by the detections' ranks.

    ``detections``, ``candidates``, ``worths`` (P,): the overlap, and ``_WANTED`` more for an object that counts.
    ``ranks`` (D,) of the detections. ``is_region`` (C,): a region takes any number of detections.
    """

    detections: NDArray[np.int64]
    candidates: NDArray[np.int64]
    overlaps: NDArray[np.float64]
    ranks: NDArray[np.int64]
    is_wanted: NDArray[np.bool_]
    is_region: NDArray[np.bool_]

    @property
    def candidate_count(self) -> int:
        """Objects that count or do not, and regions."""
        return len(self.is_region)

    @classmethod
    def of(
        cls,
        results: BoxTable,
        truth: BoxTable,
        left_out: NDArray[np.bool_],
        ignored: IgnoredRegions,
        *,
        least: float,
    ) -> _Pairs:
        objects, regions = with_ignored_objects(truth, ignored), ignored[~ignored.is_object]
        of_results, of_objects, of_regions = image_numbers(results, objects, regions)
        order = np.lexsort((-results.scores, of_results))
        ranks = np.empty(len(order), np.int64)
        ranks[order] = np.arange(len(order)) - np.searchsorted(of_results[order], of_results[order], side="left")
        parts: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]] = []
        for given, of in pairs_of_groups(of_results, of_objects):
            overlaps = paired_iou(results.boxes_xyxy_px[given], objects.boxes_xyxy_px[of])
            fits = overlaps >= least
            parts.append((given[fits], of[fits], overlaps[fits]))
        for given, of in pairs_of_groups(of_results, of_regions):
            shares = shares_of_pairs(results.boxes_xyxy_px[given], regions.boxes_xyxy_px[of])
            fits = shares >= least
            parts.append((given[fits], of[fits] + len(objects), shares[fits]))
        empty = (np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))
        given, of, overlaps = (np.concatenate(columns) for columns in zip(empty, *parts, strict=True))
        by_rank = np.lexsort((of, given, ranks[given]))
        count = len(objects) + len(regions)
        return cls(
            detections=given[by_rank],
            candidates=of[by_rank],
            overlaps=overlaps[by_rank],
            ranks=ranks,
            is_wanted=np.r_[~left_out, np.zeros(count - len(truth), bool)],
            is_region=np.arange(count) >= len(objects),
        )

    def match(self, thresholds: NDArray[np.float64]) -> NDArray[np.int64]:
        """(T, D): the candidate that each detection takes, -1 for none.

        Detections of the same rank are of different images, so that they take nothing from one another.
        """
        taken = np.full((len(thresholds), len(self.ranks)), -1)
        is_taken = np.zeros((len(thresholds), self.candidate_count), bool)
        rank_of_pair = self.ranks[self.detections]
        for rows in np.split(np.arange(len(rank_of_pair)), np.flatnonzero(np.diff(rank_of_pair)) + 1):
            if not len(rows):
                continue
            detections, candidates, overlaps = self.detections[rows], self.candidates[rows], self.overlaps[rows]
            fits = (overlaps >= thresholds[:, None]) & ~is_taken[:, candidates]
            worths = np.where(fits, overlaps + _WANTED * self.is_wanted[candidates], -1.0)
            starts = np.flatnonzero(np.diff(detections, prepend=-1))
            best = np.repeat(np.maximum.reduceat(worths, starts, axis=1), np.diff(np.append(starts, len(rows))), axis=1)
            # Of equal ones COCO takes the last.
            places = np.where(fits & (worths == best), np.arange(len(rows)), -1)
            level, column = np.nonzero((chosen := np.maximum.reduceat(places, starts, axis=1)) >= 0)
            won = chosen[level, column]
            taken[level, detections[won]] = candidates[won]
            is_taken[level, candidates[won]] = ~self.is_region[candidates[won]]
        return taken
