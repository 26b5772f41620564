"""The report as Markdown, for pull requests and wikis."""

from __future__ import annotations

import re

from perception.evaluation.report.report import Report
from perception.evaluation.report.sections import PlainTable, Section, sections_of

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|#~])")


def report_markdown(report: Report) -> str:
    """The summary, and all tables of the console with their notes; tables are folded away below the summary."""
    parts = [f"## {escaped(report.title)}", escaped(report.summary())]
    for section in sections_of(report):
        parts += _section(section)
    parts += [f"- {escaped(note)}" for note in report.notes]
    return "\n\n".join(parts) + "\n"


def escaped(text: str) -> str:
    """``text`` on one line, so that Markdown shows it as it is."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def _section(section: Section) -> list[str]:
    detail = f" ({section.detail})" if section.detail else ""
    notes = "\n".join(f"- {escaped(note)}" for note in section.notes)
    body = [*map(_table, section.tables), *([notes] if notes else [])]
    head = f"<details>\n<summary><b>{_html(section.name)}</b>{_html(detail)}</summary>"
    return [head, *body, "</details>"]


def _html(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _table(table: PlainTable) -> str:
    lines = [
        _row(table.headers),
        _row(["---:" if is_number else "---" for is_number in table.is_number], is_rule=True),
        *(_row([cell.text for cell in row]) for row in table.rows),
    ]
    return "\n".join(lines)


def _row(cells: tuple[str, ...] | list[str], *, is_rule: bool = False) -> str:
    texts = cells if is_rule else [escaped(cell) or " " for cell in cells]
    return f"| {' | '.join(texts)} |"
