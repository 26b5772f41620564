"""Recorded cameras stepped together by their time stamps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from perception.arrays import IntArray
from perception.errors import counted
from perception.geometry.cameras import Rig
from perception.sources.base import SourceBase
from perception.sources.files.images import ImageSeries
from perception.sources.files.lazy_frame import LazyFrame, RecordedCamera
from perception.sources.files.poses import Poses
from perception.sources.time_span import TimeSpan
from perception.types import FrameSet


class RecordedSource(SourceBase):
    """The ``Source`` of files: one camera, or several merged by time.

    Frames within half a period of the fastest camera belong to one instant, whose time is that of its earliest
    frame; a camera without such a frame is missing there. ``instants``, (length,) for each camera, replaces that rule:
    frames with the same number belong together. Every ``stride``-th instant in ``span`` is handed out, and
    ``FrameSet.index`` and ``Frame.index`` count the instants and frames of the recording, the skipped ones too.
    Each iteration starts at the beginning; memory does not grow with the length. ``rig`` has the cameras' names and
    the size of their images.
    """

    def __init__(
        self,
        cameras: Sequence[RecordedCamera],
        *,
        name: str,
        stride: int = 1,
        poses: Poses | None = None,
        rig: Rig | None = None,
        instants: Mapping[str, IntArray] | None = None,
        notes: Sequence[str] = (),
        span: TimeSpan = TimeSpan(),  # noqa: B008 - it cannot change
    ) -> None:
        names = [camera.name for camera in cameras]
        super().__init__(name=name, cameras=names, stride=stride, rig=rig, notes=notes)
        self._recorded = tuple(cameras)
        self._span = span
        self._poses = poses
        self._instant_numbers = instants
        self._unposed: list[int] = []
        self._lacking = dict.fromkeys(names, 0)
        self._passed = 0
        self._closed = False
        self._instants: int | None = None
        half_period_ns = round(0.5e9 / max(camera.rate_fps for camera in cameras))
        self._reach = half_period_ns if instants is None else 0

    @property
    def rate_fps(self) -> float:
        """Instants handed out per second: the fastest camera's rate over the stride."""
        return max(camera.rate_fps for camera in self._recorded) / self._stride

    @property
    def is_live(self) -> bool:
        return False

    @property
    def length(self) -> int:
        """Instants that an iteration hands out when no file is damaged."""
        if self._instants is None:
            self._instants = self._count_instants() if self._span.is_whole else self._span.count(self._instant_times())
        return -(-self._instants // self._stride)

    @property
    def frame_counts(self) -> dict[str, int]:
        """According to the files' own indices."""
        return {camera.name: camera.length for camera in self._recorded}

    @property
    def picture_suffix(self) -> str | None:
        """How the first camera's pictures are stored, such as ".png"; None for a video."""
        first = self._recorded[0]
        return first.suffix if isinstance(first, ImageSeries) else None

    @property
    def dropped(self) -> int:
        """0: nothing is lost from a file; frames skipped on purpose by the stride do not count."""
        return 0

    @property
    def warnings(self) -> list[str]:
        """What was left out or does not fit, a sentence each; complete when the iteration is over."""
        lacking = [
            f"{self._name}: camera {camera} has no image at {count:,} of {counted(self._passed, 'instant')}."
            for camera, count in self._lacking.items()
            if count
        ]
        unposed = []
        if self._unposed:
            first = f"the first is number {self._unposed[0]}"
            unposed = [
                f"{self._name}: {counted(len(self._unposed), 'instant')} without a pose of the vehicle, {first}."
            ]
        return self._notes + [text for camera in self._recorded for text in camera.warnings] + lacking + unposed

    def __iter__(self) -> Iterator[FrameSet]:
        """Stops after ``close``.

        An instant without a readable picture is passed over. Raises ``UsageError`` or ``PerceptionError`` when a file
        cannot be read or an image's size is not the rig's.
        """
        self._unposed, self._passed = [], 0
        self._lacking = dict.fromkeys(self._lacking, 0)
        start = self._start()
        instants = self._span.numbered(
            self._merged(start.first_frames),
            stride=self._stride,
            time_ns=_time_ns,
            skipped=start.instant,
            first_ns=start.origin_ns,
        )
        for index, lazy in instants:
            timestamp_ns = _time_ns(lazy)
            world_from_vehicle = None if self._poses is None else self._poses.at(timestamp_ns)
            if self._poses is not None and world_from_vehicle is None:
                self._unposed.append(index)
            readable = (frame for camera, found in lazy.items() if (frame := found.frame(camera)) is not None)
            frames = tuple(map(self._calibrated, readable))
            if frames:
                yield FrameSet(frames, timestamp_ns, index, world_from_vehicle)

    def close(self) -> None:
        self._closed = True

    def _start(self) -> _Start:
        """The first instant of the span where the cameras can begin there, else the first of all."""
        can_seek = self._span.start_s > 0 and self._instant_numbers is None
        if not can_seek or not all(camera.can_seek for camera in self._recorded):
            return _Start({camera.name: 0 for camera in self._recorded})
        times_ns, positions = self._merged_times()
        number = self._span.first(times_ns)
        if number >= len(times_ns):
            return _Start({camera.name: camera.length for camera in self._recorded}, number)
        firsts = dict(zip((camera.name for camera in self._recorded), positions[number].tolist(), strict=True))
        return _Start(firsts, number, int(times_ns[0]))

    def _merged(self, first_frames: Mapping[str, int]) -> Iterator[dict[str, LazyFrame]]:
        """Frames of each instant by camera name, holding one frame ahead for each camera."""
        streams = {camera.name: camera.frames(first_frames[camera.name]) for camera in self._recorded}
        heads = {name: next(stream, None) for name, stream in streams.items()}
        while any(head is not None for head in heads.values()) and not self._closed:
            keys = {name: self._order_key(name, head) for name, head in heads.items() if head is not None}
            limit = min(keys.values()) + self._reach
            instant = {name: head for name, head in heads.items() if head is not None and keys[name] <= limit}
            self._passed += 1
            for name, head in heads.items():
                # A slower camera is not expected at each instant, unless the layout lists which images belong together.
                is_expected = head is None or self._instant_numbers is not None
                self._lacking[name] += is_expected and name not in instant
            yield instant
            heads.update({name: next(streams[name], None) for name in instant})

    def _order_key(self, camera: str, frame: LazyFrame) -> int:
        """What puts the frames of several cameras in order: the number of its instant where known, else its time."""
        if self._instant_numbers is None:
            return frame.timestamp_ns
        return int(self._instant_numbers[camera][frame.index])

    def _count_instants(self) -> int:
        if self._instant_numbers is not None:
            return len(np.unique(np.concatenate(list(self._instant_numbers.values()))))
        return self._recorded[0].length if len(self._recorded) == 1 else len(self._instant_times())

    def _instant_times(self) -> NDArray[np.int64]:
        """(I,): the time of each instant, in order."""
        if self._instant_numbers is not None:
            times = [camera.timestamps_ns() for camera in self._recorded]
            numbers = np.concatenate([self._instant_numbers[camera.name] for camera in self._recorded])
            order = np.argsort(numbers, kind="stable")
            starts = np.flatnonzero(np.diff(numbers[order], prepend=-1))
            return np.asarray(np.minimum.reduceat(np.concatenate(times)[order], starts))
        return self._merged_times()[0]

    def _merged_times(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(I,): the time of each instant; (I, C): the first frame of each camera that is not before it."""
        times: list[NDArray[np.int64]] = [camera.timestamps_ns() for camera in self._recorded]
        if len(times) == 1:
            return times[0], np.arange(len(times[0]))[:, None]
        positions = [0] * len(times)
        found: list[int] = []
        firsts: list[list[int]] = []
        while any(position < len(stamps) for position, stamps in zip(positions, times, strict=True)):
            heads = [
                int(stamps[position]) if position < len(stamps) else None
                for position, stamps in zip(positions, times, strict=True)
            ]
            found.append(min(head for head in heads if head is not None))
            firsts.append(positions)
            positions = [
                position + (head is not None and head <= found[-1] + self._reach)
                for position, head in zip(positions, heads, strict=True)
            ]
        return np.array(found, np.int64), np.array(firsts, np.int64).reshape(len(found), len(times))


@dataclass(frozen=True)
class _Start:
    """Where an iteration begins: the first frame of each camera, which belong to ``instant``.

    ``origin_ns`` is the time of the first instant of the recording, None where that is the one that comes.
    """

    first_frames: Mapping[str, int]
    instant: int = 0
    origin_ns: int | None = None


def _time_ns(instant: Mapping[str, LazyFrame]) -> int:
    return min(frame.timestamp_ns for frame in instant.values())
