"""What a command of the command line did."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

RESULT_FILES = [
    "detections.json",
    "forecasts.jsonl",
    "labels.txt",
    "report.json",
    "run.yaml",
    "scene.mp4",
    "timing.json",
    "tracks.txt",
]
"""What demo and stream leave behind."""

BOXES_OPTIONS = ("--detector", "support.moving_boxes:open_box_detector", "--forecaster", "constant-velocity")
"""A detector that finds red boxes, in the place of a network."""


def boxes_process(name: str, *arguments: str) -> list[str]:
    """The command line of a process of its own, with the detector of red boxes."""
    return [sys.executable, "-m", "perception", name, *BOXES_OPTIONS, *arguments]


@dataclass(frozen=True)
class Ran:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def folder(self) -> Path:
        """The folder of the results, which stands on the last line."""
        return Path(self.out.splitlines()[-1])

    @property
    def sentence(self) -> str:
        """The one line that tells of an error."""
        (line,) = [line for line in self.err.splitlines() if line.startswith("Error: ")]
        assert self.err.endswith(f"{line}\n")
        assert "Traceback" not in self.err
        return line.removeprefix("Error: ")


def process_environment() -> dict[str, str]:
    """The environment for a process of its own that is to import this package and the tests' helpers."""
    tests = Path(__file__).parents[1]
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(tests), str(tests.parent)])}


Command = Callable[..., Ran]


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())
