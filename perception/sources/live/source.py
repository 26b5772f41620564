"""Live cameras: one capture thread each, and the newest frames of all in step."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass

from perception.errors import PerceptionError, counted
from perception.geometry.cameras import Rig
from perception.sources.base import SourceBase
from perception.sources.images import RgbImage
from perception.sources.live.readers import Reader
from perception.sources.rigs import fit_rig
from perception.types import Frame, FrameSet

QUEUE_FRAMES = 16
FALLBACK_RATE_FPS = 15.0
JOIN_S = 2.0


@dataclass(frozen=True)
class LivePicture:
    """A captured picture before its conversion, which gives None for a damaged one."""

    timestamp_ns: int
    index: int
    to_rgb: Callable[[], RgbImage | None]


class CaptureClock:
    """Wall-clock nanoseconds that never stand still or go back, even when the system's clock is set."""

    def __init__(self) -> None:
        self._offset_ns = time.time_ns() - time.monotonic_ns()
        self._last_ns = 0

    def now_ns(self) -> int:
        """Later than every answer before; callers hold a lock."""
        self._last_ns = max(self._last_ns + 1, self._offset_ns + time.monotonic_ns())
        return self._last_ns


class LiveCamera:
    """A reader and the thread that empties it into a queue of ``capacity`` frames; the oldest gives way.

    Fields are shared with the capture thread: hold ``arrived`` to look at them.
    """

    def __init__(
        self,
        reader: Reader,
        *,
        name: str,
        stride: int,
        capacity: int,
        clock: CaptureClock,
        arrived: threading.Condition,
    ) -> None:
        self.name = name
        self.reader = reader
        self.queue: deque[LivePicture] = deque(maxlen=capacity)
        self.overrun = 0
        self.has_ended = False
        self.failure: PerceptionError | None = None
        self.last_arrival_s = time.monotonic()
        self.arrivals_s: deque[float] = deque(maxlen=31)
        self._stride = stride
        self._clock = clock
        self._arrived = arrived
        self._is_stopped = False
        self._thread = threading.Thread(target=self._capture, name=f"capture {name}", daemon=True)
        self._thread.start()

    @property
    def rate_fps(self) -> float:
        """The nominal rate before the stride, or the one measured over the last frames."""
        if self.reader.rate_fps:
            return self.reader.rate_fps
        if len(self.arrivals_s) > 5 and self.arrivals_s[-1] > self.arrivals_s[0]:
            return (len(self.arrivals_s) - 1) / (self.arrivals_s[-1] - self.arrivals_s[0])
        return FALLBACK_RATE_FPS

    @property
    def dropped(self) -> int:
        return self.overrun + self.reader.stale + self.reader.unreadable

    def stop(self) -> None:
        """Ask the thread to end; it does so at the next frame or when reading times out."""
        self._is_stopped = True

    def join(self, timeout_s: float) -> None:
        self._thread.join(timeout_s)

    def _take(self, index: int, to_rgb: Callable[[], RgbImage | None]) -> None:
        with self._arrived:
            self.last_arrival_s = time.monotonic()
            self.arrivals_s.append(self.last_arrival_s)
            if index % self._stride:
                return
            self.overrun += len(self.queue) == self.queue.maxlen
            self.queue.append(LivePicture(self._clock.now_ns(), index, to_rgb))
            self._arrived.notify_all()

    def _capture(self) -> None:
        failure = None
        try:
            with closing(self.reader.frames()) as pictures:
                for index, to_rgb in enumerate(pictures):
                    if self._is_stopped:
                        break
                    self._take(index, to_rgb)
        except PerceptionError as error:
            failure = error
        except Exception as error:
            failure = PerceptionError(f"{self.name}: reading failed ({error}); check the camera.")
            failure.__cause__ = error
        finally:
            self.reader.close()
            with self._arrived:
                self.failure, self.has_ended = failure, True
                self._arrived.notify_all()


