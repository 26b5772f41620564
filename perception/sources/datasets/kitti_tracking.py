"""Folders in the layout of KITTI's multi-object tracking: calib/, image_02/, label_02/, oxts/, an entry for each drive.

Geiger et al., "Are we ready for autonomous driving? The KITTI vision benchmark suite", CVPR 2012. The cameras' pose on
the car is taken as in the odometry layout.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from perception.arrays import FloatArray, IntArray
from perception.errors import UsageError
from perception.geometry.cameras import inverse_rigid
from perception.sources.datasets.frame_sync import note_of_left_out, object_table
from perception.sources.datasets.kitti_odometry import (
    MOUNTING_NOTE,
    RATE_FPS,
    VEHICLE_FROM_CAMERA,
    calibrated,
    projections_of,
    rows_by_name,
)
from perception.sources.files.csv_tables import CsvTable, read_words
from perception.sources.files.images import ImageSeries, images_in, natural_order
from perception.sources.files.lazy_frame import RecordedCamera, regular_timestamps_ns
from perception.sources.files.poses import Poses
from perception.sources.files.recording import Recording
from perception.sources.files.unseen_camera import UnseenCamera
from perception.sources.truth.box_truth import BoxTruth, ignored_boxes, is_repeated
from perception.taxonomy import ignored_kind_of, label_of
from perception.types import BoxTable, ObjectTable

TRACKING_CAMERA = "image_02"
EARTH_RADIUS_M = 6378137.0

USUAL_SIZE_PX = (1242, 375)
"""Of pictures that are not there; those of KITTI's drives differ by a few pixels."""

_LABEL_COLUMNS = (
    *("frame", "id", "type", "truncated", "occluded", "alpha", "x1", "y1", "x2", "y2"),
    *("height", "width", "length", "x", "y", "z", "rotation_y"),
)
_OXTS_COLUMNS = ("latitude", "longitude", "altitude", "roll", "pitch", "yaw")


def has_tracking(folder: Path) -> bool:
    """Whether the folder holds drives in the tracking layout; labels without images count too."""
    return (folder / "calib").is_dir() and any((folder / name).is_dir() for name in (TRACKING_CAMERA, "label_02"))


def open_tracking(
    folder: Path, drive: str | None = None, *, rate_fps: float | None = None, needs_pictures: bool = True
) -> Recording:
    """A drive in the tracking layout by its name, such as "0004"; the first one, with a note, when None.

    Where no pictures are needed, there may be none: the poses or the labels tell then how many there are.

    Raises ``UsageError`` naming file and line.
    """
    names = drives_in(folder)
    name = _chosen(folder, drive, names)
    path = folder / "calib" / f"{name}.txt"
    projections = projections_of(path)
    cameras: list[RecordedCamera] = []
    calibration = {}
    for number in (2, 3):
        images = folder / f"image_0{number}" / name
        if number < len(projections) and images.is_dir() and (paths := images_in(images)):
            camera = ImageSeries(paths, name=images.parent.name, rate_fps=rate_fps or RATE_FPS)
            cameras.append(camera)
            calibration[camera.name] = calibrated(camera, projections[number], path)
    if not cameras and not needs_pictures:
        cameras.append(_unseen(folder, name, rate_fps or RATE_FPS))
    if not cameras:
        raise UsageError(f"{folder / TRACKING_CAMERA / name}: has no images; copy them there.")
    notes = [MOUNTING_NOTE]
    if drive is None and len(names) > 1:
        notes.append(f"{folder}: {name} is the first of {len(names)} drives; for another one give {folder}#{names[1]}.")
    if (folder / "label_02" / f"{name}.txt").is_file():
        table = _labels_table(folder, name)
        notes += note_of_left_out(table.columns["type"], path=table.path)
    return Recording(
        cameras,
        poses=_poses(folder, name, rate_fps or RATE_FPS),
        notes=notes,
        calibration=calibration,
        name=name,
    )


