"""A video file (or a video behind an address) as a camera, with the time stamps that the file holds."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import av
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream
from numpy.typing import NDArray

from perception.errors import PerceptionError, UsageError
from perception.sources.files.lazy_frame import LazyFrame, regular_timestamps_ns
from perception.sources.images import RgbImage

VIDEO_SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".ts", ".mts", ".mpg", ".mpeg", ".wmv", ".flv")
FALLBACK_RATE_FPS = 25.0


def rgb_of(frame: av.VideoFrame) -> RgbImage:
    """Pixels of a decoded frame, turned upright by the file's display matrix; uint8 (H, W, 3)."""
    image = np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
    quarter_turns = round(frame.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(image, k=quarter_turns)) if quarter_turns else image


def nominal_rate_fps(stream: VideoStream) -> float:
    """The stream's average rate, or the best guess where the container does not state it."""
    rate = stream.average_rate or stream.guessed_rate
    return float(rate) if rate else FALLBACK_RATE_FPS


def first_video_stream(container: InputContainer, *, label: str) -> VideoStream:
    """The stream to decode. Raises ``UsageError`` when there is none (``tty``: FFmpeg renders plain text)."""
    if not container.streams.video or container.format.name == "tty":
        raise UsageError(f"{label}: holds no video; give a video file, an image folder, an address or a webcam number.")
    stream = container.streams.video[0]
    # Frame threads lose the readable frames that are in flight when a later packet is damaged.
    stream.thread_type = "SLICE"
    return stream


