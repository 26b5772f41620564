"""The report in further files, or on stdout: JSON, Markdown, CSV."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from perception.errors import UsageError
from perception.files import write_text
from perception.pipeline.config import EvaluateConfig

if TYPE_CHECKING:
    from perception.evaluation import Report

STDOUT = Path("-")

_FIELDS = ("json_file", "markdown", "csv")


def check_exports(config: EvaluateConfig) -> None:
    """Raise ``UsageError`` for files that cannot be written, before anything is run."""
    wanted = {field: path for field in _FIELDS if (path := getattr(config, field)) is not None}
    for field, path in wanted.items():
        if config.benchmark:
            raise UsageError("a benchmark has a report of its own; leave it out.", field=field, value=path)
        if path.is_dir():
            raise UsageError("is a folder; name a file, or - for stdout.", field=field, value=path)
    twice = {path for path in wanted.values() if list(wanted.values()).count(path) > 1}
    if twice:
        names = " and ".join(f"`{field}`" for field, path in wanted.items() if path in twice)
        raise UsageError(f"{names}: would be written to one place; give each its own.")


def takes_stdout(config: EvaluateConfig) -> bool:
    """Whether one of the files is stdout, on which then nothing else may be written."""
    return any(getattr(config, field) == STDOUT for field in _FIELDS)


def write_exports(config: EvaluateConfig, content: Mapping[str, Any], report: Report, *, stdout: TextIO) -> None:
    """Write what was asked for; ``content`` is that of ``report.json``. Raises ``PerceptionError``."""
    from perception.evaluation.export.figures_csv import report_csv
    from perception.evaluation.export.markdown import report_markdown

    texts: dict[Path | None, Callable[[], str]] = {
        config.json_file: lambda: json.dumps(content, indent=2, allow_nan=False) + "\n",
        config.markdown: lambda: report_markdown(report),
        config.csv: lambda: report_csv(content),
    }
    for path, text in texts.items():
        if path == STDOUT:
            stdout.write(text())
            stdout.flush()
        elif path is not None:
            write_text(path, text())
