"""The boxes that an mp4 file is made of (ISO/IEC 14496-12), as far as a file that broke off needs them."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

_HEADER = struct.Struct(">I4s")
_LARGE_SIZE = struct.Struct(">Q")
_FRAGMENT_INDEX = b"moof"


def cut_to_whole_boxes(path: Path) -> None:
    """Take half a box off the end of the fragmented file ``path``, such as a full disk leaves there, and its index.

    Players report such an end as damage. A file that cannot be changed is left as it is.
    """
    with suppress(OSError):
        if not path.is_file():
            return
        with path.open("r+b") as stream:
            size = stream.seek(0, os.SEEK_END)
            end = 0
            for kind, box_end in _boxes(stream, size):
                # The pictures that an index names come in the box behind it.
                if box_end <= size and kind != _FRAGMENT_INDEX:
                    end = box_end
            stream.truncate(end)


def _boxes(stream: BinaryIO, size: int) -> Iterator[tuple[bytes, int]]:
    """The type of each box and where it ends; a last one may end behind ``size``."""
    start = 0
    while start + _HEADER.size <= size:
        stream.seek(start)
        length, kind = _HEADER.unpack(stream.read(_HEADER.size))
        if length == 1 and start + _HEADER.size + _LARGE_SIZE.size <= size:
            (length,) = _LARGE_SIZE.unpack(stream.read(_LARGE_SIZE.size))
        if length < _HEADER.size:
            return
        start += length
        yield kind, start
