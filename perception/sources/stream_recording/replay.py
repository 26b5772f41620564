"""Plays a recorded stream again: the same pictures in the same instants."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import av

from perception.errors import PerceptionError, UsageError, counted
from perception.files import read_yaml
from perception.geometry.cameras import Rig
from perception.sources.base import SourceBase
from perception.sources.files.decoding.stream import rgb_of
from perception.sources.images import RgbImage, rgb_from_bytes
from perception.sources.rigs import fit_rig, match_rig
from perception.sources.stream_recording.log_lines import (
    Connection,
    InstantLine,
    PacketLine,
    PictureKey,
    UsedPicture,
    whole_lines,
    wrong_line,
)
from perception.sources.stream_recording.recorder import (
    FORMAT_VERSION,
    INSTANTS_FILE,
    SEGMENTS,
    STREAM_FILE,
    camera_stem,
)
from perception.types import Frame, FrameSet

ReplayedPicture = tuple[PictureKey, Callable[[], RgbImage | None]]
"""Which picture it is, and its conversion to RGB, which gives None for a damaged one."""

PICTURE_CODECS = ("mjpeg", "png")
"""Packets that are whole pictures."""


@dataclass(frozen=True)
class StreamRecording:
    """What ``stream.yaml`` states, and the segments that are there."""

    folder: Path
    name: str
    cameras: tuple[str, ...]
    config: Mapping[str, Any]

    @classmethod
    def read(cls, folder: Path) -> StreamRecording:
        """Raises ``UsageError`` where the folder holds no recorded stream, or one of a later version."""
        path = folder / STREAM_FILE
        content = read_yaml(path)
        try:
            version, cameras = int(content["version"]), tuple(map(str, content["cameras"]))
            name, config = str(content["name"]), dict(content["config"])
        except (TypeError, KeyError, ValueError) as error:
            raise UsageError(f"{path}: is not of a recorded stream; name its folder.") from error
        if version != FORMAT_VERSION:
            raise UsageError(f"{path}: has version {version}, known is {FORMAT_VERSION}; install a newer perception.")
        return cls(folder, name, cameras, config)

    @property
    def segments(self) -> list[Path]:
        """In the order of time."""
        return sorted((self.folder / SEGMENTS).glob("[0-9]*"))

    def instants(self) -> Iterator[InstantLine]:
        """In their order. Raises ``UsageError`` naming the line that is wrong."""
        for segment in self.segments:
            path = segment / INSTANTS_FILE
            for number, line in enumerate(whole_lines(path), 1):
                yield _parsed(InstantLine.from_json, line, path, number)

    def pictures(self, camera: str) -> Iterator[ReplayedPicture]:
        """The camera's pictures in their order, from its first key picture on, each a conversion to RGB."""
        decoder: _Decoder | None = None
        for connection, packet, data in self._packets(camera):
            if decoder is None or decoder.connection.number != connection.number:
                if decoder is not None:
                    yield from decoder.rest()
                decoder = _Decoder(connection)
            yield from decoder.pictures(packet, data)
        if decoder is not None:
            yield from decoder.rest()

    def _packets(self, camera: str) -> Iterator[tuple[Connection, PacketLine, bytes]]:
        stem = camera_stem(self.cameras.index(camera) + 1, camera)
        for segment in self.segments:
            path = segment / f"{stem}.jsonl"
            connection: Connection | None = None
            for number, line in enumerate(whole_lines(path), 1):
                if "codec" in line:
                    connection = _parsed(Connection.from_json, line, path, number)
                elif "packet" in line and connection is not None:
                    packet = _parsed(PacketLine.from_json, line, path, number)
                    data = _bytes_at(path.with_suffix(f".{connection.codec}"), packet)
                    if data is not None:
                        yield connection, packet, data


