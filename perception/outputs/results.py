"""The tables that a run leaves behind, written as it goes.

| file | content |
|---|---|
| ``tracks.txt`` | MOTChallenge: frame (from 1), id, x, y, width, height, score, class (from 1), 1 |
| ``detections.json`` | COCO results: ``image_id`` (frame from 0), ``category_id`` (from 1), ``bbox`` xywh, ``score`` |
| ``forecasts.jsonl`` | one line per instant: the tracks that have a forecast, and their futures |
| ``timing.json`` | milliseconds of each stage at each instant |

Frames of tracks and detections are those of their camera's own stream (``Frame.index``), which ground truth counts
too; the index of a line of forecasts is that of the instant (``FrameSet.index``). Classes count in the order of
``CLASSES``; x and y are the box's upper left corner in pixels, from 0, as everywhere in this package. With several
cameras the first two are one file per camera (``tracks_<camera>.txt``).
"""

from __future__ import annotations

import json
import re
from array import array
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from perception.errors import PerceptionError
from perception.files import write_json
from perception.outputs.append import AppendFile
from perception.types import CLASSES, Detections, FloatArray, Scene, Tracks

FORECASTS_FILE = "forecasts.jsonl"
TIMING_FILE = "timing.json"

# A hundredth of a pixel in a picture 1000 pixels wide; a millimetre.
_STATE_DECIMALS = {"image": 5, "ground": 3}
_BOX_DECIMALS = 2
_SCORE_DECIMALS = 4


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


class ResultWriter:
    """Writes the tables of a run into ``folder``, as a context manager.

    Each instant is on disk, whole, when ``write`` returns; only ``timing.json`` is written at the end, which is also
    when the block is left by an error or Ctrl-C. Memory does not grow with the run, but for a few bytes of timing.

    Raises ``PerceptionError`` when a file exists or cannot be written; what was written stays readable.
    """

    def __init__(self, folder: Path, *, cameras: Sequence[str]) -> None:
        if not cameras or len(set(cameras)) != len(cameras):
            raise ValueError(f"ResultWriter: expected at least one camera, each once, got {list(cameras)}")
        self.folder = folder
        self.cameras = tuple(cameras)
        self.written = 0
        self._stage_ms: dict[str, array[float]] = {}
        self._files: list[AppendFile] = []
        self._closed = False
        try:
            self._tracks = {
                camera: self._file(path) for camera, path in table_paths(folder, "tracks", ".txt", cameras).items()
            }
            self._detections = {
                camera: self._file(path, b"[", b"\n]\n")
                for camera, path in table_paths(folder, "detections", ".json", cameras).items()
            }
            self._forecasts = self._file(folder / FORECASTS_FILE)
        except BaseException:
            self._close_files()
            raise
        self._detections_written = dict.fromkeys(cameras, False)

    def __enter__(self) -> ResultWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.close()
        except PerceptionError:
            # The error that ended the block says more than that the timing could not be written either.
            if error is None:
                raise

    def write(self, scene: Scene) -> None:
        """Write one instant.

        Raises ``ValueError`` for a camera or a forecast that the run does not know, and for what is seen in a camera
        that has no frame.
        """
        unknown = {*scene.detections, *np.unique(scene.tracks.cameras).tolist()} - set(self.cameras)
        if unknown:
            raise ValueError(f"ResultWriter.write: expected the cameras {list(self.cameras)}, got {sorted(unknown)}")
        seen = scene.tracks[scene.tracks.unseen_s == 0]
        indices = {frame.camera: frame.index for frame in scene.frame_set}
        blind = {*scene.detections, *np.unique(seen.cameras).tolist()} - set(indices)
        if blind:
            raise ValueError(
                f"ResultWriter.write: expected a frame of each camera that sees, got none of {sorted(blind)}"
            )
        line = forecast_line(scene, self.cameras)
        for camera, file in self._tracks.items():
            if camera in indices and (rows := track_rows(seen[seen.cameras == camera], indices[camera])):
                file.append(rows)
        for camera, detections in scene.detections.items():
            if records := detection_records(detections, indices[camera]):
                separator = b",\n" if self._detections_written[camera] else b"\n"
                self._detections[camera].append(separator + records)
                self._detections_written[camera] = True
        self._forecasts.append(line)
        for stage in [name for name in scene.stage_ms if name not in self._stage_ms]:
            # A stage that appears late did not take time before.
            self._stage_ms[stage] = array("f", bytes(4 * self.written))
        for stage, values in self._stage_ms.items():
            values.append(scene.stage_ms.get(stage, 0.0))
        self.written += 1

    def close(self) -> None:
        """Finish all files; safe to call twice."""
        if self._closed:
            return
        self._closed = True
        self._close_files()
        stages = {stage: [round(value, 3) for value in values] for stage, values in self._stage_ms.items()}
        write_json(self.folder / TIMING_FILE, {"instants": self.written, "stage_ms": stages})

    def _file(self, path: Path, header: bytes = b"", footer: bytes = b"") -> AppendFile:
        file = AppendFile(path, header=header, footer=footer)
        self._files.append(file)
        return file

    def _close_files(self) -> None:
        for file in self._files:
            file.close()


