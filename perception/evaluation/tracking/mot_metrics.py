"""HOTA, IDF1 and CLEAR of any objects with an identity over time and a similarity: boxes, or positions on the ground.

- HOTA: Luiten et al., "HOTA: A Higher Order Metric for Evaluating Multi-Object Tracking", IJCV 2021.
- IDF1: Ristani et al., "Performance Measures and a Data Set for Multi-Target, Multi-Camera Tracking", 2016.
- CLEAR: Bernardin and Stiefelhagen, "Evaluating Multiple Object Tracking Performance", 2008.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from perception.arrays import IntArray
from perception.evaluation.core.table_boxes import ratio

ALPHAS: NDArray[np.float64] = np.arange(0.05, 0.99, 0.05)
"""The localisation thresholds that HOTA is averaged over."""

MATCH_SIMILARITY = 0.5
"""The similarity from which IDF1 and CLEAR count a match."""

_EPS = float(np.finfo(float).eps)
_KEEP_BONUS = 1000.0

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]

Similarity = Callable[[IntArray, IntArray], Float64]
"""Rows of the truth (G,) and of the results (R,), all of one instant -> their similarity, (G, R) in 0..1."""


@dataclass(frozen=True)
class TrackingScores:
    """Scores in 0..1 (``mota`` may be negative), None where the truth or the tracks leave them undefined.

    ``motp`` is the mean similarity (in the image the overlap) of CLEAR's matches, ``loc_a`` that of HOTA's.
    A "box" is an object at one instant. Objects and tracks count once, whatever classes they have in their time.
    """

    hota: float | None
    det_a: float | None
    ass_a: float | None
    loc_a: float | None
    idf1: float | None
    idp: float | None
    idr: float | None
    mota: float | None
    motp: float | None
    false_positive_count: int
    false_negative_count: int
    id_switch_count: int
    truth_box_count: int
    result_box_count: int
    truth_object_count: int
    result_track_count: int


@dataclass(frozen=True)
class HotaCurve:
    """HOTA and its parts at each of ``ALPHAS``, in 0..1; HOTA, DetA and AssA are their means."""

    thresholds: tuple[float, ...]
    hota: tuple[float, ...]
    det_a: tuple[float, ...]
    ass_a: tuple[float, ...]


@dataclass(frozen=True)
class _Frame:
    """Dense indices of the objects (G,) and tracks (R,) of one instant, and their similarity (G, R)."""

    truth: Int64
    results: Int64
    similarity: Float64


@dataclass(frozen=True)
class Counts:
    """What one sequence adds: arrays (19,) over ``ALPHAS`` for HOTA, numbers for IDF1 and CLEAR; and who was there, by
    camera and identity."""

    hota_tp: Float64
    association: Float64
    hota_similarity: Float64
    id_tp: int
    clear_tp: int
    clear_similarity: float
    id_switches: int
    truth_boxes: int
    result_boxes: int
    truth_objects: frozenset[tuple[str, int]]
    result_tracks: frozenset[tuple[str, int]]


@dataclass(frozen=True)
class CountTotals:
    """The sums over sequences of one recording, whose objects and tracks count once; those of recordings add up."""

    hota_tp: Float64
    association: Float64
    hota_similarity: Float64
    id_tp: int
    clear_tp: int
    clear_similarity: float
    id_switches: int
    truth_boxes: int
    result_boxes: int
    truth_objects: int
    result_tracks: int

    @classmethod
    def of(cls, sequences: Sequence[Counts]) -> CountTotals:
        """Of sequences of one recording, which may share objects and tracks."""
        return cls(
            **{name: _sum(sequences, name) for name in _ADDED},
            truth_objects=len(frozenset().union(*(counts.truth_objects for counts in sequences))),
            result_tracks=len(frozenset().union(*(counts.result_tracks for counts in sequences))),
        )

    @classmethod
    def joined(cls, parts: Sequence[CountTotals]) -> CountTotals:
        """Of several recordings, which share nothing."""
        return cls(**{name: _sum(parts, name) for name in (*_ADDED, "truth_objects", "result_tracks")})


_ADDED = (
    *("hota_tp", "association", "hota_similarity", "id_tp", "clear_tp", "clear_similarity"),
    *("id_switches", "truth_boxes", "result_boxes"),
)


def _sum(parts: Sequence[Counts] | Sequence[CountTotals], name: str) -> Any:
    start = np.zeros(len(ALPHAS)) if name in ("hota_tp", "association", "hota_similarity") else 0
    return sum((getattr(part, name) for part in parts), start)


def frames_with_both(truth_instants: IntArray, result_instants: IntArray) -> list[tuple[IntArray, IntArray]]:
    """The rows of the truth and of the results at each instant that has both, in the order of time.

    ``truth_instants`` (M,) and ``result_instants`` (L,) are whole numbers in any order.
    """
    truth_rows, result_rows = _rows_by_instant(truth_instants), _rows_by_instant(result_instants)
    return [(truth_rows[instant], result_rows[instant]) for instant in sorted(truth_rows.keys() & result_rows.keys())]


def assigned_rows(
    truth_instants: IntArray, result_instants: IntArray, similarity: Similarity, *, threshold: float = MATCH_SIMILARITY
) -> Int64:
    """(L,) for each result the row of the truth that it is matched to at its instant, -1 without one.

    One to one, so that the similarities, which must reach ``threshold``, have the greatest sum.
    """
    matched = np.full(len(result_instants), -1, np.int64)
    for truth, results in frames_with_both(truth_instants, result_instants):
        values = similarity(truth, results)
        values = np.where(values >= max(threshold, _EPS) - _EPS, values, 0.0)
        rows, columns = linear_sum_assignment(values, maximize=True)
        fits = values[rows, columns] > 0
        matched[results[columns[fits]]] = truth[rows[fits]]
    return matched


def comparable_results(
    matched: Int64, *, truth_counts: NDArray[np.bool_], result_counts: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """(L,) True for results that are matched to an object which counts, or to none where the result itself counts.

    ``matched`` is that of ``assigned_rows``; ``truth_counts`` (M,), ``result_counts`` (L,). As TrackEval prepares
    KITTI: tracks matched to ignored ground truth are ignored.
    """
    if not len(truth_counts):
        return result_counts
    return np.where(matched >= 0, truth_counts[matched], result_counts)


def count_sequence(
    *,
    truth_instants: IntArray,
    truth_ids: IntArray,
    result_instants: IntArray,
    result_ids: IntArray,
    similarity: Similarity,
    camera: str = "",
) -> Counts:
    """Count the matches of one sequence: M objects and L tracks, each with its instant and identity.

    ``camera`` is the one whose identities these are, where others have identities of their own.
    An instant without truth or without tracks holds no match, and no metric looks across it.
    """
    truth_names, truth_index = np.unique(truth_ids, return_inverse=True)
    result_names, result_index = np.unique(result_ids, return_inverse=True)
    frames = [
        _Frame(truth=truth_index[truth], results=result_index[results], similarity=similarity(truth, results))
        for truth, results in frames_with_both(truth_instants, result_instants)
    ]
    truth_lengths = np.bincount(truth_index, minlength=len(truth_names))
    result_lengths = np.bincount(result_index, minlength=len(result_names))
    hota_tp, association, hota_similarity = _count_hota(frames, truth_lengths, result_lengths)
    clear_tp, clear_similarity, id_switches = _count_clear(frames, len(truth_names))
    return Counts(
        hota_tp=hota_tp,
        association=association,
        hota_similarity=hota_similarity,
        id_tp=_count_identity(frames, len(truth_names), len(result_names)),
        clear_tp=clear_tp,
        clear_similarity=clear_similarity,
        id_switches=id_switches,
        truth_boxes=len(truth_ids),
        result_boxes=len(result_ids),
        truth_objects=frozenset((camera, identity) for identity in truth_names.tolist()),
        result_tracks=frozenset((camera, identity) for identity in result_names.tolist()),
    )


def _rows_by_instant(instants: IntArray) -> dict[int, IntArray]:
    order = np.argsort(instants, kind="stable")
    values, starts = np.unique(instants[order], return_index=True)
    return dict(zip(values.tolist(), np.split(order, starts[1:]), strict=True)) if len(values) else {}


def _count_hota(frames: list[_Frame], truth_lengths: Int64, result_lengths: Int64) -> tuple[Float64, Float64, Float64]:
    """Over ``ALPHAS``: matches, the sum of their association scores, the sum of their similarities; each (19,)."""
    potential = np.zeros((len(truth_lengths), len(result_lengths)))
    for frame in frames:
        union = frame.similarity.sum(axis=0)[None, :] + frame.similarity.sum(axis=1)[:, None] - frame.similarity
        potential[np.ix_(frame.truth, frame.results)] += np.where(
            union > _EPS, frame.similarity / np.where(union > _EPS, union, 1.0), 0.0
        )
    alignment = potential / (truth_lengths[:, None] + result_lengths[None, :] - potential)

    pairs, similarities = [np.zeros(0, np.int64)], [np.zeros(0)]
    for frame in frames:
        rows, columns = linear_sum_assignment(
            alignment[np.ix_(frame.truth, frame.results)] * frame.similarity, maximize=True
        )
        pairs.append(frame.truth[rows] * len(result_lengths) + frame.results[columns])
        similarities.append(frame.similarity[rows, columns])
    pair, similarity = np.concatenate(pairs), np.concatenate(similarities)

    tp, association, similarity_sum = np.zeros(len(ALPHAS)), np.zeros(len(ALPHAS)), np.zeros(len(ALPHAS))
    for index, alpha in enumerate(ALPHAS):
        matched = similarity >= alpha - _EPS
        identities, together = np.unique(pair[matched], return_counts=True)
        of_truth, of_result = np.divmod(identities, max(len(result_lengths), 1))
        ever = truth_lengths[of_truth] + result_lengths[of_result] - together
        tp[index], similarity_sum[index] = matched.sum(), similarity[matched].sum()
        association[index] = (together * (together / ever)).sum()
    return tp, association, similarity_sum


def _count_identity(frames: list[_Frame], truth_count: int, result_count: int) -> int:
    """IDTP: the boxes that match when each object is assigned the one track that fits the whole recording best."""
    together = np.zeros((truth_count, result_count))
    for frame in frames:
        together[np.ix_(frame.truth, frame.results)] += frame.similarity >= MATCH_SIMILARITY
    return int(together[linear_sum_assignment(together, maximize=True)].sum())


def _count_clear(frames: list[_Frame], truth_count: int) -> tuple[int, float, int]:
    """Matches, the sum of their similarities, identity switches; a match of the frame before is kept if it can be."""
    last_track = np.full(truth_count, -1)
    track_before = np.full(truth_count, -1)
    matches, similarity, switches = 0, 0.0, 0
    for frame in frames:
        score = _KEEP_BONUS * (frame.results[None, :] == track_before[frame.truth][:, None]) + frame.similarity
        score[frame.similarity < MATCH_SIMILARITY - _EPS] = 0.0
        rows, columns = linear_sum_assignment(score, maximize=True)
        is_match = score[rows, columns] > _EPS
        rows, columns = rows[is_match], columns[is_match]
        objects, tracks = frame.truth[rows], frame.results[columns]
        switches += int(((last_track[objects] >= 0) & (last_track[objects] != tracks)).sum())
        last_track[objects] = tracks
        track_before[:] = -1
        track_before[objects] = tracks
        matches += len(rows)
        similarity += float(frame.similarity[rows, columns].sum())
    return matches, similarity, switches


def tracking_scores(parts: Sequence[CountTotals]) -> TrackingScores:
    """The scores of several recordings together."""
    total = CountTotals.joined(parts)
    tp, detection, association = _hota_parts(total)
    # TrackEval counts a threshold without any match as perfectly located; kept, so that the figures compare.
    location = np.where(tp > 0, total.hota_similarity / np.maximum(tp, 1.0), 1.0)
    has_truth = total.truth_boxes > 0
    false_positives = total.result_boxes - total.clear_tp
    return TrackingScores(
        hota=float(np.sqrt(detection * association).mean()) if has_truth else None,
        det_a=float(detection.mean()) if has_truth else None,
        ass_a=float(association.mean()) if has_truth else None,
        loc_a=float(location.mean()) if tp.any() else None,
        idf1=ratio(2 * total.id_tp, total.truth_boxes + total.result_boxes) if has_truth else None,
        idp=ratio(total.id_tp, total.result_boxes) if has_truth else None,
        idr=ratio(total.id_tp, total.truth_boxes),
        mota=ratio(total.clear_tp - false_positives - total.id_switches, total.truth_boxes),
        motp=ratio(total.clear_similarity, total.clear_tp),
        false_positive_count=false_positives,
        false_negative_count=total.truth_boxes - total.clear_tp,
        id_switch_count=total.id_switches,
        truth_box_count=total.truth_boxes,
        result_box_count=total.result_boxes,
        truth_object_count=total.truth_objects,
        result_track_count=total.result_tracks,
    )


def hota_curve(parts: Sequence[CountTotals]) -> HotaCurve | None:
    """HOTA of several recordings together at each threshold; None without truth."""
    total = CountTotals.joined(parts)
    if not total.truth_boxes:
        return None
    _, detection, association = _hota_parts(total)
    curves = (ALPHAS, np.sqrt(detection * association), detection, association)
    thresholds, hota, det_a, ass_a = (tuple(np.round(curve, 6).tolist()) for curve in curves)
    return HotaCurve(thresholds, hota, det_a, ass_a)


def _hota_parts(total: CountTotals) -> tuple[Float64, Float64, Float64]:
    """Matches, detection accuracy and association accuracy over ``ALPHAS``, each (19,)."""
    tp = total.hota_tp
    association = total.association / np.maximum(tp, 1.0)
    return tp, tp / np.maximum(total.truth_boxes + total.result_boxes - tp, 1.0), association
