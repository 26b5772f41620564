"""A recording played at its own speed, as a live camera."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator
from functools import partial

from perception.errors import PerceptionError
from perception.sources.files.lazy_frame import LazyFrame, RecordedCamera
from perception.sources.images import RgbImage
from perception.sources.live.readers.picture import NO_TAP, CapturedPicture, PacketTap


class PlaybackClock:
    """When the frames of one recording are due; the first frame of any of its cameras starts it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._started_s: float | None = None
        self._first_ns = 0

    def due_s(self, timestamp_ns: int) -> float:
        """When a frame is due, by ``time.monotonic``."""
        with self._lock:
            if self._started_s is None:
                self._started_s, self._first_ns = time.monotonic(), timestamp_ns
            return self._started_s + (timestamp_ns - self._first_ns) / 1e9


class PacedReader:
    """The frames of ``camera``, each when ``clock`` says so; frames that cannot be read are damaged ones."""

    def __init__(self, camera: RecordedCamera, clock: PlaybackClock) -> None:
        self._camera = camera
        self._clock = clock
        self._aborted = threading.Event()
        self.rate_fps: float | None = camera.rate_fps
        self.tap: PacketTap = NO_TAP

    def pictures(self) -> Generator[CapturedPicture, None, None]:
        """From the first frame on; ends with the file."""
        for lazy in self._camera.frames():
            due_s = self._clock.due_s(lazy.timestamp_ns)
            if self._aborted.wait(max(0.0, due_s - time.monotonic())):
                return
            yield CapturedPicture(to_rgb=partial(_rgb_of, lazy), presented_s=due_s)

    def abort(self) -> None:
        """Ends at once."""
        self._aborted.set()

    def close(self) -> None:
        """The file is closed when the iteration ends."""
        self._aborted.set()


def _rgb_of(lazy: LazyFrame) -> RgbImage | None:
    try:
        return lazy.to_rgb()
    except PerceptionError:
        return None
