"""One pass through a video stream that goes on past damage, as players do, and counts it."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from perception.errors import PerceptionError, UsageError, counted
from perception.sources.files.decoding.index import KeyPacket, VideoIndex
from perception.sources.files.decoding.stream import nominal_rate_fps

MAX_FAILED_READS = 100
"""In a row. A container may find its way again behind damage."""
_ENDS_COUNT_FROM_ZERO = ("matroska,webm", "flv", "avi", "asf")
"""Containers whose duration includes the time before the first frame."""
_SEEKS = 3
"""So many key frames before the wanted frame are tried."""


class SeekError(Exception):
    """The container does not lead to the wanted frame, and nothing has been handed out; decode from the start."""


@dataclass(frozen=True)
class _Target:
    """The first frame to hand out, and the packet that decoding begins with."""

    number: int
    pts: int
    key: KeyPacket


class VideoDecoder:
    """Frames of ``stream`` in order of presentation, each with its number among the frames of the stream.

    A packet that cannot be decoded is skipped; a picture that the decoder had to mend is handed out, but for those
    before the first key frame. ``damaged`` counts both; ``backwards`` counts time stamps before their predecessor's.
    """

    def __init__(self, container: InputContainer, stream: VideoStream, *, label: str) -> None:
        self._container = container
        self._stream = stream
        self._label = label
        self._numbers = _FrameNumbers()
        # AVI holds the times of decoding alone; FFmpeg makes times of presentation of them that are out of order.
        self._is_avi = container.format.name == "avi"
        self._has_key_frame = False
        self._key_pts: int | None = None
        self._end_pts = 0
        self._last_pts: int | None = None
        self._packets_read = 0
        self._discarded = 0
        self._delivered = 0
        self._left_out_at_start = 0
        self._target: _Target | None = None
        self.damaged = 0
        self.backwards = 0

    def seek(self, number: int, index: VideoIndex) -> None:
        """Let ``frames`` begin at frame ``number`` of ``index``.

        Raises ``SeekError`` where the container does not lead to it.
        """
        assert index.points is not None, "what can seek has times"
        known = {key.pts: key for key in index.keys_before(number)}
        for wanted in list(known.values())[:_SEEKS]:
            key = known.get(self._key_pts_behind(wanted.pts))
            if key is not None:
                self._container.seek(wanted.pts, stream=self._stream)
                self._target = _Target(number, int(index.points[number]), key)
                return
        raise SeekError

    def _key_pts_behind(self, pts: int) -> int:
        """The time of the first key frame after seeking ``pts``; -1 where there is none."""
        try:
            self._container.seek(pts, stream=self._stream)
            packets = self._container.demux(self._stream)
            return next((packet.pts for packet in packets if packet.is_keyframe and packet.pts is not None), -1)
        except (av.error.FFmpegError, OSError):
            return -1

    def frames(self) -> Iterator[tuple[int, av.VideoFrame]]:
        """Number and frame. Raises ``UsageError`` when not one can be decoded, ``PerceptionError`` when reading fails.

        The warnings are complete when it has ended.
        """
        for packet in self._packets_from_key():
            self._numbers.sent(packet)
            for frame in self._decoded(packet):
                if self._is_avi:
                    frame.pts = self._numbers.earliest_pts
                number = self._numbers.of(frame, has_gaps=bool(self.damaged or self._left_out_at_start))
                if self._target is not None:
                    if frame.pts is not None and frame.pts < self._target.pts:
                        continue
                    number = self._arrive(frame, self._target)
                if frame.is_corrupt and self._is_before_key_frame(frame):
                    self._left_out_at_start += 1
                    continue
                self.damaged += frame.is_corrupt
                self._note_time(frame)
                self._delivered += 1
                yield number, frame
        if not self._delivered:
            raise UsageError(f"{self._label}: not one frame can be decoded; check the file or convert it again.")

    def warnings(self) -> list[str]:
        """A sentence for each kind of damage that was met."""
        found = []
        if self._left_out_at_start:
            found.append(f"{self._label}: {counted(self._left_out_at_start, 'damaged frame')} at the start left out.")
        if self.damaged:
            found.append(f"{self._label}: damaged packets: {self.damaged}; frames there are missing or wrong.")
        if self._is_cut_off():
            delivered = counted(self._delivered, "frame")
            if self._is_counted:
                delivered = f"{self._delivered:,} of {counted(self._stream.frames - self._discarded, 'frame')}"
            found.append(f"{self._label}: reading stopped after {delivered}; the file is damaged or cut off.")
        return found

    def packets(self) -> Iterator[av.Packet[VideoStream] | None]:
        """Packets of the stream, the last one None or empty: the decoder then hands out what it holds.

        Raises ``PerceptionError`` when reading fails.
        """
        unread = 0
        while unread <= MAX_FAILED_READS:
            try:
                for packet in self._container.demux(self._stream):
                    # An index may name more bytes than the file has.
                    if packet.is_corrupt and self._stream.frames:
                        unread += 1
                        continue
                    if self._is_avi:
                        packet.pts = packet.dts
                    if packet.size:
                        self._note_packet(packet, unread)
                        unread = 0
                    yield packet
                return
            except av.error.InvalidDataError:
                unread += 1
            except (av.error.FFmpegError, OSError) as error:
                raise PerceptionError(
                    f"{self._label}: reading failed ({error.strerror}); check the disk or the network and try again."
                ) from error
        yield None

    def _packets_from_key(self) -> Iterator[av.Packet[VideoStream] | None]:
        """``packets`` from the one that decoding begins with on."""
        target = self._target
        is_before = target is not None
        for packet in self.packets():
            if target is not None and is_before:
                is_before = packet is not None and packet.pts != target.key.pts
                if is_before:
                    continue
                self._packets_read = target.key.packets_before + 1
            yield packet

    def _arrive(self, frame: av.VideoFrame, target: _Target) -> int:
        """The number of ``frame``, which is the wanted one. What lay before it does not count."""
        if frame.pts != target.pts or frame.is_corrupt:
            raise SeekError
        self._target = None
        self.damaged = self._left_out_at_start = 0
        self._delivered = target.number
        self._numbers.go_on_after(target.number)
        return target.number

    def _note_packet(self, packet: av.Packet[VideoStream], unread: int) -> None:
        """``unread`` packets before it could not be read: damage, because the file goes on behind them."""
        self.damaged += unread
        self._packets_read += unread + 1
        self._discarded += packet.is_discard
        if packet.is_keyframe and not self._has_key_frame:
            self._has_key_frame, self._key_pts = True, packet.pts

    def _decoded(self, packet: av.Packet[VideoStream] | None) -> list[av.VideoFrame]:
        try:
            return self._stream.codec_context.decode(packet)
        except av.error.EOFError:
            return []
        except av.error.FFmpegError:
            self.damaged += 1
            self._numbers.lost(packet)
            return []

    def _is_before_key_frame(self, frame: av.VideoFrame) -> bool:
        if self._key_pts is None or frame.pts is None:
            return not self._has_key_frame
        return frame.pts < self._key_pts

    def _note_time(self, frame: av.VideoFrame) -> None:
        if frame.pts is None:
            return
        self.backwards += self._last_pts is not None and frame.pts < self._last_pts
        self._last_pts = frame.pts
        self._end_pts = frame.pts + (frame.duration or 0)

    def _is_cut_off(self) -> bool:
        stream = self._stream
        if self._is_counted:
            return self._packets_read < stream.frames
        duration_s = self._duration_s()
        # The end means nothing where the clock was set back.
        if self.backwards or duration_s is None or self._last_pts is None:
            return False
        period_s = 1 / nominal_rate_fps(stream)
        tick_s = float(stream.time_base or 0)
        origin_pts = 0 if self._container.format.name in _ENDS_COUNT_FROM_ZERO else stream.start_time or 0
        end_s = max((self._end_pts - origin_pts) * tick_s, (self._last_pts - origin_pts) * tick_s + 2 * period_s)
        return end_s < duration_s

    @property
    def _is_counted(self) -> bool:
        """Whether the container states how many packets the stream has; AVI counts what the camera dropped as well."""
        return bool(self._stream.frames) and not self._is_avi

    def _duration_s(self) -> float | None:
        """Of the stream; of the container where no other stream may be longer."""
        # FFmpeg shortens the duration of an AVI file to what it found.
        duration = self._stream.frames if self._is_avi else self._stream.duration
        if duration and self._stream.time_base is not None:
            return float(duration * self._stream.time_base)
        if self._container.duration is None or len(self._container.streams) > 1:
            return None
        return self._container.duration / av.time_base


class _FrameNumbers:
    """Which number a frame has where packets before it gave no frame.

    A decoder hands frames out in order of presentation: all packets with an earlier time were sent before.
    """

    def __init__(self) -> None:
        self._next = 0
        self._waiting: list[int] = []
        self._lost: set[int] = set()

    def sent(self, packet: av.Packet[VideoStream] | None) -> None:
        if packet is not None and packet.size and packet.pts is not None and not packet.is_discard:
            heapq.heappush(self._waiting, packet.pts)

    def lost(self, packet: av.Packet[VideoStream] | None) -> None:
        """No frame comes of ``packet``, though it has a number."""
        if packet is not None and packet.pts is not None:
            self._lost.add(packet.pts)

    def go_on_after(self, number: int) -> None:
        """The next frame is the one behind ``number``."""
        self._next = number + 1

    @property
    def earliest_pts(self) -> int | None:
        """The earliest time of the packets whose frames are still to come."""
        return min((pts for pts in self._waiting if pts not in self._lost), default=None)

    def of(self, frame: av.VideoFrame, *, has_gaps: bool) -> int:
        """The number of the next frame; ``has_gaps`` says whether packets before it may have given none."""
        passed = 0
        while frame.pts is not None and self._waiting and self._waiting[0] <= frame.pts:
            heapq.heappop(self._waiting)
            passed += 1
        self._next += max(passed, 1) if has_gaps else 1
        return self._next - 1
