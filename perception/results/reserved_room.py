"""Room on the disk for what a run must still say when the disk is full."""

from __future__ import annotations

import os
import tempfile
import weakref
from contextlib import ExitStack, suppress
from pathlib import Path

RESERVED_BYTES = 256 << 10
"""A report without its pictures is much smaller."""


class ReservedRoom:
    """Keeps ``RESERVED_BYTES`` of the disk of ``folder`` occupied until ``release``, by a file that has no name.

    Where there is no such room even now, it keeps none.
    """

    def __init__(self, folder: Path) -> None:
        self._files = ExitStack()
        weakref.finalize(self, self._files.close)
        with suppress(OSError):
            file = self._files.enter_context(tempfile.TemporaryFile(dir=folder, buffering=0))  # noqa: SIM115
            # Random: some file systems give zeros no room.
            file.write(os.urandom(RESERVED_BYTES))

    def release(self) -> None:
        """Give the room back; safe to call twice."""
        self._files.close()
