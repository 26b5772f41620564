"""What the reader of a format hands on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from perception.arrays import FloatArray, IntArray
from perception.errors import UsageError, counted
from perception.results.formats.pictures import Places
from perception.results.reader import ForecastRecord, Results, joined_boxes
from perception.safety.input_limits import MAX_NUMBER
from perception.taxonomy import label_of
from perception.types import BoxTable, ObjectTable

UNKNOWN_CLASS = -1


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """Somebody's predictions, placed on the pictures of a truth; None for what the files do not hold.

    ``objects`` are tracks in the world. ``forecasts`` are those of each instant; ``run`` is the whole run in place of
    these where it is one of ours. ``notes`` are sentences on what was left out. ``has_classes`` is False where the
    files say nothing of classes.
    """

    detections: BoxTable | None = None
    tracks: BoxTable | None = None
    objects: ObjectTable | None = None
    forecasts: tuple[ForecastRecord, ...] | None = None
    run: Results | None = None
    notes: tuple[str, ...] = ()
    has_classes: bool = True


@dataclass(frozen=True, kw_only=True)
class BoxRows:
    """Boxes as a file has them: ``boxes_xyxy_px`` (M, 4), ``scores``, ``labels`` (-1: none of ours), ``ids`` (M,)."""

    places: Places
    boxes_xyxy_px: FloatArray
    scores: FloatArray
    labels: IntArray
    ids: IntArray
    other_classes: Counter[str]

    def table(self, path: object) -> tuple[BoxTable, tuple[str, ...]]:
        """The rows that have a picture and a class of ours, and sentences on the others.

        Raises ``UsageError`` naming ``path`` where no row has a picture.
        """
        has_picture, is_ours = self.places.frames >= 0, self.labels >= 0
        count, lost = len(has_picture), int((~has_picture).sum())
        if count and lost == count:
            raise UsageError(f"{path}: no box of {count:,} is of a picture of the truth; give the two together.")
        if not (np.abs(self.boxes_xyxy_px) <= MAX_NUMBER).all():
            raise UsageError(f"{path}: has a box whose sides are beyond all that is measured; correct the file.")
        keep = has_picture & is_ours
        notes = []
        if lost:
            notes.append(
                f"{path}: {lost:,} of {counted(count, 'box')} left out, of pictures that the truth does not have."
            )
        if self.other_classes:
            others = ", ".join(f"{number:,} {name}" for name, number in self.other_classes.most_common())
            notes.append(f"{path}: boxes of classes that are no road users here were left out: {others}.")
        table = BoxTable(
            frame_indices=self.places.frames[keep].astype(np.int64),
            ids=self.ids[keep].astype(np.int64),
            labels=self.labels[keep].astype(np.int64),
            scores=self.scores[keep].astype(np.float64),
            # A sum of two numbers as they are written is not always the number that one would write.
            boxes_xyxy_px=np.round(self.boxes_xyxy_px[keep].astype(np.float64), 6),
            cameras=self.places.cameras[keep],
        )
        return table, tuple(notes)


def joined_predictions(parts: Sequence[Predictions]) -> Predictions:
    """The boxes of several files together."""
    detections = [part.detections for part in parts if part.detections is not None]
    tracks = [part.tracks for part in parts if part.tracks is not None]
    return Predictions(
        detections=joined_boxes(detections) if detections else None,
        tracks=joined_boxes(tracks) if tracks else None,
        notes=tuple(note for part in parts for note in part.notes),
        has_classes=all(part.has_classes for part in parts),
    )


def joined_rows(parts: Sequence[BoxRows]) -> BoxRows:
    """The rows of all files of a folder."""
    none = np.zeros(0, np.int64)
    return BoxRows(
        places=Places(
            np.concatenate([np.zeros(0, "U1"), *(part.places.cameras for part in parts)]),
            np.concatenate([none, *(part.places.frames for part in parts)]),
        ),
        boxes_xyxy_px=np.concatenate([np.zeros((0, 4)), *(part.boxes_xyxy_px for part in parts)]),
        scores=np.concatenate([np.zeros(0), *(part.scores for part in parts)]),
        labels=np.concatenate([none, *(part.labels for part in parts)]),
        ids=np.concatenate([none, *(part.ids for part in parts)]),
        other_classes=sum((part.other_classes for part in parts), Counter[str]()),
    )


def labels_of_names(names: Iterable[str], *, but: Sequence[str] = ()) -> tuple[IntArray, Counter[str]]:
    """(M,) the labels of classes by name, -1 for those that are none of ``CLASSES``, and how many of each these are.

    Those called ``but`` are not counted.
    """
    words = list(names)
    known = {name: label_of(name) for name in set(words)}
    labels = np.array([UNKNOWN_CLASS if (label := known[name]) is None else label for name in words], np.int64)
    return labels, Counter(name for name in words if known[name] is None and name not in but)


def checked_boxes(path: object, lines: IntArray, boxes_xyxy: FloatArray, scores: FloatArray) -> None:
    """Raise ``UsageError`` naming the line of the first box or score that cannot be."""
    for is_right, fault in (
        (np.isfinite(boxes_xyxy).all(axis=1) & np.isfinite(scores), "a number is not finite"),
        ((boxes_xyxy[:, 2:] >= boxes_xyxy[:, :2]).all(axis=1), "the box has a negative width or height"),
        ((scores >= 0) & (scores <= 1), "expected a score from 0 to 1"),
    ):
        if not is_right.all():
            raise UsageError(f"{path}, line {lines[int(np.argmin(is_right))]}: {fault}; correct the file.")


def checked_ids(path: object, lines: IntArray, frames: IntArray, ids: IntArray) -> None:
    """Raise ``UsageError`` naming the line of the first id (M,) that its frame (M,) has already."""
    _, firsts, of_row = np.unique(np.stack([frames, ids], axis=1), axis=0, return_index=True, return_inverse=True)
    first_of_row = firsts[of_row.reshape(-1)]
    repeated = np.flatnonzero(first_of_row != np.arange(len(ids)))
    if len(repeated):
        row = int(repeated[0])
        raise UsageError(
            f"{path}, line {lines[row]}: id {ids[row]} is in this picture already, in line {lines[first_of_row[row]]}; "
            "give each object of a picture an id of its own."
        )
