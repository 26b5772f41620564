"""``perception compare``, and limits that ``evaluate`` ends with an error for."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from support.commands import Command


def _half_blind(folder: Path, copy: Path) -> Path:
    """A run like that in ``folder``, whose detector saw nothing from frame 12 on."""
    shutil.copytree(folder, copy)
    records = json.loads((copy / "detections.json").read_text())
    (copy / "detections.json").write_text(json.dumps([one for one in records if int(one["image_id"]) < 12]))
    return copy


def test_a_worse_run_is_told_from_another(boxes_command: Command, command: Command, street_recording: Path) -> None:
    good = boxes_command("evaluate", street_recording).folder
    bad = _half_blind(good, Path("bad"))
    ran = command("compare", good, bad, "--segment", 0.5, "--images", 3)
    assert ran.code == 0, ran.err
    comparison = json.loads((ran.folder / "compare.json").read_text())
    assert comparison["kind"] == "segments of 0.5 s"
    (compared,) = comparison["runs"]
    assert (compared["reference"], compared["run"]) == (str(good), "bad")
    assert compared["figures"]["recall"]["difference"] < 0
    assert compared["figures"]["idf1"]["difference"] == 0
    assert [image["frame_index"] >= 12 for image in compared["images"]] == [True] * 3
    for words in ("recall", "95% interval", "Missed", "segments of 0.5 s"):
        assert words in ran.out


def test_what_cannot_be_compared_is_refused(boxes_command: Command, command: Command, street_recording: Path) -> None:
    run = boxes_command("evaluate", street_recording).folder
    for arguments, words in (
        ([run], "two runs or more"),
        ([run, "nowhere"], "nowhere: holds no finished run"),
        ([run, run, "--grouping", "some"], "grouping"),
    ):
        ran = command("compare", *arguments)
        assert ran.code == 2, ran.err
        assert words in ran.sentence


def test_limits_end_with_an_error_after_everything_is_written(boxes_command: Command, street_recording: Path) -> None:
    kept = boxes_command("evaluate", street_recording, "--fail-under", "hota=0.9", "--fail-over", "fde_1s_px=1")
    assert kept.code == 0, kept.err
    broken = boxes_command("evaluate", kept.folder, "--fail-under", "hota=1.1", "--fail-over", "switches=-1")
    assert broken.code == 1
    assert "hota is" in broken.sentence and "below 1.1" in broken.sentence and "switches is 0" in broken.sentence
    assert len(list(Path("runs/evaluate").glob("*/report.json"))) == 2


def test_an_unknown_figure_is_refused_before_the_run(boxes_command: Command, street_recording: Path) -> None:
    ran = boxes_command("evaluate", street_recording, "--fail-under", "hotta=0.5")
    assert ran.code == 2
    assert "hotta" in ran.sentence and "idf1" in ran.sentence
    assert not Path("runs").exists()
