"""What all converters share: files of a download, each fault of which is one sentence with the remedy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
from numpy.typing import ArrayLike, NDArray

from perception.arrays import FloatArray
from perception.errors import UsageError, counted
from perception.safety.regular_files import read_regular_text

Advance = Callable[[int, int], None]
"""Called with how much is done, and of how much."""


@dataclass(frozen=True)
class Converted:
    """The ``columns`` of the file by name, and ``notes``: one sentence each, what was found and what is missing."""

    columns: Mapping[str, Any]
    notes: tuple[str, ...]


def checked_folder(source: Path, what: str, *parts: str) -> Path:
    """``source``, which must hold the folders or files ``parts``; raises ``UsageError`` when one is missing."""
    if not source.is_dir():
        raise UsageError(f"{source}: is no folder; give the folder with your download of {what}.")
    for part in parts:
        if not (source / part).exists():
            raise UsageError(f"{source / part}: is missing; give the folder of {what} that holds {', '.join(parts)}.")
    return source


def read_text(path: Path) -> str:
    """A text file; raises ``UsageError`` when it is missing or no text."""
    try:
        return read_regular_text(path)
    except FileNotFoundError as error:
        raise UsageError(f"{path}: is missing; complete the download.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read as text ({error}); download it again.") from error


def read_xml(path: Path) -> ElementTree.Element:
    """The root of an XML file; raises ``UsageError`` when it is missing or broken."""
    try:
        return ElementTree.fromstring(read_text(path))
    except ElementTree.ParseError as error:
        raise UsageError(f"{path}: is no complete XML ({error}); download it again.") from error


def read_numbers(path: Path, names: Sequence[str], *, further: bool = False) -> FloatArray:
    """(M, len(names)) finite numbers, M rows of columns that spaces or tabs part; blank lines do not count.

    ``further`` columns are left alone where they are allowed. Raises ``UsageError`` naming the line otherwise.
    """
    rows = []
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        words = line.split()
        if not words:
            continue
        if len(words) < len(names) or (len(words) > len(names) and not further):
            raise UsageError(
                f"{path}, line {number}: has {counted(len(words), 'column')} instead of {len(names)} "
                f"({', '.join(names)}); "
                "give the file as it was published."
            )
        try:
            row = [float(word) for word in words[: len(names)]]
        except ValueError:
            row = [np.nan]
        if not np.isfinite(row).all():
            raise UsageError(f"{path}, line {number}: holds something that is no number; correct this line.")
        rows.append(row)
    return np.array(rows).reshape(-1, len(names))


def whole_numbers(values: ArrayLike, kind: type[np.integer[Any]], path: Path) -> NDArray[Any]:
    """``values`` rounded to whole numbers of ``kind``; raises ``UsageError`` naming ``path`` where one does not fit."""
    rounded = np.round(np.asarray(values, float))
    limits = np.iinfo(kind)
    if rounded.size and not (limits.min <= rounded.min() and rounded.max() <= limits.max):
        raise UsageError(f"{path}: holds numbers that are too large or none at all; download it again.")
    return rounded.astype(kind)
