"""``frames.json``: a list of instants, each with the images, calibration and objects of all its cameras.

Single frames of any data set are easily written so. An instant has ``cameras`` by name and, where known,
``world_from_vehicle`` (4x4). A camera has ``image`` (a path from the folder), ``timestamp`` (seconds, or a date in
ISO 8601), ``width``, ``height``, ``intrinsics`` (3x3), ``vehicle_from_camera`` (4x4) and, in entry of the vehicle's
pose, ``world_from_camera`` (4x4); and ``objects`` with ``class``, ``box_xyxy`` and, where known,
``center_in_vehicle_m``, ``size_lwh_m``, ``yaw_in_vehicle_rad``, ``instance`` (the same for an object in all cameras and
instants). ``road_height_m`` stands at the top. Further keys are left alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field, model_validator

from perception.arrays import FloatArray, IntArray
from perception.errors import UsageError
from perception.files import read_json
from perception.geometry.cameras import Camera, inverse_rigid
from perception.safety.regular_files import is_file
from perception.sources.calibration.fields import (
    CameraName,
    Finite,
    Matrix3,
    Matrix4,
    Point3,
    RoadHeight,
    WholePixels,
    checked,
    make_camera,
    nanoseconds,
    rigid,
)
from perception.sources.datasets.frame_sync import (
    Shot,
    check_images,
    from_start,
    note_of_left_out,
    numbered,
    object_table,
    recording_of,
    start_times_ns,
)
from perception.sources.files.recording import Recording
from perception.sources.truth.box_truth import BoxTruth, ignored_boxes
from perception.sources.truth.image_header import check_image_size
from perception.taxonomy import USUAL_SIZES_LWH_M, ignored_kind_of, label_of
from perception.types import BoxTable, ObjectTable

FRAMES_FILE = "frames.json"
# Two cameras of one instant see a passing object at slightly different times.
SAME_OBJECT_M = 0.3


class ObjectEntry(BaseModel):
    """One object as one camera sees it."""

    name: str = Field(alias="class")
    box_xyxy: Annotated[list[Finite], Field(min_length=4, max_length=4)]
    center_in_vehicle_m: Point3 | None = None
    size_lwh_m: Point3 | None = None
    yaw_in_vehicle_rad: Finite = 0.0
    instance: int | str | None = None

    @model_validator(mode="after")
    def _has_an_extent(self) -> ObjectEntry:
        x1, y1, x2, y2 = self.box_xyxy
        if x2 <= x1 or y2 <= y1:
            raise ValueError(f"box_xyxy: expected x1 < x2 and y1 < y2, got {self.box_xyxy}")
        if self.size_lwh_m is not None and min(self.size_lwh_m) <= 0:
            raise ValueError(f"size_lwh_m: expected positive numbers, got {self.size_lwh_m}")
        return self


class ImageEntry(BaseModel):
    """One camera at one instant."""

    image: str
    timestamp: int | Finite | str
    width: WholePixels | None = None
    height: WholePixels | None = None
    intrinsics: Matrix3 | None = None
    vehicle_from_camera: Matrix4 | None = None
    world_from_camera: Matrix4 | None = None
    objects: list[ObjectEntry] = []


class InstantEntry(BaseModel):
    """What belongs together."""

    cameras: Annotated[dict[CameraName, ImageEntry], Field(min_length=1)]
    world_from_vehicle: Matrix4 | None = None


class FramesFile(BaseModel):
    """The content of ``frames.json``."""

    road_height_m: RoadHeight = 0.0
    frames: Annotated[list[InstantEntry], Field(min_length=1)]


@dataclass(frozen=True)
class _FramesJson:
    """The file with its images' times from the first image on, and poses relative to the vehicle's at that time."""

    path: Path
    content: FramesFile
    shots: list[Shot]

    @property
    def images(self) -> list[ImageEntry]:
        """The entry of each shot."""
        return [image for instant in self.content.frames for image in instant.cameras.values()]


@dataclass(frozen=True)
class LabelledShot:
    """One image of a file, by its path, and all objects that the file lists in it, of any class."""

    camera: str
    path: Path
    objects: tuple[ObjectEntry, ...]


@dataclass(frozen=True)
class _Seen:
    """An object of a known class in one image; ``index`` counts the frames of its camera."""

    shot: Shot
    index: int
    entry: ObjectEntry


def open_frames(folder: Path) -> Recording:
    """The images as a recording. Raises ``UsageError`` naming the entry that is wrong."""
    drive = _read(folder / FRAMES_FILE)
    calibration, notes = _calibration(drive)
    objects = [entry for image in drive.images for entry in image.objects]
    if any(entry.instance is None for entry in objects):
        notes.append(f"{drive.path}: objects without instance have an identity within one instant only.")
    return recording_of(
        drive.shots,
        listed_in=drive.path,
        calibration=calibration,
        road_height_m=drive.content.road_height_m,
        notes=notes + note_of_left_out([entry.name for entry in objects], path=drive.path),
    )


def read_labelled_shots(path: Path) -> list[tuple[LabelledShot, ...]]:
    """The images of each instant of the file ``path``, whatever its name, for those who need no recording.

    Raises ``UsageError`` naming the entry that is wrong, or an image that is not there.
    """
    drive = _read(path)
    check_images(drive.shots, listed_in=path)
    _check_sizes(path, drive.shots, drive.images)
    instants: list[list[LabelledShot]] = [[] for _ in drive.content.frames]
    for shot, image in zip(drive.shots, drive.images, strict=True):
        instants[shot.instant].append(LabelledShot(shot.camera, shot.path, tuple(image.objects)))
    return [tuple(shots) for shots in instants]


def read_boxes(folder: Path) -> BoxTruth | None:
    """The boxes of all cameras, None where there are none; objects of the class ``ignore`` are regions to ignore.

    Raises ``UsageError`` naming the entry that is wrong, an object that is twice in one image, or an image that has
    not the size that is stated beside its boxes.
    """
    drive = _read(folder / FRAMES_FILE)
    seen, ignored = _seen(drive), _seen(drive, ignored=True)
    if not seen:
        return None
    _check_instances(drive.path, seen)
    _check_sizes(drive.path, drive.shots, drive.images)
    return BoxTruth(
        BoxTable(
            frame_indices=np.array([one.index for one in seen]),
            ids=_ids(seen),
            labels=_labels(seen),
            scores=np.ones(len(seen)),
            boxes_xyxy_px=_boxes_xyxy_px(seen),
            cameras=_cameras(seen),
        ),
        ignored_boxes(
            np.array([one.index for one in ignored], np.int64),
            _boxes_xyxy_px(ignored),
            _cameras(ignored),
            np.array([ignored_kind_of(one.entry.name) == "object" for one in ignored], bool),
        ),
    )


def read_objects(folder: Path) -> ObjectTable | None:
    """The objects whose centre and whose vehicle's pose are known, each once an instant; None where there are none.

    An object without yaw counts as looking along the vehicle, one without size as usual for its class.
    Raises ``UsageError`` naming the entry that is wrong.
    """
    drive = _read(folder / FRAMES_FILE)
    seen = _seen(drive)
    starts_ns = start_times_ns(drive.shots)
    rows: dict[tuple[int, int], tuple[_Seen, FloatArray]] = {}
    for one, object_id in zip(seen, _ids(seen).tolist(), strict=True):
        pose = one.shot.world_from_vehicle
        if one.entry.center_in_vehicle_m is not None and pose is not None:
            rows.setdefault((starts_ns[one.shot.instant], object_id), (one, pose))
    if not rows:
        return None
    once = [one for one, _ in rows.values()]
    labels = _labels(once)
    usual = [USUAL_SIZES_LWH_M[label] for label in labels]
    return object_table(
        timestamps_ns=np.array([timestamp_ns for timestamp_ns, _ in rows], np.int64),
        ids=np.array([object_id for _, object_id in rows], np.int64),
        labels=labels,
        world_from_local=np.stack([pose for _, pose in rows.values()]),
        centres_local_m=np.array([one.entry.center_in_vehicle_m for one in once], float),
        directions_local=np.array([_direction(one.entry.yaw_in_vehicle_rad) for one in once]),
        sizes_lwh_m=np.array([one.entry.size_lwh_m or size for one, size in zip(once, usual, strict=True)], float),
    )


def _direction(yaw_rad: float) -> tuple[float, float, float]:
    return float(np.cos(yaw_rad)), float(np.sin(yaw_rad)), 0.0


def _read(path: Path) -> _FramesJson:
    content = checked(FramesFile, read_json(path), path)
    shots = []
    for number, instant in enumerate(content.frames):
        entry = f"{path}: frames.{number}"
        pose = rigid(instant.world_from_vehicle, f"{entry}.world_from_vehicle")
        for name, image in instant.cameras.items():
            time_ns = nanoseconds(image.timestamp, f"{entry}.cameras.{name}.timestamp")
            own_pose = pose if pose is not None else _pose_by_camera(image, f"{entry}.cameras.{name}")
            shots.append(Shot(name, path.parent / image.image, time_ns, number, own_pose))
    if len(content.frames) == 1 and all(shot.world_from_vehicle is None for shot in shots):
        # Of a single instant the vehicle's motion is unknown: it stands at the world's origin.
        shots = [replace(shot, world_from_vehicle=np.eye(4)) for shot in shots]
    return _FramesJson(path, content, from_start(shots)[0])


def _pose_by_camera(image: ImageEntry, entry: str) -> FloatArray | None:
    """``world_from_vehicle`` (4, 4) from where the camera is, in the world and on the vehicle."""
    world_from_camera = rigid(image.world_from_camera, f"{entry}.world_from_camera")
    vehicle_from_camera = rigid(image.vehicle_from_camera, f"{entry}.vehicle_from_camera")
    if world_from_camera is None or vehicle_from_camera is None:
        return None
    pose: FloatArray = world_from_camera @ inverse_rigid(vehicle_from_camera)
    return pose


def _calibration(drive: _FramesJson) -> tuple[dict[str, Camera], list[str]]:
    """The cameras by name as first seen with calibration, and a note where a later image has another."""
    cameras: dict[str, Camera] = {}
    changing: set[str] = set()
    for shot, image in zip(drive.shots, drive.images, strict=True):
        if image.intrinsics is None or image.vehicle_from_camera is None:
            continue
        if image.width is None or image.height is None:
            raise UsageError(
                f"{drive.path}: frames.{shot.instant}.cameras.{shot.camera}: width or height is missing beside the "
                "intrinsics; add both."
            )
        size_px = (image.width, image.height)
        camera = make_camera(shot.camera, size_px, image.intrinsics, image.vehicle_from_camera, path=drive.path)
        first = cameras.setdefault(shot.camera, camera)
        is_same = camera.size_px == first.size_px and all(
            np.allclose(now, before, atol=1e-3)
            for now, before in (
                (camera.intrinsics, first.intrinsics),
                (camera.vehicle_from_camera, first.vehicle_from_camera),
            )
        )
        if not is_same:
            changing.add(shot.camera)
    return cameras, [
        f"{drive.path}: the calibration of camera {name} changes on the way; its first one counts."
        for name in sorted(changing)
    ]


def _check_sizes(path: Path, shots: Sequence[Shot], images: Sequence[ImageEntry]) -> None:
    """Raise ``UsageError`` where an image with boxes has another size than the file states; a missing one is passed."""
    for shot, image in zip(shots, images, strict=True):
        if image.objects and image.width is not None and image.height is not None and is_file(shot.path):
            check_image_size(path, shot.path, (image.width, image.height))


def _check_instances(path: Path, seen: list[_Seen]) -> None:
    known: set[tuple[str, int, str]] = set()
    for one in seen:
        key = (one.shot.camera, one.index, str(one.entry.instance))
        if one.entry.instance is not None and key in known:
            raise UsageError(
                f"{path}: frames.{one.shot.instant}.cameras.{one.shot.camera}.objects: instance {one.entry.instance} "
                "occurs twice in this image; give each object its own."
            )
        known.add(key)


def _seen(drive: _FramesJson, *, ignored: bool = False) -> list[_Seen]:
    """The objects of our classes; or, instead, those that are there to be ignored."""
    counts: Counter[str] = Counter()
    seen = []
    for shot, image in zip(drive.shots, drive.images, strict=True):
        index = counts[shot.camera]
        counts[shot.camera] += 1
        meaning = ignored_kind_of if ignored else label_of
        seen += [_Seen(shot, index, entry) for entry in image.objects if meaning(entry.name) is not None]
    return seen


def _boxes_xyxy_px(seen: list[_Seen]) -> FloatArray:
    return np.array([one.entry.box_xyxy for one in seen], float).reshape(-1, 4)


def _cameras(seen: list[_Seen]) -> NDArray[np.str_]:
    return np.array([one.shot.camera for one in seen], np.str_)


def _labels(seen: list[_Seen]) -> IntArray:
    return np.array([label_of(one.entry.name) for one in seen], np.int64)


def _ids(seen: list[_Seen]) -> IntArray:
    """(M,) the given instances; without them, what two cameras see at one position of an instant is one object."""
    instances = [one.entry.instance for one in seen]
    if all(isinstance(instance, int) and abs(instance) < 2**63 for instance in instances):
        return np.array(instances, np.int64)
    alike = _first_alike(seen)
    return numbered(
        [row if instance is None else f"#{instance}" for row, instance in zip(alike, instances, strict=True)]
    )


def _first_alike(seen: list[_Seen]) -> list[int]:
    """For each row the first row of its instant and class that another camera sees at its position; else itself."""
    labels = _labels(seen)
    instants = np.array([one.shot.instant for one in seen])
    cameras = np.array([one.shot.camera for one in seen])
    # Unknown positions are far from each other: their differences are NaN, which is never near.
    centres_m = np.array([one.entry.center_in_vehicle_m or (np.nan,) * 3 for one in seen], float)
    first = np.arange(len(seen))
    for instant in np.unique(instants):
        rows = np.flatnonzero(instants == instant)
        gaps_m = np.linalg.norm(centres_m[rows, None] - centres_m[rows], axis=2)
        is_alike = (gaps_m < SAME_OBJECT_M) & (labels[rows, None] == labels[rows])
        is_alike &= cameras[rows, None] != cameras[rows]
        is_alike |= np.eye(len(rows), dtype=bool)
        first[rows] = rows[is_alike.argmax(axis=1)]
    return [int(row) for row in first]
