"""Memory is looked at once a second and judged from when a run has settled."""

from __future__ import annotations

import mmap
from pathlib import Path

import pytest

from perception.runtime import memory
from perception.runtime.memory import MemoryMonitor, resident_bytes


def test_growth_counts_from_when_the_run_has_settled(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = iter([100, 900, 1000, 1200, 1100])
    monkeypatch.setattr(memory, "resident_bytes", lambda: next(sizes) * 2**20)
    watch = MemoryMonitor()
    for elapsed_s in (0.0, 0.5, 20.0, 30.0, 30.2, 60.0):
        watch.sample(elapsed_s)
        assert (watch.growth is None) == (elapsed_s < 30)
    watch.sample(600.0)
    assert watch.growth == pytest.approx(0.1)
    assert watch.to_json()["peak_bytes"] == 1200 * 2**20
    assert watch.line() == "Memory: 1,000 MiB after 30 s, 1,100 MiB at the end (+10.0%)."
    assert MemoryMonitor().line() == ""


def test_what_is_allocated_is_seen(tmp_path: Path) -> None:
    before = resident_bytes()
    with mmap.mmap(-1, 2**26) as block:  # anew from the system, which an array of this process need not be
        block.write(b"1" * len(block))
        assert resident_bytes() - before > 0.9 * len(block)
    assert resident_bytes(tmp_path / "none") >= before
