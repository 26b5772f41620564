"""A program that crashes, hangs or takes all memory ends its trial and not this process."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from perception.safety import trial as module
from perception.safety.trial import trial


def test_a_trial_ends_with_the_exit_code_of_its_program() -> None:
    assert trial("sys.exit(int(sys.argv[1]) + len(sys.argv[2]))", 3, "abc") == 6


def test_a_crash_is_a_negative_code() -> None:
    assert trial("import ctypes; ctypes.string_at(0)") == -signal.SIGSEGV


def test_a_program_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_FOREIGN_S", 0.5)
    assert trial("import time; time.sleep(60)") is None


def test_memory_is_bounded() -> None:
    assert trial("bytearray(1 << 40)") == 1


def test_nothing_is_imported_from_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "left_there.py").write_text("")
    monkeypatch.chdir(tmp_path)
    assert trial("import left_there") == 1