class VideoFile:
    """Frames of a video in order of presentation.

    ``location`` is a path or an http(s) address, ``label`` its form for messages. Times are those of the stream,
    relative to its start; ``rate_fps`` or ``timestamps_ns`` (M,) replace them where the recording knows better.

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
        self.warnings: list[str] = []
        self._location = location
        self._label = label or location
        self._timeout_s = timeout_s
        self._given_rate_fps = rate_fps
        self._given_timestamps_ns = timestamps_ns
        self._size_px: tuple[int, int] | None = None
        with self._open() as container:
            stream = first_video_stream(container, label=self._label)
            self.rate_fps = rate_fps or nominal_rate_fps(stream)
            self._length = _indexed_length(stream)
        if timestamps_ns is not None and len(timestamps_ns) > 1:
            self.rate_fps = float(1e9 / np.median(np.diff(timestamps_ns)))

    @property
    def length(self) -> int:
        """Frames of the video; containers without a count are read through once (not decoded)."""
        if self._length is None:
            self._length = len(self._presentation_ns())
        return self._length

    @property
    def size_px(self) -> tuple[int, int]:
        """(width, height) of the first frame, turned upright. Raises what ``frames`` raises."""
        if self._size_px is None:
            # The stream's own size does not include the display matrix that a frame carries.
            height, width = next(iter(self.frames())).to_rgb().shape[:2]
            self._size_px = (width, height)
        return self._size_px

    def timestamps_ns(self) -> NDArray[np.int64]:
        """Times of all frames (length,)."""
        if self._given_timestamps_ns is not None:
            return self._given_timestamps_ns
        if self._given_rate_fps is not None:
            return regular_timestamps_ns(self.length, self._given_rate_fps)
        return self._presentation_ns()

    def frames(self) -> Iterator[LazyFrame]:
        """Decode from the start. A damaged video ends at the damage, with an entry in ``warnings``.

        Raises ``UsageError`` when not one frame can be decoded or explicit time stamps run out,
        ``PerceptionError`` when reading fails.
        """
        self.warnings.clear()
        with self._open() as container:
            stream = first_video_stream(container, label=self._label)
            index, previous_ns = 0, -1
            for frame in self._readable(container, stream):
                timestamp_ns = self._timestamp_ns(frame, stream, index, previous_ns)
                yield LazyFrame(timestamp_ns, index, partial(rgb_of, frame))
                index, previous_ns = index + 1, timestamp_ns

    def _open(self) -> InputContainer:
        try:
            return av.open(self._location, timeout=self._timeout_s)
        except (av.error.InvalidDataError, av.error.PatchWelcomeError) as error:
            raise UsageError(f"{self._label}: not a readable video; check the file or convert it again.") from error
        except (av.error.FFmpegError, OSError) as error:
            kind = UsageError if self._timeout_s is None else PerceptionError
            raise kind(f"{self._label}: cannot be opened ({error.strerror}); check the name and the rights.") from error

    def _readable(self, container: InputContainer, stream: VideoStream) -> Iterator[av.VideoFrame]:
        """Undamaged frames up to the first damage; damage before the first good frame is passed over."""
        delivered = skipped_at_start = discarded = backwards = 0
        last_pts: int | None = None
        damaged = False
        for packet in self._packets(container, stream):
            discarded += packet is not None and packet.is_discard
            for frame in self._decoded(stream, packet):
                if frame is not None and not frame.is_corrupt:
                    if frame.pts is not None and last_pts is not None:
                        backwards += frame.pts < last_pts
                    delivered, last_pts = delivered + 1, frame.pts
                    yield frame
                elif delivered:
                    damaged = True
                    break
                else:
                    skipped_at_start += 1
            if damaged:
                break
        if not delivered:
            raise UsageError(f"{self._label}: not one frame can be decoded; check the file or convert it again.")
        if skipped_at_start:
            self.warnings.append(f"{self._label}: {skipped_at_start} damaged frames at the start were left out.")
        if backwards and self._given_timestamps_ns is None and self._given_rate_fps is None:
            self.warnings.append(
                f"{self._label}: its time stamps run backwards {backwards} times; until they are later again, frames "
                f"follow one another at {self.rate_fps:g} per second."
            )
        seen = delivered + skipped_at_start + discarded
        # The container's end means nothing where the clock was set back.
        if damaged or (not backwards and self._is_cut_off(container, stream, seen, last_pts)):
            of_total = f" of {stream.frames - discarded}" if stream.frames else ""
            self.warnings.append(
                f"{self._label}: reading stopped after {delivered}{of_total} frames, "
                "because the file is damaged or cut off."
            )

    def _packets(self, container: InputContainer, stream: VideoStream) -> Iterator[av.Packet[VideoStream] | None]:
        """Packets of the stream; None where the container itself is damaged."""
        try:
            yield from container.demux(stream)
        except av.error.InvalidDataError:
            yield None
        except (av.error.FFmpegError, OSError) as error:
            raise PerceptionError(
                f"{self._label}: reading failed ({error.strerror}); check the disk or the network and try again."
            ) from error

    @staticmethod
    def _decoded(stream: VideoStream, packet: av.Packet[VideoStream] | None) -> Iterator[av.VideoFrame | None]:
        """Frames that the packet completes; after damage the decoder's good remainder, then None."""
        try:
            if packet is not None:
                yield from packet.decode()
                return
        except av.error.FFmpegError:
            pass
        try:
            yield from stream.codec_context.decode(None)
        except av.error.FFmpegError:
            pass
        finally:
            stream.codec_context.flush_buffers()
        yield None

    @staticmethod
    def _is_cut_off(container: InputContainer, stream: VideoStream, seen: int, last_pts: int | None) -> bool:
        if stream.frames:
            return seen < stream.frames
        if container.duration is None or last_pts is None or stream.time_base is None or len(container.streams) > 1:
            return False
        end_s = (last_pts - (stream.start_time or 0)) * stream.time_base + 2 / nominal_rate_fps(stream)
        return bool(end_s < container.duration / av.time_base)

    def _timestamp_ns(self, frame: av.VideoFrame, stream: VideoStream, index: int, previous_ns: int) -> int:
        if self._given_timestamps_ns is not None:
            if index >= len(self._given_timestamps_ns):
                raise UsageError(
                    f"{self._label}: has more frames than the {len(self._given_timestamps_ns)} time stamps given for "
                    "it; add the missing rows."
                )
            return int(self._given_timestamps_ns[index])
        if self._given_rate_fps is not None:
            return round(index * 1e9 / self._given_rate_fps)
        if frame.pts is None or stream.time_base is None:
            return previous_ns + round(1e9 / self.rate_fps) if index else 0
        timestamp_ns = _pts_to_ns(frame.pts, stream)
        return timestamp_ns if timestamp_ns > previous_ns or not index else previous_ns + round(1e9 / self.rate_fps)

    def _presentation_ns(self) -> NDArray[np.int64]:
        """Times of all frames from the packets' headers, without decoding."""
        with self._open() as container:
            stream = first_video_stream(container, label=self._label)
            packets = (packet for packet in self._packets(container, stream) if packet is not None)
            points = [packet.pts for packet in packets if packet.size and not packet.is_discard]
            known = [point for point in points if point is not None]
            if len(known) < len(points) or stream.time_base is None:
                return regular_timestamps_ns(len(points), self.rate_fps)
            return np.array(sorted(_pts_to_ns(point, stream) for point in known), np.int64)


def _indexed_length(stream: VideoStream) -> int | None:
    """Frames shown according to the container's index, less those that its edit list hides; None if it has none."""
    # PyAV offers the index only in its later versions.
    entries = getattr(stream, "index_entries", None)
    if not stream.frames or entries is None or len(entries) != stream.frames:
        return None
    return sum(not entry.is_discard for entry in entries)


def _pts_to_ns(pts: int, stream: VideoStream) -> int:
    assert stream.time_base is not None
    return round((pts - (stream.start_time or 0)) * stream.time_base * 1_000_000_000)
