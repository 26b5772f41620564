"""When the frames of a recording were taken, so that ground truth, tracks and forecasts meet at the same instants."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from perception.arrays import FloatArray, IntArray
from perception.errors import UsageError
from perception.evaluation.core.table_boxes import ImageKey
from perception.sources.files.lazy_frame import RecordedCamera
from perception.sources.files.poses import Poses
from perception.types import BoxTable, FrameSet


@dataclass(frozen=True)
class Timeline:
    """The instants of a whole recording.

    ``timestamps_ns`` (I,). ``instant_of_frame`` has for each camera an array (F,): the instant of each of its frames,
    -1 for a frame that was not handed out. ``image_sizes_px`` are width and height by camera. ``vehicle_poses`` has
    ``world_from_vehicle`` (4, 4) by instant where it is known.
    """

    timestamps_ns: NDArray[np.int64]
    instant_of_frame: dict[str, NDArray[np.int64]]
    image_sizes_px: dict[str, tuple[int, int]]
    vehicle_poses: dict[int, FloatArray] = field(default_factory=dict)

    @classmethod
    def of(cls, frame_sets: Iterable[FrameSet]) -> Timeline:
        """Read a recording through; ``frame_sets`` have a stride of 1, and may lack instants that cannot be read."""
        times_ns: dict[int, int] = {}
        frames: dict[str, dict[int, int]] = {}
        sizes_px: dict[str, tuple[int, int]] = {}
        poses: dict[int, FloatArray] = {}
        for frame_set in frame_sets:
            instant = frame_set.index
            times_ns[instant] = frame_set.timestamp_ns
            if frame_set.world_from_vehicle is not None:
                poses[instant] = frame_set.world_from_vehicle
            for frame in frame_set:
                frames.setdefault(frame.camera, {})[frame.index] = instant
                sizes_px[frame.camera] = frame.size_px
        instants: dict[str, NDArray[np.int64]] = {}
        for camera, of_camera in frames.items():
            instants[camera] = np.full(max(of_camera) + 1, -1, np.int64)
            instants[camera][list(of_camera)] = list(of_camera.values())
        return cls(_without_gaps(times_ns), instants, sizes_px, poses)

    @classmethod
    def of_camera(cls, camera: RecordedCamera, poses: Poses | None = None) -> Timeline:
        """One camera, each frame of which is an instant; its pixels are not looked at."""
        timestamps_ns = camera.timestamps_ns()
        instants = {camera.name: np.arange(len(timestamps_ns))}
        return cls(timestamps_ns, instants, {camera.name: camera.size_px}, _poses(poses, timestamps_ns))

    @classmethod
    def of_instants(
        cls,
        cameras: Sequence[RecordedCamera],
        numbers: Mapping[str, IntArray],
        poses: Poses | None = None,
    ) -> Timeline:
        """Several cameras, of each the instant (F,) that a frame belongs to; their pixels are not looked at.

        The time of an instant is that of its earliest frame; those without a frame are left out.
        """
        known = np.unique(np.concatenate([numbers[camera.name] for camera in cameras]))
        instants = {camera.name: np.searchsorted(known, numbers[camera.name]) for camera in cameras}
        timestamps_ns = np.full(len(known), np.iinfo(np.int64).max)
        for camera in cameras:
            np.minimum.at(timestamps_ns, instants[camera.name], camera.timestamps_ns())
        return cls(
            timestamps_ns, instants, {camera.name: camera.size_px for camera in cameras}, _poses(poses, timestamps_ns)
        )

    def images(self, instants: Iterable[int]) -> set[ImageKey]:
        """All cameras' images at ``instants``. Raises ``UsageError`` where the recording has no such instant."""
        wanted = np.array(sorted(set(instants)), np.int64)
        if len(wanted) and (wanted[0] < 0 or wanted[-1] >= len(self.timestamps_ns)):
            raise UsageError(
                f"The results have an instant {wanted[-1]}, the recording has {len(self.timestamps_ns)}: "
                "name the recording that they were made on as `truth`."
            )
        return {
            (camera, int(frame))
            for camera, of_frame in self.instant_of_frame.items()
            for frame in np.flatnonzero(np.isin(of_frame, wanted) & (of_frame >= 0))
        }

    def instants_of(self, table: BoxTable) -> NDArray[np.int64]:
        """(M,) the instant of each row's frame, -1 for frames that were not handed out."""
        instants = np.full(len(table), -1, np.int64)
        for camera, of_frame in self.instant_of_frame.items():
            rows = np.flatnonzero((table.cameras == camera) & (table.frame_indices < len(of_frame)))
            instants[rows] = of_frame[table.frame_indices[rows]]
        return instants

    def at_instants(self, table: BoxTable) -> BoxTable:
        """``table`` with the instants as its frame indices and ids that are unique over all cameras.

        Rows of frames that were not handed out are left out.
        """
        instants = self.instants_of(table)
        _, camera_numbers = np.unique(table.cameras, return_inverse=True)
        pairs = np.stack([camera_numbers.reshape(-1), table.ids], axis=1)
        _, objects = np.unique(pairs, axis=0, return_inverse=True)
        numbered = replace(table, frame_indices=instants, ids=objects.reshape(-1).astype(np.int64))
        return numbered[instants >= 0]


def _without_gaps(times_ns: Mapping[int, int]) -> NDArray[np.int64]:
    """(I,) the time of each instant, those that lack between their neighbours'."""
    known = sorted(times_ns)
    since_ns = np.array([times_ns[instant] - times_ns[known[0]] for instant in known], np.float64)
    filled = np.interp(np.arange(known[-1] + 1), known, since_ns) if known else np.zeros(0)
    return np.rint(filled).astype(np.int64) + (times_ns[known[0]] if known else 0)


def _poses(poses: Poses | None, timestamps_ns: NDArray[np.int64]) -> dict[int, FloatArray]:
    """By instant, where the pose at its time is known."""
    if poses is None:
        return {}
    found = ((instant, poses.at(time_ns)) for instant, time_ns in enumerate(timestamps_ns.tolist()))
    return {instant: pose for instant, pose in found if pose is not None}
