"""What was counted of each recording, kept by the content of all that it depends on."""

from __future__ import annotations

import hashlib
import json
import logging
import tempfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass, is_dataclass
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any

import perception
from perception.errors import PerceptionError, UsageError
from perception.evaluation.core.table_boxes import GroupingChoice
from perception.evaluation.report.count import RunCounts
from perception.files import sha256
from perception.runtime.fleet.archive import load_tree, save_tree

_LOG = logging.getLogger(__name__)

_BY_CONTENT = {
    *(".txt", ".csv", ".json", ".jsonl", ".ini", ".yaml", ".yml", ".xml", ".names", ".npy", ".npz", ".parquet", ""),
    *(".feather", ".pkl", ".gz"),
}
"""The endings of tables. Of all other files, pictures and videos, size and time of change stand for the content."""


@dataclass(frozen=True)
class CountedRecording:
    """``counts`` of a recording, with ``grouping`` of its classes; ``notes`` state how its predictions were read."""

    counts: RunCounts
    grouping: GroupingChoice
    notes: tuple[str, ...] = ()


class CountsStore:
    """A folder of files, one for each key, or a temporary one for None, which is deleted where the ``with`` block ends:
    what was loaded is read from it until then.

    A file that is damaged is as good as none.
    """

    def __init__(self, folder: Path | None) -> None:
        self._temporary = tempfile.TemporaryDirectory(prefix="perception-") if folder is None else None
        self._folder = Path(self._temporary.name) if folder is None and self._temporary else Path(folder or ".")

    def __enter__(self) -> CountsStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._temporary is not None:
            self._temporary.cleanup()

    def load(self, key: str) -> CountedRecording | None:
        """What was kept under ``key``."""
        path = self._path(key)
        if not path.is_file():
            return None
        try:
            found = load_tree(path)
        except UsageError as error:
            _LOG.info("%s It is made anew.", error)
            return None
        return found if isinstance(found, CountedRecording) else None

    def keep(self, key: str, value: CountedRecording) -> CountedRecording:
        """Write ``value`` and read it back, so that its large arrays stay in the file.

        Where it cannot be written, a temporary folder takes this and all that follows.
        """
        try:
            save_tree(self._path(key), value)
        except PerceptionError as error:
            if self._temporary is not None:
                raise
            _LOG.warning("%s Nothing is kept for another time.", error)
            self._temporary = tempfile.TemporaryDirectory(prefix="perception-")
            self._folder = Path(self._temporary.name)
            save_tree(self._path(key), value)
        return load_counted(self._path(key))

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}.safetensors"


def load_counted(path: Path) -> CountedRecording:
    """What is in one file. Raises ``UsageError`` where it is damaged or something else."""
    found = load_tree(path)
    if not isinstance(found, CountedRecording):
        raise UsageError(f"{path}: holds no counts of a recording; delete it.")
    return found


class ContentKeys:
    """Makes keys of files and settings; what it has read of a file it knows."""

    def __init__(self) -> None:
        self._known: dict[Path, str] = {}

    def of(self, paths: Iterable[Path], settings: Any) -> str:
        """A name for the content of ``paths``, files or folders, the ``settings``, and this version of the program."""
        plain = asdict(settings) if is_dataclass(settings) and not isinstance(settings, type) else settings
        parts = [program_digest(), json.dumps(plain, sort_keys=True, default=str), *map(self._content, paths)]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def _content(self, path: Path) -> str:
        if path not in self._known:
            self._known[path] = _folder_digest(path) if path.is_dir() else _file_digest(path)
        return self._known[path]


def _folder_digest(folder: Path) -> str:
    lines = [f"{path.relative_to(folder)} {_file_digest(path)}" for path in sorted(folder.rglob("*")) if path.is_file()]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _file_digest(path: Path) -> str:
    if not path.is_file():
        return "none"
    if path.suffix.lower() in _BY_CONTENT:
        return sha256(path)
    status = path.stat()
    return f"{status.st_size} {status.st_mtime_ns}"


@cache
def program_digest() -> str:
    """The version, and the content of all of the package's modules: a changed program counts anew."""
    folder = Path(perception.__file__).parent
    digest = hashlib.sha256(str(perception.__version__).encode())
    for path in sorted(folder.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()
