"""The tables that a run leaves behind, written as it goes.

| file | content |
|---|---|
| ``tracks.txt`` | MOTChallenge: frame (from 1), id, x, y, width, height, score, class (from 1), 1 |
| ``labels.txt`` | the names of the classes, in the order of their numbers |
| ``detections.json`` | COCO results with COCO's category ids and our names; ``image_id`` is the frame, from 0 |
| ``forecasts.jsonl`` | one line per instant: the tracks that have a forecast, and their futures |
| ``tracks3d.csv`` | only of a run in the ground frame: tracks in the world, see ``perception.results.tracks3d`` |
| ``timing.json`` | milliseconds of each stage at each instant |

In the ground frame ``tracks.txt`` has a line for each camera that sees a track, the state of a forecast is x, y in
the world in metres, and each of its tracks also has ``position_m``, ``heading_rad`` and ``axis_rad``.

Frames of tracks and detections are those of their camera's own stream (``Frame.index``), which ground truth counts
too; the index of a line of forecasts is that of the instant (``FrameSet.index``). In ``tracks.txt`` classes count as
in ``labels.txt``; x and y are the box's upper left corner in pixels, from 0, as everywhere here. With several
cameras the first two are one file per camera (``tracks_<camera>.txt``).
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from perception.arrays import FloatArray, IntArray, StructOfArrays
from perception.files import ClosedAtExit, write_json
from perception.results.append_file import AppendFile
from perception.results.ego_motion import plain_ego_motion
from perception.results.tracks3d import TRACKS3D_FILE, WORLD_HEADER, world_rows
from perception.tables.prediction_files import LABELS_FILE, table_paths
from perception.taxonomy import CLASSES, COCO91_IDS
from perception.types import Detections, Scene, Tracks

FORECASTS_FILE = "forecasts.jsonl"
TIMING_FILE = "timing.json"

# A hundredth of a pixel in a picture 1000 pixels wide; a millimetre.
_STATE_DECIMALS = {"image": 5, "ground": 3}
_BOX_DECIMALS = 2
_SCORE_DECIMALS = 4
_ANGLE_DECIMALS = 4


class ResultWriter(ClosedAtExit):
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
        self._files = ExitStack()
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
            self._file(folder / LABELS_FILE, "".join(f"{name}\n" for name in CLASSES).encode())
        except BaseException:
            self._files.close()
            raise
        self._world: AppendFile | None = None
        self._detections_written = dict.fromkeys(cameras, False)

    def add_cameras(self, cameras: Sequence[str]) -> None:
        """Further cameras, which came while the run goes on; those that are known already stay as they are.

        The one camera of a run that began with one keeps its file without a name.
        """
        added = [camera for camera in cameras if camera not in self.cameras]
        if not added:
            return
        self.cameras = (*self.cameras, *added)
        tracks = table_paths(self.folder, "tracks", ".txt", self.cameras)
        detections = table_paths(self.folder, "detections", ".json", self.cameras)
        for camera in added:
            self._tracks[camera] = self._file(tracks[camera])
            self._detections[camera] = self._file(detections[camera], b"[", b"\n]\n")
            self._detections_written[camera] = False

    def write(self, scene: Scene) -> None:
        """Write one instant.

        Raises ``ValueError`` for a camera or a forecast that the run does not know, and for what is seen in a camera
        that has no frame.
        """
        seen = seen_boxes(scene.tracks)
        unknown = {*scene.detections, *scene.tracks.cameras.tolist(), *seen} - set(self.cameras)
        if unknown:
            raise ValueError(f"ResultWriter.write: expected the cameras {list(self.cameras)}, got {sorted(unknown)}")
        indices = {frame.camera: frame.index for frame in scene.frame_set}
        blind = {*scene.detections, *seen} - set(indices)
        if blind:
            raise ValueError(
                f"ResultWriter.write: expected a frame of each camera that sees, got none of {sorted(blind)}"
            )
        line = forecast_line(scene, self.cameras)
        for camera, boxes in seen.items():
            self._tracks[camera].append(track_rows(boxes, indices[camera]))
        if scene.tracks.reference_frame == "ground":
            self._world = self._world or self._file(self.folder / TRACKS3D_FILE, WORLD_HEADER)
            self._world.append(world_rows(scene.tracks, scene.timestamp_ns))
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
        self._files.close()
        stages = {stage: [round(value, 3) for value in values] for stage, values in self._stage_ms.items()}
        write_json(self.folder / TIMING_FILE, {"instants": self.written, "stage_ms": stages})

    def _file(self, path: Path, header: bytes = b"", footer: bytes = b"") -> AppendFile:
        file = AppendFile(path, header=header, footer=footer)
        self._files.callback(file.close)
        return file


def _boxes_xywh(boxes_xyxy_px: FloatArray) -> FloatArray:
    # Rounding the corners first: width and height then lead back to exactly these corners.
    corners = np.round(boxes_xyxy_px.astype(np.float64), _BOX_DECIMALS)
    return np.round(np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1), _BOX_DECIMALS)


@dataclass(frozen=True, kw_only=True)
class SeenBoxes(StructOfArrays):
    """Boxes of tracks that one camera sees at an instant: ``ids``, ``labels``, ``scores`` (N,), ``boxes_xyxy_px``."""

    ids: IntArray
    labels: IntArray
    scores: FloatArray
    boxes_xyxy_px: FloatArray


def seen_boxes(tracks: Tracks) -> dict[str, SeenBoxes]:
    """What is seen now, by camera: the sightings where the tracks have them, else their own boxes."""
    if tracks.sightings is None:
        now = tracks[tracks.is_seen]
        cameras, found = (
            now.cameras,
            SeenBoxes(ids=now.ids, labels=now.labels, scores=now.scores, boxes_xyxy_px=now.boxes_xyxy_px),
        )
    else:
        order = np.argsort(tracks.ids)
        # Sightings are not cut when tracks are selected.
        sighted = tracks.sightings[np.isin(tracks.sightings.track_ids, tracks.ids)]
        rows = order[np.searchsorted(tracks.ids[order], sighted.track_ids)]
        cameras = sighted.cameras
        found = SeenBoxes(
            ids=sighted.track_ids,
            labels=tracks.labels[rows],
            scores=sighted.scores,
            boxes_xyxy_px=sighted.boxes_xyxy_px,
        )
    return {str(camera): found[cameras == camera] for camera in np.unique(cameras)}


def track_rows(boxes: SeenBoxes, index: int) -> bytes:
    """MOTChallenge lines of the tracks of one instant and camera."""
    corners = _boxes_xywh(boxes.boxes_xyxy_px).tolist()
    rows = zip(boxes.ids.tolist(), corners, boxes.scores.tolist(), boxes.labels.tolist(), strict=True)
    return "".join(
        f"{index + 1},{track_id},{x:.2f},{y:.2f},{w:.2f},{h:.2f},{score:.4f},{label + 1},1\n"
        for track_id, (x, y, w, h), score, label in rows
    ).encode()


def detection_records(detections: Detections, index: int) -> bytes:
    """COCO results of one image, separated by commas."""
    boxes = _boxes_xywh(detections.boxes_xyxy_px).tolist()
    rows = zip(boxes, detections.scores.tolist(), detections.labels.tolist(), strict=True)
    return ",\n".join(
        f'{{"image_id":{index},"category_id":{COCO91_IDS[label]},"category_name":"{CLASSES[label]}",'
        f'"bbox":[{x:.2f},{y:.2f},{w:.2f},{h:.2f}],"score":{score:.{_SCORE_DECIMALS}f}}}'
        for (x, y, w, h), score, label in rows
    ).encode()


def _ground_columns(tracks: Tracks) -> dict[str, list[Any]]:
    """What a line of forecasts holds of each track in the ground frame only."""
    if tracks.reference_frame != "ground":
        return {}
    positions = np.round(tracks.positions.astype(np.float64), _STATE_DECIMALS["ground"]) + 0.0
    headings = np.round(tracks.yaws_rad.astype(np.float64), _ANGLE_DECIMALS) + 0.0
    return {"position_m": positions.tolist(), "heading_rad": headings.tolist()}


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
    grounds = _ground_columns(tracks)
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
            **{name: values[row] for name, values in grounds.items()},
            "probabilities": probabilities[position],
            "means": means[position],
            "stds": stds[position],
        }
        if forecasts.axes_rad is not None:
            record["axis_rad"] = round(float(forecasts.axes_rad[position]), _ANGLE_DECIMALS)
        records.append(record)
    motions = {camera: plain_ego_motion(motion) for camera, motion in scene.ego_motions.items()}
    is_ground = "ground" in (tracks.reference_frame, forecasts.reference_frame)
    line = {
        "index": scene.frame_set.index,
        "timestamp_ns": scene.timestamp_ns,
        "cameras": list(cameras),
        **({} if scene.detected_cameras is None else {"detected_cameras": list(scene.detected_cameras)}),
        **({} if not motions else {"ego_motion": motions}),
        "reference_frame": "ground" if is_ground else "image",
        "dt_s": round(float(forecasts.dt_s), 9),
        "tracks": records,
    }
    return json.dumps(line, separators=(",", ":"), allow_nan=False).encode() + b"\n"
