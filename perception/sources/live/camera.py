"""One live camera: the thread that connects, captures, and connects again."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from perception.errors import PerceptionError
from perception.sources.live.accounting import FrameCounts
from perception.sources.live.capture_time import CaptureClock, CaptureTimes
from perception.sources.live.readers.picture import CapturedPicture, Reader
from perception.sources.live.settings import LiveSettings
from perception.sources.live.supervisor import CameraState, StateChange, Supervisor

FALLBACK_RATE_FPS = 15.0
PROBE_EVERY_S = 1.0

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class CameraOpener:
    """How to connect to a camera: ``open`` gives a new connection within its time limit, or raises ``PerceptionError``.

    ``first`` is one that stands already. ``answers`` tells whether anybody listens there, where that is cheap to ask:
    a pause ends early once somebody does again. ``is_file`` is for a recording, which ends.
    """

    name: str
    open: Callable[[], Reader]
    first: Reader | None = None
    answers: Callable[[], bool] | None = None
    is_file: bool = False


@dataclass(frozen=True)
class TakenPicture:
    """A picture of a camera with its time of capture and its number among all that came, from 0."""

    picture: CapturedPicture
    timestamp_ns: int
    arrived_s: float
    index: int


class CameraListener(Protocol):
    """Is told what happens to a camera, in the camera's thread and with the lock held: must be quick and not raise."""

    def connected(self, camera: str, reader: Reader) -> None:
        """A connection stands."""
        ...

    def taken(self, camera: str, taken: TakenPicture) -> None:
        """A picture came that may be used."""
        ...

    def changed(self, camera: str, change: StateChange, time: datetime) -> None:
        """The camera's state is another."""
        ...


