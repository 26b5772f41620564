"""Half a box at the end of a file is cut off, with the index that names it."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from perception.visualization.mp4_boxes import cut_to_whole_boxes


def box(kind: bytes, size: int) -> bytes:
    return struct.pack(">I4s", size, kind) + bytes(size - 8)


HEAD = box(b"ftyp", 28) + box(b"moov", 100)
LARGE = struct.pack(">I4sQ", 1, b"mdat", 50) + bytes(34)
FRAGMENT = box(b"moof", 40) + box(b"mdat", 60)


@pytest.mark.parametrize(
    ("content", "kept"),
    [
        (HEAD + FRAGMENT, HEAD + FRAGMENT),
        (HEAD + FRAGMENT + FRAGMENT[:-1], HEAD + FRAGMENT),
        (HEAD + FRAGMENT + FRAGMENT[:40], HEAD + FRAGMENT),
        (HEAD + FRAGMENT + FRAGMENT[:20], HEAD + FRAGMENT),
        (HEAD + FRAGMENT + b"\0\0", HEAD + FRAGMENT),
        (HEAD + LARGE + b"rest", HEAD + LARGE),
        (HEAD[:20], b""),
        (b"", b""),
    ],
)
def test_only_whole_boxes_stay(content: bytes, kept: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(content)
    cut_to_whole_boxes(path)
    assert path.read_bytes() == kept


def test_a_file_that_is_not_there_is_no_error(tmp_path: Path) -> None:
    cut_to_whole_boxes(tmp_path / "a.mp4")