class ReplaySource(SourceBase):
    """The ``Source`` of a recorded stream: the instants that the live run had, whatever time it is.

    Instants of which a picture is no longer there, since its segment was deleted, are left out and counted. ``rig`` is
    scaled to the first picture of each camera.
    """

    def __init__(self, recording: StreamRecording, *, rig: Rig | None = None) -> None:
        notes: list[str] = []
        if rig is not None:
            rig, notes = match_rig(rig, recording.cameras)
            sizes_px = {camera: size for camera in recording.cameras if (size := _first_size_px(recording, camera))}
            rig = fit_rig(rig, sizes_px)
        super().__init__(name=recording.name, cameras=recording.cameras, stride=1, rig=rig, notes=notes)
        self._recording = recording
        instants = list(recording.instants())
        if not instants:
            raise UsageError(f"{recording.folder}: holds no instant; record the stream again, for longer.")
        self._length = len(instants)
        span_s = (instants[-1].timestamp_ns - instants[0].timestamp_ns) / 1e9
        self._rate_fps = (len(instants) - 1) / span_s if span_s > 0 else 1.0
        self._incomplete = 0
        self._closed = False

    @property
    def rate_fps(self) -> float:
        """Instants per second, over all of them."""
        return self._rate_fps

    @property
    def is_live(self) -> bool:
        return False

    @property
    def length(self) -> int:
        """Instants that were recorded."""
        return self._length

    @property
    def frame_counts(self) -> None:
        return None

    @property
    def dropped(self) -> int:
        """0: what the live run dropped belongs to no instant."""
        return 0

    @property
    def warnings(self) -> list[str]:
        lacking = f"{self._name}: {counted(self._incomplete, 'instant')} left out, whose pictures were deleted."
        return self._notes + ([lacking] if self._incomplete else [])

    def __iter__(self) -> Iterator[FrameSet]:
        """Stops after ``close``. Raises ``PerceptionError`` for a picture that cannot be read again."""
        self._incomplete = 0
        streams = {camera: _Seeker(self._recording.pictures(camera)) for camera in self.cameras}
        for instant in self._recording.instants():
            if self._closed:
                return
            found = {picture.camera: streams[picture.camera].find(picture.key) for picture in instant.pictures}
            if None in found.values():
                self._incomplete += 1
                continue
            frames = tuple(self._frame(picture, found[picture.camera]) for picture in instant.pictures)
            yield FrameSet(frames=frames, timestamp_ns=instant.timestamp_ns, index=instant.index)

    def close(self) -> None:
        self._closed = True

    def _frame(self, picture: UsedPicture, to_rgb: Callable[[], RgbImage | None] | None) -> Frame:
        image = None if to_rgb is None else to_rgb()
        if image is None:
            raise PerceptionError(f"{self._name}: a picture of {picture.camera} is damaged; copy the recording again.")
        return self._calibrated(Frame(image, picture.camera, picture.timestamp_ns, picture.index))


class _Seeker:
    """Finds pictures of a camera that are asked for in their order, which is that of their keys."""

    def __init__(self, pictures: Iterator[ReplayedPicture]) -> None:
        self._pictures = pictures
        self._head = next(pictures, None)

    def find(self, key: PictureKey) -> Callable[[], RgbImage | None] | None:
        """The picture; None where it is not there."""
        while self._head is not None and self._head[0] < key:
            self._head = next(self._pictures, None)
        return self._head[1] if self._head is not None and self._head[0] == key else None


class _Decoder:
    """Makes pictures of the packets of one connection, as the live reader did."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._has_key = False
        self._context: Any = None
        if connection.codec not in PICTURE_CODECS:
            try:
                self._context = av.CodecContext.create(connection.codec, "r")
            except (av.error.FFmpegError, ValueError) as error:
                raise PerceptionError(
                    f"codec {connection.codec} cannot be decoded here; install an FFmpeg that knows it."
                ) from error
            if connection.extradata:
                self._context.extradata = connection.extradata

    def pictures(self, packet: PacketLine, data: bytes) -> Iterator[ReplayedPicture]:
        # What comes before the first key picture refers to what was deleted.
        self._has_key = self._has_key or packet.is_key
        if self._context is None:
            yield (self.connection.number, packet.picture), partial(rgb_from_bytes, data)
        elif self._has_key:
            encoded = av.Packet(data)
            encoded.pts = packet.picture
            encoded.is_keyframe = packet.is_key
            yield from self._decoded(encoded)

    def rest(self) -> Iterator[ReplayedPicture]:
        """What the decoder still holds at the end of the connection."""
        if self._context is not None and self._has_key:
            yield from self._decoded(None)

    def _decoded(self, packet: Any) -> Iterator[ReplayedPicture]:
        try:
            frames = self._context.decode(packet)
        except av.error.InvalidDataError:
            return
        for frame in frames:
            if not frame.is_corrupt:
                yield (self.connection.number, frame.pts), partial(rgb_of, frame)


def is_stream_recording(folder: Path) -> bool:
    """Whether ``folder`` holds a recorded stream."""
    return (folder / STREAM_FILE).is_file()


def _first_size_px(recording: StreamRecording, camera: str) -> tuple[int, int] | None:
    """(width, height) of the camera's first picture; None where there is none."""
    for _, to_rgb in recording.pictures(camera):
        image = to_rgb()
        if image is not None:
            return image.shape[1], image.shape[0]
    return None


def _bytes_at(path: Path, packet: PacketLine) -> bytes | None:
    """The packet; None where its file does not hold all of it."""
    try:
        with path.open("rb") as stream:
            stream.seek(packet.offset)
            data = stream.read(packet.size)
    except OSError:
        return None
    return data if len(data) == packet.size else None


def _parsed(make: Callable[[dict[str, Any]], Any], line: dict[str, Any], path: Path, number: int) -> Any:
    try:
        return make(line)
    except (KeyError, TypeError, ValueError) as error:
        raise wrong_line(path, number, str(error)) from error