class LiveCamera:
    """Captures until ``stop``; ``take`` is called with each picture that may be used, with ``changed`` held.

    ``before`` is the camera of the same name that was taken away: its counts go on. All other members are shared with
    the capture thread: hold ``changed``, which is notified of each change.
    """

    def __init__(
        self,
        opener: CameraOpener,
        *,
        settings: LiveSettings,
        stride: int,
        clock: CaptureClock,
        changed: threading.Condition,
        take: Callable[[LiveCamera, TakenPicture], None],
        listeners: list[CameraListener],
        chance: random.Random,
        before: LiveCamera | None = None,
    ) -> None:
        self.name = opener.name
        self.counts: FrameCounts = FrameCounts() if before is None else before.counts
        self.events: deque[dict[str, Any]] = deque(maxlen=200) if before is None else before.events
        self.latest: TakenPicture | None = None
        self.supervisor = Supervisor(settings, now_s=time.monotonic(), chance=chance)
        self.times = CaptureTimes(max_lag_s=settings.max_age_s)
        self.failure: PerceptionError | None = None
        self.reader: Reader | None = None
        self.was_connected = False
        self._opener = opener
        self._stride = stride
        self._clock = clock
        self._changed = changed
        self._take = take
        self._listeners = listeners
        self._arrivals_s: deque[float] = deque(maxlen=31)
        self._last_arrival_s: float | None = None
        self._nominal_fps: float | None = None
        self._rate_before_fps = 0.0
        self._given_up = ""
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"capture {self.name}", daemon=True)

    def start(self) -> None:
        """Begin to connect."""
        self._thread.start()

    @property
    def rate_fps(self) -> float:
        """Pictures per second before the stride: measured over the last ones, before that the nominal rate."""
        if len(self._arrivals_s) > 5 and self._arrivals_s[-1] > self._arrivals_s[0]:
            return (len(self._arrivals_s) - 1) / (self._arrivals_s[-1] - self._arrivals_s[0])
        return self._nominal_fps or FALLBACK_RATE_FPS

    @property
    def nominal_fps(self) -> float:
        """The rate that the stream states, else the measured one."""
        return self._nominal_fps or self.rate_fps

    @property
    def has_ended(self) -> bool:
        """Whether it was a recording that was played to its end."""
        return self.supervisor.state is CameraState.ENDED

    @property
    def is_stopped(self) -> bool:
        """Whether it was told to stop."""
        return self._stopped.is_set()

    def watch(self) -> None:
        """Time has passed: see whether the camera is silent, and give up a connection that is."""
        if self.is_stopped:
            return
        has_rate = len(self._arrivals_s) > 5
        change, gives_up = self.supervisor.watch(time.monotonic(), period_s=1 / self.rate_fps if has_rate else 0.0)
        self._tell(change)
        if gives_up and self.reader is not None:
            self._given_up = self.supervisor.cause
            self.reader.abort()

    def stop(self) -> None:
        """Ask the thread to end; it does so at the next picture or when reading times out."""
        self._stopped.set()
        if self.reader is not None:
            self.reader.abort()

    def join(self, timeout_s: float) -> None:
        """Wait for the thread's end."""
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def _run(self) -> None:
        first = self._opener.first
        while not self.is_stopped:
            try:
                reader = first or self._opener.open()
                first = None
                with closing(reader):
                    self._capture(reader)
                if self._opener.is_file and not self.is_stopped:
                    with self._changed:
                        self._tell(self.supervisor.ended(time.monotonic()))
                        self._changed.notify_all()
                    return
                failure = PerceptionError("the stream ended.")
            except PerceptionError as error:
                failure = error
            except Exception as error:  # whatever a library raises, other cameras go on
                _LOG.debug("%s", self.name, exc_info=error)
                failure = PerceptionError(f"reading failed ({type(error).__name__}: {error}).")
            if self.is_stopped:
                break
            with self._changed:
                failure = PerceptionError(f"{self._given_up}.") if self._given_up else failure
                self.reader, self.failure, self._given_up = None, failure, ""
                change, pause_s = self.supervisor.failed(time.monotonic(), str(failure))
                self._tell(change, pause_s=pause_s)
                self._changed.notify_all()
            self._pause(pause_s)

    def _capture(self, reader: Reader) -> None:
        with self._changed:
            if self.is_stopped:
                return
            self.reader = reader
            self.was_connected = True
            self._rate_before_fps = self.rate_fps
            self._nominal_fps = reader.rate_fps
            self._arrivals_s.clear()
            self.times.connect()
            self.supervisor.connected(time.monotonic())
            for listener in self._listeners:
                listener.connected(self.name, reader)
            self._changed.notify_all()
        with closing(reader.pictures()) as pictures:
            for picture in pictures:
                if self.is_stopped:
                    return
                self._came(picture)

    def _came(self, picture: CapturedPicture) -> None:
        now_s = time.monotonic()
        with self._changed:
            arrived_ns = self._clock.now_ns()
            index = self.counts.received
            self.counts.came()
            if picture.fault is not None:
                self.counts.leave(picture.fault)
                return
            self._count_gap(now_s)
            self._arrivals_s.append(now_s)
            self._last_arrival_s = now_s
            timestamp_ns = self.times.of(picture, arrived_ns)
            change, is_repeated = self.supervisor.picture(now_s, picture.fingerprint)
            self._tell(change)
            if is_repeated:
                self.counts.leave("repeated")
            elif index % self._stride:
                self.counts.leave("strided")
            else:
                taken = TakenPicture(picture, timestamp_ns, now_s, index)
                for listener in self._listeners:
                    listener.taken(self.name, taken)
                self.latest = taken
                self._take(self, taken)
            self._changed.notify_all()

    def _count_gap(self, now_s: float) -> None:
        """The first picture after the camera was away: what it sent meanwhile is lost."""
        is_back = self.supervisor.state in (CameraState.LOST, CameraState.CONNECTING)
        if is_back and self._last_arrival_s is not None and not self._opener.is_file:
            away_s = now_s - self._last_arrival_s
            self.counts.leave("gap", max(0, round(away_s * self._rate_before_fps) - 1))

    def _pause(self, pause_s: float) -> None:
        """Wait, but no longer than until somebody answers where nobody did."""
        ends_s = time.monotonic() + pause_s
        answered = self._answers()
        while (remaining_s := ends_s - time.monotonic()) > 0:
            if self._stopped.wait(min(remaining_s, PROBE_EVERY_S)):
                return
            if not answered and (answered := self._answers()):
                return

    def _answers(self) -> bool:
        return True if self._opener.answers is None else self._opener.answers()

    def _tell(self, change: StateChange | None, *, pause_s: float | None = None) -> None:
        """Log a change, keep it for the report, and hand it on."""
        if change is None:
            return
        now = datetime.now().astimezone()
        self.events.append(
            {
                "time": now.isoformat(timespec="milliseconds"),
                "state": change.after.value,
                "cause": change.cause,
                "before": change.before.value,
                "lasted_s": round(change.lasted_s, 3),
            }
        )
        sentence = described(self.name, change, now, pause_s)
        _LOG.log(logging.INFO if change.before is CameraState.CONNECTING else logging.WARNING, "%s", sentence)
        for listener in self._listeners:
            listener.changed(self.name, change, now)


def described(name: str, change: StateChange, time: datetime, pause_s: float | None = None) -> str:
    """A sentence with camera, time and cause."""
    at = time.strftime("%H:%M:%S")
    if change.after is CameraState.LIVE:
        return f"{name}: live again at {at}, after {change.lasted_s:.1f} s {change.before.value}."
    again = "" if pause_s is None else f" Trying again in {pause_s:.1f} s."
    return f"{name}: {change.after.value} at {at}: {change.cause.rstrip('.')}.{again}"
