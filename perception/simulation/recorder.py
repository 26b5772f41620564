"""A simulated drive on disk: one video for each camera, calibration, the car's poses, and the truth.

What is written is a recording that ``perception.sources`` opens like any other:

- ``recording.yaml`` cameras with video, rate and calibration;
- ``poses.csv`` the car's pose at every instant; the world is the car's own axes at the first one;
- ``objects.csv`` what each camera sees: the full box, the visible box, the share that can be seen;
- ``objects3d.csv`` every object near the car at every instant: 3-D box, speed, brake light, indicators;
- ``masks/CAMERA/000000.png`` and so on, where asked for: 1 + the id of the road user at each pixel, 0 for none.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack, closing
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import yaml
from scipy.spatial.transform import Rotation

from perception.arrays import FloatArray, IntArray
from perception.errors import PerceptionError
from perception.files import write_text
from perception.geometry.cameras import Camera, Rig, inverse_rigid, transform_points, yaw_rad
from perception.geometry.rotation import wrap_angle_rad
from perception.results.append_file import AppendFile
from perception.simulation.world import CameraView, RoadUsers, WorldState
from perception.sources.files.masks import MASK_FOLDER, write_mask
from perception.sources.files.recording import RECORDING_FILE
from perception.sources.unfinished import UnfinishedMark
from perception.taxonomy import CLASSES
from perception.visualization import VideoWriter

TRUTH_RANGE_M = 100.0
"""Objects farther from the car are not listed: no camera here shows more than a few pixels of them."""

POSE_COLUMNS = ("timestamp_ns", "x", "y", "z", "qw", "qx", "qy", "qz")
BOX_COLUMNS = (
    *("camera", "frame_index", "id", "class", "x1", "y1", "x2", "y2"),
    *("visible_x1", "visible_y1", "visible_x2", "visible_y2", "visible_share"),
)
OBJECT_COLUMNS = (
    *("timestamp_ns", "id", "class", "x", "y", "z", "length", "width", "height", "yaw", "speed_mps"),
    *("brake", "indicator"),
)
_FILES = (RECORDING_FILE, "poses.csv", "objects.csv", "objects3d.csv", MASK_FOLDER)
INDICATOR_NAMES = {0: "off", 1: "left", -1: "right", 2: "both"}


class DriveRecorder:
    """Writes instant by instant into ``folder``; a context manager.

    Whenever it ends, what was written so far is a whole recording: videos and tables are complete up to the last
    instant. Until then the folder is marked as unfinished; so it stays when the process is killed or the disk is full.
    ``crf`` is the videos' quality (lower is better). Raises ``PerceptionError`` when a file cannot be written.
    """

    def __init__(self, folder: Path, rig: Rig, *, fps: float, crf: int = 20, preset: str = "veryfast") -> None:
        self.folder = folder
        self.written = 0
        self._rig = rig
        self._fps = fps
        self._world_from_town: FloatArray = np.eye(4)
        self._is_damaged = False
        self._mark = UnfinishedMark(folder, [*_FILES, *(f"{name}.mp4" for name in rig.cameras)])
        self._files = ExitStack()
        try:
            self._poses = self._table("poses.csv", POSE_COLUMNS)
            self._boxes = self._table("objects.csv", BOX_COLUMNS)
            self._objects = self._table("objects3d.csv", OBJECT_COLUMNS)
        except PerceptionError:
            self._files.close()
            self._mark.leave()
            raise
        self._videos = {
            name: self._files.enter_context(VideoWriter(folder / f"{name}.mp4", rate_fps=fps, crf=crf, preset=preset))
            for name in rig.cameras
        }

    def __enter__(self) -> DriveRecorder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._files.close()
        except PerceptionError:
            self._is_damaged = True
            # The first error explains more than that the files could not be finished either.
            if error is None:
                raise
        finally:
            self._finish()

    def write(self, state: WorldState, views: Mapping[str, CameraView]) -> None:
        """Append one instant: the traffic, and what each camera of the rig saw of it."""
        try:
            self._write(state, views)
        except PerceptionError:
            self._is_damaged = True
            raise
        self.written += 1

    def _write(self, state: WorldState, views: Mapping[str, CameraView]) -> None:
        if self.written == 0:
            self._world_from_town = inverse_rigid(state.town_from_vehicle)
        timestamp_ns = round(state.time_s * 1e9)
        # Before the rest: a mask without its picture does no harm.
        for name, view in views.items():
            if view.mask is not None:
                write_mask(self.folder, name, self.written, view.mask)
        for name, video in self._videos.items():
            video.write(views[name].image, timestamp_ns)
        world_from_vehicle = self._world_from_town @ state.town_from_vehicle
        self._poses.append(_lines([pose_row(timestamp_ns, world_from_vehicle)]))
        near = users_near(state.road_users, state.town_from_vehicle)
        self._objects.append(_lines(object_rows(timestamp_ns, state.road_users, near, self._world_from_town)))
        boxes = (box_rows(name, self.written, views[name], state.road_users) for name in self._videos)
        self._boxes.append(_lines(chain.from_iterable(boxes)))

    def _table(self, name: str, columns: tuple[str, ...]) -> AppendFile:
        return self._files.enter_context(closing(AppendFile(self.folder / name, header=_lines([columns]))))

    def _finish(self) -> None:
        """Make a recording of what is there, where that is at least one instant and all of it whole."""
        if self.written == 0 or self._is_damaged:
            self._mark.leave()
            return
        content = yaml.safe_dump(recording_file(self._rig, fps=self._fps), sort_keys=False)
        write_text(self.folder / RECORDING_FILE, content)
        self._mark.remove()


def _lines(rows: Iterable[Sequence[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def recording_file(rig: Rig, *, fps: float) -> dict[str, Any]:
    """The content of ``recording.yaml`` for one video of ``fps`` for each camera."""
    return {
        "road_height_m": float(rig.road_height_m),
        "cameras": {
            name: {
                "video": f"{name}.mp4",
                "fps": float(fps),
                "intrinsics": np.round(camera.intrinsics, 4).tolist(),
                "vehicle_from_camera": np.round(camera.vehicle_from_camera, 6).tolist(),
                **_lens(camera),
            }
            for name, camera in rig.cameras.items()
        },
    }


def _lens(camera: Camera) -> dict[str, Any]:
    if not camera.distortion:
        return {}
    return {"distortion": list(camera.distortion), "distortion_model": camera.distortion_model}


def pose_row(timestamp_ns: int, world_from_vehicle: FloatArray) -> list[Any]:
    """A line of ``poses.csv``."""
    x, y, z, w = Rotation.from_matrix(world_from_vehicle[:3, :3]).as_quat(canonical=True)
    position = [f"{value:.4f}" for value in world_from_vehicle[:3, 3]]
    return [timestamp_ns, *position, *(f"{value:.7f}" for value in (w, x, y, z))]


def users_near(users: RoadUsers, town_from_vehicle: FloatArray) -> IntArray:
    """Rows of the road users within ``TRUTH_RANGE_M`` of the car."""
    distances_m = np.linalg.norm(users.positions_m[:, :2] - town_from_vehicle[:2, 3], axis=1)
    return np.flatnonzero(distances_m <= TRUTH_RANGE_M)


def object_rows(
    timestamp_ns: int, users: RoadUsers, rows: IntArray, world_from_town: FloatArray
) -> Iterable[list[Any]]:
    """Lines of ``objects3d.csv``: the boxes' centres and headings in the world."""
    centres_m: FloatArray = users.positions_m[rows] + np.array([0, 0, 0.5]) * users.sizes_lwh_m[rows]
    centres_m = transform_points(world_from_town, centres_m)
    yaws_rad = wrap_angle_rad(users.yaws_rad[rows] + yaw_rad(world_from_town))
    numbers = np.column_stack([centres_m, users.sizes_lwh_m[rows], yaws_rad, users.speeds_mps[rows]])
    for row, values in zip(rows.tolist(), numbers.tolist(), strict=True):
        yield [
            timestamp_ns,
            int(users.ids[row]),
            CLASSES[users.labels[row]],
            *(f"{value:.2f}" for value in values[:6]),
            f"{values[6]:.3f}",
            f"{values[7]:.2f}",
            int(users.is_braking[row]),
            INDICATOR_NAMES[int(users.indicators[row])],
        ]


def box_rows(camera: str, frame_index: int, view: CameraView, users: RoadUsers) -> Iterable[list[Any]]:
    """Lines of ``objects.csv``: the road users of which this camera shows at least a pixel."""
    order = np.argsort(users.ids)
    labels = users.labels[order[np.searchsorted(users.ids, view.ids, sorter=order)]]
    boxes = np.concatenate([view.full_xyxy_px, view.visible_xyxy_px], axis=1)
    for row in np.flatnonzero(view.visible_pixels > 0).tolist():
        yield [
            camera,
            frame_index,
            int(view.ids[row]),
            CLASSES[labels[row]],
            *(f"{value:.1f}" for value in boxes[row].tolist()),
            f"{view.visible_shares[row]:.2f}",
        ]
