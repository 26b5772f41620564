"""Text files of numbers, read quickly, whose every fault is reported with its line."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from perception.arrays import IntArray
from perception.errors import UsageError
from perception.safety.input_limits import MAX_NUMBER, MAX_WORD_LENGTH
from perception.safety.regular_files import open_regular_text
from perception.tables.prediction_files import read_text

_SAMPLED_LINES = 40
_START_LENGTH = 65_536
"""Of a JSON file, where the names of all fields stand."""


def split_fields(line: str) -> list[str]:
    """The fields of a line that commas part, or spaces."""
    return [field.strip() for field in line.split(",")] if "," in line else line.split()


def first_fields(path: Path) -> list[str]:
    """The fields of the first line that is not blank; none for what is no text or has no line."""
    return next(_rows_in(path), [])


def are_mostly(paths: Iterable[Path], fits: Callable[[list[str]], bool]) -> bool:
    """Whether at least half of the first lines of ``paths`` have fields that are as ``fits`` says.

    One bad line does not hide a format: its reader then names the line.
    """
    rows: list[list[str]] = []
    for path in paths:
        rows += islice(_rows_in(path), _SAMPLED_LINES - len(rows))
        if len(rows) >= _SAMPLED_LINES:
            break
    return bool(rows) and 2 * sum(map(fits, rows)) >= len(rows)


def _rows_in(path: Path) -> Iterator[list[str]]:
    try:
        with open_regular_text(path) as stream:
            yield from (split_fields(line.strip().strip(",")) for line in stream if line.strip())
    except (OSError, UnicodeDecodeError):
        return


def json_start(path: Path) -> str:
    """The beginning of a JSON file without blanks, empty for what is none."""
    try:
        with open_regular_text(path, errors="replace") as stream:
            start = "".join(stream.read(_START_LENGTH).split())
    except OSError:
        return ""
    return start if start[:1] in ("[", "{") else ""


def are_numbers(fields: Collection[str]) -> bool:
    """Whether all ``fields`` are numbers."""
    try:
        return all(np.isfinite(float(field)) for field in fields)
    except ValueError:
        return False


def word_rows(path: Path, columns: Collection[int]) -> tuple[list[list[str]], IntArray]:
    """The fields of each line and its number; blank lines do not count.

    Raises ``UsageError`` naming the line that has another number of fields than one of ``columns``.
    """
    rows, lines = [], []
    for number, line in enumerate(read_text(path).splitlines(), 1):
        if text := line.strip().strip(","):
            rows.append(split_fields(text))
            lines.append(number)
            if max(map(len, rows[-1])) > MAX_WORD_LENGTH:
                raise UsageError(
                    f"{path}, line {number}: has a field of more than {MAX_WORD_LENGTH} letters; correct the file."
                )
            if len(rows[-1]) not in columns:
                wanted = f"{min(columns)} to {max(columns)}" if len(columns) > 1 else str(min(columns))
                raise UsageError(
                    f"{path}, line {number}: expected {wanted} columns, got {len(rows[-1])}; correct the file."
                )
    return rows, np.array(lines, np.int64)


def numbers_of(path: Path, rows: list[list[str]], lines: IntArray, columns: slice) -> NDArray[np.float64]:
    """The ``columns`` of all rows as numbers, (M, C), those that a row does not have as NaN.

    Raises ``UsageError`` naming the line where one is no finite number.
    """
    wanted = [row[columns] for row in rows]
    width = max((len(row) for row in wanted), default=len(range(*columns.indices(64))))
    try:
        table = np.array([row + ["nan"] * (width - len(row)) for row in wanted], np.str_).astype(np.float64)
    except ValueError:
        fault = next(index for index, row in enumerate(wanted) if not are_numbers(row))
        raise UsageError(f"{path}, line {lines[fault]}: expected numbers; correct the file.") from None
    table = table.reshape(len(rows), width)
    written = np.array([len(row) for row in wanted], np.int64)[:, None] > np.arange(width)
    is_wrong = (written & ~(np.abs(table) <= MAX_NUMBER)).any(axis=1)
    if is_wrong.any():
        raise UsageError(f"{path}, line {lines[int(np.argmax(is_wrong))]}: expected finite numbers; correct the file.")
    return table
