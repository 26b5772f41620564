"""KITTI in the image, from the tracking benchmark: ``label_02/*.txt`` and ``oxts/*.txt``, a pair for each sequence.

Images and calibration are not needed. Geiger et al., "Are we ready for autonomous driving?", CVPR 2012.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from perception.arrays import FloatArray, IntArray
from perception.benchmarks.conversion.readers import (
    Advance,
    Converted,
    checked_folder,
    read_numbers,
    read_text,
    whole_numbers,
)
from perception.errors import UsageError, counted
from perception.geometry.cameras import inverse_rigid, yaw_rad
from perception.sources.datasets.kitti_tracking import mercator_poses

SEQUENCES = 21
CLASSES = ("Car", "Van", "Truck", "Pedestrian", "Person_sitting", "Person", "Cyclist", "Tram", "Misc")
_LEFT_OUT = "DontCare"
_OXTS_COLUMNS = ("latitude", "longitude", "altitude", "roll", "pitch", "yaw", "vn", "ve", "vf")
_YAW_RATE_COLUMN = 19
_BOX = slice(6, 10)
_LABEL_WORDS = 17


def convert_kitti_image(source: Path, advance: Advance) -> Converted:
    """Boxes in tenths of a pixel, and of each frame where the car is, how fast and how it turns.

    Raises ``UsageError`` naming what is missing or broken.
    """
    folder = checked_folder(source, "KITTI's tracking benchmark", "label_02", "oxts")
    names = sorted(path.stem for path in (folder / "label_02").glob("*.txt"))
    if not names:
        raise UsageError(f"{folder / 'label_02'}: holds no text file; download the training labels of tracking.")
    parts: list[dict[str, Any]] = []
    cars: list[FloatArray] = []
    for number, name in enumerate(names):
        cars.append(_car(folder / "oxts" / f"{name}.txt"))
        parts.append({**_labels(folder / "label_02" / f"{name}.txt", frames=len(cars[-1])), "seq": number})
        advance(number + 1, len(names))
    counts = [len(part["frame"]) for part in parts]
    columns = {name: np.concatenate([part[name] for part in parts]) for name in ("frame", "id", "cls", "box")}
    columns |= {
        "seq": np.repeat(np.arange(len(parts), dtype=np.uint8), counts),
        "classes": np.array(CLASSES),
        "ego": np.concatenate(cars).astype(np.float32),
        "ego_offset": np.cumsum([0, *(len(car) for car in cars)]).astype(np.int32),
    }
    notes = [f"{counted(len(names), 'sequence')}, {counted(sum(counts), 'box')}."]
    if len(names) < SEQUENCES:
        notes.append(
            f"The benchmark has {SEQUENCES} sequences: figures measured on this file are not those of the benchmark."
        )
    return Converted(columns, tuple(notes))


def _labels(path: Path, *, frames: int) -> dict[str, IntArray]:
    rows = []
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        words = line.split()
        if not words:
            continue
        if len(words) < _LABEL_WORDS:
            raise UsageError(f"{path}, line {number}: has {counted(len(words), 'column')} instead of {_LABEL_WORDS}.")
        if words[2] == _LEFT_OUT:
            continue
        if words[2] not in CLASSES:
            raise UsageError(f"{path}, line {number}: {words[2]!r} is none of {', '.join(CLASSES)}.")
        try:
            values = [float(word) for word in (*words[:2], *words[_BOX])]
        except ValueError as error:
            raise UsageError(f"{path}, line {number}: holds something that is no number; correct this line.") from error
        if not 0 <= values[0] < frames:
            raise UsageError(
                f"{path}, line {number}: is of frame {words[0]}, but oxts/ has {counted(frames, 'frame')}."
            )
        rows.append((*values[:2], CLASSES.index(words[2]), *values[2:]))
    table = np.array(rows).reshape(-1, 7)
    return {
        "frame": whole_numbers(table[:, 0], np.int16, path),
        "id": whole_numbers(table[:, 1], np.int16, path),
        "cls": whole_numbers(table[:, 2], np.uint8, path),
        "box": whole_numbers(table[:, 3:] * 10, np.int16, path),
    }


def _car(path: Path) -> FloatArray:
    """(frames, 5): x and y in metres and the yaw from where the sequence begins, forward speed, yaw rate."""
    table = read_numbers(path, [*_OXTS_COLUMNS, *(f"column {i}" for i in range(len(_OXTS_COLUMNS), 20))], further=True)
    if not len(table):
        raise UsageError(f"{path}: has no rows; download it again.")
    poses = mercator_poses(*table[:, :6].T)
    poses = inverse_rigid(poses[0]) @ poses
    yaws = np.array([yaw_rad(pose) for pose in poses])
    return np.column_stack([poses[:, :2, 3], yaws, table[:, 8], table[:, _YAW_RATE_COLUMN]])
