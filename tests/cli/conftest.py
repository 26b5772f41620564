"""The command line with a detector that finds red boxes, in an empty working folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.commands import BOXES_OPTIONS, Command, Ran
from support.moving_boxes import write_street, write_street_recording

from perception.cli import run

WEIGHTS = Path(__file__).parents[2] / "data" / "weights"


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs the real command line in this process, in ``tmp_path``."""
    monkeypatch.chdir(tmp_path)

    def run_command(*arguments: object) -> Ran:
        code = run([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Ran(code, captured.out, captured.err)

    return run_command


@pytest.fixture
def boxes_command(command: Command) -> Command:
    """The same with the detector of red boxes and constant velocity, where the command takes them."""

    def run_with_boxes(name: object, *arguments: object) -> Ran:
        return command(name, *BOXES_OPTIONS, *arguments)

    return run_with_boxes


@pytest.fixture
def street(tmp_path: Path) -> Path:
    """A video of 24 frames without ground truth."""
    return write_street(tmp_path / "street.mp4")


@pytest.fixture
def street_recording(tmp_path: Path) -> Path:
    """The same with ground truth."""
    return write_street_recording(tmp_path / "street_with_truth")


@pytest.fixture(scope="session")
def bundled_weights() -> Path:
    """The folder of the bundled weights; skips where they are not trained yet."""
    names = {path.stem for path in WEIGHTS.glob("*.safetensors")}
    if not any(name.startswith("roadnet") for name in names) or not any(name.startswith("traj") for name in names):
        pytest.skip("the bundled weights are absent")
    return WEIGHTS