def _unseen(folder: Path, name: str, rate_fps: float) -> RecordedCamera:
    """The left colour camera of a drive without pictures."""
    poses = folder / "oxts" / f"{name}.txt"
    if poses.is_file():
        length = len(read_words(poses, required=_OXTS_COLUMNS))
    else:
        length = int(_labels_table(folder, name).integers("frame").max(initial=-1)) + 1
    return UnseenCamera(
        name=TRACKING_CAMERA,
        length=length,
        size_px=USUAL_SIZE_PX,
        rate_fps=rate_fps,
        place=str(folder / TRACKING_CAMERA / name),
    )


def read_boxes(folder: Path, drive: str | None = None) -> BoxTruth | None:
    """The labelled boxes of the left colour camera, None without labels; ``DontCare`` are regions to ignore.

    Raises ``UsageError`` naming file and line.
    """
    found = _known_labels(folder, drive)
    if found is None:
        return None
    table, labels, frames, counts = found
    is_ignored = np.array([ignored_kind_of(kind) is not None for kind in table.columns["type"]], bool)
    keep = counts | is_ignored
    corners = np.stack([table.numbers(column) for column in ("x1", "y1", "x2", "y2")], axis=1)
    table.reject(keep & (corners[:, 2] <= corners[:, 0]), "x2", "must be greater than x1")
    table.reject(keep & (corners[:, 3] <= corners[:, 1]), "y2", "must be greater than y1")
    cameras = np.full(len(table), TRACKING_CAMERA)
    boxes = BoxTable(
        frame_indices=frames[counts],
        ids=table.integers("id")[counts],
        labels=labels[counts],
        scores=np.ones(int(counts.sum())),
        boxes_xyxy_px=corners[counts],
        cameras=cameras[counts],
    )
    ignored = ignored_boxes(frames, corners, cameras, np.zeros(len(table), bool))
    return BoxTruth(boxes, ignored[is_ignored])


def read_objects(folder: Path, drive: str | None = None) -> ObjectTable | None:
    """The labelled 3-D boxes in the world, at ten instants per second; None without labels or oxts/.

    Raises ``UsageError`` naming file and line.
    """
    found = _known_labels(folder, drive)
    name = _chosen(folder, drive, drives_in(folder))
    poses = _poses(folder, name, RATE_FPS)
    if found is None or poses is None:
        return None
    table, labels, frames, keep = found
    x, y, z, height, width, length, rotation_y = (
        table.numbers(column)[keep] for column in ("x", "y", "z", "height", "width", "length", "rotation_y")
    )
    timestamps_ns = regular_timestamps_ns(int(frames.max(initial=0)) + 1, RATE_FPS)[frames[keep]]
    known = {time_ns: poses.at(time_ns) for time_ns in np.unique(timestamps_ns).tolist()}
    # Beyond the last pose the world frame is unknown.
    posed = np.array([known[time_ns] is not None for time_ns in timestamps_ns.tolist()], bool)
    matrices = [pose for time_ns in timestamps_ns.tolist() if (pose := known[time_ns]) is not None]
    if not matrices:
        return None
    # KITTI places a box by the middle of its underside; its heading turns around the camera's y axis, from x to -z.
    centres_m = np.stack([x, y - height / 2, z], axis=1)[posed]
    directions = np.stack([np.cos(rotation_y), np.zeros_like(rotation_y), -np.sin(rotation_y)], axis=1)[posed]
    return object_table(
        timestamps_ns=timestamps_ns[posed],
        ids=table.integers("id")[keep][posed],
        labels=labels[keep][posed],
        world_from_local=np.stack(matrices) @ VEHICLE_FROM_CAMERA,
        centres_local_m=centres_m,
        directions_local=directions,
        sizes_lwh_m=np.stack([length, width, height], axis=1)[posed],
    )


