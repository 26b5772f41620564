"""Files that grow and are whole after each step."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import BinaryIO

from perception.errors import PerceptionError
from perception.files import FileWatch, cannot_write, exists_already


class AppendFile:
    """A new file that is complete on disk after each ``append``.

    ``footer`` (such as the bracket that closes a JSON list) always stands at the end: the next piece is written over
    it. Nothing is buffered, so that a process that dies loses nothing, and a piece that does not fit on the disk
    is taken back as a whole.

    Raises ``PerceptionError`` when the file exists, cannot be written, or is removed while it grows.
    """

    def __init__(self, path: Path, *, header: bytes = b"", footer: bytes = b"") -> None:
        self.path = path
        self._footer = footer
        self._end = 0
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise cannot_write(self.path, error) from error
        try:
            self._stream: BinaryIO = self._create(path)
            self._watch = FileWatch(path)
        except FileExistsError as error:
            raise exists_already(path) from error
        except OSError as error:
            raise cannot_write(self.path, error) from error
        try:
            self.append(header)
        except PerceptionError:
            self._stream.close()
            raise

    @staticmethod
    def _create(path: Path) -> BinaryIO:
        return path.open("xb", buffering=0)

    def append(self, piece: bytes) -> None:
        """Write ``piece`` at the end, before the footer."""
        try:
            self._write_at(self._end, piece + self._footer)
        except OSError as error:
            # Taking the piece back makes the room that the footer needs; should even that fail, the first error counts.
            with contextlib.suppress(OSError):
                self._stream.truncate(self._end)
                self._write_at(self._end, self._footer)
            raise cannot_write(self.path, error) from error
        self._end += len(piece)
        self._watch.check()

    def close(self) -> None:
        """Close the file; safe to call twice."""
        if self._stream.closed:
            return
        try:
            self._stream.close()
        except OSError as error:
            raise cannot_write(self.path, error) from error
        self._watch.check()

    def _write_at(self, offset: int, content: bytes) -> None:
        self._stream.seek(offset)
        view = memoryview(content)
        while view:
            # An unbuffered file may take less than it was given.
            view = view[self._stream.write(view) :]
