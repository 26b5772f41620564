"""Which part of the true objects is found, by class, size, distance, visibility, the picture's border and light."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from perception.arrays import FloatArray, IntArray, StructOfArrays
from perception.evaluation.core.table_boxes import GroupingChoice, ImageKey, heights_px, ratio
from perception.evaluation.failures.classify import MatchedDetections
from perception.taxonomy import CLASSES

DARK_BELOW = 0.2
"""Mean brightness of a picture, of 0 (black) to 1 (white) as its file has it: below it is night."""

DIM_BELOW = 0.33
"""Below it is dusk, rain, a tunnel or a shady street; an evenly lit street has 0.4 to 0.5."""

CUT_OFF_PX = 2.0
"""A box that comes so near to the left, right or lower border of the picture is cut off by it."""

_INF = float("inf")
_UNKNOWN = "unknown"


@dataclass(frozen=True)
class _Factor:
    """Bins between growing ``edges``, each without its upper one; ``names`` has one for each bin."""

    edges: tuple[float, ...]
    names: tuple[str, ...]


_FACTORS: Mapping[str, _Factor] = {
    "height": _Factor((0, 16, 32, 64, 128, _INF), ("< 16 px", "16-32 px", "32-64 px", "64-128 px", "≥ 128 px")),
    "distance": _Factor((0, 10, 20, 40, 80, _INF), ("0-10 m", "10-20 m", "20-40 m", "40-80 m", "> 80 m")),
    "visible": _Factor((0, 0.3, 0.5, 0.75, _INF), ("< 30 %", "30-50 %", "50-75 %", "75-100 %")),
    "border": _Factor((-_INF, CUT_OFF_PX, _INF), ("cut off", "whole")),
    "light": _Factor((0, DARK_BELOW, DIM_BELOW, _INF), ("dark", "dim", "bright")),
}


@dataclass(frozen=True)
class Conditions(StructOfArrays):
    """The M objects that are to be found and how each was seen; NaN where that is not known.

    ``labels`` (M,) index ``CLASSES``; ``height`` (M,) of the box in pixels, ``distance`` (M,) in metres, ``visible``
    (M,) the share 0..1 that can be seen, ``light`` (M,) the mean brightness 0..1 of the picture, ``border`` (M,) the
    pixels to its left, right or lower border; ``is_found`` (M,).
    """

    labels: IntArray
    height: FloatArray
    distance: FloatArray
    visible: FloatArray
    light: FloatArray
    border: FloatArray
    is_found: NDArray[np.bool_]

    @classmethod
    def of(
        cls,
        matched: MatchedDetections,
        *,
        distances_m: FloatArray | None = None,
        brightness: Mapping[ImageKey, float] | None = None,
        sizes_px: Mapping[ImageKey, tuple[int, int]] | None = None,
    ) -> Conditions:
        """``distances_m`` (M,) are those of ``matched.truth``, ``brightness`` and (width, height) ``sizes_px`` are by
        picture."""
        truth = matched.truth
        unknown = np.full(len(truth), np.nan)
        light, sizes = brightness or {}, sizes_px or {}
        keys = [*zip(truth.cameras.tolist(), truth.frame_indices.tolist(), strict=True)]
        width, height = np.array([sizes.get(key, (np.nan, np.nan)) for key in keys], np.float64).reshape(-1, 2).T
        left, _, right, lower = np.asarray(truth.boxes_xyxy_px, np.float64).T
        return cls(
            labels=truth.labels,
            height=heights_px(truth.boxes_xyxy_px),
            distance=unknown if distances_m is None else distances_m,
            visible=unknown if truth.visible_shares is None else truth.visible_shares,
            light=np.array([light.get(key, np.nan) for key in keys], np.float64),
            border=np.minimum(np.minimum(left, width - right), height - lower),
            is_found=matched.is_found,
        )


@dataclass(frozen=True)
class RecallBin:
    """``recall`` 0..1 of the objects in one bin; None without any."""

    name: str
    object_count: int
    found_count: int
    recall: float | None


@dataclass(frozen=True)
class RecallBreakdown:
    """``factors`` has the bins that hold objects, for each factor that is known of any: class, height, distance,
    visible, border, light. ``grouping`` states whether a vehicle may be found as any vehicle."""

    grouping: GroupingChoice
    score_threshold: float
    overall: RecallBin
    factors: dict[str, tuple[RecallBin, ...]]


@dataclass(frozen=True)
class RecallCounts:
    """Objects and those of them that were found, by bin: ``factors`` has (bins, 2) for "class" and each of the factors.

    The last bin of a factor holds the objects of which it is not known.
    """

    factors: dict[str, NDArray[np.int64]]

    @classmethod
    def of(cls, conditions: Conditions) -> RecallCounts:
        """Of one recording."""
        counts = {"class": _count(conditions.labels, len(CLASSES), conditions.is_found)}
        for name, factor in _FACTORS.items():
            values = np.asarray(getattr(conditions, name), np.float64)
            # NaN sorts behind infinity: it falls into the bin after the last one.
            bins = np.searchsorted(np.array(factor.edges), values, side="right") - 1
            counts[name] = _count(bins, len(factor.names) + 1, conditions.is_found)
        return cls(counts)


def break_down_recall(
    parts: Sequence[RecallCounts], *, grouping: GroupingChoice, score_threshold: float
) -> RecallBreakdown | None:
    """The recall by each factor, in all recordings; objects of which it is not known make a bin of their own, the last.

    None without any object.
    """
    sums = {name: np.sum([part.factors[name] for part in parts], axis=0) for name in ("class", *_FACTORS)}
    count, found = sums["class"].sum(axis=0).tolist()
    if not count:
        return None
    factors = {} if grouping == "any" else {"class": _bins(sums["class"], CLASSES)}
    for name, factor in _FACTORS.items():
        if sums[name][:-1].any():
            factors[name] = _bins(sums[name], (*factor.names, _UNKNOWN))
    return RecallBreakdown(grouping, score_threshold, RecallBin("all", count, found, ratio(found, count)), factors)


def _count(bins: IntArray, size: int, is_found: NDArray[np.bool_]) -> NDArray[np.int64]:
    """(size, 2): objects in the bins that ``bins`` (M,) number, and those that were found."""
    return np.stack([np.bincount(bins, minlength=size), np.bincount(bins[is_found], minlength=size)], axis=1)


def _bins(counts: NDArray[np.int64], names: Sequence[str]) -> tuple[RecallBin, ...]:
    """The bins that hold objects."""
    return tuple(
        RecallBin(name, count, hits, ratio(hits, count))
        for name, (count, hits) in zip(names, counts.tolist(), strict=True)
        if count
    )
