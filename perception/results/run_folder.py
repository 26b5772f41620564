"""Folders for the results of a run, never one that already has some."""

from __future__ import annotations

import itertools
import re
import shutil
from pathlib import Path

from perception.errors import PerceptionError, UsageError, without_credentials

RUN_FILE = "run.yaml"
"""States what a run was; it makes a folder that of a run."""

COUNTS_FILE = "counts.safetensors"
"""What was counted in a run over one of several recordings: the report of all is made of it."""

_RUN_FILES = (
    *("scene.*", "labels.txt", "tracks.txt", "tracks_*.txt", "detections.json", "detections_*.json", "forecasts.jsonl"),
    *(
        "tracks3d.csv",
        "timing.json",
        "report.*",
        "failures",
        "labels",
        "crops",
        "tracks.csv",
        "counts.safetensors",
        RUN_FILE,
    ),
)


def next_run_folder(parent: Path, name: str) -> Path:
    """Make and return ``parent/name``, or ``name-2``, ``name-3``... when that exists.

    Two runs that start together get different folders. ``name`` may be anything, such as an address: credentials
    are taken out, and what does not belong into a file name becomes a dash.

    Raises ``PerceptionError`` when the folder cannot be made.
    """
    try:
        parent.mkdir(parents=True, exist_ok=True)
        return _numbered(parent / safe_name(name))
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


def reused_folder(folder: Path) -> Path:
    """Make and return ``folder``; the files of a run that is in it already are deleted, all others are left alone.

    Raises ``UsageError`` when it is a file or holds somebody else's tables, ``PerceptionError`` when it cannot be made
    or cleared.
    """
    if folder.exists() and not folder.is_dir():
        raise UsageError("is a file; name a folder.", field="output", value=str(folder))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        old = [found for pattern in _RUN_FILES for found in folder.glob(pattern)]
        if old and not (folder / RUN_FILE).is_file():
            raise UsageError(f"{old[0]}: is of no run, for there is no {RUN_FILE}; choose another folder.")
        for path in old:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    except OSError as error:
        raise PerceptionError(
            f"cannot be made or cleared ({error.strerror}); choose another folder.", field="output", value=str(folder)
        ) from error
    return folder


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


def safe_name(name: str) -> str:
    """``name``, which may be anything, as the name of a folder; credentials are taken out."""
    safe = re.sub(r"[^\w.-]+", "-", without_credentials(name)).strip("-.")
    return safe[:80] or "run"
