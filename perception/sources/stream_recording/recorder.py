"""Writes what live cameras give, while they give it."""

from __future__ import annotations

import re
import shutil
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import yaml

from perception.errors import PerceptionError, UsageError, without_credentials
from perception.files import FileWatch, cannot_write, write_text
from perception.sources.stream_recording.keep import Keep
from perception.sources.stream_recording.log_lines import (
    Connection,
    InstantLine,
    PacketLine,
    PictureKey,
    UsedPicture,
    absence,
    as_line,
)
from perception.types import FrameSet

STREAM_FILE = "stream.yaml"
SEGMENTS = "segments"
INSTANTS_FILE = "instants.jsonl"
FORMAT_VERSION = 1
SEGMENT_S = 10.0


def camera_stem(number: int, camera: str) -> str:
    """The name of a camera's files, without suffix; ``number`` is its place among the cameras, from 1."""
    return f"{number:02d}-{re.sub(r'[^A-Za-z0-9_.-]+', '-', without_credentials(camera))[:60]}"


@dataclass(frozen=True)
class RecordRequest:
    """What is to be kept of live cameras, before it is known which they are: see ``StreamRecorder``."""

    folder: Path
    keep: Keep = field(default_factory=Keep)
    config: Mapping[str, Any] = field(default_factory=dict)

    def open(self, cameras: Sequence[str], name: str) -> StreamRecorder:
        return StreamRecorder(self.folder, cameras=cameras, name=name, config=self.config, keep=self.keep)


class TappedReader(Protocol):
    """What reads a camera, and tells its ``tap`` of each packet."""

    tap: Any


