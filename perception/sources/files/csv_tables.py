"""CSV files whose every fault is reported with file, line and column."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from perception.errors import UsageError
from perception.safety.input_limits import MAX_NUMBER, MAX_WORD_LENGTH
from perception.safety.regular_files import open_regular_text, read_regular_text


@dataclass(frozen=True)
class CsvTable:
    """Columns of text by name, (M,) each, and the file's line number of each row."""

    path: Path
    columns: dict[str, list[str]]
    lines: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.lines)

    def numbers(self, column: str) -> NDArray[np.float64]:
        """(M,) float. Raises ``UsageError`` at the first value that is no finite number."""
        values = np.full(len(self), np.nan)
        try:
            values[:] = [float(text) for text in self.columns[column]]
        except ValueError:
            for row, text in enumerate(self.columns[column]):
                try:
                    values[row] = float(text)
                except ValueError:
                    break
        self.reject(~np.isfinite(values), column, "not a number")
        self.reject(np.abs(values) > MAX_NUMBER, column, "beyond all that is measured")
        return values

    def integers(self, column: str) -> NDArray[np.int64]:
        """(M,) int64, exact beyond 2^53. Raises ``UsageError`` at the first value that is no whole number."""
        try:
            return np.array([int(text) for text in self.columns[column]], np.int64).reshape(len(self))
        except (ValueError, OverflowError):
            values = self.numbers(column)
        self.reject((values != np.round(values)) | (np.abs(values) > 2.0**53), column, "not a whole number")
        return values.astype(np.int64)

    def reject(self, faulty: NDArray[np.bool_], column: str, fault: str, *, remedy: str = "correct this row") -> None:
        """Raise ``UsageError`` for the first row where ``faulty`` (M,) is true."""
        if faulty.any():
            row = int(np.argmax(faulty))
            raise UsageError(
                f"{self.path}, line {self.lines[row]}, column {column}: {fault} "
                f"({self.columns[column][row][:60]!r}); {remedy}."
            )


def read_csv(path: Path, *, required: Sequence[str], optional: Sequence[str] = (), header: bool = True) -> CsvTable:
    """Read a comma-separated file; blank lines do not count.

    With ``header`` the first line names the columns, of which ``required`` must be there; otherwise ``required``
    are the columns in order, behind them as many of the ``optional`` ones as the first line has, and further ones are
    left alone. Raises ``UsageError`` naming file, line and column.
    """
    try:
        with open_regular_text(path, newline="", encoding="utf-8-sig") as stream:
            reader = csv.reader(stream)
            rows = [(reader.line_num, [cell.strip() for cell in row]) for row in reader if any(row)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{path}: cannot be read as CSV text ({error}); check the file.") from error
    names = list(required)
    if header:
        if not rows:
            raise UsageError(f"{path}: is empty; its first line must name the columns {', '.join(required)}.")
        header_line, names = rows.pop(0)
        missing = [name for name in required if name not in names]
        if missing:
            raise UsageError(f"{path}, line {header_line}, column {missing[0]}: is missing; add it to the first line.")
    elif rows:
        names += optional[: max(0, len(rows[0][1]) - len(names))]
    for line, row in rows:
        if len(row) < len(names):
            raise UsageError(f"{path}, line {line}, column {names[len(row)]}: is missing; complete this row.")
        _check_words(path, line, row)
    columns = {name: [row[position] for _, row in rows] for position, name in enumerate(names)}
    return CsvTable(path, columns, np.array([line for line, _ in rows], np.int64))


def read_words(path: Path, *, required: Sequence[str]) -> CsvTable:
    """Read columns that spaces part, without header, as KITTI writes them; further columns are left alone.

    Raises ``UsageError`` naming file and line where columns are missing.
    """
    try:
        lines = enumerate(read_regular_text(path).splitlines(), start=1)
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read as text ({error}); check the file.") from error
    rows = [(line, words) for line, text in lines if (words := text.split())]
    for line, words in rows:
        if len(words) < len(required):
            raise UsageError(f"{path}, line {line}, column {required[len(words)]}: is missing; complete this row.")
        _check_words(path, line, words)
    columns = {name: [words[position] for _, words in rows] for position, name in enumerate(required)}
    return CsvTable(path, columns, np.array([line for line, _ in rows], np.int64))


def _check_words(path: Path, line: int, words: Sequence[str]) -> None:
    if max(map(len, words)) > MAX_WORD_LENGTH:
        raise UsageError(f"{path}, line {line}: has a field of more than {MAX_WORD_LENGTH} letters; correct this row.")


def read_timestamps_ns(path: Path) -> NDArray[np.int64]:
    """Column ``timestamp_ns`` of a CSV file, (M,). Raises ``UsageError`` where the times do not increase."""
    table = read_csv(path, required=("timestamp_ns",))
    return increasing_timestamps_ns(table)


def increasing_timestamps_ns(table: CsvTable) -> NDArray[np.int64]:
    """The table's ``timestamp_ns`` (M,). Raises ``UsageError`` at the first that is not later than the one before."""
    timestamps_ns = table.integers("timestamp_ns")
    if not len(timestamps_ns):
        raise UsageError(f"{table.path}: has no rows; add one for each time stamp.")
    unordered = np.diff(timestamps_ns, prepend=timestamps_ns[0] - 1) <= 0
    table.reject(unordered, "timestamp_ns", "not later than the row before")
    return timestamps_ns
