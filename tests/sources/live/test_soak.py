"""A short form of ``tests/soak_live.py``: cameras that are killed again and again do not end a run, nor fill memory."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from support.faulty_camera import picture
from support.live import wait_until
from support.soak import cameras, soak


def test_cameras_that_are_killed_again_and_again_come_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(10):
        (tmp_path / f"{number}.jpg").write_bytes(picture(number))
    before = threading.active_count()
    with cameras(tmp_path, count=3, fps=10) as found:
        run = soak(
            found,
            seconds=10,
            kill_every_s=0.5,
            detector="support.moving_boxes:open_box_detector",
            forecaster="constant-velocity",
            max_age_s=10,
        )
    assert run.result.stats.failure is None and run.result.stats.ended == "the time was up"
    assert run.is_accounted
    assert len(run.back_s) >= 1
    losses = [camera["losses"] for camera in run.live["cameras"].values()]
    assert sum(losses) >= len(run.back_s)
    # Nothing is left of the threads of any connection.
    wait_until(lambda: threading.active_count() <= before)
    settled = run.handles[len(run.handles) // 2 :]
    assert max(settled) - min(settled) <= 12
