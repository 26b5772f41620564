"""The lines of a recording's logs: JSON, one object each, that are read as they were written.

A last line without its end, or a packet whose bytes are not all there, is what a killed process was writing; it is left
out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from perception.errors import UsageError
from perception.files import parse_json

PictureKey = tuple[int, int]
"""A camera's connection, from 0, and the picture in it: the presentation time of its packet, or its number."""


@dataclass(frozen=True)
class Connection:
    """A camera began to send: from here on its packets are of ``codec`` with ``extradata``."""

    number: int
    codec: str
    extradata: bytes

    def to_json(self) -> dict[str, Any]:
        """Its line."""
        return {"connection": self.number, "codec": self.codec, "extradata": self.extradata.hex()}

    @classmethod
    def from_json(cls, line: dict[str, Any]) -> Connection:
        """Raises ``KeyError``, ``TypeError`` or ``ValueError`` for another line."""
        return cls(int(line["connection"]), str(line["codec"]), bytes.fromhex(line["extradata"]))


@dataclass(frozen=True)
class PacketLine:
    """A packet: ``picture`` is the second part of its ``PictureKey``, ``offset`` and ``size`` its place in the file."""

    picture: int
    offset: int
    size: int
    arrival_ns: int
    is_key: bool

    def to_json(self) -> dict[str, Any]:
        """Its line."""
        return {
            "packet": self.picture,
            "offset": self.offset,
            "size": self.size,
            "arrival_ns": self.arrival_ns,
            "key": self.is_key,
        }

    @classmethod
    def from_json(cls, line: dict[str, Any]) -> PacketLine:
        """Raises ``KeyError``, ``TypeError`` or ``ValueError`` for another line."""
        return cls(
            int(line["packet"]), int(line["offset"]), int(line["size"]), int(line["arrival_ns"]), bool(line["key"])
        )


@dataclass(frozen=True)
class UsedPicture:
    """A picture of an instant: its ``Frame`` without the pixels, and which picture of the camera it is."""

    camera: str
    index: int
    timestamp_ns: int
    key: PictureKey


@dataclass(frozen=True)
class InstantLine:
    """A ``FrameSet`` without the pixels."""

    index: int
    timestamp_ns: int
    pictures: tuple[UsedPicture, ...]

    def to_json(self) -> dict[str, Any]:
        """Its line."""
        pictures = [[one.camera, one.index, one.timestamp_ns, *one.key] for one in self.pictures]
        return {"index": self.index, "timestamp_ns": self.timestamp_ns, "pictures": pictures}

    @classmethod
    def from_json(cls, line: dict[str, Any]) -> InstantLine:
        """Raises ``KeyError``, ``TypeError`` or ``ValueError`` for another line."""
        pictures = tuple(
            UsedPicture(str(camera), int(index), int(timestamp_ns), (int(connection), int(picture)))
            for camera, index, timestamp_ns, connection, picture in line["pictures"]
        )
        return cls(int(line["index"]), int(line["timestamp_ns"]), pictures)


def absence(since_ns: int, cause: str) -> dict[str, Any]:
    """The line that says that a camera sends nothing, since when (wall clock) and why."""
    return {"absent_since_ns": since_ns, "cause": cause}


def as_line(content: dict[str, Any]) -> bytes:
    """The bytes of a line with its end."""
    return json.dumps(content, separators=(",", ":"), allow_nan=False).encode() + b"\n"


def whole_lines(path: Path) -> Iterator[dict[str, Any]]:
    """The lines of a log; nothing where there is none. Raises ``UsageError`` naming the line that is no JSON object."""
    if not path.is_file():
        return
    with path.open(encoding="utf-8", errors="replace") as stream:
        for number, line in enumerate(stream, 1):
            if not line.endswith("\n"):
                return
            try:
                content = parse_json(line)
            except ValueError as error:
                raise wrong_line(path, number, str(error)) from error
            if not isinstance(content, dict):
                raise wrong_line(path, number, "no object")
            yield content


def wrong_line(path: Path, number: int, why: str) -> UsageError:
    """What to raise for a line that is not one of these."""
    return UsageError(f"{path}, line {number}: is not of a stream's recording ({why}); take the segment away.")
