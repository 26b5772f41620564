"""KITTI's raw drives: a day with its calibration, and the synced drives of that day with their tracklets.

    2011_09_26/
    ├── calib_cam_to_cam.txt, calib_velo_to_cam.txt, calib_imu_to_velo.txt
    └── 2011_09_26_drive_0001_sync/
        ├── image_02/data/*.png, image_02/timestamps.txt
        ├── oxts/data/*.txt
        └── tracklet_labels.xml

Geiger et al., "Vision meets robotics: The KITTI dataset", IJRR 2013. The cameras' pose on the car is taken as in the
odometry layout.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from perception.arrays import FloatArray, IntArray
from perception.errors import UsageError
from perception.files import read_text
from perception.geometry.cameras import Camera, inverse_rigid, transform_points
from perception.geometry.cuboids import corners_of, frames_around
from perception.sources.datasets.frame_sync import note_of_left_out, object_table
from perception.sources.datasets.kitti_odometry import (
    MOUNTING_NOTE,
    RATE_FPS,
    VEHICLE_FROM_CAMERA,
    calibrated,
)
from perception.sources.datasets.kitti_tracking import mercator_poses
from perception.sources.files.clock import check_rate
from perception.sources.files.images import ImageSeries, images_in
from perception.sources.files.lazy_frame import RecordedCamera, regular_timestamps_ns
from perception.sources.files.poses import Poses
from perception.sources.files.recording import Recording
from perception.sources.files.unseen_camera import UnseenCamera
from perception.sources.truth.box_truth import BoxTruth
from perception.taxonomy import label_of
from perception.types import BoxTable, ObjectTable

CAMERA = "image_02"
TRACKLETS_FILE = "tracklet_labels.xml"
CALIBRATION_FILES = ("calib_cam_to_cam.txt", "calib_velo_to_cam.txt", "calib_imu_to_velo.txt")
OXTS_COUNT = 6
"""Of the numbers of a pose, these come first: latitude, longitude, altitude, roll, pitch, yaw."""

VISIBLE_SHARES = {0: 1.0, 1: 0.5, 2: 0.1}
"""By the annotators' words for what hides an object: nothing, a part of it, all of it. Others are not known."""

_OUTSIDE = (2, 99)
"""The annotators' numbers for what lies outside the picture, or behind the camera."""


def has_raw(folder: Path) -> bool:
    """Whether the folder is a day of KITTI's raw data, or one of its drives."""
    return any(_drive_folders(folder))


def drives_in(folder: Path) -> list[str]:
    """The names of the drives."""
    return [path.name for path in _drive_folders(folder)]


def open_raw(
    folder: Path, drive: str | None = None, *, rate_fps: float | None = None, needs_pictures: bool = True
) -> Recording:
    """The left colour camera of a drive by its name; of the first one, with a note, when None.

    Where no pictures are needed, there may be none: ``oxts/`` tells then how many there are. Raises ``UsageError``
    naming the file that is missing or wrong.
    """
    own = _Drive.of(folder, drive)
    images = own.folder / CAMERA / "data"
    paths = images_in(images) if images.is_dir() else []
    if not paths and needs_pictures:
        raise UsageError(f"{images}: has no images; copy them there.")
    timestamps_ns = None if rate_fps is not None else own.timestamps_ns
    camera: RecordedCamera
    if paths:
        if timestamps_ns is not None and len(timestamps_ns) != len(paths):
            raise UsageError(
                f"{own.folder / CAMERA}: has {len(paths)} images and {len(timestamps_ns)} times; copy the drive again."
            )
        camera = ImageSeries(paths, name=CAMERA, rate_fps=rate_fps or RATE_FPS, timestamps_ns=timestamps_ns)
    else:
        camera = own.unseen(rate_fps or RATE_FPS, timestamps_ns)
    names = drives_in(folder)
    notes = [MOUNTING_NOTE]
    if drive is None and len(names) > 1:
        notes.append(
            f"{folder}: {names[0]} is the first of {len(names)} drives; for another one give {folder}#{names[1]}."
        )
    if own.tracklets is not None:
        kinds = [one.kind for one in own.tracklets for _ in one.centres_m]
        notes += note_of_left_out(kinds, path=own.folder / TRACKLETS_FILE)
    poses = own.world_from_vehicle
    times_ns = camera.timestamps_ns()[: len(poses)]
    return Recording(
        [camera],
        poses=Poses(times_ns, poses[: len(times_ns), :3, 3], Rotation.from_matrix(poses[: len(times_ns), :3, :3])),
        notes=notes,
        calibration={CAMERA: calibrated(camera, own.projection, own.day / CALIBRATION_FILES[0])},
        name=own.folder.name,
    )


