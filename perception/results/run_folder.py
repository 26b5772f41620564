"""Folders for the results of a run, never one that already has some."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

from perception.errors import PerceptionError, UsageError, without_credentials


def next_run_folder(root: Path, command: str, name: str) -> Path:
    """Make and return ``root/command/name``, or ``name-2``, ``name-3``... when that exists.

    Two runs that start together get different folders. ``name`` may be anything, such as an address: credentials
    are taken out, and what does not belong into a file name becomes a dash.

    Raises ``PerceptionError`` when the folder cannot be made.
    """
    parent = root / command
    try:
        parent.mkdir(parents=True, exist_ok=True)
        return _numbered(parent / _safe_name(name))
    except OSError as error:
        remedy = "give an `output` folder that can be written"
        raise PerceptionError(f"{parent}: cannot be made ({error.strerror}); {remedy}.") from error


def output_folder(output: Path) -> Path:
    """Make and return the folder that the user asked for.

    A folder that exists and is empty is taken as it is; when it holds anything, the next free number is added to
    its name. Raises ``UsageError`` when it is a file, ``PerceptionError`` when it cannot be made.
    """
    if output.exists() and not output.is_dir():
        raise UsageError("is a file; name a folder.", field="output", value=str(output))
    try:
        if output.is_dir() and not any(output.iterdir()):
            return output
        output.parent.mkdir(parents=True, exist_ok=True)
        return _numbered(output)
    except OSError as error:
        raise PerceptionError(
            f"cannot be made ({error.strerror}); choose another folder.", field="output", value=str(output)
        ) from error


def _numbered(folder: Path) -> Path:
    """Make ``folder``, or the first of ``folder-2``, ``folder-3``... that does not exist."""
    for number in itertools.count(1):
        candidate = folder if number == 1 else folder.with_name(f"{folder.name}-{number}")
        try:
            # Whoever makes the folder owns it: asking whether it exists first would let two runs share one.
            candidate.mkdir()
        except FileExistsError:
            continue
        return candidate
    raise AssertionError("itertools.count ends never")


def _safe_name(name: str) -> str:
    safe = re.sub(r"[^\w.-]+", "-", without_credentials(name)).strip("-.")
    return safe[:80] or "run"
