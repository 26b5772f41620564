"""The boxes that a recording states as true, and what each reader of them checks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from perception.arrays import FloatArray, IntArray
from perception.errors import UsageError, counted
from perception.geometry.boxes import box_centres
from perception.sources.files.csv_tables import CsvTable
from perception.sources.files.lazy_frame import RecordedCamera
from perception.types import ANY_LABEL, BoxTable, IgnoredRegions

_LARGEST_SHARE = 1.5


@dataclass(frozen=True)
class BoxTruth:
    """True ``boxes``, the regions to ignore beside them, and sentences on how the file was read.

    ``has_classes`` is False where the file does not say what the objects are; then ``boxes.labels`` mean nothing.
    ``class_labels`` leads from the file's own numbers of classes to ours, -1 for those that are none; None where it has
    names, or no classes.
    """

    boxes: BoxTable
    ignored: IgnoredRegions = field(default_factory=IgnoredRegions.empty)
    notes: tuple[str, ...] = ()
    has_classes: bool = True
    class_labels: Mapping[int, int] | None = None


def ignored_boxes(
    frame_indices: IntArray, boxes_xyxy_px: FloatArray, cameras: NDArray[np.str_], is_object: NDArray[np.bool_]
) -> IgnoredRegions:
    """Regions to ignore, (M,) and (M, 4), that hold for every class."""
    return IgnoredRegions(
        frame_indices=frame_indices,
        labels=np.full(len(frame_indices), ANY_LABEL),
        boxes_xyxy_px=boxes_xyxy_px,
        cameras=cameras,
        is_object=is_object,
    )


def is_repeated(keys: IntArray) -> NDArray[np.bool_]:
    """(M,): whether an earlier row of ``keys`` (M, K) is the same."""
    repeated = np.ones(len(keys), bool)
    repeated[np.unique(keys, axis=0, return_index=True)[1] if len(keys) else np.zeros(0, np.int64)] = False
    return repeated


def reject_past_end(table: CsvTable, is_past: NDArray[np.bool_], column: str, camera: RecordedCamera) -> None:
    """Raise ``UsageError`` for rows behind the last frame; where many are, the video was cut, not a row mistyped."""
    end = f"the {counted(camera.length, 'frame')} of camera {camera.name}"
    fault = f"past the end of {end}, in {counted(int(is_past.sum()), 'row')}"
    table.reject(is_past, column, fault, remedy="complete its video, or take these rows away")


def refuse_shares(boxes: BoxTable, whose: str) -> None:
    """Raise ``UsageError`` where all boxes of ``whose`` are shares of the image, not pixels."""
    if len(boxes) and boxes.boxes_xyxy_px.max() <= _LARGEST_SHARE:
        raise UsageError(
            f"The boxes of the {whose} all lie between 0 and 1, as shares of the image do: give them in pixels."
        )


def doubts_on_boxes(boxes: BoxTable) -> tuple[str, ...]:
    """Sentences on boxes that are there twice. Raises ``UsageError`` where all are shares of the image, not pixels."""
    refuse_shares(boxes, "ground truth")
    _, camera_codes = np.unique(boxes.cameras, return_inverse=True)
    places = [camera_codes.reshape(-1), boxes.frame_indices, boxes.labels, *boxes.boxes_xyxy_px.T]
    count = int(is_repeated(np.stack(places, axis=1)).sum())
    if not count:
        return ()
    return (
        f"{counted(count, 'true box')} given twice, with the same image, class and corners; each counts for itself.",
    )


def doubts_on_places(boxes: BoxTable, sizes_px: Mapping[str, tuple[int, int]]) -> tuple[str, ...]:
    """A sentence for each camera, of known (width, height), with true boxes whose centre is outside its image."""
    doubts = []
    for camera, (width, height) in sizes_px.items():
        centres = box_centres(boxes.boxes_xyxy_px[boxes.cameras == camera])
        is_outside = ((centres < 0) | (centres > (width, height))).any(axis=1)
        if is_outside.any():
            doubts.append(
                f"{is_outside.mean():.1%} of the true boxes of {camera} ({is_outside.sum():,}) have their centre "
                f"outside its image of {width}x{height} pixels: they may be of another resolution."
            )
    return tuple(doubts)


def check_size(path: Path, what: str, *, stated_px: tuple[int, int], real_px: tuple[int, int]) -> None:
    """Raise ``UsageError`` where ``path`` states another (width, height) than ``what``, an image or video, has.

    Boxes of another resolution would find nothing, and nobody would know why.
    """
    if stated_px != real_px:
        (width, height), (real_width, real_height) = stated_px, real_px
        raise UsageError(
            f"{path}: states {width}x{height} pixels, but {what} has {real_width}x{real_height}; "
            "scale the boxes to that size and correct the statement, or give the original images."
        )
