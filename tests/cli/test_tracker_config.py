"""``--tracker-config`` from the command line to ``run.yaml``."""

from __future__ import annotations

from pathlib import Path

import yaml
from support.commands import Command


def test_the_settings_are_used_and_stated(boxes_command: Command, street: Path, tmp_path: Path) -> None:
    (tmp_path / "tracker.yaml").write_text("spawn_score: 0.95\n", encoding="utf-8")
    plain = boxes_command("demo", street)
    ran = boxes_command("demo", street, "--tracker-config", "tracker.yaml")
    assert (plain.folder / "tracks.txt").read_text() and not (ran.folder / "tracks.txt").read_text()
    assert "Settings from tracker.yaml: spawn_score 0.95" in ran.err
    run = yaml.safe_load((ran.folder / "run.yaml").read_text())
    assert run["config"]["tracker_config"] == "tracker.yaml"
    assert run["tracker_settings"]["spawn_score"] == 0.95
    assert yaml.safe_load((plain.folder / "run.yaml").read_text())["tracker_settings"]["spawn_score"] == 0.25


def test_a_wrong_name_ends_before_the_run(boxes_command: Command, street: Path, tmp_path: Path) -> None:
    (tmp_path / "tracker.yaml").write_text("track_buffer: 30\n", encoding="utf-8")
    ran = boxes_command("demo", street, "--tracker-config", "tracker.yaml")
    assert ran.code == 2 and not (tmp_path / "runs").exists()
    assert ran.sentence.startswith("--tracker-config tracker.yaml: unknown key track_buffer; ")
