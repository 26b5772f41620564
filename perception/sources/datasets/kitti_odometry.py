"""Folders in the layout of KITTI's odometry, and what all of KITTI's layouts share.

A drive holds ``calib.txt`` (P0, P1, ...; with or without these names), image_0/, image_1/, ... or left.mp4 and
right.mp4, ``times.txt`` and ``poses.txt`` where there are any. Geiger et al., "Vision meets robotics: The KITTI
dataset", IJRR 2013.

All images are rectified. Of the mounting KITTI documents heights and distances along the car: the cameras stand 1.65 m
above the road and 1.03 m ahead of the rear axle. They look along the car and slightly up: with that angle the labelled
boxes of four tracking drives stand on the road far away as they do near by.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from perception.arrays import FloatArray
from perception.errors import UsageError, counted
from perception.geometry.cameras import Camera, inverse_rigid
from perception.safety.input_limits import MAX_NUMBER
from perception.safety.regular_files import read_regular_text
from perception.sources.calibration.fields import make_camera
from perception.sources.files.clock import check_rate
from perception.sources.files.csv_tables import read_words
from perception.sources.files.images import ImageSeries, images_in
from perception.sources.files.lazy_frame import RecordedCamera
from perception.sources.files.poses import Poses
from perception.sources.files.recording import Recording
from perception.sources.files.video import VideoFile

CALIBRATION_FILE = "calib.txt"
CAMERA_HEIGHT_M = 1.65
CAMERA_AHEAD_M = 1.03
RATE_FPS = 10.0
VIDEOS = ("left.mp4", "right.mp4")

CAMERA_UP_RAD = 0.0075

VEHICLE_FROM_CAMERA = np.array(
    [
        [0.0, np.sin(CAMERA_UP_RAD), np.cos(CAMERA_UP_RAD), CAMERA_AHEAD_M],
        [-1.0, 0.0, 0.0, 0.0],
        [0.0, -np.cos(CAMERA_UP_RAD), np.sin(CAMERA_UP_RAD), CAMERA_HEIGHT_M],
        [0.0, 0.0, 0.0, 1.0],
    ]
)
"""(4, 4): of the rectified left grey camera, in whose axes KITTI gives all else."""

MOUNTING_NOTE = (
    f"KITTI's layout: the cameras are taken to be {CAMERA_HEIGHT_M} m above the road, {CAMERA_AHEAD_M} m ahead of the "
    "rear axle, and to look along the car and 0.4 degrees up."
)

_MAX_TIME_S = 9e9
_POSE_COLUMNS = tuple(f"r{row}c{column}" for row in (1, 2, 3) for column in (1, 2, 3, 4))


def has_odometry(folder: Path) -> bool:
    """Whether the folder is a drive in the odometry layout."""
    has_images = any((folder / name).is_file() for name in VIDEOS) or any(folder.glob("image_[0-9]"))
    return (folder / CALIBRATION_FILE).is_file() and has_images


def open_odometry(folder: Path, *, rate_fps: float | None = None) -> Recording:
    """A drive in the odometry layout; ``rate_fps`` replaces its clock. Raises ``UsageError`` naming file and line."""
    path = folder / CALIBRATION_FILE
    projections = projections_of(path)
    timestamps_ns = None if rate_fps is not None else _times_ns(folder / "times.txt")
    cameras: list[RecordedCamera] = []
    calibration = {}
    for number, projection in enumerate(projections):
        camera = _odometry_camera(folder, number, rate_fps, timestamps_ns)
        if camera is None:
            continue
        if timestamps_ns is not None and len(timestamps_ns) != camera.length:
            raise UsageError(
                f"{folder / 'times.txt'}: holds {counted(len(timestamps_ns), 'time')} for the "
                f"{counted(camera.length, 'frame')} of camera "
                f"{camera.name}; give one for each frame."
            )
        cameras.append(camera)
        calibration[camera.name] = calibrated(camera, projection, path)
    if not cameras:
        raise UsageError(
            f"{folder}: has no images for the {counted(len(projections), 'camera')} of {path.name}; add them."
        )
    longest = max(cameras, key=lambda camera: camera.length)
    return Recording(
        cameras,
        poses=_poses(folder / "poses.txt", longest.timestamps_ns()),
        notes=[MOUNTING_NOTE],
        calibration=calibration,
    )


def _odometry_camera(
    folder: Path, number: int, rate_fps: float | None, timestamps_ns: NDArray[np.int64] | None
) -> RecordedCamera | None:
    images = folder / f"image_{number}"
    if images.is_dir() and (paths := images_in(images)):
        return ImageSeries(paths, name=images.name, rate_fps=rate_fps or RATE_FPS, timestamps_ns=timestamps_ns)
    if number < len(VIDEOS) and (video := folder / VIDEOS[number]).is_file():
        return VideoFile(str(video), name=video.stem, rate_fps=rate_fps, timestamps_ns=timestamps_ns)
    return None


def calibrated(camera: RecordedCamera, projection: FloatArray, path: Path) -> Camera:
    """The camera of a rectified projection K [I | t], which lies -t from the left grey one."""
    intrinsics = projection[:, :3]
    camera_from_left = np.eye(4)
    try:
        camera_from_left[:3, 3] = np.linalg.solve(intrinsics, projection[:, 3])
    except np.linalg.LinAlgError:
        raise UsageError(f"{path}: the projection of camera {camera.name} is singular; correct its row.") from None
    vehicle_from_camera = VEHICLE_FROM_CAMERA @ inverse_rigid(camera_from_left)
    return make_camera(camera.name, camera.size_px, intrinsics.tolist(), vehicle_from_camera.tolist(), path=path)


def rows_by_name(path: Path) -> dict[str, FloatArray]:
    """Numbers of each line by the name before them, "P<line>" where there is none."""
    try:
        lines = read_regular_text(path).splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read as text ({error}); check the file.") from error
    rows: dict[str, FloatArray] = {}
    for number, line in enumerate(lines, start=1):
        words = line.split()
        if not words:
            continue
        is_named = not words[0][0].isdigit() and words[0][0] not in "+-."
        name = words.pop(0).rstrip(":") if is_named else f"P{number - 1}"
        try:
            values = np.array([float(word) for word in words])
        except ValueError:
            values = np.array([np.nan])
        if len(values) not in (9, 12) or not (np.abs(values) <= MAX_NUMBER).all():
            raise UsageError(f"{path}, line {number}, {name}: expected 9 or 12 numbers; correct this row.")
        rows[name] = values.reshape(3, -1)
    return rows


def projections_of(path: Path) -> list[FloatArray]:
    """P0, P1, ... (3, 4), as far as they go on."""
    rows = rows_by_name(path)
    projections: list[FloatArray] = []
    while (row := rows.get(f"P{len(projections)}")) is not None and row.shape == (3, 4):
        projections.append(row)
    if not projections:
        raise UsageError(f"{path}: has no projection P0 of 12 numbers; add one row for each camera.")
    return projections


def _times_ns(path: Path) -> NDArray[np.int64] | None:
    if not path.is_file():
        return None
    table = read_words(path, required=("seconds",))
    seconds = table.numbers("seconds")
    table.reject(np.abs(seconds) > _MAX_TIME_S, "seconds", "beyond what nanoseconds can hold")
    table.reject(np.diff(seconds, prepend=-np.inf) <= 0, "seconds", "not later than the row before")
    if len(seconds) > 1:
        check_rate(1 / float(np.median(np.diff(seconds))), str(path), wanted="seconds")
    return np.round(seconds * 1e9).astype(np.int64)


def _poses(path: Path, timestamps_ns: NDArray[np.int64]) -> Poses | None:
    """The vehicle's poses from those of the left grey camera, a row for each frame, from the first one on."""
    if not path.is_file():
        return None
    table = read_words(path, required=_POSE_COLUMNS)
    count = min(len(table), len(timestamps_ns))
    if not count:
        raise UsageError(f"{path}: has no rows; add one for each frame, or remove the file.")
    world_from_left = np.tile(np.eye(4), (len(table), 1, 1))
    world_from_left[:, :3] = np.stack([table.numbers(column) for column in _POSE_COLUMNS], axis=1).reshape(-1, 3, 4)
    turns = np.linalg.det(world_from_left[:, :3, :3])
    table.reject(np.abs(turns - 1) > 0.02, _POSE_COLUMNS[0], "no rotation in the first three columns of this pose")
    poses = (
        VEHICLE_FROM_CAMERA @ inverse_rigid(world_from_left[0]) @ world_from_left @ inverse_rigid(VEHICLE_FROM_CAMERA)
    )
    return Poses(timestamps_ns[:count], poses[:count, :3, 3], Rotation.from_matrix(poses[:count, :3, :3]))
