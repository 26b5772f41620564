"""A video that another program writes into this one's standard input."""

from __future__ import annotations

import shutil
import sys
import tempfile

from perception.errors import PerceptionError, UsageError
from perception.sources.files.video import VideoFile

STDIN = "-"
"""What is written in the place of a file's name."""

_NAME = "stdin"


class StdinVideo(VideoFile):
    """Reads standard input to its end into a temporary file, which is gone when the program ends.

    A video is opened several times, for its length and its frames, and a pipe can be read only once.

    Raises ``UsageError`` where nothing is piped in or it is no video, ``PerceptionError`` where it cannot be kept.
    """

    def __init__(self, *, name: str = _NAME, rate_fps: float | None = None) -> None:
        if sys.stdin is None or sys.stdin.isatty():
            raise UsageError("nothing is piped in; write: other-program | perception demo -", field="source", value="-")
        self._file = tempfile.NamedTemporaryFile(prefix="perception-")  # noqa: SIM115 - lives as long as this object
        try:
            shutil.copyfileobj(sys.stdin.buffer, self._file, length=1 << 20)
            self._file.flush()
        except OSError as error:
            raise PerceptionError(
                f"{_NAME}: cannot be kept in {tempfile.gettempdir()} ({error.strerror}); make room, or set TMPDIR."
            ) from error
        if not self._file.tell():
            raise UsageError("standard input is empty; check the program that writes it.", field="source", value="-")
        super().__init__(self._file.name, name=name, label=_NAME, rate_fps=rate_fps)
