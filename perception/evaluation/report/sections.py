"""The printed report as plain parts, so that pages and files have the tables and the numbers of the console."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from perception.evaluation.report.console import print_report
from perception.evaluation.report.report import Report


@dataclass(frozen=True)
class Cell:
    """One cell of a table: its ``text``, and the ``style`` that the console gives it, such as "bold green"."""

    text: str
    style: str = ""


@dataclass(frozen=True)
class PlainTable:
    """``headers`` (C,), ``is_number`` (C,) for columns of numbers, ``rows`` of C cells; the first names the row."""

    headers: tuple[str, ...]
    is_number: tuple[bool, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass
class Section:
    """A part of the report: its name, what it rests on, its tables, and sentences on them."""

    name: str
    detail: str = ""
    tables: list[PlainTable] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def sections_of(report: Report) -> list[Section]:
    """All parts that ``print_report`` prints after the summary, in its order."""
    recorder = _Recorder()
    print_report(report, recorder)
    return recorder.sections


class _Recorder(Console):
    """Takes what is printed apart instead of printing it."""

    def __init__(self) -> None:
        super().__init__(quiet=True)
        self.sections: list[Section] = []

    def print(self, *objects: Any, **_: Any) -> None:
        for part in objects:
            content: RenderableType = part.renderable if isinstance(part, Padding) else part
            if isinstance(content, Text) and not isinstance(part, Padding):
                self._begin(content)
            elif self.sections and isinstance(content, Table):
                self.sections[-1].tables.append(_plain(content))
            elif self.sections and isinstance(content, Text):
                self.sections[-1].notes.append(" ".join(content.plain.split()))

    def _begin(self, heading: Text) -> None:
        """A heading is the name in a style of its own, and the detail; title and summary have no such parts."""
        if len(heading.spans) == 2:
            name, detail = (heading.plain[span.start : span.end] for span in heading.spans)
            self.sections.append(Section(name, detail))


def _plain(table: Table) -> PlainTable:
    """Columns without a header hold bars of characters, which draw what the numbers say."""
    columns = [column for column in table.columns if str(column.header)]
    rows = list(zip(*([_cell(cell) for cell in column.cells] for column in columns), strict=True))
    return PlainTable(
        headers=tuple(" ".join(str(column.header).split()) for column in columns),
        is_number=tuple(column.justify == "right" for column in columns),
        rows=tuple(_named(rows)),
    )


def _named(rows: list[tuple[Cell, ...]]) -> Iterator[tuple[Cell, ...]]:
    """Each row with its whole name: an empty one repeats the name above, an indented one replaces the end of it."""
    name = Cell("")
    for first, *others in rows:
        text = first.text.strip()
        if not text:
            text = name.text
        elif first.text.startswith(" "):
            text = name.text[: -len(text)] + text
        name = Cell(text, first.style)
        yield (name, *(Cell(cell.text.strip(), cell.style) for cell in others))


def _cell(content: RenderableType) -> Cell:
    if isinstance(content, Text):
        return Cell(content.plain, str(content.style))
    return Cell(str(content))
