"""Tracking quality: HOTA, IDF1 and CLEAR, per class and overall.

- HOTA: Luiten et al., "HOTA: A Higher Order Metric for Evaluating Multi-Object Tracking", IJCV 2021.
- IDF1: Ristani et al., "Performance Measures and a Data Set for Multi-Target, Multi-Camera Tracking", 2016.
- CLEAR: Bernardin and Stiefelhagen, "Evaluating Multiple Object Tracking Performance", 2008.

Every camera and class is a sequence of its own. Sequences are put together as TrackEval does it: counts are added,
association is averaged over the matches.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from perception.errors import UsageError
from perception.evaluation.boxes import ImageKey, box_iou, prepare, ratio, rows_by_image
from perception.types import BoxTable

ALPHAS: NDArray[np.float64] = np.arange(0.05, 0.99, 0.05)
"""The localisation thresholds that HOTA is averaged over."""

IOU_THRESHOLD = 0.5
"""The overlap from which IDF1 and CLEAR count a match."""

_EPS = float(np.finfo(float).eps)
_KEEP_BONUS = 1000.0

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]


@dataclass(frozen=True)
class TrackingScores:
    """Scores in 0..1 (``mota`` may be negative), None where the truth or the tracks leave them undefined.

    ``motp`` is the mean overlap of CLEAR's matches, ``loc_a`` that of HOTA's.
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
class TrackingReport:
    """``overall`` joins all cameras and classes by counts; ``per_class`` has the classes that occur, by name."""

    overall: TrackingScores
    per_class: dict[str, TrackingScores]
    vehicles_as_one: bool
    camera_count: int
    image_count: int
    outside_truth_count: int
    outside_result_count: int
    other_class_truth_count: int
    other_class_result_count: int


@dataclass(frozen=True)
class _Frame:
    """Dense indices of the objects (G,) and tracks (R,) of one image, and their overlaps (G, R)."""

    truth: Int64
    results: Int64
    iou: Float64


@dataclass(frozen=True)
class _Counts:
    """What sequences add up: arrays (19,) over ``ALPHAS`` for HOTA, numbers for IDF1 and CLEAR."""

    hota_tp: Float64
    association: Float64
    hota_iou: Float64
    id_tp: int
    clear_tp: int
    clear_iou: float
    id_switches: int
    truth_boxes: int
    result_boxes: int
    truth_objects: int
    result_tracks: int


def evaluate_tracking(
    *,
    truth: BoxTable,
    tracks: BoxTable,
    vehicles_as_one: bool = False,
    images: Collection[ImageKey] | None = None,
) -> TrackingReport:
    """Compare ``tracks`` with ``truth``, within each camera and class.

    ``vehicles_as_one`` makes car, truck and bus one class and leaves everything else out. ``images`` are the
    (camera, frame index) that have ground truth; by default all in which either table has a box.

    Raises ``UsageError`` for an empty truth without ``images``, a camera that the truth does not know, and an id
    that occurs twice in one image.
    """
    data = prepare(truth=truth, results=tracks, images=images, vehicles_as_one=vehicles_as_one)
    _check_ids(truth, name="ground truth")
    _check_ids(tracks, name="result")
    per_class: dict[str, TrackingScores] = {}
    everything: list[_Counts] = []
    for label, name in enumerate(data.class_names):
        of_class = data.truth[data.truth.labels == label], data.results[data.results.labels == label]
        sequences = [
            _count(*(table[table.cameras == camera] for table in of_class))
            for camera in sorted({camera for table in of_class for camera in table.cameras.tolist()})
        ]
        if sequences:
            per_class[name] = _scores(sequences)
            everything += sequences
    return TrackingReport(
        overall=_scores(everything),
        per_class=per_class,
        vehicles_as_one=vehicles_as_one,
        camera_count=len({camera for camera, _ in data.images}),
        image_count=len(data.images),
        outside_truth_count=data.outside_truth_count,
        outside_result_count=data.outside_result_count,
        other_class_truth_count=data.other_class_truth_count,
        other_class_result_count=data.other_class_result_count,
    )


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


def _count(truth: BoxTable, results: BoxTable) -> _Counts:
    """Count the matches of one camera and class."""
    truth_ids, truth_index = np.unique(truth.ids, return_inverse=True)
    result_ids, result_index = np.unique(results.ids, return_inverse=True)
    truth_rows, result_rows = rows_by_image(truth), rows_by_image(results)
    # An image without truth or without tracks holds no match, and no metric looks across it.
    frames = [
        _Frame(
            truth=truth_index[truth_rows[key]],
            results=result_index[result_rows[key]],
            iou=box_iou(truth.boxes_xyxy_px[truth_rows[key]], results.boxes_xyxy_px[result_rows[key]]),
        )
        for key in sorted(truth_rows.keys() & result_rows.keys())
    ]
    truth_lengths = np.bincount(truth_index, minlength=len(truth_ids))
    result_lengths = np.bincount(result_index, minlength=len(result_ids))
    hota_tp, association, hota_iou = _count_hota(frames, truth_lengths, result_lengths)
    clear_tp, clear_iou, id_switches = _count_clear(frames, len(truth_ids))
    return _Counts(
        hota_tp=hota_tp,
        association=association,
        hota_iou=hota_iou,
        id_tp=_count_identity(frames, len(truth_ids), len(result_ids)),
        clear_tp=clear_tp,
        clear_iou=clear_iou,
        id_switches=id_switches,
        truth_boxes=len(truth),
        result_boxes=len(results),
        truth_objects=len(truth_ids),
        result_tracks=len(result_ids),
    )


