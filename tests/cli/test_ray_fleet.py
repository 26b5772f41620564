"""Commands on a Ray cluster of two nodes give what they give on one machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.commands import Command
from support.moving_boxes import write_street_recording
from support.prediction_cases import mot_text, tracks_of, true_table, write_mot_truth
from support.ray_clusters import two_nodes

from perception.results import read_results

cluster_address = pytest.fixture(scope="module")(two_nodes)


def report_in(folder: Path) -> dict[str, Any]:
    report: dict[str, Any] = json.loads((folder / "report.json").read_text())
    return report


def test_predictions_have_the_same_report_and_a_wrong_file_ends_no_other(
    command: Command, tmp_path: Path, cluster_address: str
) -> None:
    (tmp_path / "theirs").mkdir()
    for number in range(4):
        truth = true_table(number)
        write_mot_truth(tmp_path / "set" / f"seq-{number}", truth)
        (tmp_path / "theirs" / f"seq-{number}.txt").write_text(mot_text(tracks_of(truth, number), columns=9))
    predicted = ("evaluate", "--predictions", "theirs", "--truth", "set", "--no-cache")
    here = command(*predicted)
    there = command(*predicted, "--engine", "ray", "--address", cluster_address)
    assert there.code == 0, there.err
    assert (there.folder / "report.json").read_bytes() == (here.folder / "report.json").read_bytes()
    with (tmp_path / "theirs" / "seq-2.txt").open("a") as stream:
        stream.write("7,1,1,1,20,twenty,0.9,1,1\n")
    ran = command(*predicted, "--engine", "ray", "--address", cluster_address)
    assert ran.code == 1 and "1 recording failed" in ran.sentence
    assert [row["title"] for row in report_in(ran.folder)["recordings"]] == ["seq-0", "seq-1", "seq-3"]


def test_runs_have_the_same_results_and_go_on(boxes_command: Command, tmp_path: Path, cluster_address: str) -> None:
    places = [write_street_recording(tmp_path / name, frames=6) for name in ("a", "b")]
    ray = ("--engine", "ray", "--address", cluster_address)
    assert boxes_command("demo", *places, "--output", "here").code == 0
    ran = boxes_command("demo", *places, "--output", "there", *ray)
    assert ran.code == 0, ran.err
    for name in ("a", "b"):
        ours, theirs = (read_results(Path(where) / name) for where in ("here", "there"))
        assert ours.tracks.boxes_xyxy_px.tolist() == theirs.tracks.boxes_xyxy_px.tolist()
        assert len(theirs.forecasts) == 6
    again = boxes_command("demo", *places, "--output", "there", "--resume", *ray)
    assert again.code == 0 and again.err.count("Finished before") == 2
    measured = [boxes_command("evaluate", *places, "--output", where, *how) for where, how in (("x", ()), ("y", ray))]
    assert [ran.code for ran in measured] == [0, 0], measured[1].err
    here, there = (report_in(Path(where) / "all") for where in ("x", "y"))
    for part in ("detection", "tracking", "forecasting", "recordings", "breakdown"):
        assert here[part] == there[part]


def test_a_cluster_that_is_not_there_is_one_sentence(command: Command, tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'perception[ray]'")
    (tmp_path / "theirs").mkdir()
    for number in range(2):
        truth = true_table(number)
        write_mot_truth(tmp_path / "set" / f"seq-{number}", truth)
        (tmp_path / "theirs" / f"seq-{number}.txt").write_text(mot_text(truth, columns=9))
    ran = command(
        "evaluate", "--predictions", "theirs", "--truth", "set", "--engine", "ray", "--address", "127.0.0.1:9"
    )
    assert ran.code == 2 and "no Ray cluster" in ran.sentence