class StreamRecorder:
    """Keeps what cameras give below ``folder``, which is made; ``config`` is noted beside it. A context manager.

    Cameras write by their ``tap``, each in its own thread. What cannot be written does not disturb them: it is raised
    by the next ``instant``. ``keep`` deletes the oldest segments.

    Raises ``UsageError`` where ``folder`` holds anything, ``PerceptionError`` where it cannot be made.
    """

    def __init__(
        self,
        folder: Path,
        *,
        cameras: Sequence[str],
        name: str,
        config: Mapping[str, Any] | None = None,
        keep: Keep = Keep(),  # noqa: B008 - it cannot change
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.folder = folder
        self._keep = keep
        self._clock_s = clock_s
        self._lock = threading.Lock()
        self._failure: PerceptionError | None = None
        self._taps: dict[str, CameraTap] = {}
        self._about: dict[str, Any] = {
            "version": FORMAT_VERSION,
            "name": name,
            "cameras": list(cameras),
            "config": dict(config or {}),
        }
        self._segment: _Segment | None = None
        self._finished: deque[_FinishedSegment] = deque()
        self._count = 0
        self._is_closed = False
        try:
            if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
                raise UsageError("holds something already; name a new folder.", field="record", value=str(folder))
            (folder / SEGMENTS).mkdir(parents=True)
        except OSError as error:
            raise cannot_write(folder, error) from error
        for place, camera in enumerate(cameras, 1):
            self._taps[camera] = CameraTap(self, camera_stem(place, camera))
        self._write_about()

    def __enter__(self) -> StreamRecorder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def tap(self, camera: str) -> CameraTap:
        """What the reader of ``camera`` tells of its packets; a camera may also be a new one."""
        if camera not in self._taps:
            self._about["cameras"] = [*self._taps, camera]
            self._taps[camera] = CameraTap(self, camera_stem(len(self._about["cameras"]), camera))
            self.write(lambda _: self._write_about())
        return self._taps[camera]

    def connected(self, camera: str, reader: TappedReader) -> None:
        """As a listener of cameras: a connection stands."""
        reader.tap = self.tap(camera)

    def taken(self, camera: str, taken: object) -> None:
        """As a listener of cameras: pictures are told of by instants."""

    def changed(self, camera: str, change: Any, time: datetime) -> None:
        """As a listener of cameras: one that is no longer there is an absence."""
        if change.cause:
            self.tap(camera).absent(round(time.timestamp() * 1e9), f"{change.after.value}: {change.cause}")

    def instant(self, frame_set: FrameSet, keys: Mapping[str, PictureKey | None]) -> None:
        """Note which pictures make up an instant, before it is handed out; ``keys`` by camera.

        Raises ``PerceptionError`` where something could not be written since the instant before.
        """
        pictures = tuple(
            UsedPicture(frame.camera, frame.index, frame.timestamp_ns, key)
            for frame in frame_set
            if (key := keys[frame.camera]) is not None
        )
        line = as_line(InstantLine(frame_set.index, frame_set.timestamp_ns, pictures).to_json())
        self.write(lambda segment: segment.file(INSTANTS_FILE).append(line))
        if self._failure is not None:
            raise self._failure

    def write(self, action: Callable[[_Segment], object]) -> None:
        """Do ``action`` on the segment of now, unless something failed before or the recording is closed."""
        with self._lock:
            if self._failure is not None or self._is_closed:
                return
            try:
                action(self._current_segment())
            except PerceptionError as error:
                self._failure = error

    def close(self) -> None:
        """Close the files; what is told afterwards is not kept. Safe to call twice."""
        with self._lock:
            self._is_closed = True
            if self._segment is not None:
                self._segment.close()
                self._segment = None

    def _write_about(self) -> None:
        write_text(self.folder / STREAM_FILE, yaml.safe_dump(self._about, sort_keys=False, allow_unicode=True))

    def _current_segment(self) -> _Segment:
        now_s = self._clock_s()
        if self._segment is not None and now_s - self._segment.began_s >= SEGMENT_S:
            self._segment.close()
            self._finished.append(_FinishedSegment(self._segment.folder, now_s, self._segment.size))
            self._segment = None
            self._prune(now_s)
        if self._segment is None:
            self._count += 1
            self._segment = _Segment(self.folder / SEGMENTS / f"{self._count:06d}", now_s)
        return self._segment

    def _prune(self, now_s: float) -> None:
        while self._finished and self._is_too_much(now_s):
            shutil.rmtree(self._finished.popleft().folder, ignore_errors=True)

    def _is_too_much(self, now_s: float) -> bool:
        is_old = self._keep.seconds is not None and now_s - self._finished[0].ended_s > self._keep.seconds
        size = sum(segment.size for segment in self._finished)
        return is_old or (self._keep.bytes is not None and size > self._keep.bytes)


class CameraTap:
    """Is told by a camera's reader what it sends, in the thread that reads."""

    def __init__(self, recorder: StreamRecorder, stem: str) -> None:
        self._recorder = recorder
        self._stem = stem
        self._connection: Connection | None = None
        self._count = 0

    def begin(self, codec: str, extradata: bytes) -> int:
        """The camera is connected, and sends packets of FFmpeg's ``codec``; returns the connection's number."""
        self._connection = Connection(self._count, codec, extradata)
        self._count += 1
        return self._connection.number

    def packet(self, data: bytes, picture: int, *, is_key: bool) -> None:
        """A packet came; ``picture`` is its number or presentation time; one that ``is_key`` needs no other."""
        assert self._connection is not None, "begin comes first"
        connection, arrival_ns = self._connection, time.time_ns()

        def append(segment: _Segment) -> None:
            log = segment.file(f"{self._stem}.jsonl")
            if segment.connections.get(self._stem) != connection.number:
                log.append(as_line(connection.to_json()))
                segment.connections[self._stem] = connection.number
            stored = segment.file(f"{self._stem}.{connection.codec}")
            line = PacketLine(picture, stored.size, len(data), arrival_ns, is_key)
            stored.append(data)
            log.append(as_line(line.to_json()))

        self._recorder.write(append)

    def absent(self, since_ns: int, cause: str) -> None:
        """The camera sends nothing since ``since_ns`` (wall clock), because of ``cause``, a sentence."""
        line = as_line(absence(since_ns, without_credentials(cause)))
        self._recorder.write(lambda segment: segment.file(f"{self._stem}.jsonl").append(line))


@dataclass(frozen=True)
class _FinishedSegment:
    folder: Path
    ended_s: float
    size: int


class _Segment:
    """An open segment: its files by name, made when they are first written."""

    def __init__(self, folder: Path, began_s: float) -> None:
        self.folder = folder
        self.began_s = began_s
        self.connections: dict[str, int] = {}
        self._files: dict[str, _GrowingFile] = {}
        self._opened = ExitStack()
        try:
            folder.mkdir()
        except OSError as error:
            raise cannot_write(folder, error) from error

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self._files.values())

    def file(self, name: str) -> _GrowingFile:
        if name not in self._files:
            self._files[name] = _GrowingFile(self.folder / name)
            self._opened.callback(self._files[name].close)
        return self._files[name]

    def close(self) -> None:
        self._opened.close()


class _GrowingFile:
    """Bytes one behind the other, each piece handed to the system at once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.size = 0
        try:
            self._stream = path.open("xb", buffering=0)
            self._watch = FileWatch(path)
        except OSError as error:
            raise cannot_write(path, error) from error

    def append(self, piece: bytes) -> None:
        """Raises ``PerceptionError`` where it cannot be written, or was removed."""
        view = memoryview(piece)
        try:
            while view:
                view = view[self._stream.write(view) :]
        except OSError as error:
            raise cannot_write(self._path, error) from error
        self.size += len(piece)
        self._watch.check()

    def close(self) -> None:
        self._stream.close()
