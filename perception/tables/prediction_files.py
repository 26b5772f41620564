"""Prediction files: boxes and tracks as MOTChallenge text or COCO results, our own and those of others."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perception.arrays import FloatArray
from perception.errors import UsageError
from perception.files import parse_json
from perception.safety.input_limits import MAX_NUMBER
from perception.safety.regular_files import read_regular_text
from perception.taxonomy import CLASSES, PEDESTRIAN_LABEL, label_of
from perception.types import BoxTable

LABELS_FILE = "labels.txt"
"""Beside tables of boxes: the name of class n in line n."""

_TRACK_COLUMNS = 9
_MOT_COLUMNS = (7, 8, 9, 10)
_NO_CLASS = -1


def table_paths(folder: Path, stem: str, suffix: str, cameras: Sequence[str]) -> dict[str, Path]:
    """The file of each camera: one camera ``stem.suffix``, several ``stem_<camera>.suffix`` with a safe name."""
    if len(cameras) == 1:
        return {cameras[0]: folder / f"{stem}{suffix}"}
    paths: dict[str, Path] = {}
    for camera in cameras:
        name = base = re.sub(r"[^\w.-]+", "_", camera) or "camera"
        number = 1
        while (path := folder / f"{stem}_{name}{suffix}") in paths.values():
            number += 1
            name = f"{base}-{number}"
        paths[camera] = path
    return paths


def read_tracks(path: Path, *, camera: str) -> tuple[BoxTable, int]:
    """Read a MOTChallenge file; also returns 1 when the last line is half-written (and left out), else 0."""
    text = read_text(path)
    lines = text.splitlines()
    half = 0
    if lines and not text.endswith("\n") and _track_numbers(lines[-1]) is None:
        lines, half = lines[:-1], 1
    try:
        rows = np.loadtxt(lines, delimiter=",", ndmin=2, dtype=np.float64) if any(lines) else np.zeros((0, 9))
        sound = rows.shape[1] == _TRACK_COLUMNS and bool(_sound_rows(rows).all())
    except ValueError:
        sound = False
    if not sound:
        number = next(n for n, line in enumerate(lines, 1) if line.strip() and _track_numbers(line) is None)
        raise UsageError(
            f"{path}, line {number}: expected frame,id,x,y,width,height,score,class,1 with a class from 1 to "
            f"{len(CLASSES)}, got {lines[number - 1][:60]!r}; write the file again."
        )
    return _box_table(rows[:, 0] - 1, rows[:, 1], rows[:, 2:6], rows[:, 6], rows[:, 7] - 1, camera), half


def read_detections(path: Path, *, camera: str) -> BoxTable:
    """Read COCO results; ids are -1.

    Where a record has a ``category_name``, that is its class; else categories count from 1 in the order of ``CLASSES``.
    Raises ``UsageError`` naming the record that is wrong.
    """
    try:
        records = parse_json(read_text(path))
        rows = np.array(
            [(r["image_id"], _category(r), r["score"], *r["bbox"]) for r in records], dtype=np.float64
        ).reshape(len(records), 7)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        where = f", line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise UsageError(f"{path}{where}: is not a list of COCO results; write the file again.") from error
    # The columns in the order of a track's.
    rows = np.column_stack([rows[:, 0] + 1, np.full(len(rows), -1.0), rows[:, 3:7], rows[:, 2], rows[:, 1]])
    sound = _sound_rows(np.column_stack([rows, np.ones(len(rows))]))
    if not sound.all():
        record = int(np.argmin(sound))
        raise UsageError(
            f"{path}: record {record} has a wrong box, frame or category; write the file again with categories "
            f"from 1 to {len(CLASSES)}, or a category_name of {', '.join(CLASSES)}."
        )
    return _box_table(rows[:, 0] - 1, rows[:, 1], rows[:, 2:6], rows[:, 6], rows[:, 7] - 1, camera)


def _category(record: Mapping[str, Any]) -> float:
    """The number of a record's class, from 1; 0 for a name of none."""
    if "category_name" not in record:
        return float(record["category_id"])
    label = label_of(record["category_name"])
    return 0 if label is None else label + 1


