"""Ground truth of a recording in tables: ``objects.csv`` and ``objects3d.csv``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from perception.arrays import IntArray
from perception.errors import UsageError
from perception.sources.files.csv_tables import CsvTable, read_csv
from perception.sources.files.lazy_frame import RecordedCamera
from perception.sources.files.recording import RECORDING_FILE, open_cameras, read_recording_file
from perception.sources.truth.box_truth import BoxTruth, ignored_boxes, is_repeated, reject_past_end
from perception.taxonomy import CLASSES, ignored_kind_of, label_of
from perception.types import BoxTable, ObjectTable

OBJECT_COLUMNS = ("camera", "id", "class", "x1", "y1", "x2", "y2")
SIZE_COLUMNS = ("length", "width", "height")
OBJECT_3D_COLUMNS = ("timestamp_ns", "id", "class", "x", "y", "z", *SIZE_COLUMNS, "yaw", "speed_mps")


def read_recording_truth(folder: Path) -> BoxTruth | None:
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
    table.reject(is_repeated(np.stack([timestamps_ns, ids], axis=1)), "id", "occurs twice at this time")
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


def _read_objects(path: Path, recorded: Sequence[RecordedCamera]) -> BoxTruth:
    cameras = {camera.name: camera for camera in recorded}
    table = read_csv(path, required=OBJECT_COLUMNS)
    names = np.array(table.columns["camera"], dtype=np.str_)
    table.reject(~np.isin(names, list(cameras)), "camera", f"unknown camera, expected {', '.join(cameras)}")
    kinds = [ignored_kind_of(name) for name in table.columns["class"]]
    is_ignored = np.array([kind is not None for kind in kinds], bool)
    labels = _labels(table, are_needed=~is_ignored)
    x1, y1, x2, y2 = (table.numbers(column) for column in ("x1", "y1", "x2", "y2"))
    table.reject(x2 <= x1, "x2", "must be greater than x1")
    table.reject(y2 <= y1, "y2", "must be greater than y1")
    frame_indices, ids = _frame_indices(table, cameras, names), table.integers("id")
    boxes_xyxy_px = np.stack([x1, y1, x2, y2], axis=1)
    _reject_repeated(table, frame_indices, names, ids, ~is_ignored)
    shares = None
    if "visible_share" in table.columns:
        shares = table.numbers("visible_share")
        table.reject((shares < 0) | (shares > 1), "visible_share", "expected a share in 0..1")
    truth = BoxTable(
        frame_indices=frame_indices,
        ids=ids,
        labels=labels,
        scores=np.ones(len(table)),
        boxes_xyxy_px=boxes_xyxy_px,
        cameras=names,
        visible_shares=shares,
    )
    is_object = np.array([kind == "object" for kind in kinds], bool)
    ignored = ignored_boxes(frame_indices, boxes_xyxy_px, names, is_object)
    return BoxTruth(truth[~is_ignored], ignored[is_ignored])


def _labels(table: CsvTable, are_needed: NDArray[np.bool_] | None = None) -> IntArray:
    """(M,) the column ``class`` as indices into ``CLASSES``; other data sets' names for them are translated.

    Rows where ``are_needed`` is False have -1.
    """
    known = {name: label_of(name) for name in set(table.columns["class"])}
    found = [known[name] for name in table.columns["class"]]
    labels = np.array([-1 if label is None else label for label in found], np.int64)
    is_unknown = (labels < 0) & (True if are_needed is None else are_needed)
    table.reject(is_unknown, "class", f"unknown class, expected {', '.join(CLASSES)}")
    return labels


def _frame_indices(table: CsvTable, cameras: dict[str, RecordedCamera], names: NDArray[np.str_]) -> IntArray:
    """(M,) frame of each row in its own camera, from ``frame_index`` or, without it, ``timestamp_ns``."""
    if "frame_index" in table.columns:
        indices = table.integers("frame_index")
        table.reject(indices < 0, "frame_index", "frames count from 0")
        for name, camera in cameras.items():
            reject_past_end(table, (indices >= camera.length) & (names == name), "frame_index", camera)
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


def _reject_repeated(
    table: CsvTable, frame_indices: IntArray, cameras: NDArray[np.str_], ids: IntArray, are_objects: NDArray[np.bool_]
) -> None:
    """Raise ``UsageError`` for the first object (M,) whose (frame, camera, id) an earlier one has."""
    _, camera_codes = np.unique(cameras, return_inverse=True)
    rows = np.flatnonzero(are_objects)
    repeated = np.zeros(len(table), bool)
    repeated[rows] = is_repeated(np.stack([frame_indices, camera_codes.reshape(-1), ids], axis=1)[rows])
    table.reject(repeated, "id", "occurs twice in this frame")
