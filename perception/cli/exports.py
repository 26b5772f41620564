"""The report in further files, or on stdout: JSON, Markdown, CSV."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perception.cli.terminal import Terminal
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


def terminal_beside(config: EvaluateConfig, terminal: Terminal) -> Terminal:
    """The terminal, which leaves stdout alone where a file goes there."""
    is_taken = any(getattr(config, field) == STDOUT for field in _FIELDS)
    return replace(terminal, is_stdout_taken=True) if is_taken else terminal


def write_exports(config: EvaluateConfig, content: Mapping[str, Any], report: Report) -> None:
    """Write what was asked for; ``content`` is that of ``report.json``. Raises ``PerceptionError``."""
    from perception.evaluation.export.figures_csv import report_csv
    from perception.evaluation.export.markdown import report_markdown

    if config.json_file is not None:
        _write(config.json_file, json.dumps(content, indent=2, allow_nan=False) + "\n")
    if config.markdown is not None:
        _write(config.markdown, report_markdown(report))
    if config.csv is not None:
        _write(config.csv, report_csv(content))


def _write(path: Path, text: str) -> None:
    if path == STDOUT:
        sys.stdout.write(text)
        sys.stdout.flush()
    else:
        write_text(path, text)