def read_objects(folder: Path, drive: str | None = None) -> ObjectTable | None:
    """The labelled objects in the world, None without tracklets. Raises ``UsageError`` as ``open_raw``, and for those
    with frames that the drive does not have."""
    own = _Drive.of(folder, drive)
    rows = own.rows()
    if rows is None:
        return None
    times_ns = own.camera_times_ns
    return object_table(
        timestamps_ns=times_ns[rows.frames],
        ids=rows.ids,
        labels=rows.labels,
        world_from_local=(own.world_from_vehicle @ own.vehicle_from_velo)[rows.frames],
        centres_local_m=rows.centres_m,
        directions_local=np.column_stack([np.cos(rows.yaws_rad), np.sin(rows.yaws_rad), np.zeros(len(rows.frames))]),
        sizes_lwh_m=rows.sizes_lwh_m,
    )


def read_boxes(folder: Path, drive: str | None = None) -> BoxTruth | None:
    """The frames around the labelled 3-D boxes in the left colour camera, clipped to the image; None without any.

    What the labels call outside the picture or behind the camera has none. Raises ``UsageError`` as ``read_objects``.
    """
    own = _Drive.of(folder, drive)
    rows = own.rows()
    if rows is None:
        return None
    corners_m = corners_of(
        rows.centres_m, Rotation.from_euler("z", rows.yaws_rad[:, None]).as_matrix(), rows.sizes_lwh_m
    )
    boxes = frames_around(transform_points(own.vehicle_from_velo, corners_m), own.camera)
    is_seen = np.isfinite(boxes).all(axis=1) & ~rows.is_outside
    count = int(is_seen.sum())
    return BoxTruth(
        BoxTable(
            frame_indices=rows.frames[is_seen],
            ids=rows.ids[is_seen],
            labels=rows.labels[is_seen],
            scores=np.ones(count),
            boxes_xyxy_px=boxes[is_seen],
            cameras=np.full(count, CAMERA),
            visible_shares=rows.visible_shares[is_seen],
        )
    )


@dataclass(frozen=True)
class Tracklet:
    """An object in the axes of the laser, at successive frames from ``first_frame`` on.

    ``centres_m`` (n, 3) of its box, ``yaws_rad`` (n,), ``size_lwh_m`` (3,); ``occlusions`` and ``truncations`` (n,) are
    the annotators' numbers.
    """

    kind: str
    first_frame: int
    size_lwh_m: FloatArray
    centres_m: FloatArray
    yaws_rad: FloatArray
    occlusions: IntArray
    truncations: IntArray


def read_tracklets(path: Path) -> list[Tracklet]:
    """All objects of a drive. Raises ``UsageError`` naming the tracklet, from 1, that is wrong."""
    try:
        root = ElementTree.fromstring(read_text(path, "XML"))
    except ElementTree.ParseError as error:
        raise UsageError(f"{path}: cannot be read as XML ({error}); download the tracklets again.") from error
    return [_tracklet(item, path, number) for number, item in enumerate(root.findall("./tracklets/item"), start=1)]


def _tracklet(item: ElementTree.Element, path: Path, number: int) -> Tracklet:
    try:
        size = np.array([float(item.findtext(name, "")) for name in ("l", "w", "h")])
        poses = [
            [float(pose.findtext(name, otherwise)) for name, otherwise in _POSE_FIELDS.items()]
            for pose in item.findall("./poses/item")
        ]
        first = int(item.findtext("first_frame", ""))
    except ValueError as error:
        raise UsageError(
            f"{path}, tracklet {number}: a size, first_frame, or a pose's tx, ty, tz or rz is missing or wrong "
            f"({error}); download the tracklets again."
        ) from error
    table = np.array(poses, np.float64).reshape(-1, len(_POSE_FIELDS))
    kind = item.findtext("objectType", "").strip()
    if not kind or not np.isfinite(table).all() or not (np.isfinite(size).all() and (size > 0).all()) or first < 0:
        raise UsageError(
            f"{path}, tracklet {number}: has no objectType, a size that is not positive, or a number that is not "
            "finite; download the tracklets again."
        )
    centres = table[:, :3].copy()
    # KITTI places a box by the middle of its underside.
    centres[:, 2] += size[2] / 2
    return Tracklet(kind, first, size, centres, table[:, 3], table[:, 4].astype(np.int64), table[:, 5].astype(np.int64))


