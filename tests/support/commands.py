"""What a command of the command line did."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

RESULT_FILES = [
    "detections.json",
    "forecasts.jsonl",
    "report.json",
    "run.yaml",
    "scene.mp4",
    "timing.json",
    "tracks.txt",
]
"""What demo and stream leave behind."""

BOXES_SCRIPT = """
import sys
import perception.runtime.runner
from support.moving_boxes import build_boxes
perception.runtime.runner.build_pipeline = build_boxes
from perception.cli import main
main()
"""
"""The command in a process of its own, with the detector of red boxes."""


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


Command = Callable[..., Ran]


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())
