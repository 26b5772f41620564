"""Which layout a folder has, and the readers of its images and of its ground truth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from perception.errors import UsageError
from perception.sources.datasets import frames_json, kitti_tracking, nuscenes
from perception.sources.datasets import kitti_odometry as kitti
from perception.sources.files.ground_truth import read_mot_truth, read_objects_csv, read_recording_truth
from perception.sources.files.recording import MOT_FILE, RECORDING_FILE, Recording, open_mot, open_recording
from perception.types import BoxTable, ObjectTable


@dataclass(frozen=True)
class Layout:
    """A folder whose layout is known; ``open`` takes the rate that replaces its clock, which most refuse."""

    folder: Path
    open: Callable[[float | None], Recording]
    truth: Callable[[], BoxTable | None]
    objects: Callable[[], ObjectTable | None]


def find_layout(spec: str | Path) -> Layout | None:
    """The layout of a folder, or of "folder#name" for one of several drives in it; None where it is none of ours.

    Raises ``UsageError`` for a name in a folder that holds only one drive.
    """
    folder, drive = Path(spec), None
    if not folder.is_dir() and "#" in str(spec):
        text, _, drive = str(spec).rpartition("#")
        folder = Path(text)
    if not folder.is_dir():
        return None
    # First of all a recording: whoever writes one into another layout's folder means it.
    found = _of_one_drive(folder)
    if found is not None and drive is not None:
        raise UsageError(f"{spec}: {folder} holds one drive only; leave #{drive} out.")
    return found or _of_several_drives(folder, drive)


def _of_several_drives(folder: Path, drive: str | None) -> Layout | None:
    if nuscenes.is_here(folder):
        return Layout(
            folder,
            open=lambda rate_fps: _with_own_clock(folder, rate_fps, lambda: nuscenes.open_drive(folder, drive)),
            truth=lambda: nuscenes.read_boxes(folder, drive),
            objects=lambda: nuscenes.read_objects(folder, drive),
        )
    if kitti_tracking.has_tracking(folder):
        return Layout(
            folder,
            open=lambda rate_fps: kitti_tracking.open_tracking(folder, drive, rate_fps=rate_fps),
            truth=lambda: kitti_tracking.read_boxes(folder, drive),
            objects=lambda: kitti_tracking.read_objects(folder, drive),
        )
    return None


def _of_one_drive(folder: Path) -> Layout | None:
    if (folder / RECORDING_FILE).is_file():
        return Layout(
            folder,
            open=lambda rate_fps: _with_own_clock(folder / RECORDING_FILE, rate_fps, lambda: open_recording(folder)),
            truth=lambda: read_recording_truth(folder),
            objects=lambda: read_objects_csv(folder),
        )
    if (folder / MOT_FILE).is_file():
        return Layout(
            folder,
            open=lambda rate_fps: open_mot(folder, rate_fps=rate_fps),
            truth=lambda: read_mot_truth(folder),
            objects=lambda: None,
        )
    if (folder / frames_json.FRAMES_FILE).is_file():
        path = folder / frames_json.FRAMES_FILE
        return Layout(
            folder,
            open=lambda rate_fps: _with_own_clock(path, rate_fps, lambda: frames_json.open_frames(folder)),
            truth=lambda: frames_json.read_boxes(folder),
            objects=lambda: frames_json.read_objects(folder),
        )
    if kitti.has_odometry(folder):
        return Layout(
            folder,
            open=lambda rate_fps: kitti.open_odometry(folder, rate_fps=rate_fps),
            truth=lambda: None,
            objects=lambda: None,
        )
    return None


def _with_own_clock(path: Path, rate_fps: float | None, opened: Callable[[], Recording]) -> Recording:
    if rate_fps is not None:
        raise UsageError(f"{path}: has its own clock; leave rate_fps out or set fps there.")
    return opened()


def read_truth(spec: str | Path) -> BoxTable | None:
    """Ground-truth boxes beside the frames that ``open_source`` reads from the same folder; None where there are none.

    A MOTChallenge folder has ``gt.txt`` or ``gt/gt.txt`` without header: frame (from 1), id, x, y, w, h (pixels, top
    left corner), conf, class (1..6 in the order of ``CLASSES``), visibility. A recording has ``objects.csv`` with the
    columns camera, id, class (a name of ``CLASSES``), x1, y1, x2, y2 (pixels) and either frame_index (from 0, in that
    camera's frames) or timestamp_ns (of a frame, within half a period), and, if wanted, visible_share (0..1); further
    columns are left alone. ``frames.json``, nuScenes and KITTI tracking folders have their own; objects of classes
    that are none of ``CLASSES`` are left out there.

    Raises ``UsageError`` naming file, line and column for a missing column, a value that is no number, a box without
    area, an unknown class or camera, a frame past the end, a frame, camera and id that occur twice, and a MOT box
    with conf 0 (which means "ignore" and has no place in a ``BoxTable``).
    """
    layout = find_layout(spec)
    return None if layout is None else layout.truth()


def read_objects(spec: str | Path) -> ObjectTable | None:
    """Ground-truth objects in the world, at the times of the instants that ``open_source`` hands out; or None.

    A recording has ``objects3d.csv`` with the columns timestamp_ns, id, class, x, y, z (the box's centre in the world),
    length, width, height (metres), yaw (radians, counter-clockwise from the world's x), speed_mps; further columns are
    left alone. ``frames.json``, nuScenes and KITTI tracking folders have their own.

    Raises ``UsageError`` naming file, line and column for a missing column, a value that is no number, a size that is
    not positive, an unknown class, a time and id that occur twice.
    """
    layout = find_layout(spec)
    return None if layout is None else layout.objects()
