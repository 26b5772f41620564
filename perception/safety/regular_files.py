"""Regular files of bounded size: a device never ends, a pipe waits for its writer, and neither is an input.

The functions raise ``OSError`` whose ``strerror`` says what is wrong, as for a file that is missing: whoever reads
knows the remedy.
"""

from __future__ import annotations

import errno
import io
import os
import stat
from pathlib import Path
from typing import BinaryIO, TextIO

from perception.safety.input_limits import MAX_TABLE_BYTES


def open_regular(path: Path, *, max_bytes: int = MAX_TABLE_BYTES) -> BinaryIO:
    """``path`` for reading, from its beginning; at most ``max_bytes`` long when it is opened.

    Raises ``OSError``, also for anything but a regular file and for a larger one.
    """
    # Without O_NONBLOCK, opening a pipe waits until somebody writes into it.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        _check(os.fstat(descriptor), max_bytes)
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def open_regular_text(
    path: Path,
    *,
    max_bytes: int = MAX_TABLE_BYTES,
    encoding: str = "utf-8",
    errors: str = "strict",
    newline: str | None = None,
) -> TextIO:
    """The same as text, line by line; newlines and encoding as of ``open``."""
    return io.TextIOWrapper(open_regular(path, max_bytes=max_bytes), encoding=encoding, errors=errors, newline=newline)


def read_regular(path: Path, *, max_bytes: int = MAX_TABLE_BYTES) -> bytes:
    """The whole content. Raises ``OSError`` as ``open_regular``."""
    with open_regular(path, max_bytes=max_bytes) as stream:
        return stream.read()


def read_regular_text(path: Path, *, max_bytes: int = MAX_TABLE_BYTES, encoding: str = "utf-8") -> str:
    """The content as text with ``\\n`` as its only newline. Raises ``UnicodeDecodeError`` as well."""
    with open_regular_text(path, max_bytes=max_bytes, encoding=encoding) as stream:
        start = stream.read(_START)
        # A large file of zeros, as a broken disk leaves it, would be read to its end for nothing.
        if "\0" in start:
            raise UnicodeDecodeError(encoding, b"\0", 0, 1, "a zero byte")
        return start + stream.read()


def exists(path: Path) -> bool:
    """Whether there is anything at ``path``; no for what cannot be a path, such as a line of a thousand letters."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def is_file(path: Path) -> bool:
    """Whether a regular file is at ``path``; no for what cannot be a path."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def is_dir(path: Path) -> bool:
    """Whether a folder is at ``path``; no for what cannot be a path."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def check_regular(path: Path, *, max_bytes: int | None = None) -> None:
    """For what a library opens by its name. Raises ``OSError`` as ``open_regular``; None stands for any size."""
    _check(path.stat(), max_bytes)


_START = 4096
_KINDS = (
    (stat.S_ISDIR, errno.EISDIR, "it is a folder"),
    (stat.S_ISFIFO, errno.EINVAL, "it is a pipe and no regular file"),
    (stat.S_ISSOCK, errno.EINVAL, "it is a socket and no regular file"),
    (stat.S_ISCHR, errno.EINVAL, "it is a device and no regular file"),
    (stat.S_ISBLK, errno.EINVAL, "it is a device and no regular file"),
)


def _check(status: os.stat_result, max_bytes: int | None) -> None:
    for is_kind, number, reason in _KINDS:
        if is_kind(status.st_mode):
            raise OSError(number, reason)
    if max_bytes is not None and status.st_size > max_bytes:
        raise _too_large(max_bytes)


def _too_large(max_bytes: int) -> OSError:
    limit = f"{max_bytes >> 20} MiB" if max_bytes >= 1 << 20 else f"{max_bytes >> 10} KiB"
    return OSError(errno.EFBIG, f"it has more than the {limit} that are read")