def _count_hota(frames: list[_Frame], truth_lengths: Int64, result_lengths: Int64) -> tuple[Float64, Float64, Float64]:
    """Over ``ALPHAS``: matches, the sum of their association scores, the sum of their overlaps; each (19,)."""
    potential = np.zeros((len(truth_lengths), len(result_lengths)))
    for frame in frames:
        union = frame.iou.sum(axis=0)[None, :] + frame.iou.sum(axis=1)[:, None] - frame.iou
        potential[np.ix_(frame.truth, frame.results)] += np.where(
            union > _EPS, frame.iou / np.where(union > _EPS, union, 1.0), 0.0
        )
    alignment = potential / (truth_lengths[:, None] + result_lengths[None, :] - potential)

    pairs, overlaps = [np.zeros(0, np.int64)], [np.zeros(0)]
    for frame in frames:
        rows, columns = linear_sum_assignment(alignment[np.ix_(frame.truth, frame.results)] * frame.iou, maximize=True)
        pairs.append(frame.truth[rows] * len(result_lengths) + frame.results[columns])
        overlaps.append(frame.iou[rows, columns])
    pair, overlap = np.concatenate(pairs), np.concatenate(overlaps)

    tp, association, iou_sum = np.zeros(len(ALPHAS)), np.zeros(len(ALPHAS)), np.zeros(len(ALPHAS))
    for index, alpha in enumerate(ALPHAS):
        matched = overlap >= alpha - _EPS
        identities, together = np.unique(pair[matched], return_counts=True)
        of_truth, of_result = np.divmod(identities, max(len(result_lengths), 1))
        ever = truth_lengths[of_truth] + result_lengths[of_result] - together
        tp[index], iou_sum[index] = matched.sum(), overlap[matched].sum()
        association[index] = (together * (together / ever)).sum()
    return tp, association, iou_sum


def _count_identity(frames: list[_Frame], truth_count: int, result_count: int) -> int:
    """IDTP: the boxes that match when each object is given the one track that suits the whole recording best."""
    together = np.zeros((truth_count, result_count))
    for frame in frames:
        together[np.ix_(frame.truth, frame.results)] += frame.iou >= IOU_THRESHOLD
    return int(together[linear_sum_assignment(together, maximize=True)].sum())


def _count_clear(frames: list[_Frame], truth_count: int) -> tuple[int, float, int]:
    """Matches, the sum of their overlaps, and identity switches; a match of the frame before is kept if it can be."""
    last_track = np.full(truth_count, -1)
    track_before = np.full(truth_count, -1)
    matches, overlap, switches = 0, 0.0, 0
    for frame in frames:
        score = _KEEP_BONUS * (frame.results[None, :] == track_before[frame.truth][:, None]) + frame.iou
        score[frame.iou < IOU_THRESHOLD - _EPS] = 0.0
        rows, columns = linear_sum_assignment(score, maximize=True)
        is_match = score[rows, columns] > _EPS
        rows, columns = rows[is_match], columns[is_match]
        objects, tracks = frame.truth[rows], frame.results[columns]
        switches += int(((last_track[objects] >= 0) & (last_track[objects] != tracks)).sum())
        last_track[objects] = tracks
        track_before[:] = -1
        track_before[objects] = tracks
        matches += len(rows)
        overlap += float(frame.iou[rows, columns].sum())
    return matches, overlap, switches


def _scores(sequences: list[_Counts]) -> TrackingScores:
    """The scores of several sequences together."""
    truth_boxes = sum(counts.truth_boxes for counts in sequences)
    result_boxes = sum(counts.result_boxes for counts in sequences)
    zeros = np.zeros(len(ALPHAS))
    tp = sum((counts.hota_tp for counts in sequences), zeros)
    detection = tp / np.maximum(truth_boxes + result_boxes - tp, 1.0)
    association = sum((counts.association for counts in sequences), zeros) / np.maximum(tp, 1.0)
    # TrackEval counts a threshold without any match as perfectly located; kept, so that the figures compare.
    location = np.where(tp > 0, sum((counts.hota_iou for counts in sequences), zeros) / np.maximum(tp, 1.0), 1.0)
    has_truth = truth_boxes > 0
    id_tp = sum(counts.id_tp for counts in sequences)
    clear_tp = sum(counts.clear_tp for counts in sequences)
    switches = sum(counts.id_switches for counts in sequences)
    false_positives = result_boxes - clear_tp
    return TrackingScores(
        hota=float(np.sqrt(detection * association).mean()) if has_truth else None,
        det_a=float(detection.mean()) if has_truth else None,
        ass_a=float(association.mean()) if has_truth else None,
        loc_a=float(location.mean()) if tp.any() else None,
        idf1=ratio(2 * id_tp, truth_boxes + result_boxes) if has_truth else None,
        idp=ratio(id_tp, result_boxes) if has_truth else None,
        idr=ratio(id_tp, truth_boxes),
        mota=ratio(clear_tp - false_positives - switches, truth_boxes),
        motp=ratio(sum(counts.clear_iou for counts in sequences), clear_tp),
        false_positive_count=false_positives,
        false_negative_count=truth_boxes - clear_tp,
        id_switch_count=switches,
        truth_box_count=truth_boxes,
        result_box_count=result_boxes,
        truth_object_count=sum(counts.truth_objects for counts in sequences),
        result_track_count=sum(counts.result_tracks for counts in sequences),
    )
