"""A video file (or a video behind an address) as a camera, with the time stamps that the file holds."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import av
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream
from numpy.typing import NDArray

from perception.errors import PerceptionError, UsageError, counted
from perception.sources.files.decoding.decoder import SeekError, VideoDecoder
from perception.sources.files.decoding.index import VideoIndex
from perception.sources.files.decoding.stream import (
    best_video_stream,
    is_raw,
    nominal_rate_fps,
    open_container,
    rgb_of,
    unread_streams_note,
)
from perception.sources.files.lazy_frame import LazyFrame, regular_timestamps_ns
from perception.sources.images import RgbImage

_LOG = logging.getLogger(__name__)

VIDEO_SUFFIXES = (
    *(".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".ts", ".mts", ".mpg", ".mpeg", ".wmv", ".flv"),
    *(".h264", ".h265", ".hevc"),
)


class VideoFile:
    """Frames of a video in order of presentation.

    ``location`` is a path or an http(s) address, ``label`` its form for messages. Times are those of the stream,
    relative to its start; ``rate_fps`` or ``timestamps_ns`` (M,) replace them where the recording knows better.
    ``has_clock`` is False where the times are a guess: in a raw stream without either.

    Raises ``UsageError`` when the file is no readable video, ``PerceptionError`` when an address fails.
    """

    def __init__(
        self,
        location: str,
        *,
        name: str,
        label: str | None = None,
        rate_fps: float | None = None,
        timestamps_ns: NDArray[np.int64] | None = None,
        timeout_s: float | None = None,
    ) -> None:
        self.name = name
        self._location = location
        self._label = label or location
        self._timeout_s = timeout_s
        self._given_rate_fps = rate_fps
        self._given_timestamps_ns = timestamps_ns
        self._size_px: tuple[int, int] | None = None
        self._index: VideoIndex | None = None
        with self._open() as container:
            stream = best_video_stream(container, label=self._label)
            self._notes = unread_streams_note(container, stream, label=self._label)
            self.rate_fps = rate_fps or nominal_rate_fps(stream)
            self.has_clock = not is_raw(container) or rate_fps is not None or timestamps_ns is not None
            self._length = _indexed_length(stream)
        self.warnings = list(self._notes)
        if timestamps_ns is not None and len(timestamps_ns) > 1:
            self.rate_fps = float(1e9 / np.median(np.diff(timestamps_ns)))

    @property
    def length(self) -> int:
        """Frames of the video; containers without a count are read through once (not decoded)."""
        if self._length is None:
            self._length = self._read_index().frame_count
        return self._length

    @property
    def can_seek(self) -> bool:
        """Whether frames have exact times and numbers without being decoded; reads through the file once."""
        return bool(self._read_index().keys)

    @property
    def size_px(self) -> tuple[int, int]:
        """(width, height) of the first frame, turned upright. Raises what ``frames`` raises."""
        if self._size_px is None:
            # The stream's own size does not include the display matrix that a frame carries.
            frame = next(iter(self.frames())).frame(self.name)
            assert frame is not None, "a video's damaged frames are mended or left out"
            self._size_px = frame.size_px
        return self._size_px

    def timestamps_ns(self) -> NDArray[np.int64]:
        """Times of all frames (length,)."""
        if self._given_timestamps_ns is not None:
            return self._given_timestamps_ns
        if self._given_rate_fps is not None:
            return regular_timestamps_ns(self.length, self._given_rate_fps)
        index = self._read_index()
        if index.points is None:
            return regular_timestamps_ns(index.frame_count, self.rate_fps)
        with self._open() as container:
            stream = best_video_stream(container, label=self._label)
            return np.array([_pts_to_ns(point, stream) for point in index.points.tolist()], np.int64)

    def frames(self, first: int = 0) -> Iterator[LazyFrame]:
        """Decode from frame ``first`` on. Damaged packets are passed over, with an entry in ``warnings``.

        A container that cannot seek is decoded from its start. Raises ``UsageError`` when not one frame can be decoded,
        one cannot be shown or explicit time stamps run out, ``PerceptionError`` when reading fails.
        """
        if first and self.can_seek:
            try:
                yield from self._decoded(first)
                return
            except SeekError:
                _LOG.debug("%s: cannot seek frame %d, decoding from the start", self._label, first)
        for frame in self._decoded(0):
            if frame.index >= first:
                yield frame

    def _decoded(self, first: int) -> Iterator[LazyFrame]:
        """Raises ``SeekError`` before the first frame where the container does not lead to ``first``."""
        self.warnings[:] = self._notes
        with self._open() as container:
            stream = best_video_stream(container, label=self._label)
            decoder = VideoDecoder(container, stream, label=self._label)
            if first:
                decoder.seek(first, self._read_index())
            previous: LazyFrame | None = None
            for number, frame in decoder.frames():
                # Behind damage the number is an estimate.
                if decoder.damaged and self._has_no_time(number):
                    break
                timestamp_ns = self._timestamp_ns(frame, stream, number, previous)
                previous = LazyFrame(timestamp_ns, number, partial(self._rgb, frame))
                yield previous
            self.warnings.extend(decoder.warnings())
            if decoder.backwards and self._given_timestamps_ns is None and self._given_rate_fps is None:
                self.warnings.append(
                    f"{self._label}: its time stamps run backwards {counted(decoder.backwards, 'time')}; "
                    "until they are later "
                    f"again, frames follow one another at {self.rate_fps:g} per second."
                )

    def _open(self) -> InputContainer:
        try:
            return open_container(self._location, timeout_s=self._timeout_s)
        except (av.error.InvalidDataError, av.error.PatchWelcomeError) as error:
            raise UsageError(f"{self._label}: not a readable video; check the file or convert it again.") from error
        except (av.error.FFmpegError, OSError) as error:
            kind = UsageError if self._timeout_s is None else PerceptionError
            raise kind(f"{self._label}: cannot be opened ({error.strerror}); check the name and the rights.") from error

    def _rgb(self, frame: av.VideoFrame) -> RgbImage:
        try:
            return rgb_of(frame)
        except (av.error.FFmpegError, ValueError) as error:
            raise UsageError(
                f"{self._label}: its pictures of {frame.width}x{frame.height} pixels, {frame.format.name}, cannot be "
                "converted to colour; convert the video to H.264."
            ) from error

    def _has_no_time(self, number: int) -> bool:
        return self._given_timestamps_ns is not None and number >= len(self._given_timestamps_ns)

    def _timestamp_ns(self, frame: av.VideoFrame, stream: VideoStream, number: int, previous: LazyFrame | None) -> int:
        if self._given_timestamps_ns is not None:
            if self._has_no_time(number):
                raise UsageError(
                    f"{self._label}: has more frames than the "
                    f"{counted(len(self._given_timestamps_ns), 'time stamp')} given for "
                    "it; add the missing rows."
                )
            return int(self._given_timestamps_ns[number])
        if self._given_rate_fps is not None:
            return round(number * 1e9 / self._given_rate_fps)
        stated_ns = None if frame.pts is None else _pts_to_ns(frame.pts, stream)
        if previous is None:
            return stated_ns or 0
        if stated_ns is not None and stated_ns > previous.timestamp_ns:
            return stated_ns
        return previous.timestamp_ns + round((number - previous.index) * 1e9 / self.rate_fps)

    def _read_index(self) -> VideoIndex:
        """From the packets' headers, without decoding."""
        if self._index is None:
            with self._open() as container:
                stream = best_video_stream(container, label=self._label)
                decoder = VideoDecoder(container, stream, label=self._label)
                index = VideoIndex.of(decoder.packets(), codec=stream.codec_context.name)
                # Behind damage the numbers of frames are estimates.
                self._index = replace(index, keys=()) if decoder.damaged else index
        return self._index


def _indexed_length(stream: VideoStream) -> int | None:
    """Frames shown according to the container's index, less those that its edit list hides; None if it has none."""
    # PyAV offers the index only in its later versions.
    entries = getattr(stream, "index_entries", None)
    if not stream.frames or entries is None or len(entries) != stream.frames:
        return None
    return sum(not entry.is_discard for entry in entries)


def _pts_to_ns(pts: int, stream: VideoStream) -> int:
    return round((pts - (stream.start_time or 0)) * (stream.time_base or 0) * 1_000_000_000)
