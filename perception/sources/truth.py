"""Ground truth of a recording: MOTChallenge ``gt.txt`` or ``objects.csv``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from perception.errors import UsageError
from perception.sources.pending import RecordedCamera
from perception.sources.recording import MOT_FILE, RECORDING_FILE, open_mot, open_recording
from perception.sources.tables import CsvTable, read_csv
from perception.types import CLASSES, BoxTable, FloatArray, IntArray

MOT_COLUMNS = ("frame", "id", "x", "y", "w", "h", "conf", "class", "visibility")
OBJECT_COLUMNS = ("camera", "id", "class", "x1", "y1", "x2", "y2")


def read_truth(spec: str | Path) -> BoxTable | None:
    """Ground truth beside the frames that ``open_source`` reads from the same folder; None where there is none.

    A MOTChallenge folder has ``gt.txt`` or ``gt/gt.txt`` without header: frame (from 1), id, x, y, w, h (pixels, top
    left corner), conf, class (1..6 in the order of ``CLASSES``), visibility. A recording has ``objects.csv`` with the
    columns camera, id, class (a name of ``CLASSES``), x1, y1, x2, y2 (pixels) and either frame_index (from 0, in that
    camera's frames) or timestamp_ns (of a frame, within half a period); further columns are left alone.

    Raises ``UsageError`` naming file, line and column for a missing column, a value that is no number, a box without
    area, an unknown class or camera, a frame past the end, a frame, camera and id that occur twice, and a MOT box
    with conf 0 (which means "ignore" and has no place in a ``BoxTable``).
    """
    folder = Path(spec)
    if (folder / RECORDING_FILE).is_file():
        path = folder / "objects.csv"
        return _read_objects(path, open_recording(folder).cameras) if path.exists() else None
    if (folder / MOT_FILE).is_file():
        for path in (folder / "gt.txt", folder / "gt" / "gt.txt"):
            if path.is_file():
                return _read_mot(path, open_mot(folder).cameras[0])
    return None


def _read_mot(path: Path, camera: RecordedCamera) -> BoxTable:
    table = read_csv(path, required=MOT_COLUMNS, header=False)
    frames = table.integers("frame")
    table.reject(frames < 1, "frame", "frames count from 1")
    table.reject(frames > camera.length, "frame", f"past the end of the {camera.length} frames")
    ids = table.integers("id")
    x, y, width, height = (table.numbers(column) for column in ("x", "y", "w", "h"))
    table.reject(width <= 0, "w", "a width must be positive")
    table.reject(height <= 0, "h", "a height must be positive")
    table.reject(table.numbers("conf") <= 0, "conf", "boxes to be ignored are not supported")
    table.numbers("visibility")
    labels = table.integers("class") - 1
    table.reject((labels < 0) | (labels >= len(CLASSES)), "class", f"unknown class, expected 1..{len(CLASSES)}")
    cameras = np.full(len(table), camera.name)
    boxes_xyxy_px = np.stack([x, y, x + width, y + height], axis=1)
    return _checked(table, frames - 1, ids, labels, boxes_xyxy_px, cameras)


def _read_objects(path: Path, recorded: Sequence[RecordedCamera]) -> BoxTable:
    cameras = {camera.name: camera for camera in recorded}
    table = read_csv(path, required=OBJECT_COLUMNS)
    names = np.array(table.columns["camera"], dtype=np.str_)
    table.reject(~np.isin(names, list(cameras)), "camera", f"unknown camera, expected {', '.join(cameras)}")
    classes = np.array(table.columns["class"], dtype=np.str_)
    matches = classes[:, None] == np.array(CLASSES)
    table.reject(~matches.any(axis=1), "class", f"unknown class, expected {', '.join(CLASSES)}")
    x1, y1, x2, y2 = (table.numbers(column) for column in ("x1", "y1", "x2", "y2"))
    table.reject(x2 <= x1, "x2", "must be greater than x1")
    table.reject(y2 <= y1, "y2", "must be greater than y1")
    frame_indices = _frame_indices(table, cameras, names)
    boxes_xyxy_px = np.stack([x1, y1, x2, y2], axis=1)
    return _checked(table, frame_indices, table.integers("id"), matches.argmax(axis=1), boxes_xyxy_px, names)


def _frame_indices(table: CsvTable, cameras: dict[str, RecordedCamera], names: NDArray[np.str_]) -> IntArray:
    """(M,) frame of each row in its own camera, from ``frame_index`` or, without it, ``timestamp_ns``."""
    if "frame_index" in table.columns:
        indices = table.integers("frame_index")
        lengths = np.array([cameras[name].length for name in names.tolist()], np.int64)
        table.reject(indices < 0, "frame_index", "frames count from 0")
        table.reject(indices >= lengths, "frame_index", "past the end of the camera's frames")
        return indices
    if "timestamp_ns" not in table.columns:
        raise UsageError(
            f"{table.path}, line 1, column frame_index: is missing, and so is timestamp_ns; add one of them."
        )
    timestamps_ns = table.integers("timestamp_ns")
    indices = np.zeros(len(table), np.int64)
    for name, camera in cameras.items():
        rows = names == name
        frame_ns = camera.timestamps_ns()
        after = np.clip(np.searchsorted(frame_ns, timestamps_ns[rows]), 1, max(len(frame_ns) - 1, 1))
        candidates = np.stack([after - 1, np.minimum(after, len(frame_ns) - 1)], axis=1)
        distances_ns = np.abs(frame_ns[candidates] - timestamps_ns[rows, None])
        indices[rows] = np.take_along_axis(candidates, distances_ns.argmin(axis=1)[:, None], axis=1)[:, 0]
        far = rows.copy()
        far[rows] = distances_ns.min(axis=1) > 0.5e9 / camera.rate_fps
        table.reject(far, "timestamp_ns", f"camera {name} has no frame at this time")
    return indices


def _checked(
    table: CsvTable,
    frame_indices: IntArray,
    ids: IntArray,
    labels: IntArray,
    boxes_xyxy_px: FloatArray,
    cameras: NDArray[np.str_],
) -> BoxTable:
    """The rows as a ``BoxTable`` after a look for repeated (frame, camera, id)."""
    _, camera_codes = np.unique(cameras, return_inverse=True)
    keys = np.stack([frame_indices, camera_codes.reshape(-1), ids], axis=1)
    first_rows = np.unique(keys, axis=0, return_index=True)[1] if len(keys) else np.zeros(0, np.int64)
    repeated = np.ones(len(keys), bool)
    repeated[first_rows] = False
    table.reject(repeated, "id", "occurs twice in this frame")
    return BoxTable(
        frame_indices=frame_indices,
        ids=ids,
        labels=labels.astype(np.int64),
        scores=np.ones(len(table)),
        boxes_xyxy_px=boxes_xyxy_px,
        cameras=cameras,
    )
