"""YOLO's text: a folder with a file for each picture; a line has class, centre x and y, width and height over the
picture's size, and of predictions the score and, of tracks, an id.

Numbers of classes are named by ``data.yaml`` or ``classes.txt`` in the folder or above it, else they are the truth's,
else those of COCO's 80 classes, as the networks have them that most people run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from perception.arrays import FloatArray, IntArray
from perception.errors import UsageError
from perception.files import read_yaml, write_text
from perception.results.formats.pictures import Picture, PictureIndex, Places, rows_by_picture
from perception.results.formats.predictions import (
    UNKNOWN_CLASS,
    BoxRows,
    Predictions,
    checked_boxes,
    checked_ids,
    joined_rows,
    labels_of_names,
)
from perception.results.formats.text_rows import are_mostly, are_numbers, numbers_of, word_rows
from perception.tables.prediction_files import read_text
from perception.taxonomy import CLASSES, COCO80_COLUMNS
from perception.types import BoxTable

_COLUMNS = (5, 6, 7)
_NAMES_FILES = ("data.yaml", "dataset.yaml", "classes.txt", "labels.txt")


def is_yolo(folder: Path) -> bool:
    """Whether the lines of the folder's texts, or of those of ``labels/`` in it, are YOLO's, or its layout is."""
    if not folder.is_dir():
        return False
    paths = label_files(folder)
    has_layout = any(path.parent.name == "labels" for path in paths) and _names_file(folder) is not None
    return has_layout or are_mostly(paths, _is_line)


def label_files(folder: Path) -> list[Path]:
    """The texts of ``labels/`` in the folder, else of the folder itself; lists of classes are none of them."""
    inner = folder / "labels"
    place = inner if inner.is_dir() and any(inner.glob("*.txt")) else folder
    return sorted(path for path in place.glob("*.txt") if path.name not in _NAMES_FILES)


def read_class_names(folder: Path) -> list[str] | None:
    """The names of the classes by number, from a list beside the labels; None without one.

    Raises ``UsageError`` naming the file where its ``names`` are none.
    """
    path = _names_file(folder)
    return None if path is None else _names_in(path)


def read_yolo(folder: Path, pictures: PictureIndex) -> Predictions:
    """Detections, or tracks where the lines have seven columns. Raises ``UsageError`` naming file and line."""
    names = read_class_names(folder)
    parts, are_tracks = [], False
    for path in label_files(folder):
        words, lines = word_rows(path, _COLUMNS)
        are_tracks = are_tracks or any(len(row) == 7 for row in words)
        parts.append(_boxes(path, words, lines, pictures, names))
    table, notes = joined_rows(parts).table(folder)
    if names is None and pictures.labels is None:
        notes = (*notes, f"{folder}: names no classes, so their numbers are taken for those of COCO's 80.")
    return Predictions(tracks=table, notes=notes) if are_tracks else Predictions(detections=table, notes=notes)


def write_yolo(
    folder: Path,
    table: BoxTable,
    stems: Mapping[Picture, str],
    sizes_px: Mapping[Picture, tuple[int, int]],
    *,
    has_scores: bool = True,
) -> None:
    """Write ``labels/`` with a file for each picture of ``stems``, and ``data.yaml`` with the names of the classes."""
    rows_of = rows_by_picture(table)
    for picture, stem in stems.items():
        rows = rows_of.get(picture, np.zeros(0, np.int64))
        text = yolo_lines(
            table.boxes_xyxy_px[rows],
            table.labels[rows],
            sizes_px[picture],
            scores=table.scores[rows] if has_scores else None,
        )
        write_text(folder / "labels" / f"{stem}.txt", text)
    listed = "".join(f"  {label}: {name}\n" for label, name in enumerate(CLASSES))
    write_text(folder / "data.yaml", f"path: .\ntrain: images\nval: images\nnames:\n{listed}")


def yolo_lines(
    boxes_xyxy_px: FloatArray,
    labels: IntArray,
    size_px: tuple[int, int],
    *,
    scores: FloatArray | None = None,
    ids: IntArray | None = None,
) -> str:
    """The lines of a picture of ``size_px`` (width, height) with M boxes, with scores and, behind these, ids."""
    boxes = boxes_xyxy_px.astype(np.float64).reshape(-1, 2, 2) / np.array(size_px, np.float64)
    columns = np.concatenate([boxes.mean(axis=1), boxes[:, 1] - boxes[:, 0]], axis=1).tolist()
    lines = [
        f"{label} {x:.9g} {y:.9g} {w:.9g} {h:.9g}" for label, (x, y, w, h) in zip(labels.tolist(), columns, strict=True)
    ]
    if scores is not None:
        lines = [f"{line} {score:.6g}" for line, score in zip(lines, scores.tolist(), strict=True)]
    if ids is not None:
        lines = [f"{line} {track_id}" for line, track_id in zip(lines, ids.tolist(), strict=True)]
    return "".join(f"{line}\n" for line in lines)


def _is_line(fields: list[str]) -> bool:
    if len(fields) not in _COLUMNS or not are_numbers(fields):
        return False
    return float(fields[0]).is_integer() and all(-1 <= float(field) <= 2 for field in fields[1:5])


def _names_file(folder: Path) -> Path | None:
    """The list of classes beside the labels, or above them."""
    places = (folder, *folder.resolve().parents[:2])
    return next((place / name for place in places for name in _NAMES_FILES if (place / name).is_file()), None)


def _names_in(path: Path) -> list[str]:
    if path.suffix == ".txt":
        return [line.strip() for line in read_text(path).splitlines() if line.strip()]
    content = read_yaml(path)
    names = content.get("names") if isinstance(content, dict) else None
    if isinstance(names, dict) and all(isinstance(number, int) and number >= 0 for number in names):
        return [str(names.get(number, f"class {number}")) for number in range(max(names, default=-1) + 1)]
    if isinstance(names, list):
        return [str(name) for name in names]
    raise UsageError(f"{path}: has no `names`; give a list of the classes there.")


def _boxes(
    path: Path, words: list[list[str]], lines: IntArray, pictures: PictureIndex, names: Sequence[str] | None
) -> BoxRows:
    places = pictures.of_stems([path.stem])
    camera, frame = str(places.cameras[0]), int(places.frames[0])
    rows = numbers_of(path, words, lines, slice(None)) if words else np.zeros((0, 5))
    # A picture that the truth does not have is counted, and needs no size.
    size_px = np.array(pictures.size_px(camera, frame) if frame >= 0 and len(rows) else (1, 1), np.float64)
    half = rows[:, 3:5] / 2
    boxes = np.concatenate([(rows[:, 1:3] - half) * size_px, (rows[:, 1:3] + half) * size_px], axis=1)
    scores = _column(rows, 5, 1.0)
    checked_boxes(path, lines, boxes, scores)
    for is_wrong, fault in (
        (
            np.abs(rows[:, 1:5]).max(axis=1, initial=0) > 2,
            "a box in pixels; divide it by the picture's width and height",
        ),
        (rows[:, 0] != np.rint(rows[:, 0]), "expected a whole number as class; correct the file"),
    ):
        if is_wrong.any():
            raise UsageError(f"{path}, line {lines[int(np.argmax(is_wrong))]}: {fault}.")
    ids = _column(rows, 6, -1.0).astype(np.int64)
    checked_ids(path, lines[ids >= 0], np.zeros(int((ids >= 0).sum()), np.int64), ids[ids >= 0])
    labels, others = _labels(rows[:, 0].astype(np.int64), names, pictures)
    return BoxRows(
        places=Places(np.full(len(rows), camera), np.full(len(rows), frame, np.int64)),
        boxes_xyxy_px=boxes,
        scores=scores,
        labels=labels,
        ids=ids,
        other_classes=others,
    )


def _column(rows: FloatArray, column: int, otherwise: float) -> FloatArray:
    values = rows[:, column] if rows.shape[1] > column else np.full(len(rows), np.nan)
    filled: FloatArray = np.where(np.isnan(values), otherwise, values)
    return filled


def _labels(numbers: IntArray, names: Sequence[str] | None, pictures: PictureIndex) -> tuple[IntArray, Counter[str]]:
    if names is not None:
        known = dict(enumerate(names))
        return labels_of_names([known.get(number, f"class {number}") for number in numbers.tolist()])
    of_number = pictures.labels or {column: label for label, column in enumerate(COCO80_COLUMNS)}
    labels = np.array([of_number.get(number, UNKNOWN_CLASS) for number in numbers.tolist()], np.int64)
    return labels, Counter(f"class {number}" for number in numbers[labels == UNKNOWN_CLASS].tolist())
