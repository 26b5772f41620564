"""Which frames of several cameras are one instant, by the times at which they were taken; without threads or clocks."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from perception.sources.live.accounting import Cause
from perception.sources.live.settings import LiveSettings

QUEUE_FRAMES = 32
QUEUE_BYTES = 64 << 20
"""Limits of what waits of one camera; one frame may always wait."""

_DUE_SHARE = 0.9
"""A frame that is due later than this share of the fastest camera's period belongs to the next instant."""

Item = TypeVar("Item")


@dataclass(frozen=True)
class Arrival(Generic[Item]):
    """``item`` was taken at ``time_ns`` and came at ``arrived_s``, by a clock of its own."""

    time_ns: int
    arrived_s: float
    item: Item
    size_bytes: int = 0


@dataclass(frozen=True)
class Instant(Generic[Item]):
    """At most one frame of each camera, taken within the tolerance."""

    frames: dict[str, Arrival[Item]]

    @property
    def time_ns(self) -> int:
        """When the first of them was taken."""
        return min(frame.time_ns for frame in self.frames.values())

    @property
    def skew_s(self) -> float:
        """From the first to the last of them."""
        return (max(frame.time_ns for frame in self.frames.values()) - self.time_ns) / 1e9


class InstantAssembler(Generic[Item]):
    """Groups frames into instants whose times rise; ``leave`` is called for each that will not be in one.

    With ``newest_only`` an instant is the newest one that has the most cameras; what is older is an overrun. Without,
    it is the oldest, and nothing is left out but what is too old or too much. An instant waits for a further camera
    where its next frame is due within it, and ``max_wait_s`` at most. Times of one camera must rise.
    """

    def __init__(self, settings: LiveSettings, *, newest_only: bool, leave: Callable[[str, Cause, Item], None]) -> None:
        self._settings = settings
        self._tolerance_ns = round(settings.tolerance_s * 1e9)
        self._newest_only = newest_only
        self._leave = leave
        self._queues: dict[str, deque[Arrival[Item]]] = {}
        self._latest: dict[str, Arrival[Item]] = {}
        self._last_ns = -1

    def add(self, camera: str, arrival: Arrival[Item]) -> None:
        """A frame came."""
        self._latest[camera] = arrival
        if arrival.time_ns <= self._last_ns:
            self._leave(camera, "late", arrival.item)
            return
        queue = self._queues.setdefault(camera, deque())
        queue.append(arrival)
        oldest_ns = arrival.time_ns - self._tolerance_ns - round(self._settings.max_wait_s * 1e9)
        while len(queue) > 1 and (
            len(queue) > QUEUE_FRAMES
            or (self._newest_only and queue[0].time_ns < oldest_ns)
            or sum(waiting.size_bytes for waiting in queue) > QUEUE_BYTES
        ):
            self._leave(camera, "overrun", queue.popleft().item)

    def forget(self, camera: str) -> None:
        """Leave what waits of ``camera``, which was taken away or whose run has ended."""
        for waiting in self._queues.pop(camera, ()):
            self._leave(camera, "unused", waiting.item)
        self._latest.pop(camera, None)

    @property
    def is_empty(self) -> bool:
        """Whether no frame waits."""
        return not any(self._queues.values())

    def next(self, *, now_s: float, now_ns: int, periods_s: Mapping[str, float]) -> Instant[Item] | float | None:
        """The next instant; or the seconds until it is there at the latest; None where no frame waits.

        ``now_s`` is by the clock of arrivals, ``now_ns`` by that of times; ``periods_s`` of the cameras that are there.
        """
        self._leave_old(now_ns - round(self._settings.max_age_s * 1e9))
        if self.is_empty:
            return None
        instant = self._newest() if self._newest_only else self._oldest()
        wait_s = self._wait_s(instant, periods_s, now_s)
        if wait_s > 0:
            return wait_s
        self._take(instant)
        return instant

    def _leave_old(self, oldest_ns: int) -> None:
        for camera, queue in self._queues.items():
            while queue and queue[0].time_ns < oldest_ns:
                self._leave(camera, "stale", queue.popleft().item)

    def _newest(self) -> Instant[Item]:
        """The window of time with the most cameras, and the newest of these; each camera's newest frame in it."""
        names = [camera for camera, queue in self._queues.items() if queue]
        times = np.array([waiting.time_ns for name in names for waiting in self._queues[name]])
        cameras = np.repeat(np.arange(len(names)), [len(self._queues[name]) for name in names])
        is_inside = (times <= times[:, None]) & (times >= times[:, None] - self._tolerance_ns)
        counts = (is_inside.astype(np.int64) @ np.eye(len(names), dtype=np.int64)[cameras] > 0).sum(axis=1)
        end_ns = int(times[counts == counts.max()].max())
        return self._within(end_ns - self._tolerance_ns, end_ns, newest=True)

    def _oldest(self) -> Instant[Item]:
        start_ns = min(queue[0].time_ns for queue in self._queues.values() if queue)
        return self._within(start_ns, start_ns + self._tolerance_ns, newest=False)

    def _within(self, start_ns: int, end_ns: int, *, newest: bool) -> Instant[Item]:
        found = {}
        for camera, queue in self._queues.items():
            inside = [waiting for waiting in queue if start_ns <= waiting.time_ns <= end_ns]
            if inside:
                found[camera] = inside[-1] if newest else inside[0]
        return Instant(found)

    def _wait_s(self, instant: Instant[Item], periods_s: Mapping[str, float], now_s: float) -> float:
        """Seconds for which frames of further cameras may come that belong to ``instant``."""
        first_ns = instant.time_ns
        last_ns = max(frame.time_ns for frame in instant.frames.values())
        limit_s = min(frame.arrived_s for frame in instant.frames.values()) + self._settings.max_wait_s
        next_ns = first_ns + round(_DUE_SHARE * 1e9 * min(periods_s.values(), default=0.0))
        until_s = now_s
        for camera, period_s in periods_s.items():
            latest = self._latest.get(camera)
            if camera in instant.frames or latest is None:
                continue
            behind_s = (last_ns - self._tolerance_ns - latest.time_ns) / 1e9
            step_s = period_s * max(1, np.ceil(behind_s / period_s))
            due_ns = latest.time_ns + round(step_s * 1e9)
            if due_ns <= min(next_ns, first_ns + self._tolerance_ns):
                until_s = max(until_s, min(limit_s, latest.arrived_s + step_s + period_s / 2))
        return until_s - now_s

    def _take(self, instant: Instant[Item]) -> None:
        """Take the frames out of what waits, and leave what their instant makes useless."""
        self._last_ns = instant.time_ns
        for camera, queue in self._queues.items():
            taken = instant.frames.get(camera)
            while queue and taken is not None and queue[0] is not taken:
                self._leave(camera, "overrun", queue.popleft().item)
            if taken is not None:
                queue.popleft()
            while queue and queue[0].time_ns <= self._last_ns:
                self._leave(camera, "late", queue.popleft().item)
