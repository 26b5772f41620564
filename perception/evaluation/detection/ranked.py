"""Detections of a class by their scores, of one recording or of many, and COCO's precision and recall over them.

All that COCO's evaluation needs of a detection is its score and whether it is a hit at each overlap. So recordings are
matched one by one, and put together here in the order of the scores, a piece at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from perception.arrays import Column
from perception.evaluation.detection.matching import ClassMatches

IOU_THRESHOLDS = np.linspace(0.5, 0.95, 10)
"""COCO's."""

RECALLS = np.linspace(0.0, 1.0, 101)
"""Where COCO reads the precision."""

MAX_DETECTIONS_PER_IMAGE = 100
"""COCO's limit per image and class for average precision."""

_AT_ONCE = 500_000
"""About so many detections are looked at together."""

_BEYOND = np.uint16(1 << len(IOU_THRESHOLDS))
"""The bit of a detection that is not among the first of its image."""

_BITS = np.uint16(1) << np.arange(len(IOU_THRESHOLDS), dtype=np.uint16)


@dataclass(frozen=True)
class RankedDetections:
    """D detections by falling scores: ``scores`` (D,); ``hits`` and ``ignored`` (D,) have a bit for each of
    ``IOU_THRESHOLDS``; ``ignored`` has one more for those beyond ``MAX_DETECTIONS_PER_IMAGE``."""

    scores: Column
    hits: Column
    ignored: Column

    @classmethod
    def of(cls, matches: ClassMatches) -> RankedDetections:
        """From matches at ``IOU_THRESHOLDS``."""
        order = np.argsort(-matches.scores, kind="stable")
        beyond = np.where(matches.ranks[order] < MAX_DETECTIONS_PER_IMAGE, np.uint16(0), _BEYOND)
        return cls(
            scores=matches.scores[order],
            hits=_packed(matches.is_hit[:, order]),
            ignored=_packed(matches.is_ignored[:, order]) | beyond,
        )

    def __len__(self) -> int:
        return len(self.scores)

    def read(self, start: int, end: int) -> RankedDetections:
        """Some of them, in memory."""
        return RankedDetections(self.scores[start:end], self.hits[start:end], self.ignored[start:end])

    def is_hit(self, threshold: int) -> NDArray[np.bool_]:
        """(D,) at one of the thresholds."""
        return np.asarray(self.hits[:] & _BITS[threshold] != 0)

    def is_counted(self, threshold: int) -> NDArray[np.bool_]:
        """(D,) True for those that are a hit or a false positive at one of the thresholds."""
        return np.asarray(self.ignored[:] & _BITS[threshold] == 0)

    def within_limit(self) -> RankedDetections:
        """Those that average precision looks at."""
        is_first = self.ignored[:] & _BEYOND == 0
        return RankedDetections(self.scores[:][is_first], self.hits[:][is_first], self.ignored[:][is_first])


def _packed(levels: NDArray[np.bool_]) -> NDArray[np.uint16]:
    """(T, D) -> (D,) with a bit for each level."""
    return np.asarray(np.bitwise_or.reduce(np.where(levels, _BITS[:, None], np.uint16(0)), axis=0))


def in_order(parts: Sequence[RankedDetections]) -> Iterator[RankedDetections]:
    """All detections of ``parts`` by falling scores, in pieces; equal scores are in one piece, in the order of
    ``parts``."""
    cuts = _cuts(parts)
    starts = [0] * len(parts)
    for cut in (*cuts, -np.inf):
        piece = []
        for index, part in enumerate(parts):
            # Growing order is what searchsorted takes.
            end = int(np.searchsorted(-part.scores[:], -cut, side="right"))
            piece.append(part.read(starts[index], end))
            starts[index] = end
        scores, hits, ignored = (
            np.concatenate([getattr(part, name) for part in piece]) for name in ("scores", "hits", "ignored")
        )
        order = np.argsort(-scores, kind="stable")
        yield RankedDetections(scores[order], hits[order], ignored[order])


def _cuts(parts: Sequence[RankedDetections]) -> list[float]:
    """Falling scores that cut all detections into pieces of about ``_AT_ONCE``."""
    count = sum(map(len, parts))
    if count <= _AT_ONCE:
        return []
    step = max(1, _AT_ONCE // (10 * len(parts)))
    sample = -np.sort(-np.concatenate([part.scores[:][::step] for part in parts]))
    cuts: list[float] = np.unique(sample[_AT_ONCE // step :: _AT_ONCE // step])[::-1].tolist()
    return cuts


@dataclass(frozen=True)
class PrecisionRecall:
    """COCO's interpolated ``precision`` (10, 101) at ``IOU_THRESHOLDS`` and ``RECALLS``, and the ``recall`` (10,)."""

    precision: NDArray[np.float64]
    recall: NDArray[np.float64]


def precision_recall(parts: Sequence[RankedDetections], truth_count: int) -> PrecisionRecall | None:
    """Over all ``parts`` together; None without an object to find."""
    if not truth_count:
        return None
    levels = len(IOU_THRESHOLDS)
    precision, recall = np.zeros((levels, len(RECALLS))), np.zeros(levels)
    hits, counted = np.zeros(levels, np.int64), np.zeros(levels, np.int64)
    for piece in in_order(parts):
        first = piece.within_limit()
        for level in range(levels):
            is_counted = first.is_counted(level)
            hits_so_far = hits[level] + np.cumsum(first.is_hit(level) & is_counted)
            counted_so_far = counted[level] + np.cumsum(is_counted)
            if not len(hits_so_far):
                continue
            reached = hits_so_far / truth_count
            # The best precision here or later; of what comes in later pieces they take the greater one.
            best = np.maximum.accumulate((hits_so_far / np.maximum(counted_so_far, 1))[::-1])[::-1]
            at = np.searchsorted(reached, RECALLS, side="left")
            is_there = at < len(best)
            precision[level, is_there] = np.maximum(precision[level, is_there], best[at[is_there]])
            hits[level], counted[level] = hits_so_far[-1], counted_so_far[-1]
            recall[level] = reached[-1]
    return PrecisionRecall(precision, recall)


def recall_at_false_alarms(parts: Sequence[RankedDetections], truth_count: int, allowed: float) -> float | None:
    """The recall, at the first overlap, at the lowest score threshold with at most so many false positives.

    A threshold takes all detections of the same score or none.
    """
    if not truth_count:
        return None
    hits, alarms, most = 0, 0, 0
    for piece in in_order(parts):
        is_counted = piece.is_counted(0)
        scores, is_hit = piece.scores[:][is_counted], piece.is_hit(0)[is_counted]
        hits_so_far, alarms_so_far = hits + np.cumsum(is_hit), alarms + np.cumsum(~is_hit)
        is_threshold = np.r_[scores[1:] != scores[:-1], True][: len(scores)]
        most = max(most, int(hits_so_far[is_threshold & (alarms_so_far <= allowed)].max(initial=0)))
        hits, alarms = hits + int(is_hit.sum()), alarms + int((~is_hit).sum())
        if alarms > allowed:
            break
    return most / truth_count