_POSE_FIELDS = {"tx": "", "ty": "", "tz": "", "rz": "", "occlusion": "-1", "truncation": "-1"}


@dataclass(frozen=True)
class _Rows:
    """The objects of our classes, one row (M,) for each frame."""

    frames: IntArray
    ids: IntArray
    labels: IntArray
    centres_m: FloatArray
    yaws_rad: FloatArray
    sizes_lwh_m: FloatArray
    visible_shares: FloatArray
    is_outside: NDArray[np.bool_]


@dataclass(frozen=True)
class _Drive:
    """A drive, and the day with the calibration."""

    folder: Path
    day: Path

    @classmethod
    def of(cls, folder: Path, name: str | None) -> _Drive:
        paths = {path.name: path for path in _drive_folders(folder)}
        chosen = name or next(iter(paths))
        if chosen not in paths:
            raise UsageError(f"{folder}#{chosen}: no such drive; give one of {', '.join(paths)}.")
        path = paths[chosen]
        days = (path.parent, path.resolve().parent, path)
        day = next((day for day in days if (day / CALIBRATION_FILES[0]).is_file()), path.parent)
        return cls(path, day)

    @cached_property
    def tracklets(self) -> list[Tracklet] | None:
        path = self.folder / TRACKLETS_FILE
        return read_tracklets(path) if path.is_file() else None

    @cached_property
    def timestamps_ns(self) -> NDArray[np.int64] | None:
        """(F,) from the first frame on, None where the drive does not state them."""
        path = next(
            (path for name in (CAMERA, "oxts") if (path := self.folder / name / "timestamps.txt").is_file()), None
        )
        if path is None:
            return None
        lines = [line.strip() for line in read_text(path, "times").splitlines() if line.strip()]
        try:
            times = np.array(lines, "datetime64[ns]").astype(np.int64)
        except ValueError as error:
            raise UsageError(f"{path}: expected a date and time in each line ({error}); correct it.") from error
        faulty = np.flatnonzero(np.diff(times) <= 0)
        if len(faulty):
            raise UsageError(f"{path}, line {int(faulty[0]) + 2}: is not later than the line before; correct it.")
        if len(times) > 1:
            check_rate(1e9 / float(np.median(np.diff(times))), str(path), wanted="dates and times")
        return np.asarray(times - times[0] if len(times) else times, np.int64)

    @cached_property
    def camera_times_ns(self) -> NDArray[np.int64]:
        """(F,) of all frames."""
        known = self.timestamps_ns
        return regular_timestamps_ns(len(self.world_from_vehicle), RATE_FPS) if known is None else known

    @cached_property
    def world_from_vehicle(self) -> FloatArray:
        """(F, 4, 4): the world is the vehicle at the first frame."""
        folder = self.folder / "oxts" / "data"
        paths = sorted(folder.glob("*.txt"))
        if not paths:
            raise UsageError(f"{folder}: holds no *.txt; copy the poses of the drive there.")
        rows = np.array([_numbers(path, OXTS_COUNT) for path in paths])
        poses = mercator_poses(*rows.T) @ inverse_rigid(self.vehicle_from_velo @ self._velo_from_imu)
        found: FloatArray = inverse_rigid(poses[0]) @ poses
        return found

    @cached_property
    def vehicle_from_velo(self) -> FloatArray:
        """(4, 4): from the laser's axes, by way of the rectified left grey camera."""
        path = self.day / CALIBRATION_FILES[0]
        rectified = np.eye(4)
        rectified[:3, :3] = _matrix(path, "R_rect_00", (3, 3))
        found: FloatArray = VEHICLE_FROM_CAMERA @ rectified @ _rigid(self.day / CALIBRATION_FILES[1])
        return found

    @property
    def _velo_from_imu(self) -> FloatArray:
        return _rigid(self.day / CALIBRATION_FILES[2])

    @cached_property
    def projection(self) -> FloatArray:
        """(3, 4) of the left colour camera."""
        return _matrix(self.day / CALIBRATION_FILES[0], "P_rect_02", (3, 4))

    @cached_property
    def camera(self) -> Camera:
        return calibrated(self.unseen(RATE_FPS, None), self.projection, self.day / CALIBRATION_FILES[0])

    def unseen(self, rate_fps: float, timestamps_ns: NDArray[np.int64] | None) -> UnseenCamera:
        """The camera without its pictures, of the size that the calibration states."""
        width, height = _matrix(self.day / CALIBRATION_FILES[0], "S_rect_02", (2,)).tolist()
        return UnseenCamera(
            name=CAMERA,
            length=len(self.world_from_vehicle) if timestamps_ns is None else len(timestamps_ns),
            size_px=(round(width), round(height)),
            rate_fps=rate_fps,
            place=str(self.folder / CAMERA),
            timestamps_ns=timestamps_ns,
        )

    def rows(self) -> _Rows | None:
        """The labelled objects of our classes; None without tracklets."""
        if self.tracklets is None:
            return None
        length = min(len(self.world_from_vehicle), len(self.camera_times_ns))
        for number, one in enumerate(self.tracklets, start=1):
            if one.first_frame + len(one.centres_m) > length:
                raise UsageError(
                    f"{self.folder / TRACKLETS_FILE}, tracklet {number}: has frames {one.first_frame} to "
                    f"{one.first_frame + len(one.centres_m) - 1}, but the drive has {length}; copy the drive again."
                )
        labels = [label_of(one.kind) for one in self.tracklets]
        known = [
            (number, label, one)
            for number, (label, one) in enumerate(zip(labels, self.tracklets, strict=True), start=1)
            if label is not None and len(one.centres_m)
        ]
        counts = [len(one.centres_m) for _, _, one in known]
        none = np.zeros(0)
        truncations = np.concatenate([none, *(one.truncations for _, _, one in known)])
        occlusions = np.concatenate([none, *(one.occlusions for _, _, one in known)])
        return _Rows(
            frames=np.concatenate(
                [none, *(one.first_frame + np.arange(len(one.centres_m)) for _, _, one in known)]
            ).astype(np.int64),
            ids=np.repeat(np.array([number for number, _, _ in known], np.int64), counts),
            labels=np.repeat(np.array([label for _, label, _ in known], np.int64), counts),
            centres_m=np.concatenate([np.zeros((0, 3)), *(one.centres_m for _, _, one in known)]),
            yaws_rad=np.concatenate([none, *(one.yaws_rad for _, _, one in known)]),
            sizes_lwh_m=np.repeat(np.array([one.size_lwh_m for _, _, one in known]).reshape(-1, 3), counts, axis=0),
            visible_shares=np.array([VISIBLE_SHARES.get(int(one), 1.0) for one in occlusions]),
            is_outside=np.isin(truncations, _OUTSIDE),
        )