class LiveSource(SourceBase):
    """The ``Source`` of live cameras: time stamps are wall-clock times of capture.

    Of several cameras, and with ``newest_only``, each instant has the newest frame of each camera; a single camera
    without ``newest_only`` is read frame by frame from a short queue. ``dropped`` counts what was captured (or came
    damaged or late) and not handed out; ``FrameSet.index`` counts instants handed out, ``Frame.index`` captured ones.
    ``rig`` is the one that was given; from ``fit_to_pictures`` on it is for images of the size that the cameras send.
    """

    def __init__(
        self,
        readers: Sequence[tuple[str, Reader]],
        *,
        name: str,
        stride: int = 1,
        newest_only: bool = False,
        read_timeout_s: float = 10.0,
        rig: Rig | None = None,
        notes: Sequence[str] = (),
    ) -> None:
        super().__init__(name=name, cameras=[camera for camera, _ in readers], stride=stride, rig=rig, notes=notes)
        self._read_timeout_s = read_timeout_s
        self._arrived = threading.Condition()
        self._closed = False
        self._undecoded: dict[str, int] = {camera: 0 for camera, _ in readers}
        capacity = 1 if newest_only or len(readers) > 1 else QUEUE_FRAMES
        clock = CaptureClock()
        self._live = tuple(
            LiveCamera(reader, name=camera, stride=stride, capacity=capacity, clock=clock, arrived=self._arrived)
            for camera, reader in readers
        )

    @property
    def rate_fps(self) -> float:
        with self._arrived:
            return max(camera.rate_fps for camera in self._live) / self._stride

    @property
    def is_live(self) -> bool:
        return True

    @property
    def length(self) -> None:
        return None

    @property
    def frame_counts(self) -> None:
        return None

    @property
    def dropped(self) -> int:
        with self._arrived:
            waiting = sum(len(camera.queue) for camera in self._live) if self._closed else 0
            return sum(camera.dropped for camera in self._live) + sum(self._undecoded.values()) + waiting

    @property
    def warnings(self) -> list[str]:
        """What was noted at the opening, and a sentence for each camera that sent damaged frames."""
        counts = {camera.name: camera.reader.unreadable + self._undecoded[camera.name] for camera in self._live}
        damaged = [f"{name}: {counted(count, 'damaged frame')} left out." for name, count in counts.items() if count]
        return self._notes + damaged

    def __iter__(self) -> Iterator[FrameSet]:
        """Ends when all cameras have ended or after ``close``.

        Raises ``PerceptionError`` when one breaks off or stays silent for ``read_timeout_s``; what that camera captured
        before is handed out first.
        """
        index = 0
        readable_s = time.monotonic()
        while (pictures := self._next_instant()) is not None:
            frames = tuple(frame for name, item in pictures.items() if (frame := self._decoded(name, item)) is not None)
            if frames:
                readable_s = time.monotonic()
                yield FrameSet(frames=frames, timestamp_ns=min(f.timestamp_ns for f in frames), index=index)
                index += 1
                readable_s = time.monotonic()
            elif time.monotonic() - readable_s > self._read_timeout_s:
                raise PerceptionError(f"{self._name}: sends no readable picture; check the camera's settings.")

    def fit_to_pictures(self) -> None:
        """Wait for a picture of each camera and scale the rig to their sizes; they are handed out later all the same.

        Raises ``UsageError`` where a camera's pictures have another shape than its calibration, ``PerceptionError``
        where none comes in time.
        """
        if self._rig is not None:
            self._rig = fit_rig(self._rig, {camera.name: self._first_size_px(camera) for camera in self._live})

    def close(self) -> None:
        with self._arrived:
            self._closed = True
            for camera in self._live:
                camera.stop()
            self._arrived.notify_all()
        for camera in self._live:
            camera.join(JOIN_S)

    def _first_size_px(self, camera: LiveCamera) -> tuple[int, int]:
        """(width, height) of the oldest waiting picture that can be decoded."""
        ends_s = time.monotonic() + self._read_timeout_s
        with self._arrived:
            while True:
                images = (picture.to_rgb() for picture in camera.queue)
                image = next((image for image in images if image is not None), None)
                if image is not None:
                    return image.shape[1], image.shape[0]
                remaining_s = ends_s - time.monotonic()
                if camera.has_ended or remaining_s <= 0:
                    break
                self._arrived.wait(remaining_s)
        raise camera.failure or PerceptionError(
            f"{camera.name}: sends no picture that can be read; check the camera and the network."
        )

    def _decoded(self, name: str, picture: LivePicture) -> Frame | None:
        image = picture.to_rgb()
        if image is None:
            self._undecoded[name] += 1
            return None
        return self._calibrated(Frame(image=image, camera=name, timestamp_ns=picture.timestamp_ns, index=picture.index))

    def _next_instant(self) -> dict[str, LivePicture] | None:
        """Wait for a frame, give the other cameras one period, take what is there; None at the end."""
        with self._arrived:
            while not any(camera.queue for camera in self._live):
                self._raise_failure()
                if self._closed or all(camera.has_ended for camera in self._live):
                    return None
                self._arrived.wait(self._patience_s())
            period_s = 1 / max(camera.rate_fps for camera in self._live)
            self._arrived.wait_for(
                lambda: self._closed or all(camera.queue or camera.has_ended for camera in self._live), period_s
            )
            if self._closed:
                return None
            self._raise_failure()
            return {camera.name: camera.queue.popleft() for camera in self._live if camera.queue}

    def _raise_failure(self) -> None:
        """Raise for a camera that broke off or fell silent, once its own queue is empty."""
        for camera in self._live:
            if camera.failure is not None and not camera.queue:
                raise camera.failure
        running = [camera for camera in self._live if not camera.has_ended]
        if running and not self._closed and self._patience_s() <= 0:
            quietest = min(running, key=lambda camera: camera.last_arrival_s)
            raise PerceptionError(
                f"{quietest.name}: has sent nothing for {self._read_timeout_s:g} s; check the camera and the network."
            )

    def _patience_s(self) -> float:
        """Seconds until the most silent of the running cameras counts as dead."""
        arrivals_s = [camera.last_arrival_s for camera in self._live if not camera.has_ended]
        return min(arrivals_s, default=time.monotonic()) + self._read_timeout_s - time.monotonic()
