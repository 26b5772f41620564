"""The size of a picture from the first bytes of its file, before any of its pixels is decoded.

A picture of 30,000 x 30,000 pixels fits into a file of 100 KB. Formats whose header is not read here are not decoded.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable

from perception.safety.input_limits import MAX_PICTURE_SCANS

SizePx = tuple[int, int]


def picture_size_px(data: bytes) -> SizePx | None:
    """(width, height) that the header of an encoded picture states, as it is stored.

    None for what is no JPEG, PNG, WebP, BMP, TIFF, GIF or portable map, and for a header that is cut off or cannot be.
    """
    read = next((read for magic, read in _FORMATS if magic.match(data)), None)
    try:
        size_px = None if read is None else read(data)
    except (struct.error, ValueError, IndexError):
        return None
    return size_px if size_px is not None and min(size_px) > 0 else None


def _jpeg(data: bytes) -> SizePx | None:
    if data.count(b"\xff\xda") > MAX_PICTURE_SCANS:
        return None
    largest: SizePx | None = None
    position = 2
    while (marker := _JPEG_MARKER.search(data, position)) is not None:
        code, position = marker[1][0], marker.end()
        if code in _JPEG_FRAMES:
            height, width = struct.unpack_from(">HH", data, position + 3)
            # Decoders take one frame header or another where there are several.
            largest = (width, height) if largest is None else (max(width, largest[0]), max(height, largest[1]))
        if code in _JPEG_WITHOUT_LENGTH:
            continue
        if code == _JPEG_END:
            break
        (length,) = struct.unpack_from(">H", data, position)
        position += length
    return largest


def _png(data: bytes) -> SizePx:
    width, height = struct.unpack_from(">II", data, 16)
    return width, height


def _gif(data: bytes) -> SizePx:
    width, height = struct.unpack_from("<HH", data, 6)
    return width, height


def _bmp(data: bytes) -> SizePx:
    (header,) = struct.unpack_from("<I", data, 14)
    width, height = struct.unpack_from("<HH" if header == _OLD_BMP_HEADER else "<ii", data, 18)
    return abs(width), abs(height)


def _webp(data: bytes) -> SizePx | None:
    kind = data[12:16]
    if kind == b"VP8X":
        width, height = (1 + int.from_bytes(data[at : at + 3], "little") for at in (24, 27))
    elif kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        width, height = 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    elif kind == b"VP8 ":
        width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", data, 26))
    else:
        return None
    return width, height


def _portable_map(data: bytes) -> SizePx:
    width, height = (int(word) for word in _MAP_HEADER.findall(data, 2, 1024)[:2])
    return width, height


def _portable_any_map(data: bytes) -> SizePx | None:
    words = dict(re.findall(rb"^(WIDTH|HEIGHT)\s+(\d{1,9})\s*$", data[:1024], re.MULTILINE))
    return (int(words[b"WIDTH"]), int(words[b"HEIGHT"])) if len(words) == 2 else None


def _tiff(data: bytes) -> SizePx | None:
    order = "<" if data[:2] == b"II" else ">"
    (directory,) = struct.unpack_from(f"{order}I", data, 4)
    (count,) = struct.unpack_from(f"{order}H", data, directory)
    sides: dict[int, int] = {}
    for number in range(count):
        tag, kind = struct.unpack_from(f"{order}HH", data, directory + 2 + 12 * number)
        if tag in _TIFF_SIDES:
            (sides[tag],) = struct.unpack_from(
                order + ("H" if kind == _TIFF_SHORT else "I"), data, directory + 10 + 12 * number
            )
    return (sides[_TIFF_SIDES[0]], sides[_TIFF_SIDES[1]]) if len(sides) == 2 else None


_JPEG_MARKER = re.compile(rb"\xff+([\x01-\xcf\xd8-\xfe])")
_JPEG_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_JPEG_WITHOUT_LENGTH = (0x01, 0xD8)
_JPEG_END = 0xD9
_OLD_BMP_HEADER = 12
_MAP_HEADER = re.compile(rb"(?:\s|#[^\n]*\n)+(\d{1,9})")
_TIFF_SIDES = (256, 257)
_TIFF_SHORT = 3
_FORMATS: tuple[tuple[re.Pattern[bytes], Callable[[bytes], SizePx | None]], ...] = (
    (re.compile(rb"\xff\xd8"), _jpeg),
    (re.compile(rb"\x89PNG\r\n\x1a\n.{4}IHDR", re.DOTALL), _png),
    (re.compile(rb"RIFF.{4}WEBP", re.DOTALL), _webp),
    (re.compile(rb"BM"), _bmp),
    (re.compile(rb"II\*\0|MM\0\*"), _tiff),
    (re.compile(rb"GIF8[79]a"), _gif),
    (re.compile(rb"P[1-6]\s"), _portable_map),
    (re.compile(rb"P7\n"), _portable_any_map),
)
