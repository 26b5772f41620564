"""Ground truth in tables: MOTChallenge ``gt.txt``; a recording's ``objects.csv`` and ``objects3d.csv``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from perception.arrays import FloatArray, IntArray
from perception.errors import UsageError
from perception.sources.files.csv_tables import CsvTable, read_csv
from perception.sources.files.lazy_frame import RecordedCamera
from perception.sources.files.recording import RECORDING_FILE, open_cameras, open_mot, read_recording_file
from perception.taxonomy import CLASSES, label_of
from perception.types import BoxTable, ObjectTable

MOT_COLUMNS = ("frame", "id", "x", "y", "w", "h", "conf", "class", "visibility")
OBJECT_COLUMNS = ("camera", "id", "class", "x1", "y1", "x2", "y2")
SIZE_COLUMNS = ("length", "width", "height")
OBJECT_3D_COLUMNS = ("timestamp_ns", "id", "class", "x", "y", "z", *SIZE_COLUMNS, "yaw", "speed_mps")


def read_mot_truth(folder: Path) -> BoxTable | None:
    """Boxes of a MOTChallenge folder, None without ``gt.txt``. Raises ``UsageError`` naming file, line and column."""
    for path in (folder / "gt.txt", folder / "gt" / "gt.txt"):
        if path.is_file():
            return _read_mot(path, open_mot(folder).cameras[0])
    return None


def read_recording_truth(folder: Path) -> BoxTable | None:
    """Boxes of a recording, None without ``objects.csv``. Raises ``UsageError`` naming file, line and column."""
    path = folder / "objects.csv"
    if not path.exists():
        return None
    return _read_objects(path, open_cameras(folder, read_recording_file(folder / RECORDING_FILE)))


def read_objects_csv(folder: Path) -> ObjectTable | None:
    """Objects of a recording in the world, None without ``objects3d.csv``.

    Raises ``UsageError`` naming file, line and column.
    """
    path = folder / "objects3d.csv"
    if not path.exists():
        return None
    table = read_csv(path, required=OBJECT_3D_COLUMNS)
    sizes_lwh_m = np.stack([table.numbers(column) for column in SIZE_COLUMNS], axis=1)
    for column, values in zip(SIZE_COLUMNS, sizes_lwh_m.T, strict=True):
        table.reject(values <= 0, column, "a size must be positive")
    timestamps_ns, ids = table.integers("timestamp_ns"), table.integers("id")
    table.reject(_is_repeated(np.stack([timestamps_ns, ids], axis=1)), "id", "occurs twice at this time")
    return ObjectTable(
        timestamps_ns=timestamps_ns,
        ids=ids,
        labels=_labels(table),
        scores=np.ones(len(table)),
        centres_m=np.stack([table.numbers(column) for column in ("x", "y", "z")], axis=1),
        sizes_lwh_m=sizes_lwh_m,
        yaws_rad=table.numbers("yaw"),
        speeds_mps=table.numbers("speed_mps"),
    )


def _read_mot(path: Path, camera: RecordedCamera) -> BoxTable:
    table = read_csv(path, required=MOT_COLUMNS, header=False)
    frames = table.integers("frame")
    table.reject(frames < 1, "frame", "frames count from 1")
    _reject_past_end(table, frames > camera.length, "frame", camera)
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
    labels = _labels(table)
    x1, y1, x2, y2 = (table.numbers(column) for column in ("x1", "y1", "x2", "y2"))
    table.reject(x2 <= x1, "x2", "must be greater than x1")
    table.reject(y2 <= y1, "y2", "must be greater than y1")
    frame_indices = _frame_indices(table, cameras, names)
    boxes_xyxy_px = np.stack([x1, y1, x2, y2], axis=1)
    truth = _checked(table, frame_indices, table.integers("id"), labels, boxes_xyxy_px, names)
    if "visible_share" not in table.columns:
        return truth
    visible_shares = table.numbers("visible_share")
    table.reject((visible_shares < 0) | (visible_shares > 1), "visible_share", "expected a share in 0..1")
    return replace(truth, visible_shares=visible_shares)


def _reject_past_end(table: CsvTable, is_past: NDArray[np.bool_], column: str, camera: RecordedCamera) -> None:
    """Where many rows are, the video was cut, not the table mistyped."""
    fault = f"past the end of the {camera.length} frames of camera {camera.name}, as {is_past.sum()} rows in all are"
    table.reject(is_past, column, fault, remedy="complete its video, or take these rows away")


def _labels(table: CsvTable) -> IntArray:
    """(M,) the column ``class`` as indices into ``CLASSES``; other data sets' names for them are translated."""
    known = {name: label_of(name) for name in set(table.columns["class"])}
    found = [known[name] for name in table.columns["class"]]
    is_unknown = np.array([label is None for label in found], bool)
    table.reject(is_unknown, "class", f"unknown class, expected {', '.join(CLASSES)}")
    return np.array(found, np.int64)


def _is_repeated(keys: IntArray) -> NDArray[np.bool_]:
    """(M,): whether an earlier row of ``keys`` (M, K) is the same."""
    repeated = np.ones(len(keys), bool)
    repeated[np.unique(keys, axis=0, return_index=True)[1] if len(keys) else np.zeros(0, np.int64)] = False
    return repeated


def _frame_indices(table: CsvTable, cameras: dict[str, RecordedCamera], names: NDArray[np.str_]) -> IntArray:
    """(M,) frame of each row in its own camera, from ``frame_index`` or, without it, ``timestamp_ns``."""
    if "frame_index" in table.columns:
        indices = table.integers("frame_index")
        table.reject(indices < 0, "frame_index", "frames count from 0")
        for name, camera in cameras.items():
            _reject_past_end(table, (indices >= camera.length) & (names == name), "frame_index", camera)
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
    table.reject(_is_repeated(keys), "id", "occurs twice in this frame")
    return BoxTable(
        frame_indices=frame_indices,
        ids=ids,
        labels=labels,
        scores=np.ones(len(table)),
        boxes_xyxy_px=boxes_xyxy_px,
        cameras=cameras,
    )
