"""Box tables as every metric needs them: rows by image, classes by grouping, checks that truth and results match."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from perception.arrays import FloatArray, IntArray
from perception.errors import UsageError
from perception.taxonomy import CLASSES, VEHICLE_LABELS
from perception.types import ANY_LABEL, BoxTable, IgnoredRegions

ImageKey = tuple[str, int]
"""One image of a recording: the camera's name and the frame's index."""

Grouping = Literal["vehicles", "each", "any"]
"""How classes are counted: car, truck and bus as one class and nothing else; each for itself; or all as one."""

GroupingChoice = Literal["both", "vehicles", "each", "any"]
"""One ``Grouping``, or a report of vehicles and one of each class."""

VEHICLE_NAME = "vehicle"
"""The name of car, truck and bus when they count as one class."""

ANY_NAME = "object"
"""The name of all classes when they count as one."""

LARGEST_HEIGHT_PX = 1e10


def heights_px(boxes_xyxy_px: FloatArray) -> NDArray[np.float64]:
    """(N,) heights of boxes (N, 4), in pixels."""
    return np.asarray(boxes_xyxy_px[:, 3], np.float64) - boxes_xyxy_px[:, 1]


def counts_in_image(table: BoxTable, *, min_height_px: float, min_visible_share: float) -> NDArray[np.bool_]:
    """(M,) True for the true boxes that are high enough, and visible enough where the truth knows how much that is."""
    is_high = heights_px(table.boxes_xyxy_px) >= min_height_px
    return is_high if table.visible_shares is None else is_high & (table.visible_shares >= min_visible_share)


def check_thresholds(*, min_height_px: float, min_visible_share: float) -> None:
    """Raise ``UsageError`` for a negative height or a share outside 0..1."""
    if not 0.0 <= min_height_px < LARGEST_HEIGHT_PX:
        raise UsageError(f"The minimum height is {min_height_px} px: choose zero or a positive number.")
    if not 0.0 <= min_visible_share <= 1.0:
        raise UsageError(f"The minimum visible share is {min_visible_share}: choose a number from 0 to 1.")


def image_keys(table: BoxTable) -> set[ImageKey]:
    """The images in which the table has at least one box."""
    return set(zip(table.cameras.tolist(), table.frame_indices.tolist(), strict=True))


def rows_by_image(table: BoxTable | IgnoredRegions) -> dict[ImageKey, IntArray]:
    """For each image the rows of its boxes; cameras in the order of their names, frames in the order of time."""
    if len(table) == 0:
        return {}
    order = np.lexsort((table.frame_indices, table.cameras))
    cameras, frames = table.cameras[order], table.frame_indices[order]
    starts = np.flatnonzero(np.r_[True, (cameras[1:] != cameras[:-1]) | (frames[1:] != frames[:-1])])
    groups = np.split(order, starts[1:])
    return {
        (str(camera), int(frame)): rows
        for camera, frame, rows in zip(cameras[starts], frames[starts], groups, strict=True)
    }


def in_images(table: BoxTable | IgnoredRegions, images: Collection[ImageKey]) -> NDArray[np.bool_]:
    """(M,) True for the rows that lie in one of ``images``."""
    wanted = set(images)
    keys = zip(table.cameras.tolist(), table.frame_indices.tolist(), strict=True)
    return np.fromiter((key in wanted for key in keys), bool, count=len(table))


@dataclass(frozen=True)
class Prepared:
    """Truth and results of the same images and classes; labels index ``class_names``. The rest was left out, counted.

    ``ignored`` are the regions to ignore in these images; their labels index ``class_names``, or are ``ANY_LABEL``.

    ``outside_*_count`` lie in images that are not evaluated, ``other_class_*_count`` are no vehicles where only
    vehicles are evaluated.
    """

    truth: BoxTable
    results: BoxTable
    ignored: IgnoredRegions
    images: frozenset[ImageKey]
    class_names: tuple[str, ...]
    outside_truth_count: int
    outside_result_count: int
    other_class_truth_count: int
    other_class_result_count: int

    def ignored_of(self, label: int) -> IgnoredRegions:
        """The regions to ignore of one class, those of all classes among them."""
        return self.ignored[np.isin(self.ignored.labels, (label, ANY_LABEL))]


def check_table(table: BoxTable, *, name: str) -> None:
    """Raise ``UsageError`` when a label is no index into ``CLASSES`` or a box is turned inside out."""
    wrong_label = (table.labels < 0) | (table.labels >= len(CLASSES))
    if wrong_label.any():
        row = int(np.flatnonzero(wrong_label)[0])
        raise UsageError(
            f"The {name} has label {table.labels[row]} in frame {table.frame_indices[row]}: "
            f"map its classes to 0..{len(CLASSES) - 1} ({', '.join(CLASSES)})."
        )
    inside_out = (table.boxes_xyxy_px[:, 2:] < table.boxes_xyxy_px[:, :2]).any(axis=1)
    if inside_out.any():
        row = int(np.flatnonzero(inside_out)[0])
        raise UsageError(
            f"The {name} has a box whose right or lower edge comes before the left or upper one in frame "
            f"{table.frame_indices[row]} of camera {table.cameras[row]}: give boxes as x1, y1, x2, y2."
        )


def prepare(
    *,
    truth: BoxTable,
    results: BoxTable,
    images: Collection[ImageKey] | None,
    grouping: Grouping,
    ignored: IgnoredRegions | None = None,
) -> Prepared:
    """Bring truth and results to the same images and classes.

    ``images`` are those that the truth speaks of; by default every image in which either has a box. What ``grouping``
    does not count is left out.

    Raises ``UsageError`` when the truth is empty and ``images`` does not state where it looked, when the results have
    a camera that the truth does not know, and for labels or boxes that cannot be.
    """
    check_table(truth, name="ground truth")
    check_table(results, name="result")
    if images is None and len(truth) == 0:
        raise UsageError(
            "The ground truth has no boxes, so there is nothing to compare with: "
            "check its file, or name the images that were looked at."
        )
    known_cameras = {camera for camera, _ in images} if images is not None else set(truth.cameras.tolist())
    unknown = sorted(set(results.cameras.tolist()) - known_cameras)
    if unknown:
        raise UsageError(
            f"The results have camera {unknown[0]!r}, the ground truth has "
            f"{', '.join(sorted(known_cameras)) or 'none'}: evaluate results and ground truth of the same recording."
        )
    kept = frozenset(images) if images is not None else frozenset(image_keys(truth) | image_keys(results))
    truth_inside, results_inside = truth[in_images(truth, kept)], results[in_images(results, kept)]
    truth_counted = truth_inside[_evaluated(truth_inside.labels, grouping)]
    results_counted = results_inside[_evaluated(results_inside.labels, grouping)]
    regions = IgnoredRegions.empty() if ignored is None else ignored[in_images(ignored, kept)]
    is_any = regions.labels == ANY_LABEL
    regions = regions[is_any | _evaluated(regions.labels, grouping)]
    if grouping != "each":
        truth_counted = replace(truth_counted, labels=np.zeros_like(truth_counted.labels))
        results_counted = replace(results_counted, labels=np.zeros_like(results_counted.labels))
        regions = replace(regions, labels=np.where(regions.labels == ANY_LABEL, ANY_LABEL, 0))
    return Prepared(
        truth=truth_counted,
        results=results_counted,
        ignored=regions,
        images=kept,
        class_names=class_names(grouping),
        outside_truth_count=len(truth) - len(truth_inside),
        outside_result_count=len(results) - len(results_inside),
        other_class_truth_count=len(truth_inside) - len(truth_counted),
        other_class_result_count=len(results_inside) - len(results_counted),
    )


def groupings_of(choice: GroupingChoice) -> tuple[Grouping, ...]:
    """What ``choice`` asks for, in the order of the reports."""
    return ("vehicles", "each") if choice == "both" else (choice,)


def class_names(grouping: Grouping) -> tuple[str, ...]:
    """The names of the classes that are counted, in the order of their labels then."""
    names: dict[Grouping, tuple[str, ...]] = {"vehicles": (VEHICLE_NAME,), "each": CLASSES, "any": (ANY_NAME,)}
    return names[grouping]


def _evaluated(labels: IntArray, grouping: Grouping) -> NDArray[np.bool_]:
    return np.isin(labels, VEHICLE_LABELS) if grouping == "vehicles" else np.ones(len(labels), bool)


def ratio(numerator: float, denominator: float) -> float | None:
    """The quotient, or None where it is not defined."""
    return float(numerator) / float(denominator) if denominator > 0 else None