def _boxes_xywh(boxes_xyxy_px: FloatArray) -> FloatArray:
    # Rounding the corners first: width and height then lead back to exactly these corners.
    corners = np.round(boxes_xyxy_px.astype(np.float64), _BOX_DECIMALS)
    return np.round(np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1), _BOX_DECIMALS)


def track_rows(tracks: Tracks, index: int) -> bytes:
    """MOTChallenge lines of the tracks of one instant and camera."""
    boxes = _boxes_xywh(tracks.boxes_xyxy_px).tolist()
    rows = zip(tracks.ids.tolist(), boxes, tracks.scores.tolist(), tracks.labels.tolist(), strict=True)
    return "".join(
        f"{index + 1},{track_id},{x:.2f},{y:.2f},{w:.2f},{h:.2f},{score:.4f},{label + 1},1\n"
        for track_id, (x, y, w, h), score, label in rows
    ).encode()


def detection_records(detections: Detections, index: int) -> bytes:
    """COCO results of one image, separated by commas."""
    boxes = _boxes_xywh(detections.boxes_xyxy_px).tolist()
    rows = zip(boxes, detections.scores.tolist(), detections.labels.tolist(), strict=True)
    return ",\n".join(
        f'{{"image_id":{index},"category_id":{label + 1},'
        f'"bbox":[{x:.2f},{y:.2f},{w:.2f},{h:.2f}],"score":{score:.{_SCORE_DECIMALS}f}}}'
        for (x, y, w, h), score, label in rows
    ).encode()


def forecast_line(scene: Scene, cameras: Sequence[str]) -> bytes:
    """One line of ``forecasts.jsonl``. Raises ``ValueError`` when a forecast belongs to no track."""
    tracks, forecasts = scene.tracks, scene.forecasts
    row_of = {track_id: row for row, track_id in enumerate(tracks.ids.tolist())}
    lost = [track_id for track_id in forecasts.track_ids.tolist() if track_id not in row_of]
    if lost:
        raise ValueError(f"forecast_line: expected forecasts of tracks, got forecasts of the unknown ids {lost}")
    decimals = _STATE_DECIMALS[forecasts.reference_frame]
    # Adding zero turns the -0.0 that rounding leaves into 0.0.
    probabilities = (np.round(forecasts.probabilities.astype(np.float64), _SCORE_DECIMALS) + 0.0).tolist()
    means = (np.round(forecasts.means.astype(np.float64), decimals) + 0.0).tolist()
    stds = np.round(forecasts.stds.astype(np.float64), decimals).tolist()
    boxes = np.round(tracks.boxes_xyxy_px.astype(np.float64), _BOX_DECIMALS).tolist()
    records: list[dict[str, Any]] = []
    for position, track_id in enumerate(forecasts.track_ids.tolist()):
        row = row_of[track_id]
        record = {
            "id": track_id,
            "camera": str(tracks.cameras[row]),
            "class": CLASSES[int(tracks.labels[row])],
            "box_xyxy_px": boxes[row],
            "image_size_px": tracks.image_sizes_px[row].tolist(),
            "unseen_s": round(float(tracks.unseen_s[row]), 3),
            "probabilities": probabilities[position],
            "means": means[position],
            "stds": stds[position],
        }
        records.append(record)
    line = {
        "index": scene.frame_set.index,
        "timestamp_ns": scene.timestamp_ns,
        "cameras": list(cameras),
        "reference_frame": forecasts.reference_frame,
        "dt_s": round(float(forecasts.dt_s), 9),
        "tracks": records,
    }
    return json.dumps(line, separators=(",", ":"), allow_nan=False).encode() + b"\n"