def read_mot_boxes(path: Path, *, camera: str) -> BoxTable:
    """Read a MOTChallenge text of anybody's: 7 to 10 columns of frame (from 1), id, x, y, width, height, score, class.

    Classes count from 1 in the order of ``CLASSES``; where there is no such column, or -1 in it, boxes are pedestrians,
    as in MOTChallenge. What stands behind is not read. Raises ``UsageError`` naming the line.
    """
    numbered = [(number, line) for number, line in enumerate(read_text(path).splitlines(), 1) if line.strip()]
    rows = np.zeros((len(numbered), 8))
    for row, (number, line) in enumerate(numbered):
        numbers = _floats(line)
        if numbers is None or len(numbers) not in _MOT_COLUMNS:
            raise _mot_fault(path, number, "expected frame,id,x,y,width,height,score and up to three columns more")
        rows[row] = [*numbers[:7], numbers[7] if len(numbers) > 7 else _NO_CLASS]
    whole = (rows[:, [0, 7]] == np.rint(rows[:, [0, 7]])).all(axis=1)
    is_known = (rows[:, 7] == _NO_CLASS) | ((rows[:, 7] >= 1) & (rows[:, 7] <= len(CLASSES)))
    for is_sound, fault in (
        (_can_be(rows) & whole, "expected finite numbers, and whole ones for frame and class"),
        (rows[:, 0] >= 1, "frames count from 1"),
        ((rows[:, 4:6] > 0).all(axis=1), "width and height must be positive"),
        ((rows[:, 6] >= 0) & (rows[:, 6] <= 1), "expected a score from 0 to 1"),
        (is_known, f"unknown class, expected 1..{len(CLASSES)} for {', '.join(CLASSES)}, or -1"),
    ):
        if not is_sound.all():
            raise _mot_fault(path, numbered[int(np.argmin(is_sound))][0], fault)
    labels = np.where(rows[:, 7] == _NO_CLASS, PEDESTRIAN_LABEL, rows[:, 7] - 1)
    return _box_table(rows[:, 0] - 1, np.full(len(rows), -1.0), rows[:, 2:6], rows[:, 6], labels, camera)


def _mot_fault(path: Path, line: int, fault: str) -> UsageError:
    return UsageError(f"{path}, line {line}: {fault}; correct the file.")


def _floats(line: str) -> list[float] | None:
    try:
        return [float(field) for field in line.split(",")]
    except ValueError:
        return None


def read_text(path: Path) -> str:
    """The content of a file of results; raises ``UsageError`` where it cannot be read or is no text."""
    try:
        return read_regular_text(path)
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: is not text; give a file of results.") from error
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror}); check the name and the rights.") from error


def _track_numbers(line: str) -> NDArray[np.float64] | None:
    """The numbers of a line (1, 9); None when it is malformed."""
    try:
        row = np.array([[float(field) for field in line.split(",")]])
    except ValueError:
        return None
    return row if row.shape[1] == _TRACK_COLUMNS and _sound_rows(row).all() else None


def _can_be(rows: FloatArray) -> NDArray[np.bool_]:
    return np.asarray((np.abs(rows) <= MAX_NUMBER).all(axis=1))


def _sound_rows(rows: FloatArray) -> NDArray[np.bool_]:
    """Which rows (M, 9) of frame, id, x, y, width, height, score, class, 1 make sense (M,)."""
    whole = (rows[:, [0, 1, 7]] == np.rint(rows[:, [0, 1, 7]])).all(axis=1)
    known = (rows[:, 7] >= 1) & (rows[:, 7] <= len(CLASSES))
    sized = (rows[:, 4:6] >= 0).all(axis=1)
    return np.asarray(_can_be(rows) & whole & known & sized & (rows[:, 0] >= 1))


def _box_table(
    frames: FloatArray, ids: FloatArray, boxes_xywh: FloatArray, scores: FloatArray, labels: FloatArray, camera: str
) -> BoxTable:
    corners = np.round(boxes_xywh[:, :2] + boxes_xywh[:, 2:], 6)
    return BoxTable(
        frame_indices=frames.astype(np.int64),
        ids=ids.astype(np.int64),
        labels=labels.astype(np.int64),
        scores=scores,
        boxes_xyxy_px=np.concatenate([boxes_xywh[:, :2], corners], axis=1),
        cameras=np.full(len(frames), camera, dtype=f"U{max(1, len(camera))}"),
    )
