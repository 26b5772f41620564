"""nuScenes' tables, of which the largest are lists of gigabytes: read row by row, only what is asked for is kept."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from perception.benchmarks.conversion.readers import Advance
from perception.errors import UsageError
from perception.files import json_decoder
from perception.safety.regular_files import open_regular_text

_BLOCK = 1 << 20
"""Characters read at once; far more than a row has."""

_BETWEEN_ROWS = re.compile(r"[\s,]*")


class Tables:
    """The tables ``names`` of one folder, each ``<name>.json`` a list of objects.

    ``advance`` is called with the share of them that is read. Raises ``UsageError`` when one is missing.
    """

    def __init__(self, folder: Path, names: Sequence[str], advance: Advance) -> None:
        self._paths = {name: folder / f"{name}.json" for name in names}
        for path in self._paths.values():
            if not path.is_file():
                raise UsageError(f"{path}: is missing; download the metadata of nuScenes' trainval set.")
        self._advance = advance
        self._total = sum(path.stat().st_size for path in self._paths.values())
        self._done = 0

    def rows(self, name: str, *fields: str) -> Iterator[tuple[Any, ...]]:
        """Of each row the ``fields``. Raises ``UsageError`` naming the table that is broken or lacks a field."""
        path = self._paths[name]
        for number, row in enumerate(self._objects(path), start=1):
            try:
                yield tuple([row[field] for field in fields])
            except (KeyError, TypeError) as error:
                raise UsageError(f"{path}, row {number}: has no {error}; download the table again.") from error

    def _objects(self, path: Path) -> Iterator[Any]:
        decoder = json_decoder()
        buffer, position, is_open = "", 0, False
        try:
            with open_regular_text(path) as stream:
                while True:
                    block = stream.read(_BLOCK)
                    buffer, position = buffer[position:] + block, 0
                    self._done += len(block)
                    self._advance(min(self._done, self._total), self._total)
                    if not is_open and buffer.lstrip():
                        is_open = buffer.lstrip().startswith("[")
                        position = buffer.find("[") + 1
                    while is_open:
                        position = _end_of_gap(buffer, position)
                        if buffer.startswith("]", position):
                            return
                        try:
                            row, position = decoder.raw_decode(buffer, position)
                        except json.JSONDecodeError:
                            break
                        yield row
                    # A row that is only cut off by the block's end is complete with the next one.
                    if not block or not is_open or len(buffer) - position > 2 * _BLOCK:
                        raise UsageError(f"{path}: is no complete list in JSON; download the table again.")
        except (OSError, ValueError, RecursionError) as error:
            raise UsageError(f"{path}: cannot be read ({error}); download the table again.") from error


def _end_of_gap(buffer: str, position: int) -> int:
    gap = _BETWEEN_ROWS.match(buffer, position)
    return gap.end() if gap else position
