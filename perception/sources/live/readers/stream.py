"""Network streams by FFmpeg: RTSP, RTMP, UDP, HLS and more."""

from __future__ import annotations

import time
import zlib
from collections import deque
from collections.abc import Generator, Iterator
from functools import partial

import av
import numpy as np
from av.container import InputContainer

from perception.errors import PerceptionError
from perception.sources.files.decoding.stream import best_video_stream, nominal_rate_fps, rgb_of
from perception.sources.live.readers.picture import NO_TAP, CapturedPicture, PacketTap, faulty

BACKLOG_LIMIT_S = 2.0

_MOST_REORDERED = 64
"""No decoder holds back more pictures than this."""


class Backlog:
    """Tells the pictures that a network reader had buffered while opening: they come faster than real time.

    The first picture always counts as buffered. The backlog ends with the first picture that takes at least half as
    long to come as its presentation time predicts, or after ``BACKLOG_LIMIT_S``.
    """

    def __init__(self, *, started_s: float) -> None:
        self._started_s = started_s
        self._previous: tuple[float, float] | None = None
        self._is_first = True
        self._is_over = False

    def contains(self, *, presented_s: float | None, arrived_s: float) -> bool:
        """Whether the next picture, shown at ``presented_s`` in the stream and here at ``arrived_s``, is old."""
        # The first picture of an RTSP stream may have no time; a stream whose pictures have none cannot be judged.
        is_timeless = presented_s is None and not self._is_first
        self._is_first = False
        if self._is_over or is_timeless or arrived_s - self._started_s >= BACKLOG_LIMIT_S:
            self._is_over = True
            return False
        if presented_s is None:
            return True
        # Two pictures of one time say nothing of how fast they come.
        if self._previous is not None and presented_s > self._previous[0]:
            self._is_over = presented_s - self._previous[0] <= 2 * (arrived_s - self._previous[1])
        self._previous = (presented_s, arrived_s)
        return not self._is_over


class StreamReader:
    """Pictures of an opened network stream. What FFmpeg buffered while opening is old: its fault is ``stale``.

    Times are those of the stream; where RTCP states the camera's wall clock, that too.
    """

    def __init__(self, container: InputContainer, *, label: str) -> None:
        self._container = container
        self._label = label
        self._stream = best_video_stream(container, label=label)
        self._is_aborted = False
        self._counted: deque[int] = deque(maxlen=_MOST_REORDERED)
        self.rate_fps: float | None = nominal_rate_fps(self._stream)
        self.tap: PacketTap = NO_TAP

    def pictures(self) -> Generator[CapturedPicture, None, None]:
        """Each picture as it is decoded."""
        context = self._stream.codec_context
        connection = self.tap.begin(context.name, context.extradata or b"")
        try:
            backlog = Backlog(started_s=time.monotonic())
            for frame in self._decoded():
                if frame is None:
                    yield faulty("damaged")
                elif backlog.contains(presented_s=self._presented_s(frame), arrived_s=time.monotonic()):
                    yield faulty("stale")
                else:
                    yield self._picture(frame, connection)
        except av.error.ExitError as error:
            raise PerceptionError(f"{self._label}: no data came; check the camera and the network.") from error
        except (av.error.FFmpegError, OSError) as error:
            raise PerceptionError(
                f"{self._label}: the stream broke off ({error.strerror}); check the camera and the network."
            ) from error

    def abort(self) -> None:
        """Ends with the next packet, or when FFmpeg's own time limit is over."""
        self._is_aborted = True

    def close(self) -> None:
        """Close the connection."""
        self._container.close()

    def _decoded(self) -> Iterator[av.VideoFrame | None]:
        """Each frame, and None for each that is damaged."""
        # Below 0, so that pictures before the first with a time do not share its number.
        last_pts = -1 - _MOST_REORDERED
        for packet in self._container.demux(self._stream):
            if self._is_aborted:
                return
            if packet.size:
                last_pts = self._numbered(packet, last_pts)
                self.tap.packet(bytes(packet), last_pts, is_key=packet.is_keyframe)
            try:
                frames = packet.decode()
            except av.error.InvalidDataError:
                yield None
                continue
            yield from (None if frame.is_corrupt else frame for frame in frames)

    def _numbered(self, packet: av.Packet[av.VideoStream], last_pts: int) -> int:
        """Give ``packet`` the number by which its picture is known: its time, or counted where it has none."""
        pts = packet.dts if packet.pts is None else packet.pts
        if pts is None:
            pts = last_pts + 1
            self._counted.append(pts)
        packet.pts = pts
        return pts

    def _presented_s(self, frame: av.VideoFrame) -> float | None:
        """Its time in the stream; None where its number is only counted."""
        return None if frame.pts in self._counted else frame.time

    def _picture(self, frame: av.VideoFrame, connection: int) -> CapturedPicture:
        plane = np.frombuffer(frame.planes[0], np.uint8).reshape(frame.planes[0].height, -1)
        started_us = self._container.start_time_realtime
        presented_s = self._presented_s(frame)
        is_known = started_us is not None and started_us > 0 and presented_s is not None
        return CapturedPicture(
            to_rgb=partial(rgb_of, frame),
            size_bytes=sum(part.buffer_size for part in frame.planes),
            fingerprint=zlib.crc32(plane[::8].tobytes()),
            presented_s=presented_s,
            key=(connection, frame.pts or 0),
            realtime_s=started_us / 1e6 + presented_s if is_known and started_us and presented_s is not None else None,
        )