def _poses(folder: Path, name: str, rate_fps: float) -> Poses | None:
    """The vehicle's poses from latitude, longitude, height and the three angles of the inertial unit."""
    path = folder / "oxts" / f"{name}.txt"
    if not path.is_file():
        return None
    table = read_words(path, required=_OXTS_COLUMNS)
    if not len(table):
        raise UsageError(f"{path}: has no rows; add one for each frame, or remove the file.")
    latitude, longitude, altitude_m, roll, pitch, yaw = (table.numbers(column) for column in _OXTS_COLUMNS)
    world_from_imu = mercator_poses(latitude, longitude, altitude_m, roll, pitch, yaw)
    poses = world_from_imu @ _imu_from_vehicle(folder / "calib" / f"{name}.txt")
    poses = inverse_rigid(poses[0]) @ poses
    times_ns = regular_timestamps_ns(len(table), rate_fps)
    return Poses(times_ns, poses[:, :3, 3], Rotation.from_matrix(poses[:, :3, :3]))


def mercator_poses(
    latitude: FloatArray,
    longitude: FloatArray,
    altitude_m: FloatArray,
    roll: FloatArray,
    pitch: FloatArray,
    yaw: FloatArray,
) -> FloatArray:
    """(n, 4, 4): the inertial unit on Mercator's map, to scale where the drive begins, as in KITTI's development kit.

    Each argument is (n,): degrees, metres, and radians. The first pose stands at the origin: places on the map are
    millions of metres, and only differences keep the millimetres.
    """
    scale_m = EARTH_RADIUS_M * np.cos(np.radians(latitude[0]))
    world_from_imu = np.tile(np.eye(4), (len(latitude), 1, 1))
    world_from_imu[:, 0, 3] = scale_m * np.radians(longitude)
    world_from_imu[:, 1, 3] = scale_m * np.log(np.tan(np.pi / 4 + np.radians(latitude) / 2))
    world_from_imu[:, 2, 3] = altitude_m
    world_from_imu[:, :3, :3] = Rotation.from_euler("ZYX", np.stack([yaw, pitch, roll], axis=1)).as_matrix()
    world_from_imu[:, :3, 3] -= world_from_imu[0, :3, 3].copy()
    return world_from_imu


def _imu_from_vehicle(path: Path) -> FloatArray:
    rows = rows_by_name(path)
    left_from_imu = np.eye(4)
    for names in (("Tr_imu_velo", "Tr_imu_to_velo"), ("Tr_velo_cam", "Tr_velo_to_cam"), ("R_rect", "R0_rect")):
        row = next((rows[name] for name in names if name in rows), None)
        if row is None:
            raise UsageError(f"{path}: has no {names[0]}, without which the poses in oxts/ cannot be used; add it.")
        step = np.eye(4)
        step[:3, : row.shape[1]] = row
        left_from_imu = step @ left_from_imu
    return inverse_rigid(VEHICLE_FROM_CAMERA @ left_from_imu)


def drives_in(folder: Path) -> list[str]:
    """The names of the drives in natural order."""
    paths = [*(folder / TRACKING_CAMERA).glob("*"), *(folder / "label_02").glob("*.txt")]
    return [path.stem for path in natural_order({Path(path.stem) for path in paths})]


def _chosen(folder: Path, drive: str | None, names: list[str]) -> str:
    if not names or (drive is not None and drive not in names):
        raise UsageError(f"{folder}#{drive or ''}: no such drive; give one of {', '.join(names) or 'another folder'}.")
    return names[0] if drive is None else drive


def _labels_table(folder: Path, name: str) -> CsvTable:
    return read_words(folder / "label_02" / f"{name}.txt", required=_LABEL_COLUMNS)


def _known_labels(folder: Path, drive: str | None) -> tuple[CsvTable, IntArray, IntArray, NDArray[np.bool_]] | None:
    """The table of labels, (M,) our label of each row, its frame, and whether it is of a class of ours."""
    name = _chosen(folder, drive, drives_in(folder))
    if not (folder / "label_02" / f"{name}.txt").is_file():
        return None
    table = _labels_table(folder, name)
    frames = table.integers("frame")
    table.reject(frames < 0, "frame", "frames count from 0")
    found = [label_of(kind) for kind in table.columns["type"]]
    labels = np.array([-1 if label is None else label for label in found], np.int64)
    repeated = np.zeros(len(table), bool)
    repeated[labels >= 0] = is_repeated(np.stack([frames, table.integers("id")], axis=1)[labels >= 0])
    table.reject(repeated, "id", "occurs twice in this frame")
    return table, labels, frames, labels >= 0
