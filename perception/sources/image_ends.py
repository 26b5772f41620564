"""Where the bytes of a JPEG or PNG picture end, for files that lack their last bytes or carry more behind them.

Cameras leave JPEG's end marker (EOI) out, telephones put a video behind a picture, block devices pad files. Such
pictures are whole; one whose scan lines are missing is not.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass

JPEG_START, PNG_START = b"\xff\xd8", b"\x89PNG\r\n\x1a\n"
JPEG_END = b"\xff\xd9"
PNG_END = b"\x00\x00\x00\x00IEND\xaeB`\x82"

_MARKER = re.compile(rb"\xff+([\x01-\xcf\xd8-\xfe])")
"""All but stuffed bytes and restart markers, which lie inside a scan."""
_END, _SCAN, _WITHOUT_LENGTH = 0xD9, 0xDA, (0x01, 0xD8)
_RESTART = re.compile(rb"\xff([\xd0-\xd7])")
_TAILS = bytes(range(1, 65)), bytes(range(192, 128, -1))
_BLOCK_BYTES = 1 << 20
_CHUNK_FRAME_BYTES = 12
"""Of a PNG chunk: its length, type and checksum."""


@dataclass(frozen=True)
class OpenJpeg:
    """A JPEG without end marker, whose last scan begins at ``scan``."""

    data: bytes
    scan: int

    def ended(self) -> tuple[bytes, bytes]:
        """The picture with an end marker behind two different continuations of its last scan.

        Both show the same where the scan is whole: its decoder asks for no more bits. Where it is not, it takes
        the picture's rest from the continuation, also behind the restart marker that it waits for next.
        """
        body = self.data.rstrip(b"\xff")
        restarts = _RESTART.findall(body, self.scan)
        number = (restarts[-1][0] - 0xD0 + 1) % 8 if restarts else 0
        restart = bytes([0xFF, 0xD0 + number])
        first, second = (body + tail + restart + tail + JPEG_END for tail in _TAILS)
        return first, second


def jpeg_until_end(data: bytes) -> bytes | OpenJpeg | None:
    """The bytes up to the end marker; ``OpenJpeg`` without one; None where the data end before the first scan, or
    in the header of another one."""
    position = scan = 0
    while (marker := _MARKER.search(data, position)) is not None:
        code, position = marker[1][0], marker.end()
        if code == _END:
            return data[:position] if scan else None
        if code not in _WITHOUT_LENGTH:
            position += int.from_bytes(data[position : position + 2], "big")
        if code == _SCAN:
            scan = position
        if position > len(data) or (code != _SCAN and position == len(data)):
            return None
    return OpenJpeg(data, scan) if scan else None


def png_until_end(data: bytes) -> bytes | None:
    """The bytes up to the end chunk, which is put there where nothing else of the picture is missing; else None."""
    position, pixels = len(PNG_START), []
    while position + _CHUNK_FRAME_BYTES <= len(data):
        length, kind = int.from_bytes(data[position : position + 4], "big"), data[position + 4 : position + 8]
        end = position + _CHUNK_FRAME_BYTES + length
        if end > len(data):
            break
        if kind == b"IEND":
            return data[:end]
        if kind == b"IDAT":
            pixels.append(data[position + 8 : end - 4])
        position = end
    return data[:position] + PNG_END if _is_whole(b"".join(pixels)) else None


def _is_whole(compressed: bytes) -> bool:
    """Whether the stream ends in ``compressed``; what it decompresses to may be a thousand times larger, and is not
    kept."""
    stream = zlib.decompressobj()
    try:
        while compressed and not stream.eof:
            stream.decompress(compressed, _BLOCK_BYTES)
            compressed = stream.unconsumed_tail
    except zlib.error:
        return False
    return stream.eof
