"""KITTI's text: of tracking, one file for a drive; of the object benchmark, a folder with one file for a picture."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from perception.arrays import FloatArray, IntArray
from perception.errors import UsageError, counted
from perception.files import write_text
from perception.results.formats.pictures import Picture, PictureIndex, Places, rows_by_picture
from perception.results.formats.predictions import (
    BoxRows,
    Predictions,
    checked_boxes,
    checked_ids,
    joined_rows,
    labels_of_names,
)
from perception.results.formats.text_rows import are_mostly, are_numbers, numbers_of, word_rows
from perception.types import BoxTable

DONT_CARE = "DontCare"

_TRACKING_COLUMNS, _OBJECT_COLUMNS = (17, 18), (15, 16)
_NAMES = ("Car", "Truck", "Bus", "Motorcycle", "Cyclist", "Pedestrian")
"""What KITTI's files call ``CLASSES``."""


def is_kitti_tracking(path: Path) -> bool:
    """Whether the lines of the file have the columns of KITTI tracking."""
    return path.is_file() and are_mostly([path], _is_tracking_line)


def is_kitti_object(folder: Path) -> bool:
    """Whether the lines of the folder's texts have the columns of KITTI's object benchmark."""
    return folder.is_dir() and are_mostly(sorted(folder.glob("*.txt")), _is_object_line)


def read_kitti_tracking(path: Path, pictures: PictureIndex) -> Predictions:
    """The tracks of one drive. Raises ``UsageError`` naming the line."""
    words, lines = word_rows(path, _TRACKING_COLUMNS)
    frames = numbers_of(path, words, lines, slice(0, 2)) if words else np.zeros((0, 2))
    if (frames != np.rint(frames)).any():
        line = lines[int(np.argmax((frames != np.rint(frames)).any(axis=1)))]
        raise UsageError(f"{path}, line {line}: expected whole numbers of frame and id; correct the file.")
    places = pictures.of_frames(frames[:, 0].astype(np.int64))
    rows = _boxes(path, words, lines, places, frames[:, 1].astype(np.int64), type_column=2, are_tracks=True)
    table, notes = rows.table(path)
    return Predictions(tracks=table, notes=notes)


def read_kitti_object(folder: Path, pictures: PictureIndex) -> Predictions:
    """The detections of a folder. Raises ``UsageError`` naming file and line."""
    parts, notes, lost = [], [], []
    for path in sorted(folder.glob("*.txt")):
        words, lines = word_rows(path, _OBJECT_COLUMNS)
        places = pictures.of_stems([path.stem] * len(words))
        parts.append(_boxes(path, words, lines, places, np.full(len(words), -1), type_column=0, are_tracks=False))
        if not len(words) and pictures.of_stems([path.stem]).frames[0] < 0:
            lost.append(path.name)
    table, more = joined_rows(parts).table(folder)
    if lost:
        notes.append(f"{folder}: {counted(len(lost), 'empty file')} of pictures that the truth does not have.")
    return Predictions(detections=table, notes=(*notes, *more))


def read_kitti_regions(folder: Path) -> dict[str, FloatArray]:
    """By picture the regions (m, 4) in which KITTI does not care what is there."""
    regions: dict[str, FloatArray] = {}
    for path in sorted(folder.glob("*.txt")):
        words, lines = word_rows(path, _OBJECT_COLUMNS)
        chosen = np.array([row[0] == DONT_CARE for row in words], bool)
        if chosen.any():
            regions[path.stem] = numbers_of(path, words, lines, slice(4, 8))[chosen]
    return regions


def write_kitti_tracking(path: Path, table: BoxTable, *, has_scores: bool = True) -> None:
    """Write the tracks of one camera; what is not known of an object has KITTI's values for that."""
    order = np.lexsort((table.ids, table.frame_indices))
    rows = zip(
        table.frame_indices[order].tolist(), table.ids[order].tolist(), _columns(table[order], has_scores), strict=True
    )
    write_text(path, "".join(f"{frame} {identity} {words}\n" for frame, identity, words in rows))


def write_kitti_object(folder: Path, table: BoxTable, stems: Mapping[Picture, str], *, has_scores: bool = True) -> None:
    """Write a file for each picture of ``stems``, those without a box too."""
    rows_of = rows_by_picture(table)
    for picture, stem in stems.items():
        columns = _columns(table[rows_of[picture]], has_scores) if picture in rows_of else []
        write_text(folder / f"{stem}.txt", "".join(f"{line}\n" for line in columns))


def _is_tracking_line(fields: list[str]) -> bool:
    has_columns = len(fields) in _TRACKING_COLUMNS
    return has_columns and are_numbers([*fields[:2], *fields[3:]]) and not are_numbers(fields[2:3])


def _is_object_line(fields: list[str]) -> bool:
    return len(fields) in _OBJECT_COLUMNS and are_numbers(fields[1:]) and not are_numbers(fields[:1])


def _columns(table: BoxTable, has_scores: bool) -> list[str]:
    """From the type on, with the score where there is one."""
    rows = zip(table.labels.tolist(), table.boxes_xyxy_px.tolist(), table.scores.tolist(), strict=True)
    return [
        f"{_NAMES[label]} -1 -1 -10 {x1:.6f} {y1:.6f} {x2:.6f} {y2:.6f} -1 -1 -1 -1000 -1000 -1000 -10"
        + (f" {score:.6g}" if has_scores else "")
        for label, (x1, y1, x2, y2), score in rows
    ]


def _boxes(
    path: Path,
    words: list[list[str]],
    lines: IntArray,
    places: Places,
    ids: IntArray,
    *,
    type_column: int,
    are_tracks: bool,
) -> BoxRows:
    """The rows but those of regions to ignore, which a file of labels also has."""
    numbers = numbers_of(path, words, lines, slice(type_column + 1, None)) if words else np.zeros((0, 15))
    scores = numbers[:, 14] if numbers.shape[1] > 14 else np.ones(len(numbers))
    scores = np.where(np.isnan(scores), 1.0, scores)
    if are_tracks:
        is_object = np.array([row[type_column] != DONT_CARE for row in words], bool)
        checked_ids(path, lines[is_object], places.frames[is_object], ids[is_object])
        # Their boxes are not ranked, and some trackers write anything there.
        scores = np.where((scores < 0) | (scores > 1), 1.0, scores)
    labels, others = labels_of_names([row[type_column] for row in words], but=(DONT_CARE,))
    checked_boxes(path, lines, numbers[:, 3:7], scores)
    keep = np.array([row[type_column] != DONT_CARE for row in words], bool)
    return BoxRows(
        places=Places(places.cameras[keep], places.frames[keep]),
        boxes_xyxy_px=numbers[keep, 3:7],
        scores=scores[keep],
        labels=labels[keep],
        ids=ids[keep],
        other_classes=others,
    )