def _drive_folders(folder: Path) -> Iterator[Path]:
    """The drives of a day, or the folder itself where it is one."""
    if (folder / "oxts" / "data").is_dir() and (folder.resolve().parent / CALIBRATION_FILES[0]).is_file():
        yield folder
    elif (folder / CALIBRATION_FILES[0]).is_file():
        yield from sorted(path for path in folder.iterdir() if (path / "oxts" / "data").is_dir())


def _matrix(path: Path, name: str, shape: tuple[int, ...]) -> FloatArray:
    """The numbers behind ``name:`` in a file of calibration. Raises ``UsageError`` naming file and row."""
    for line in read_text(path, "calibration").splitlines():
        key, _, text = line.partition(":")
        if key.strip() != name:
            continue
        try:
            values = np.array(text.split(), np.float64)
        except ValueError:
            values = np.zeros(0)
        if values.size == np.prod(shape) and np.isfinite(values).all():
            return values.reshape(shape)
        break
    raise UsageError(f"{path}: has no row {name}: with {int(np.prod(shape))} numbers; copy the calibration again.")


def _rigid(path: Path) -> FloatArray:
    """(4, 4) of the rows R and T."""
    found = np.eye(4)
    found[:3, :3], found[:3, 3] = _matrix(path, "R", (3, 3)), _matrix(path, "T", (3,))
    return found


def _numbers(path: Path, count: int) -> FloatArray:
    """The first ``count`` numbers of a file of one line."""
    try:
        values = np.array(read_text(path, "pose").split()[:count], np.float64)
    except ValueError:
        values = np.zeros(0)
    if len(values) != count or not np.isfinite(values).all():
        raise UsageError(f"{path}: expected {count} numbers; copy the poses of the drive again.")
    return values
