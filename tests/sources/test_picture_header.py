"""A picture's size is known from its header, and a picture that is too large is never decoded."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from perception.errors import UsageError
from perception.sources.images import read_rgb, rgb_from_bytes
from perception.sources.picture_header import picture_size_px
from perception.sources.truth.image_header import read_header

NOISE = np.random.default_rng(0).integers(0, 255, (37, 61, 3), np.uint8)


def encoded(format_name: str, **options: object) -> bytes:
    stream = BytesIO()
    Image.fromarray(NOISE).save(stream, format_name, **options)
    return stream.getvalue()


def png_that_states(width: int, height: int) -> bytes:
    """A PNG of few bytes, whole and sound but for the size in its header."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    pixels = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("format_name", "options"),
    [
        ("JPEG", {}),
        ("JPEG", {"progressive": True}),
        ("PNG", {}),
        ("WEBP", {}),
        ("WEBP", {"lossless": True}),
        ("WEBP", {"exif": b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0"}),
        ("BMP", {}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("PPM", {}),
        ("GIF", {}),
    ],
)
def test_the_size_of_every_format_is_read(format_name: str, options: dict[str, object]) -> None:
    data = encoded(format_name, **options)
    assert picture_size_px(data) == (61, 37)
    assert rgb_from_bytes(data) is not None
    for length in range(0, min(len(data), 200)):
        picture_size_px(data[:length])  # never an exception


@pytest.mark.parametrize("data", [b"", b"not a picture", b"\xff\xd8", b"BM", b"II*\0", b"P6\n", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_picture_has_no_size(data: bytes) -> None:
    assert picture_size_px(data) is None
    assert rgb_from_bytes(data) is None


def test_a_picture_of_900_megapixels_is_refused_by_its_size(tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    path.write_bytes(png_that_states(30_000, 30_000))
    assert rgb_from_bytes(path.read_bytes()) is None
    for read in (read_rgb, read_header):
        with pytest.raises(UsageError, match=r"large\.png: has 30000 x 30000 pixels, more than the 134 million"):
            read(path)


def test_a_jpeg_of_a_thousand_scans_is_refused() -> None:
    data = encoded("JPEG", progressive=True)
    assert picture_size_px(data[:-2] + b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00" * 1000 + b"\xff\xd9") is None
