"""A folder that is being written says so, and what a killed process left can be written anew."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support.commands import names_in, process_environment

from perception.errors import UsageError
from perception.sources import open_source, read_truth
from perception.sources.unfinished import UNFINISHED_FILE, UnfinishedMark, check_finished, clear_unfinished

KILLED = """
import os, signal, sys
from pathlib import Path
from perception.sources.unfinished import UnfinishedMark
folder = Path(sys.argv[1])
mark = UnfinishedMark(folder, ["a.csv", "masks", "../outside.csv"])
(folder / "a.csv").write_text("x")
(folder / "masks").mkdir()
(folder / "masks" / "0.png").write_text("x")
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def killed(tmp_path: Path) -> Path:
    folder = tmp_path / "drive"
    folder.mkdir()
    subprocess.run([sys.executable, "-c", KILLED, str(folder)], env=process_environment(), check=False)
    assert UNFINISHED_FILE in names_in(folder)
    return folder


def test_while_it_is_written_it_can_neither_be_opened_nor_cleared(tmp_path: Path) -> None:
    mark = UnfinishedMark(tmp_path, ["a.csv"])
    (tmp_path / "a.csv").write_text("x")
    with pytest.raises(UsageError, match="still being written; wait"):
        check_finished(tmp_path)
    assert not clear_unfinished(tmp_path)
    assert (tmp_path / "a.csv").exists()
    mark.remove()
    check_finished(tmp_path)
    assert names_in(tmp_path) == ["a.csv"]


def test_what_a_killed_process_left_is_refused_by_name(killed: Path) -> None:
    words = r"drive: is unfinished.*run that command again"
    with pytest.raises(UsageError, match=words):
        open_source([str(killed)])
    with pytest.raises(UsageError, match=words):
        read_truth(killed)


def test_it_is_cleared_of_that_and_of_nothing_else(killed: Path) -> None:
    (killed / "mine.txt").write_text("x")
    (killed.parent / "outside.csv").write_text("x")
    assert clear_unfinished(killed)
    assert names_in(killed) == ["mine.txt"]
    assert (killed.parent / "outside.csv").exists()
    assert not clear_unfinished(killed)
