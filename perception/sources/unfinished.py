"""A folder that is being written says so until it is whole: a process that is killed cannot say it afterwards."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import yaml

from perception.errors import PerceptionError, UsageError
from perception.files import cannot_write, read_yaml

UNFINISHED_FILE = "unfinished.yaml"


class UnfinishedMark:
    """The file ``UNFINISHED_FILE`` in ``folder``, from now until ``remove``; a lock on it says that somebody writes.

    ``files`` are the names of what is going to be written there. Raises ``PerceptionError`` when it cannot be made.
    """

    def __init__(self, folder: Path, files: Sequence[str]) -> None:
        self._path = folder / UNFINISHED_FILE
        content = {"note": "What is here is not whole. The same command begins anew.", "files": list(files)}
        try:
            self._file: IO[str] = self._path.open("x", encoding="utf-8")
            _lock(self._file)
            self._file.write(yaml.safe_dump(content, sort_keys=False))
            self._file.flush()
        except OSError as error:
            raise cannot_write(self._path, error) from error

    def remove(self) -> None:
        """The folder is whole."""
        self._file.close()
        self._path.unlink(missing_ok=True)

    def leave(self) -> None:
        """The folder stays unfinished, and nobody writes there any more."""
        self._file.close()


def check_finished(folder: Path) -> None:
    """Raise ``UsageError`` where ``folder`` is being written or was left by a process that was killed."""
    if not (folder / UNFINISHED_FILE).is_file():
        return
    if _is_locked(folder / UNFINISHED_FILE):
        raise UsageError(f"{folder}: is still being written; wait for its end.")
    raise UsageError(f"{folder}: is unfinished: what wrote it was killed or had no room; run that command again.")


def clear_unfinished(folder: Path) -> bool:
    """Whether ``folder`` was left unfinished and is empty of it: it can be written anew. Other files stay.

    Raises ``PerceptionError`` where a file cannot be removed.
    """
    path = folder / UNFINISHED_FILE
    if not path.is_file() or _is_locked(path):
        return False
    content = read_yaml(path)
    names = content.get("files") if isinstance(content, dict) else None
    try:
        for name in map(str, names if isinstance(names, list) else ()):
            if Path(name).name == name:  # of this folder, and of no other
                old = folder / name
                shutil.rmtree(old) if old.is_dir() and not old.is_symlink() else old.unlink(missing_ok=True)
        path.unlink()
    except OSError as error:
        raise PerceptionError(f"{folder}: cannot be cleared ({error.strerror}); choose another `output`.") from error
    return True


if sys.platform == "win32":

    def _lock(file: IO[str]) -> None:
        """An open file cannot be removed there anyway."""

    def _is_locked(path: Path) -> bool:
        return False

else:
    import fcntl

    def _lock(file: IO[str]) -> None:
        """The lock ends with the process, however that ends."""
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _is_locked(path: Path) -> bool:
        try:
            with path.open(encoding="utf-8") as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
        return False
