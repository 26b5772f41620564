"""Drives that are lists of instants: for each the images that belong together, the pose and the objects seen.

What the readers of ``frames.json`` and of nuScenes share. Times count from the first image, and the world is the
vehicle at that time, so that neither years nor a city's coordinates cost digits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from perception.arrays import FloatArray, IntArray
from perception.errors import UsageError, counted
from perception.geometry.cameras import Camera, inverse_rigid
from perception.safety.regular_files import is_file
from perception.sources.files.clock import check_rate
from perception.sources.files.images import ImageSeries
from perception.sources.files.lazy_frame import RecordedCamera
from perception.sources.files.poses import Poses
from perception.sources.files.recording import Recording
from perception.sources.files.unseen_camera import UnseenCamera
from perception.taxonomy import ignored_kind_of, label_of
from perception.types import ObjectTable


@dataclass(frozen=True)
class Shot:
    """One image: its camera, file, time, the number of its instant, and the vehicle's pose at that time."""

    camera: str
    path: Path
    timestamp_ns: int
    instant: int
    world_from_vehicle: FloatArray | None = None


def recording_of(
    shots: Sequence[Shot],
    *,
    listed_in: Path,
    calibration: Mapping[str, Camera],
    road_height_m: float = 0.0,
    notes: Sequence[str] = (),
    name: str | None = None,
    unit: str = "seconds",
    needs_images: bool = True,
) -> Recording:
    """The shots as one camera each with its images, in the order of their instants.

    Where no images are needed, those that are missing are frames that cannot be looked at.

    Raises ``UsageError`` naming the file ``listed_in`` for a missing image or a time that is not later than the one
    before, and for times that are not in ``unit``.
    """
    if needs_images:
        check_images(shots, listed_in=listed_in)
    starts_ns = start_times_ns(shots)
    _reject_backwards(listed_in, "the earliest image", sorted(starts_ns), [starts_ns[key] for key in sorted(starts_ns)])
    by_camera: dict[str, list[Shot]] = {}
    for shot in sorted(shots, key=lambda shot: shot.instant):
        by_camera.setdefault(shot.camera, []).append(shot)
    cameras: list[RecordedCamera] = []
    for camera, own in by_camera.items():
        timestamps_ns = [shot.timestamp_ns for shot in own]
        _reject_backwards(listed_in, f"camera {camera}", [shot.instant for shot in own], timestamps_ns)
        series = _camera(own, np.array(timestamps_ns, np.int64), calibration.get(camera))
        if series.length > 1:
            check_rate(series.rate_fps, f"{listed_in}: camera {camera}", wanted=f"the times in {unit}")
        cameras.append(series)
    return Recording(
        cameras,
        poses=poses_of(shots),
        notes=[*notes, *_unposed(shots, listed_in)],
        calibration=calibration,
        road_height_m=road_height_m,
        instants={camera: np.array([shot.instant for shot in own]) for camera, own in by_camera.items()},
        name=name,
    )


def _camera(shots: Sequence[Shot], timestamps_ns: NDArray[np.int64], calibration: Camera | None) -> RecordedCamera:
    """The images of one camera; frames that cannot be looked at where one is missing and the size is known."""
    missing = next((shot.path for shot in shots if not shot.path.is_file()), None)
    if missing is None or calibration is None:
        return ImageSeries([shot.path for shot in shots], name=shots[0].camera, timestamps_ns=timestamps_ns)
    period_s = float(np.median(np.diff(timestamps_ns))) * 1e-9 if len(timestamps_ns) > 1 else 1.0
    return UnseenCamera(
        name=shots[0].camera,
        length=len(shots),
        size_px=calibration.size_px,
        rate_fps=1 / period_s,
        place=str(missing),
        timestamps_ns=timestamps_ns,
    )


def check_images(shots: Sequence[Shot], *, listed_in: Path) -> None:
    """Raises ``UsageError`` naming the file ``listed_in`` and the first image that is not there."""
    for shot in sorted(shots, key=lambda shot: shot.instant):
        if not is_file(shot.path):
            raise UsageError(
                f"{listed_in}: instant {shot.instant}, camera {shot.camera}: no such image {shot.path}; "
                "correct the entry or copy the image."
            )


def _unposed(shots: Sequence[Shot], listed_in: Path) -> list[str]:
    """The note on instants without a pose, where others have one."""
    posed = {shot.instant for shot in shots if shot.world_from_vehicle is not None}
    lacking = sorted({shot.instant for shot in shots} - posed)
    if not posed or not lacking:
        return []
    return [
        f"{listed_in}: {counted(len(lacking), 'instant')} without a pose of the vehicle, the first is "
        f"number {lacking[0]}; in a "
        "short gap it is taken from those before and after."
    ]


