"""Object by object: true positives, misses and false positives, counted as precision and recall are."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from perception.arrays import IntArray
from perception.evaluation.core.table_boxes import Grouping, GroupingChoice, ImageKey, prepare
from perception.evaluation.detection.matching import incomplete_images, match_class
from perception.taxonomy import CLASSES, VEHICLE_LABELS
from perception.types import BoxTable, IgnoredRegions

_OTHER_LABELS = tuple(label for label in range(len(CLASSES)) if label not in VEHICLE_LABELS)


@dataclass(frozen=True)
class MatchedDetections:
    """``truth``: the M objects that are to be found, with ``is_found`` (M,); ``false_alarms``: detections from the
    score threshold on that found none and count. Both in the order of the tables, with their own labels."""

    truth: BoxTable
    is_found: NDArray[np.bool_]
    false_alarms: BoxTable


def match_detections(
    *,
    truth: BoxTable,
    detections: BoxTable,
    images: Collection[ImageKey],
    grouping: GroupingChoice,
    score_threshold: float,
    min_height_px: float = 0.0,
    min_visible_share: float = 0.0,
    exhaustive_labels: Mapping[ImageKey, Collection[int]] | None = None,
    ignored: IgnoredRegions | None = None,
) -> MatchedDetections:
    """Match every object and detection in ``images`` by the rules of ``evaluate_detection``.

    ``grouping`` "vehicles" looks at car, truck and bus alone, each of which may be found as any of them; "each" at all
    classes, each for itself; "both" takes vehicles as the first and all other classes as the second does; "any" takes
    all classes as one. Raises ``UsageError`` as ``evaluate_detection`` does.
    """
    parts: dict[GroupingChoice, list[tuple[Grouping, tuple[int, ...]]]] = {
        "vehicles": [("vehicles", (0,))],
        "each": [("each", tuple(range(len(CLASSES))))],
        "both": [("vehicles", (0,)), ("each", _OTHER_LABELS)],
        "any": [("any", (0,))],
    }
    found_scores = np.full(len(truth), np.nan)
    is_false = np.zeros(len(detections), bool)
    for counted_as, labels in parts[grouping]:
        data = prepare(
            truth=_numbered(truth),
            results=_numbered(detections),
            images=images,
            grouping=counted_as,
            ignored=ignored,
        )
        incomplete = incomplete_images(data, exhaustive_labels)
        for label in labels:
            matches = match_class(
                data, label, incomplete[label], min_height_px=min_height_px, min_visible_share=min_visible_share
            )
            found_scores[data.truth.ids[matches.truth_rows]] = matches.found_scores
            is_false[data.results.ids[matches.rows]] = ~matches.is_hit[0] & ~matches.is_ignored[0]
    counts = ~np.isnan(found_scores)
    return MatchedDetections(
        truth=truth[counts],
        is_found=found_scores[counts] >= score_threshold,
        false_alarms=detections[is_false & (detections.scores >= score_threshold)],
    )


def _numbered(table: BoxTable) -> BoxTable:
    """The rows' numbers instead of ids, which detections are not matched by: so a part of the table knows its rows."""
    rows: IntArray = np.arange(len(table))
    return replace(table, ids=rows)
