"""Folders that hold a recording: our ``recording.yaml`` and the MOTChallenge layout."""

from __future__ import annotations

import configparser
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from perception.arrays import IntArray
from perception.errors import UsageError, counted
from perception.files import read_yaml
from perception.geometry.cameras import Camera, DistortionModel
from perception.safety.input_limits import MAX_CONFIG_BYTES
from perception.safety.regular_files import exists, is_dir, is_file, read_regular_text
from perception.sources.calibration.fields import (
    CameraName,
    Distortion,
    Matrix3,
    Matrix4,
    RoadHeight,
    WholePixels,
    checked,
    make_camera,
)
from perception.sources.files.clock import FASTEST_FPS, SLOWEST_FPS, check_rate
from perception.sources.files.csv_tables import read_timestamps_ns
from perception.sources.files.images import ImageSeries, images_in, natural_order
from perception.sources.files.lazy_frame import RecordedCamera
from perception.sources.files.poses import Poses
from perception.sources.files.unseen_camera import UnseenCamera
from perception.sources.files.video import VIDEO_SUFFIXES, VideoFile

RECORDING_FILE = "recording.yaml"
MOT_FILE = "seqinfo.ini"


class CameraEntry(BaseModel):
    """One camera of ``recording.yaml``; paths are relative to its folder.

    Exactly one of ``video`` (a file) and ``images`` (a glob) gives the frames. ``fps`` or ``timestamps`` (a
    CSV file with the column timestamp_ns, one row for each frame) give their times; without them a video's
    own time stamps count. ``intrinsics`` is the 3x3 camera matrix in pixels, ``vehicle_from_camera`` 4x4; they hold for
    images of ``width`` and ``height``, without them for the images as they are. ``distortion`` are
    OpenCV's coefficients of ``distortion_model``; ground-truth boxes are those of undistorted images.
    """

    model_config = ConfigDict(extra="forbid")

    video: str | None = None
    images: str | None = None
    fps: float | None = Field(default=None, ge=SLOWEST_FPS, le=FASTEST_FPS, allow_inf_nan=False)
    timestamps: str | None = None
    intrinsics: Matrix3 | None = None
    vehicle_from_camera: Matrix4 | None = None
    distortion: Distortion = []
    distortion_model: DistortionModel = "opencv"
    width: WholePixels | None = None
    height: WholePixels | None = None

    @model_validator(mode="after")
    def _one_of_each(self) -> CameraEntry:
        if (self.video is None) == (self.images is None):
            raise ValueError("give either video or images")
        if self.fps is not None and self.timestamps is not None:
            raise ValueError("give either fps or timestamps")
        _both_or_neither(intrinsics=self.intrinsics, vehicle_from_camera=self.vehicle_from_camera)
        if (self.distortion or self.distortion_model != "opencv") and self.intrinsics is None:
            raise ValueError("distortion is given, but intrinsics is missing; give both or neither")
        _both_or_neither(width=self.width, height=self.height)
        return self


def _both_or_neither(**values: object) -> None:
    missing = [name for name, value in values.items() if value is None]
    if len(missing) == 1:
        given = next(name for name in values if name not in missing)
        raise ValueError(f"{given} is given, but {missing[0]} is missing; give both or neither")


class RecordingFile(BaseModel):
    """The content of ``recording.yaml``."""

    model_config = ConfigDict(extra="forbid")

    road_height_m: RoadHeight = 0.0
    cameras: Annotated[dict[CameraName, CameraEntry], Field(min_length=1)]

    @model_validator(mode="after")
    def _one_clock(self) -> RecordingFile:
        stamped = [camera.timestamps is not None for camera in self.cameras.values()]
        if any(stamped) and not all(stamped):
            raise ValueError("give timestamps for all cameras or for none, or their times do not meet")
        return self


@dataclass(frozen=True)
class Recording:
    """Cameras that share one clock, and what else their folder holds.

    ``poses`` of the vehicle where known; ``calibration`` of those cameras that have one, by name, and the height of the
    road; ``instants``, where the layout lists which frames belong together: for each camera the number of the instant
    of each of its frames, (length,) increasing; ``notes`` on what does not fit; ``name`` if not the folder's.
    """

    cameras: Sequence[RecordedCamera]
    poses: Poses | None = None
    notes: list[str] = field(default_factory=list)
    calibration: Mapping[str, Camera] = field(default_factory=dict)
    road_height_m: float = 0.0
    instants: Mapping[str, IntArray] | None = None
    name: str | None = None


def read_recording_file(path: Path) -> RecordingFile:
    """Parse and check ``recording.yaml``. Raises ``UsageError`` naming the key that is wrong."""
    return checked(RecordingFile, read_yaml(path), path)


def open_recording(folder: Path) -> Recording:
    """Open a folder with ``recording.yaml``. Raises ``UsageError`` naming the file or key that is wrong."""
    path = folder / RECORDING_FILE
    content = read_recording_file(path)
    cameras = open_cameras(folder, content)
    calibration = {
        camera.name: calibrated
        for camera in cameras
        if (calibrated := _calibrated(camera, content.cameras[camera.name], path)) is not None
    }
    poses_path = folder / "poses.csv"
    return Recording(
        cameras,
        poses=Poses.read(poses_path) if exists(poses_path) else None,
        calibration=calibration,
        road_height_m=content.road_height_m,
    )


