"""Folders that hold a recording: our ``recording.yaml`` and the MOTChallenge layout."""

from __future__ import annotations

import configparser
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from perception.errors import UsageError
from perception.sources.images import ImageSeries, images_in, natural_order
from perception.sources.pending import RecordedCamera
from perception.sources.poses import Poses
from perception.sources.tables import read_timestamps_ns
from perception.sources.video import VIDEO_SUFFIXES, VideoFile

RECORDING_FILE = "recording.yaml"
MOT_FILE = "seqinfo.ini"

_Three = Field(min_length=3, max_length=3)
_Four = Field(min_length=4, max_length=4)
Matrix3 = Annotated[list[Annotated[list[float], _Three]], _Three]
Matrix4 = Annotated[list[Annotated[list[float], _Four]], _Four]


class CameraEntry(BaseModel):
    """One camera of ``recording.yaml``; paths are relative to its folder.

    Exactly one of ``video`` (a file) and ``images`` (a glob) says where the frames are. ``fps`` or ``timestamps`` (a
    CSV file with the column timestamp_ns, one row for each frame) say when they were taken; without them a video's
    own time stamps count. ``intrinsics`` is the 3x3 camera matrix in pixels, ``vehicle_from_camera`` 4x4.
    """

    model_config = ConfigDict(extra="forbid")

    video: str | None = None
    images: str | None = None
    fps: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    timestamps: str | None = None
    intrinsics: Matrix3 | None = None
    vehicle_from_camera: Matrix4 | None = None

    @model_validator(mode="after")
    def _one_of_each(self) -> CameraEntry:
        if (self.video is None) == (self.images is None):
            raise ValueError("give either video or images")
        if self.fps is not None and self.timestamps is not None:
            raise ValueError("give either fps or timestamps")
        return self


class RecordingFile(BaseModel):
    """The content of ``recording.yaml``."""

    model_config = ConfigDict(extra="forbid")

    cameras: Annotated[dict[str, CameraEntry], Field(min_length=1)]

    @model_validator(mode="after")
    def _one_clock(self) -> RecordingFile:
        stamped = [camera.timestamps is not None for camera in self.cameras.values()]
        if any(stamped) and not all(stamped):
            raise ValueError("give timestamps for all cameras or for none, or their times do not meet")
        return self


@dataclass(frozen=True)
class Recording:
    """Cameras that share one clock, the vehicle's poses where known, and remarks on what does not fit."""

    cameras: Sequence[RecordedCamera]
    poses: Poses | None = None
    notes: list[str] = field(default_factory=list)


def read_recording_file(path: Path) -> RecordingFile:
    """Parse and check ``recording.yaml``. Raises ``UsageError`` naming the key that is wrong."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise UsageError(f"{path}: cannot be read as YAML ({reason}); correct the file.") from error
    try:
        return RecordingFile.model_validate(content)
    except ValidationError as error:
        fault = error.errors()[0]
        key = ".".join(str(part) for part in fault["loc"]) or "the file"
        reason = "unknown key" if fault["type"] == "extra_forbidden" else fault["msg"]
        raise UsageError(f"{path}: {key}: {reason}; correct this entry.") from error


def open_recording(folder: Path) -> Recording:
    """Open a folder with ``recording.yaml``. Raises ``UsageError`` naming the file or key that is wrong."""
    entries = read_recording_file(folder / RECORDING_FILE).cameras
    cameras = [_open_entry(folder, name, entry) for name, entry in entries.items()]
    poses_path = folder / "poses.csv"
    return Recording(cameras, Poses.read(poses_path) if poses_path.exists() else None)


def _open_entry(folder: Path, name: str, entry: CameraEntry) -> RecordedCamera:
    timestamps_ns = None if entry.timestamps is None else read_timestamps_ns(folder / entry.timestamps)
    camera: RecordedCamera
    if entry.video is not None:
        location = folder / entry.video
        if not location.is_file():
            raise UsageError(f"{folder / RECORDING_FILE}: cameras.{name}.video: no such file {location}; correct it.")
        camera = VideoFile(str(location), name=name, rate_fps=entry.fps, timestamps_ns=timestamps_ns)
    else:
        paths = natural_order(path for path in folder.glob(entry.images or "") if path.is_file())
        if not paths:
            raise UsageError(f"{folder / RECORDING_FILE}: cameras.{name}.images: {entry.images} matches no file.")
        camera = ImageSeries(paths, name=name, rate_fps=entry.fps, timestamps_ns=timestamps_ns)
    if timestamps_ns is not None and len(timestamps_ns) != camera.length:
        raise UsageError(
            f"{folder / str(entry.timestamps)}: holds {len(timestamps_ns)} time stamps for the {camera.length} frames "
            f"of camera {name}; give one row for each frame."
        )
    return camera


def open_mot(folder: Path, *, rate_fps: float | None = None) -> Recording:
    """Open a MOTChallenge folder: ``seqinfo.ini`` with img1/ (``imDir``) or a video file.

    ``frameRate`` fixes the times, whatever the video says; ``rate_fps`` replaces it. Raises ``UsageError`` naming
    the file or key that is wrong.
    """
    path = folder / MOT_FILE
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(path.read_text(encoding="utf-8-sig"))
        sequence = parser["Sequence"]
    except (OSError, UnicodeDecodeError, configparser.Error, KeyError) as error:
        raise UsageError(f"{path}: has no readable section [Sequence]; correct the file.") from error
    rate_fps = rate_fps or _positive(path, "frameRate", sequence.get("frameRate"))
    name = folder.resolve().name
    image_folder = folder / sequence.get("imDir", "img1")
    videos = natural_order(entry for entry in folder.iterdir() if entry.suffix.lower() in VIDEO_SUFFIXES)
    camera: RecordedCamera
    if image_folder.is_dir() and (paths := images_in(image_folder)):
        camera = ImageSeries(paths, name=name, rate_fps=rate_fps)
    elif len(videos) == 1:
        camera = VideoFile(str(videos[0]), name=name, rate_fps=rate_fps)
    else:
        found = "no video" if not videos else f"{len(videos)} videos"
        raise UsageError(f"{folder}: expected images in {image_folder.name}/ or one video file, found {found}.")
    notes = []
    if "seqLength" in sequence:
        declared = round(_positive(path, "seqLength", sequence["seqLength"]))
        if declared != camera.length:
            notes.append(f"{path}: seqLength says {declared} frames, but there are {camera.length}.")
    return Recording([camera], notes=notes)


def _positive(path: Path, key: str, text: str | None) -> float:
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not (value > 0 and math.isfinite(value)):
        raise UsageError(f"{path}: {key}: expected a positive number, got {text!r}; correct this entry.")
    return value