def from_start(shots: Sequence[Shot]) -> tuple[list[Shot], FloatArray]:
    """The shots with times from the first one, and poses from the vehicle's first known pose.

    Also that pose (4, 4), in the world of the data; identity where none is known.
    """
    start_ns = min(shot.timestamp_ns for shot in shots)
    known = [shot for shot in shots if shot.world_from_vehicle is not None]
    first = min(known, key=lambda shot: shot.timestamp_ns, default=None)
    world_from_start = np.eye(4) if first is None or first.world_from_vehicle is None else first.world_from_vehicle
    start_from_world = inverse_rigid(world_from_start)
    moved = [
        replace(
            shot,
            timestamp_ns=shot.timestamp_ns - start_ns,
            world_from_vehicle=None if shot.world_from_vehicle is None else start_from_world @ shot.world_from_vehicle,
        )
        for shot in shots
    ]
    return moved, world_from_start


def start_times_ns(shots: Sequence[Shot]) -> dict[int, int]:
    """The time of the earliest image of each instant: that of the ``FrameSet`` it becomes."""
    starts_ns: dict[int, int] = {}
    for shot in shots:
        starts_ns[shot.instant] = min(shot.timestamp_ns, starts_ns.get(shot.instant, shot.timestamp_ns))
    return starts_ns


def poses_of(shots: Sequence[Shot]) -> Poses | None:
    """The vehicle's poses at the times of the shots; None where no shot has one."""
    known: dict[int, FloatArray] = {}
    for shot in shots:
        if shot.world_from_vehicle is not None:
            known.setdefault(shot.timestamp_ns, shot.world_from_vehicle)
    if not known:
        return None
    timestamps_ns = sorted(known)
    matrices = np.stack([known[timestamp_ns] for timestamp_ns in timestamps_ns])
    return Poses(np.array(timestamps_ns, np.int64), matrices[:, :3, 3], Rotation.from_matrix(matrices[:, :3, :3]))


def numbered(keys: Sequence[Hashable]) -> IntArray:
    """(M,) whole numbers for names, from 1 in the order of their first appearance."""
    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(key, len(numbers) + 1) for key in keys], np.int64)


def speeds_mps(timestamps_ns: IntArray, ids: IntArray, centres_m: FloatArray) -> FloatArray:
    """(M,) over the road, from the neighbouring centres (M, 3) of the same id; 0 for what was seen only once."""
    order = np.lexsort((timestamps_ns, ids))
    times_s, sorted_ids = timestamps_ns[order] / 1e9, ids[order]
    rows = np.arange(len(order))
    is_same = sorted_ids[1:] == sorted_ids[:-1]
    before = rows - np.concatenate([[False], is_same])[: len(rows)]
    after = rows + np.concatenate([is_same, [False]])[: len(rows)]
    distance_m = np.linalg.norm(centres_m[order][after, :2] - centres_m[order][before, :2], axis=1)
    duration_s = times_s[after] - times_s[before]
    speeds = np.zeros(len(order))
    speeds[order] = np.divide(distance_m, duration_s, out=np.zeros(len(order)), where=duration_s > 0)
    return speeds


def object_table(
    *,
    timestamps_ns: IntArray,
    ids: IntArray,
    labels: IntArray,
    world_from_local: FloatArray,
    centres_local_m: FloatArray,
    directions_local: FloatArray,
    sizes_lwh_m: FloatArray,
) -> ObjectTable:
    """True objects in the world from centres (M, 3) and the directions of their fronts (M, 3) in axes of their own.

    ``world_from_local`` (M, 4, 4). Speeds come from neighbouring centres.
    """
    centres_m = np.einsum("nij,nj->ni", world_from_local[:, :3, :3], centres_local_m) + world_from_local[:, :3, 3]
    directions = np.einsum("nij,nj->ni", world_from_local[:, :3, :3], directions_local)
    return ObjectTable(
        timestamps_ns=timestamps_ns,
        ids=ids,
        labels=labels,
        scores=np.ones(len(ids)),
        centres_m=centres_m,
        sizes_lwh_m=sizes_lwh_m,
        yaws_rad=np.arctan2(directions[:, 1], directions[:, 0]),
        speeds_mps=speeds_mps(timestamps_ns, ids, centres_m),
    )


def note_of_left_out(names: Sequence[str], *, path: Path) -> list[str]:
    """A sentence that counts the objects whose class is none of ours."""
    counts = Counter(name for name in names if label_of(name) is None and ignored_kind_of(name) is None)
    counted = ", ".join(f"{count} {name}" for name, count in counts.most_common())
    return [f"{path}: ground truth of other classes is left out: {counted}."] if counted else []


def _reject_backwards(path: Path, what: str, instants: Sequence[int], timestamps_ns: Sequence[int]) -> None:
    faulty = np.flatnonzero(np.diff(timestamps_ns) <= 0)
    if len(faulty):
        raise UsageError(
            f"{path}: instant {instants[int(faulty[0]) + 1]}, {what}: its time stamp is not later than the one before; "
            "put the instants in order."
        )