def open_cameras(folder: Path, content: RecordingFile) -> list[RecordedCamera]:
    """The cameras of a recording alone. Raises ``UsageError`` naming the file or key that is wrong."""
    owners: dict[Path, str] = {}
    for name, entry in content.cameras.items():
        if entry.video is not None and (owner := owners.setdefault((folder / entry.video).resolve(), name)) != name:
            raise UsageError(
                f"{folder / RECORDING_FILE}: cameras.{name}.video: {entry.video} is that of camera {owner} already; "
                "name each camera's own."
            )
    return [_open_entry(folder, name, entry) for name, entry in content.cameras.items()]


def _calibrated(camera: RecordedCamera, entry: CameraEntry, path: Path) -> Camera | None:
    if entry.intrinsics is None or entry.vehicle_from_camera is None:
        return None
    is_sized = entry.width is not None and entry.height is not None
    size_px = (int(entry.width or 0), int(entry.height or 0)) if is_sized else camera.size_px
    return make_camera(
        camera.name,
        size_px,
        entry.intrinsics,
        entry.vehicle_from_camera,
        entry.distortion,
        entry.distortion_model,
        path=path,
    )


def _open_entry(folder: Path, name: str, entry: CameraEntry) -> RecordedCamera:
    timestamps_ns = None if entry.timestamps is None else read_timestamps_ns(folder / entry.timestamps)
    camera: RecordedCamera
    if entry.video is not None:
        location = folder / entry.video
        if not is_file(location):
            raise UsageError(f"{folder / RECORDING_FILE}: cameras.{name}.video: no such file {location}; correct it.")
        camera = VideoFile(str(location), name=name, rate_fps=entry.fps, timestamps_ns=timestamps_ns)
    else:
        paths = natural_order(path for path in folder.glob(entry.images or "") if is_file(path))
        if not paths:
            raise UsageError(f"{folder / RECORDING_FILE}: cameras.{name}.images: {entry.images} matches no file.")
        camera = ImageSeries(paths, name=name, rate_fps=entry.fps, timestamps_ns=timestamps_ns)
    if timestamps_ns is not None and len(timestamps_ns) != camera.length:
        raise UsageError(
            f"{folder / str(entry.timestamps)}: holds {counted(len(timestamps_ns), 'time stamp')} for "
            f"the {counted(camera.length, 'frame')} "
            f"of camera {name}; give one row for each frame."
        )
    if timestamps_ns is not None and len(timestamps_ns) > 1:
        check_rate(camera.rate_fps, str(folder / str(entry.timestamps)), wanted="timestamp_ns in nanoseconds")
    return camera


def open_mot(folder: Path, *, rate_fps: float | None = None, needs_pictures: bool = True) -> Recording:
    """Open a MOTChallenge folder: ``seqinfo.ini`` with img1/ (``imDir``) or a video file.

    ``frameRate`` fixes the times, whatever the video states; ``rate_fps`` replaces it. Where no pictures are needed,
    there may be none: ``seqLength``, ``imWidth`` and ``imHeight`` tell of them then. Raises ``UsageError`` naming the
    file or key that is wrong.
    """
    path = folder / MOT_FILE
    sequence = _mot_sequence(path)
    if rate_fps is None:
        rate_fps = _positive(path, "frameRate", sequence.get("frameRate"))
        check_rate(rate_fps, f"{path}: frameRate", wanted="frames per second")
    name = folder.resolve().name
    image_folder = folder / sequence.get("imDir", "img1")
    videos = natural_order(entry for entry in folder.iterdir() if entry.suffix.lower() in VIDEO_SUFFIXES)
    camera: RecordedCamera
    if is_dir(image_folder) and (paths := images_in(image_folder)):
        camera = ImageSeries(paths, name=name, rate_fps=rate_fps)
    elif len(videos) == 1:
        camera = VideoFile(str(videos[0]), name=name, rate_fps=rate_fps)
    elif not videos and not needs_pictures:
        length, width, height = (
            round(_positive(path, key, sequence.get(key))) for key in ("seqLength", "imWidth", "imHeight")
        )
        camera = UnseenCamera(
            name=name, length=length, size_px=(width, height), rate_fps=rate_fps, place=str(image_folder)
        )
    else:
        found = "no video" if not videos else counted(len(videos), "video")
        raise UsageError(f"{folder}: expected images in {image_folder.name}/ or one video file, found {found}.")
    notes = []
    if "seqLength" in sequence:
        declared = round(_positive(path, "seqLength", sequence["seqLength"]))
        if declared != camera.length:
            notes.append(
                f"{path}: seqLength states {counted(declared, 'frame')}, but the folder has {camera.length:,}."
            )
    return Recording([camera], notes=notes)


def mot_size_px(folder: Path) -> tuple[int, int] | None:
    """(width, height) that ``seqinfo.ini`` states; None where it does not. Raises ``UsageError`` naming the key."""
    path = folder / MOT_FILE
    sequence = _mot_sequence(path)
    if "imWidth" not in sequence or "imHeight" not in sequence:
        return None
    width, height = (round(_positive(path, key, sequence[key])) for key in ("imWidth", "imHeight"))
    return width, height


def _mot_sequence(path: Path) -> configparser.SectionProxy:
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(read_regular_text(path, max_bytes=MAX_CONFIG_BYTES, encoding="utf-8-sig"))
        return parser["Sequence"]
    except (OSError, UnicodeDecodeError, configparser.Error, KeyError) as error:
        raise UsageError(f"{path}: has no readable section [Sequence]; correct the file.") from error


def _positive(path: Path, key: str, text: str | None) -> float:
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not (value > 0 and math.isfinite(value)):
        raise UsageError(f"{path}: {key}: expected a positive number, got {text!r}; correct this entry.")
    return value
