"""``tracks3d.csv``: the tracks of a run in the ground frame, in the world.

One line for each track and instant at which a camera sees it: ``timestamp_ns``, ``id``, ``class``; the centre of the
box ``x``, ``y``, ``z`` and its ``length``, ``width``, ``height`` in metres; ``yaw``, where its front points, in radians
counter-clockwise from the world's x axis; ``speed_mps``; ``score``. All but the last are the columns of a recording's
``objects3d.csv``, so that what reads the truth also reads the tracks. The tracker knows the position on the road, not
the height above it: the box is of the usual size of its class and stands at the world's height 0.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from perception.errors import UsageError
from perception.safety.input_limits import MAX_NUMBER
from perception.safety.regular_files import read_regular_text
from perception.taxonomy import CLASSES, USUAL_SIZES_LWH_M
from perception.types import ObjectTable, Tracks

TRACKS3D_FILE = "tracks3d.csv"
WORLD_COLUMNS = (
    *("timestamp_ns", "id", "class", "x", "y", "z"),
    *("length", "width", "height", "yaw", "speed_mps", "score"),
)
WORLD_HEADER = (",".join(WORLD_COLUMNS) + "\n").encode()


def world_rows(tracks: Tracks, timestamp_ns: int) -> bytes:
    """The lines of the tracks of one instant in the ground frame, of those that are seen."""
    tracks = tracks[tracks.is_seen]
    sizes = np.array(USUAL_SIZES_LWH_M)[tracks.labels].reshape(-1, 3)
    numbers = np.column_stack(
        [tracks.positions, sizes[:, 2] / 2, sizes, tracks.yaws_rad, tracks.speeds_mps, tracks.scores]
    ).astype(np.float64)
    # Adding zero turns the -0.0 that rounding leaves into 0.0.
    rows = zip(tracks.ids.tolist(), tracks.labels.tolist(), (np.round(numbers, 4) + 0.0).tolist(), strict=True)
    return "".join(
        f"{timestamp_ns},{track_id},{CLASSES[label]}," + ",".join(f"{value:.4f}" for value in values) + "\n"
        for track_id, label, values in rows
    ).encode()


def read_world_rows(path: Path) -> tuple[ObjectTable, int]:
    """Read ``tracks3d.csv``; also returns 1 when the last line is half-written (and left out), else 0.

    Raises ``UsageError`` naming file and line when one is malformed.
    """
    try:
        text = read_regular_text(path)
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read as text; name the folder of a run that was saved.") from error
    lines = text.splitlines()
    if not lines or lines[0].encode() + b"\n" != WORLD_HEADER:
        raise UsageError(f"{path}, line 1: expected the columns {','.join(WORLD_COLUMNS)}; write the file again.")
    rows: list[tuple[int, int, int, list[float]]] = []
    for number, line in enumerate(lines[1:], 2):
        row = _row(line)
        if row is None and number == len(lines) and not text.endswith("\n"):
            return _table(rows), 1
        if row is None:
            raise UsageError(
                f"{path}, line {number}: expected {','.join(WORLD_COLUMNS)}, got {line[:60]!r}; write the file again."
            )
        rows.append(row)
    return _table(rows), 0


def _row(line: str) -> tuple[int, int, int, list[float]] | None:
    """Time, id, label and the nine numbers of a line; None when it is malformed."""
    try:
        fields = next(csv.reader([line]), [])
        numbers = [float(field) for field in fields[3:]]
        row = int(fields[0]), int(fields[1]), CLASSES.index(fields[2]), numbers
    except (ValueError, IndexError, csv.Error):
        return None
    can_be = bool((np.abs(numbers) <= MAX_NUMBER).all())
    is_sound = len(fields) == len(WORLD_COLUMNS) and can_be and min(numbers[3:6]) > 0
    return row if is_sound else None


def _table(rows: list[tuple[int, int, int, list[float]]]) -> ObjectTable:
    numbers = np.array([row[3] for row in rows], np.float64).reshape(len(rows), 9)
    return ObjectTable(
        timestamps_ns=np.array([row[0] for row in rows], np.int64),
        ids=np.array([row[1] for row in rows], np.int64),
        labels=np.array([row[2] for row in rows], np.int64),
        scores=numbers[:, 8],
        centres_m=numbers[:, :3],
        sizes_lwh_m=numbers[:, 3:6],
        yaws_rad=numbers[:, 6],
        speeds_mps=numbers[:, 7],
    )
