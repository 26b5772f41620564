"""MOTChallenge's text: one line for each box, with its frame (from 1), id, x, y, width, height, score, class.

Files of others have 7 to 10 columns; what stands behind the class is not read. Where there is no class, or -1, the
boxes are of the truth's only class; where it has several, they have none, and all classes count as one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from perception.arrays import FloatArray, IntArray
from perception.errors import UsageError
from perception.files import write_text
from perception.results.formats.pictures import PictureIndex
from perception.results.formats.predictions import (
    UNKNOWN_CLASS,
    BoxRows,
    Predictions,
    checked_boxes,
    checked_ids,
    labels_of_names,
)
from perception.results.formats.text_rows import are_mostly, are_numbers, numbers_of, word_rows
from perception.tables.prediction_files import LABELS_FILE, read_text
from perception.taxonomy import CLASSES
from perception.types import BoxTable

_COLUMNS = range(7, 11)
_NO_CLASS = -1


def is_mot(path: Path) -> bool:
    """Whether the lines of the file are those of MOTChallenge; a text without any line holds no box."""
    if not path.is_file():
        return False
    if path.suffix == ".txt" and not path.stat().st_size:
        return True
    return are_mostly([path], lambda fields: len(fields) in _COLUMNS and are_numbers(fields))


def read_mot(path: Path, pictures: PictureIndex) -> Predictions:
    """Tracks, or detections where all ids are negative. Raises ``UsageError`` naming the line."""
    words, lines = word_rows(path, _COLUMNS)
    rows = numbers_of(path, words, lines, slice(0, 8)) if words else np.zeros((0, 7))
    _reject(path, lines, rows[:, 0] != np.rint(rows[:, 0]), "expected a whole number of the frame")
    _reject(path, lines, rows[:, 1] != np.rint(rows[:, 1]), "expected a whole number as id")
    _reject(path, lines, rows[:, 0] < 1, "frames count from 1")
    are_tracks = not len(rows) or bool((rows[:, 1] >= 0).any())
    # Trackers without scores write anything there; their boxes are not ranked.
    scores = np.where((rows[:, 6] < 0) | (rows[:, 6] > 1), 1.0, rows[:, 6]) if are_tracks else rows[:, 6]
    boxes = np.concatenate([rows[:, 2:4], rows[:, 2:4] + rows[:, 4:6]], axis=1)
    checked_boxes(path, lines, boxes, scores)
    if are_tracks:
        checked_ids(path, lines, rows[:, 0].astype(np.int64), rows[:, 1].astype(np.int64))
    numbers = _numbers_of_class(words, rows)
    labels, others = _labels(path, lines, numbers, pictures)
    table, notes = BoxRows(
        places=pictures.of_frames(rows[:, 0].astype(np.int64) - 1),
        boxes_xyxy_px=boxes,
        scores=scores,
        labels=labels,
        ids=rows[:, 1].astype(np.int64),
        other_classes=others,
    ).table(path)
    return Predictions(
        tracks=table if are_tracks else None,
        detections=None if are_tracks else table,
        notes=notes,
        has_classes=pictures.only_label is not None or not (numbers == _NO_CLASS).any(),
    )


def write_mot(path: Path, table: BoxTable) -> None:
    """Write the boxes of one camera; classes count from 1 in the order of ``labels.txt``, which is written beside."""
    order = np.lexsort((table.ids, table.frame_indices))
    boxes = table.boxes_xyxy_px
    columns = np.column_stack([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]])[order].tolist()
    rows = zip(
        (table.frame_indices[order] + 1).tolist(),
        table.ids[order].tolist(),
        columns,
        table.scores[order].tolist(),
        (table.labels[order] + 1).tolist(),
        strict=True,
    )
    write_text(
        path,
        "".join(
            f"{frame},{identity},{x:.9g},{y:.9g},{w:.9g},{h:.9g},{score:.6g},{label},1\n"
            for frame, identity, (x, y, w, h), score, label in rows
        ),
    )
    write_text(path.parent / LABELS_FILE, "".join(f"{name}\n" for name in CLASSES))


def _numbers_of_class(words: list[list[str]], rows: FloatArray) -> FloatArray:
    """(M,) the class of each row, -1 without one."""
    if rows.shape[1] < 8:
        return np.full(len(rows), float(_NO_CLASS))
    numbers: FloatArray = np.where(np.isnan(rows[:, 7]), _NO_CLASS, rows[:, 7])
    # Ten columns end with a place in the world: x, y, z stand where others have the class.
    in_world = np.array([len(row) == 10 for row in words], bool)
    is_class = (numbers == np.rint(numbers)) & (numbers > 0)
    return np.full(len(rows), float(_NO_CLASS)) if (in_world & ~is_class).any() else numbers


def _labels(path: Path, lines: IntArray, numbers: FloatArray, pictures: PictureIndex) -> tuple[IntArray, Counter[str]]:
    """(M,) the labels of the classes by number, and how many are of other classes."""
    known = _label_of_number(path, pictures)
    whole = np.rint(numbers).astype(np.int64)
    unknown = (numbers != whole) | ((whole != _NO_CLASS) & ~np.isin(whole, list(known)))
    _reject(path, lines, unknown, f"unknown class, expected {', '.join(map(str, sorted(known)))}, or -1")
    of_number = {**known, _NO_CLASS: pictures.only_label or 0}
    labels = np.array([of_number[number] for number in whole.tolist()], np.int64)
    return labels, Counter(f"class {number}" for number in whole[labels == UNKNOWN_CLASS].tolist())


def _label_of_number(path: Path, pictures: PictureIndex) -> Mapping[int, int]:
    """By the names in a ``labels.txt`` beside the file, else by the truth's numbers, else in the order of ``CLASSES``.

    -1 for what is none of these.
    """
    names = path.parent / LABELS_FILE
    if names.is_file():
        lines = read_text(names).splitlines()
        return dict(enumerate(labels_of_names(line.strip() for line in lines)[0].tolist(), start=1))
    return pictures.labels or {label + 1: label for label in range(len(CLASSES))}


def _reject(path: Path, lines: IntArray, is_wrong: NDArray[np.bool_], fault: str) -> None:
    if is_wrong.any():
        raise UsageError(f"{path}, line {lines[int(np.argmax(is_wrong))]}: {fault}; correct the file.")
