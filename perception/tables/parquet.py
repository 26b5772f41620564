"""Tables in Parquet files; the extra ``argoverse`` brings the library that reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perception.arrays import FloatArray, IntArray
from perception.errors import UsageError
from perception.files import atomic_write
from perception.safety.input_limits import MAX_TABLE_BYTES
from perception.safety.regular_files import check_regular


@dataclass(frozen=True)
class ParquetTable:
    """Columns of a file with ``count`` rows, which are checked when they are taken."""

    path: Path
    columns: Mapping[str, Any]
    count: int

    def texts(self, name: str) -> NDArray[np.str_]:
        """(M,) a column of text. Raises ``UsageError`` naming the row without any."""
        values = self.columns[name].to_pylist()
        self.reject(np.array([not isinstance(value, str) for value in values], bool), name, "expected a text")
        return np.array(values, np.str_)

    def numbers(self, name: str) -> FloatArray:
        """(M,) a column of finite numbers. Raises ``UsageError`` naming the row that has none."""
        values = np.asarray(self._numeric(name, self.columns[name]), np.float64)
        self.reject(~np.isfinite(values), name, "expected a finite number")
        return values

    def lists(self, name: str) -> tuple[FloatArray, IntArray]:
        """The numbers of all rows of a column of lists, one after the other, and (M,) how many a row has.

        Raises ``UsageError`` where one is no finite number.
        """
        from pyarrow import types

        column = self.columns[name].combine_chunks()
        if not (types.is_list(column.type) or types.is_large_list(column.type)):
            raise UsageError(f"{self.path}: {name} is no column of lists; write a list of numbers in each row.")
        lengths = np.asarray(column.value_lengths().fill_null(0).to_numpy(zero_copy_only=False), np.int64)
        values = np.asarray(self._numeric(name, column.flatten()), np.float64)
        is_wrong = np.zeros(self.count, bool)
        is_wrong[np.repeat(np.arange(self.count), lengths)[~np.isfinite(values)]] = True
        self.reject(is_wrong, name, "expected finite numbers")
        return values, lengths

    def reject(self, is_wrong: NDArray[np.bool_], name: str, fault: str) -> None:
        """Raise ``UsageError`` for the first of the rows (M,) that is wrong."""
        if is_wrong.any():
            raise UsageError(f"{self.path}, row {int(np.argmax(is_wrong)) + 1}, {name}: {fault}; correct the file.")

    def _numeric(self, name: str, column: Any) -> Any:
        from pyarrow import types

        kind = column.type
        if not (types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind)):
            raise UsageError(f"{self.path}: {name} has values of the type {kind} in place of numbers; correct it.")
        return column.cast("float64").to_numpy() if types.is_floating(kind) else _whole(column)


def _whole(column: Any) -> FloatArray:
    """Whole numbers or truth values as numbers, those that are not there as NaN."""
    values: FloatArray = np.array([np.nan if value is None else value for value in column.to_pylist()], np.float64)
    return values


def read_parquet(path: Path, names: Sequence[str]) -> ParquetTable:
    """The columns ``names`` of a file, others are not read.

    Raises ``UsageError`` where one is missing, the file is none, or the extra is not installed.
    """
    parquet, arrow = _parquet(), _arrow()
    try:
        check_regular(path, max_bytes=MAX_TABLE_BYTES)
        with parquet.ParquetFile(path) as file:
            missing = [name for name in names if name not in file.schema_arrow.names]
            if missing:
                raise UsageError(f"{path}: has no column {', '.join(missing)}; it needs {', '.join(names)}.")
            table = file.read(columns=list(names))
    except (OSError, arrow.ArrowInvalid, arrow.ArrowNotImplementedError) as error:
        reason = (getattr(error, "strerror", None) or str(error).splitlines()[0]).rstrip(".")
        raise UsageError(f"{path}: cannot be read as Parquet ({reason}); copy the file again.") from error
    return ParquetTable(path, {name: table.column(name) for name in names}, table.num_rows)


def column_names(path: Path) -> tuple[str, ...]:
    """The names of the columns of a file; none for what is no Parquet. Raises ``UsageError`` without the extra."""
    if path.suffix != ".parquet" or not path.is_file():
        return ()
    parquet, arrow = _parquet(), _arrow()
    try:
        return tuple(parquet.read_schema(path).names)
    except (OSError, arrow.ArrowInvalid):
        return ()


def write_parquet(path: Path, columns: Mapping[str, Any]) -> None:
    """Write columns, arrays or lists of one length each, whole or not at all.

    Raises ``UsageError`` without the extra, ``PerceptionError`` where the file cannot be written.
    """
    parquet, arrow = _parquet(), _arrow()
    with atomic_write(path) as temporary:
        parquet.write_table(arrow.table(dict(columns)), temporary)


def _parquet() -> ModuleType:
    _arrow()
    from pyarrow import parquet

    found: ModuleType = parquet
    return found


def _arrow() -> ModuleType:
    try:
        import pyarrow
    except ImportError as error:
        raise UsageError(
            'Parquet files, as Argoverse has them, need pyarrow; install it with pip install "perception[argoverse]".'
        ) from error
    found: ModuleType = pyarrow
    return found
