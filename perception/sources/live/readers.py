"""What live cameras are read with: a webcam, an MJPEG stream, any other stream that FFmpeg understands.

A reader belongs to one thread, which iterates over it and then closes it.
"""

from __future__ import annotations

import http.client
import re
import time
from collections.abc import Callable, Generator, Iterator
from functools import partial
from typing import Any, Protocol

import av
import cv2
import numpy as np
from av.container import InputContainer

from perception.errors import PerceptionError, UsageError
from perception.sources.files.decoding.stream import best_video_stream, nominal_rate_fps, rgb_of
from perception.sources.images import RgbImage, rgb_from_bytes

BACKLOG_LIMIT_S = 2.0
MAX_PART_BYTES = 64 << 20


class Reader(Protocol):
    """One live camera. ``unreadable`` counts pictures that came damaged, ``stale`` those that came late."""

    rate_fps: float | None
    unreadable: int
    stale: int

    def frames(self) -> Generator[Callable[[], RgbImage | None], None, None]:
        """Pictures as they come, each a conversion to RGB that gives None for a damaged one.

        Ends where the stream ends; raises ``PerceptionError`` when it breaks off.
        """
        ...

    def close(self) -> None: ...


class WebcamReader:
    """A camera of this machine by its number. Raises ``UsageError`` when there is none."""

    def __init__(self, index: int) -> None:
        level = cv2.utils.logging.getLogLevel()
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
        try:
            self._capture = cv2.VideoCapture(index)
        finally:
            cv2.utils.logging.setLogLevel(level)
        if not self._capture.isOpened():
            self._capture.release()
            raise UsageError(f"webcam {index}: not found or in use; plug it in, close other programs or give a file.")
        self._index = index
        self.rate_fps: float | None = self._capture.get(cv2.CAP_PROP_FPS) or None
        self.unreadable = 0
        self.stale = 0

    def frames(self) -> Generator[Callable[[], RgbImage | None], None, None]:
        while True:
            is_read, image = self._capture.read()
            if not is_read:
                raise PerceptionError(f"webcam {self._index}: stopped delivering frames; plug it in again.")
            yield partial(_rgb_of_bgr, image)

    def close(self) -> None:
        self._capture.release()


def _rgb_of_bgr(image: Any) -> RgbImage:
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)


class MjpegReader:
    """JPEG pictures of a ``multipart/x-mixed-replace`` answer; only those handed out are decoded."""

    def __init__(self, response: http.client.HTTPResponse, *, label: str) -> None:
        self._response = response
        self._label = label
        boundary = response.headers.get_param("boundary") or ""
        # Some servers put the two leading dashes of the delimiter into the parameter as well.
        self._delimiter = b"--" + str(boundary).strip().lstrip("-").encode("latin-1", "replace")
        self.rate_fps: float | None = None
        self.unreadable = 0
        self.stale = 0

    def frames(self) -> Generator[Callable[[], RgbImage | None], None, None]:
        try:
            for data in self._parts():
                yield partial(rgb_from_bytes, data)
        except (OSError, http.client.HTTPException, ValueError) as error:
            reason = "no data came" if isinstance(error, TimeoutError) else "the connection broke off"
            raise PerceptionError(f"{self._label}: {reason}; check the camera and the network.") from error

    def close(self) -> None:
        self._response.close()

    def _parts(self) -> Iterator[bytes]:
        while True:
            line = self._response.readline(1 << 16)
            if not line or self._is_end(line):
                return
            if not self._is_delimiter(line):
                continue
            headers = http.client.parse_headers(self._response)  # type: ignore[arg-type]
            length = headers.get("Content-Length")
            if length is None:
                yield from self._parts_without_length()
                return
            count = int(length)
            if not 0 <= count <= MAX_PART_BYTES:
                raise ValueError("unreasonable Content-Length")
            data = self._response.read(count)
            if len(data) < count:
                raise ConnectionError("end inside a picture")
            yield data

    def _parts_without_length(self) -> Iterator[bytes]:
        """Parts that only the delimiter ends, from the first part's content on."""
        content = bytearray()
        while line := self._response.readline(1 << 16):
            if not self._is_delimiter(line):
                content += line
                if len(content) > MAX_PART_BYTES:
                    raise ValueError("a picture without an end")
                continue
            yield bytes(content)
            content.clear()
            if self._is_end(line):
                return
            http.client.parse_headers(self._response)  # type: ignore[arg-type]
        if content.strip():
            raise ConnectionError("end inside a picture")

    def _is_delimiter(self, line: bytes) -> bool:
        return re.sub(rb"^-{2,}", b"--", line).startswith(self._delimiter)

    def _is_end(self, line: bytes) -> bool:
        return len(self._delimiter) > 2 and self._is_delimiter(line) and line.strip().endswith(b"--")


class Backlog:
    """Tells the pictures that a network reader had buffered while opening: they come faster than real time.

    The first picture always counts as buffered. The backlog ends with the first picture that takes at least half as
    long to come as its presentation time predicts, or after ``BACKLOG_LIMIT_S``.
    """

    def __init__(self, *, started_s: float) -> None:
        self._started_s = started_s
        self._previous: tuple[float, float] | None = None
        self._is_over = False

    def contains(self, *, presented_s: float | None, arrived_s: float) -> bool:
        """Whether the next picture, shown at ``presented_s`` in the stream and here at ``arrived_s``, is old."""
        if self._is_over or presented_s is None or arrived_s - self._started_s >= BACKLOG_LIMIT_S:
            self._is_over = True
            return False
        if self._previous is not None:
            self._is_over = presented_s - self._previous[0] <= 2 * (arrived_s - self._previous[1])
        self._previous = (presented_s, arrived_s)
        return not self._is_over


class StreamReader:
    """Pictures of an opened network stream (RTSP, RTMP, UDP, HLS, ...).

    What FFmpeg buffered while opening is old: it is left out and counted in ``stale``.
    """

    def __init__(self, container: InputContainer, *, label: str) -> None:
        self._container = container
        self._label = label
        self._stream = best_video_stream(container, label=label)
        self.rate_fps: float | None = nominal_rate_fps(self._stream)
        self.unreadable = 0
        self.stale = 0

    def frames(self) -> Generator[Callable[[], RgbImage | None], None, None]:
        try:
            backlog = Backlog(started_s=time.monotonic())
            for frame in self._decoded():
                if backlog.contains(presented_s=frame.time, arrived_s=time.monotonic()):
                    self.stale += 1
                else:
                    yield partial(rgb_of, frame)
        except av.error.ExitError as error:
            raise PerceptionError(f"{self._label}: no data came; check the camera and the network.") from error
        except (av.error.FFmpegError, OSError) as error:
            raise PerceptionError(
                f"{self._label}: the stream broke off ({error.strerror}); check the camera and the network."
            ) from error

    def close(self) -> None:
        self._container.close()

    def _decoded(self) -> Iterator[av.VideoFrame]:
        for packet in self._container.demux(self._stream):
            try:
                frames = packet.decode()
            except av.error.InvalidDataError:
                self.unreadable += 1
                continue
            for frame in frames:
                if frame.is_corrupt:
                    self.unreadable += 1
                else:
                    yield frame
