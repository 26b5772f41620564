"""Live cameras that a test drives."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Generator
from contextlib import closing
from itertools import islice
from typing import Any

import numpy as np
from support.media import SIZE_PX, numbered_image

from perception.errors import PerceptionError
from perception.protocols import Source
from perception.sources.live.camera import CameraOpener
from perception.sources.live.readers.picture import CapturedPicture, Fault, faulty
from perception.sources.live.settings import LiveSettings
from perception.sources.live.source import LiveSource
from perception.types import FrameSet

PATIENCE_S = 60.0
"""No test waits so long, unless something is broken: the machine may be busy."""

PATIENT = LiveSettings(max_age_s=PATIENCE_S, max_wait_s=PATIENCE_S, first_pause_s=0.02, longest_pause_s=0.1)
"""Frames are never too old, and cameras are tried again at once."""


class ScriptedReader:
    """A connection that the test drives: waits for ``send``, ``end`` or ``fail``."""

    def __init__(self, *, rate_fps: float | None = 50.0) -> None:
        self.rate_fps = rate_fps
        self.taken = 0
        self.is_closed = threading.Event()
        self._script: list[CapturedPicture | PerceptionError | None] = []
        self._changed = threading.Condition()
        self._is_aborted = False

    def send(self, *numbers: int | None, size_px: tuple[int, int] | None = None) -> None:
        """Pictures of these numbers, None for a damaged one; returns once all were taken."""
        self.put(*numbers, size_px=size_px)
        self.wait_until_taken()

    def put(self, *numbers: int | None, size_px: tuple[int, int] | None = None) -> None:
        """The same without waiting, for a camera that is not open yet."""
        for number in numbers:
            image = None if number is None else numbered_image(number, size_px=size_px or SIZE_PX)
            self._add(CapturedPicture(to_rgb=lambda image=image: image, fingerprint=number))

    def send_fault(self, fault: Fault) -> None:
        """A picture that is known to be of no use."""
        self._add(faulty(fault))
        self.wait_until_taken()

    def wait_until_taken(self) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self.taken == len(self._script), PATIENCE_S)

    def end(self) -> None:
        self._add(None)

    def fail(self, reason: str) -> None:
        self._add(PerceptionError(reason))

    def _add(self, step: CapturedPicture | PerceptionError | None) -> None:
        with self._changed:
            self._script.append(step)
            self._changed.notify_all()

    def pictures(self) -> Generator[CapturedPicture, None, None]:
        position = 0
        while True:
            with self._changed:
                self.taken = position
                self._changed.notify_all()
                while position == len(self._script) and not self._is_aborted:
                    self._changed.wait()
                if self._is_aborted:
                    return
                step = self._script[position]
            if step is None:
                return
            if isinstance(step, PerceptionError):
                raise step
            yield step
            position += 1

    def abort(self) -> None:
        with self._changed:
            self._is_aborted = True
            self._changed.notify_all()

    def close(self) -> None:
        self.is_closed.set()


def opener_of(name: str, *readers: ScriptedReader, **more: Any) -> CameraOpener:
    """A camera whose connections are ``readers``, one after the other, and then refused."""
    waiting = iter(readers)

    def connect() -> ScriptedReader:
        reader = next(waiting, None)
        if reader is None:
            raise PerceptionError("refused.")
        return reader

    return CameraOpener(name=name, open=connect, **more)


def live_source(*cameras: CameraOpener, settings: LiveSettings = PATIENT, **more: Any) -> LiveSource:
    """A source of ``cameras`` whose pauses are the same in each run of a test."""
    return LiveSource(cameras, name="test", settings=settings, chance=random.Random(0), **more)


def take(source: Source, count: int) -> list[FrameSet]:
    """The next ``count`` instants; then the source is closed."""
    with closing(source):
        return list(islice(source, count))


def wait_until(is_so: Callable[[], bool]) -> None:
    """Return as soon as it is so; fails after long."""
    ends_s = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < ends_s
        time.sleep(0.01)


def frames_of(source: LiveSource, name: str) -> dict[str, int]:
    """The account of one camera's frames."""
    return next(camera.frames for camera in source.status().cameras if camera.name == name)


def assert_accounted(source: LiveSource, *, waiting: int = 0) -> None:
    """Of each camera: sent = used + counted by cause."""
    for camera in source.status().cameras:
        left = sum(count for name, count in camera.frames.items() if name not in ("sent", "used", "waiting"))
        assert camera.frames["sent"] == camera.frames["used"] + left + camera.frames["waiting"]
        assert camera.frames["waiting"] == waiting, camera


def numbers_in(frame_set: FrameSet, number_of: Callable[[np.ndarray], int]) -> dict[str, int]:
    """What is written on the picture of each camera."""
    return {frame.camera: number_of(frame.image) for frame in frame_set}
