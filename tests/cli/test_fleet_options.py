"""Many recordings: kept counts, processes, parts, and a fleet that goes on."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from support.commands import Command
from support.media import write_image
from support.moving_boxes import street_image, write_street, write_street_recording
from support.prediction_cases import mot_text, tracks_of, true_table, write_mot_truth

from perception.runtime.fleet import archive
from perception.runtime.fleet import predictions as fleet_predictions

COUNT = 3


@pytest.fixture
def predicted(tmp_path: Path) -> tuple[object, ...]:
    """What evaluates three recordings."""
    (tmp_path / "theirs").mkdir()
    for number in range(COUNT):
        truth = true_table(number)
        write_mot_truth(tmp_path / "set" / f"seq-{number}", truth)
        (tmp_path / "theirs" / f"seq-{number}.txt").write_text(mot_text(tracks_of(truth, number), columns=9))
    return "evaluate", "--predictions", "theirs", "--truth", "set"


def report_in(folder: Path) -> dict[str, Any]:
    report: dict[str, Any] = json.loads((folder / "report.json").read_text())
    return report


def test_what_was_counted_is_used_while_files_and_options_are_the_same(
    command: Command, predicted: tuple[object, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    measured: list[str] = []
    measure = fleet_predictions.measure_prediction

    def watched(task: fleet_predictions.PredictionTask) -> fleet_predictions.MeasuredRecording:
        measured.append(task.path.stem)
        return measure(task)

    monkeypatch.setattr(fleet_predictions, "measure_prediction", watched)
    first = (command(*predicted).folder / "report.json").read_bytes()
    assert measured == ["seq-0", "seq-1", "seq-2"]
    assert (command(*predicted).folder / "report.json").read_bytes() == first and len(measured) == 3
    kept = sorted(Path("runs/cache").iterdir())
    assert len(kept) == COUNT
    content = kept[0].read_bytes()
    kept[0].write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert (command(*predicted).folder / "report.json").read_bytes() == first and len(measured) == 4
    Path("theirs/seq-1.txt").write_text(Path("theirs/seq-1.txt").read_text() + "1,99,1,1,20,20,0.9,1,1\n")
    assert (command(*predicted).folder / "report.json").read_bytes() != first and measured[4:] == ["seq-1"]
    assert command(*predicted, "--no-cache").code == 0 and len(measured) == 8
    assert command(*predicted, "--min-height", "5").code == 0 and len(measured) == 11


def test_processes_and_parts_change_no_figure(command: Command, predicted: tuple[object, ...]) -> None:
    whole = (command(*predicted, "--no-cache").folder / "report.json").read_bytes()
    side_by_side = command(*predicted, "--no-cache", "--workers", "2")
    assert (side_by_side.folder / "report.json").read_bytes() == whole
    for number in (1, 2):
        part = command(*predicted, "--cache-folder", "shared", "--shard", f"{number}/2")
        assert part.code == 0, part.err
    assert len(list(Path("shared").iterdir())) == COUNT
    together = command(*predicted, "--cache-folder", "shared")
    assert (together.folder / "report.json").read_bytes() == whole
    assert command(*predicted, "--shard", "3/2").code == 2
    assert command(*predicted, "--shard", "4/4").code == 2


def test_large_counts_are_read_from_a_temporary_folder(
    command: Command, predicted: tuple[object, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in Path("theirs").glob("*.txt"):
        lines = [line.split(",") for line in path.read_text().splitlines()]
        path.write_text("".join(",".join([line[0], "-1", *line[2:]]) + "\n" for line in lines))
    first = command(*predicted)
    assert first.code == 0 and report_in(first.folder)["detection"], first.err
    monkeypatch.setattr(archive, "_LARGE", 0)
    again = command(*predicted, "--no-cache")
    assert again.code == 0, again.err
    assert (again.folder / "report.json").read_bytes() == (first.folder / "report.json").read_bytes()


def test_a_wrong_file_fails_alone(command: Command, predicted: tuple[object, ...]) -> None:
    Path("theirs/seq-1.txt").write_text("1,1,1,1,20,20,0.9,1,1\n2,1,1,1,20,twenty,0.9,1,1\n")
    ran = command(*predicted, "--predictions-format", "mot")
    assert ran.code == 1 and "1 recording failed" in ran.sentence and "line 2" in ran.err
    assert [row["title"] for row in report_in(ran.folder)["recordings"]] == ["seq-0", "seq-2"]


def test_recordings_with_a_file_for_each_camera_are_measured_side_by_side(command: Command, tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    for recording in ("one", "two"):
        folder = write_street_recording(tmp_path / "set" / recording)
        for number in range(5):
            write_image(folder / "frames" / f"{number}.png", street_image(number))
        (folder / "recording.yaml").write_text(
            "cameras: {front: {video: drive.mp4}, rear: {images: 'frames/*.png', fps: 10}}\n"
        )
        for camera in ("front", "rear"):
            (tmp_path / "theirs" / f"{recording}_{camera}.txt").write_text("1,1,5,5,20,20,0.9,1,1\n")
    evaluate = ("evaluate", "--predictions", "theirs", "--truth", "set")
    whole = command(*evaluate)
    assert whole.code == 0, whole.err
    report = report_in(whole.folder)
    assert [row["title"] for row in report["recordings"]] == ["one", "two"]
    assert any("a file for each camera" in note for note in report["notes"])
    side_by_side = command(*evaluate, "--no-cache", "--workers", "2")
    assert (side_by_side.folder / "report.json").read_bytes() == (whole.folder / "report.json").read_bytes()
    kept = set(Path("runs/cache").iterdir())
    Path("theirs/two_rear.txt").write_text("1,1,5,5,-20,20,0.9,1,1\n")
    ran = command(*evaluate)
    assert ran.code == 1 and "1 recording failed" in ran.sentence and "two_front.txt and 1 more" in ran.sentence
    assert "two_rear.txt, line 1" in ran.err and set(Path("runs/cache").iterdir()) == kept


def test_a_demo_goes_on_after_a_failure_and_later_does_what_is_missing(boxes_command: Command, tmp_path: Path) -> None:
    clips = tmp_path / "clips"
    clips.mkdir()
    write_street(clips / "one.mp4", frames=3)
    (clips / "two.mp4").write_bytes(b"no video")
    write_street(clips / "three.mp4", frames=3)
    ran = boxes_command("demo", clips, "--output", "mine", "--workers", "2")
    assert ran.code == 1 and "1 of 3 sources failed" in ran.sentence
    assert sorted(path.name for path in Path("mine").iterdir()) == ["one", "three"]
    before = (Path("mine/one/report.json")).stat().st_mtime_ns
    (Path("mine/three/report.json")).unlink()
    write_street(clips / "two.mp4", frames=3)
    ran = boxes_command("demo", clips, "--output", "mine", "--resume")
    assert ran.code == 0 and "Finished before" in ran.err
    assert sorted(path.name for path in Path("mine").iterdir()) == ["one", "three", "two"]
    assert (Path("mine/one/report.json")).stat().st_mtime_ns == before
    ran = boxes_command("demo", clips, "--output", "mine", "--resume", "--shard", "1/3", "--conf", "0.4")
    assert ran.code == 0 and "Finished before" not in ran.err


def figures(folder: Path) -> dict[str, Any]:
    """Without times, which no two runs have in common."""
    report = report_in(folder)
    return {name: report[name] for name in ("detection", "tracking", "forecasting", "recordings", "breakdown")}


def test_an_evaluation_goes_on_where_it_was(boxes_command: Command, tmp_path: Path) -> None:
    places = [write_street_recording(tmp_path / name) for name in ("a", "b", "c")]
    whole = boxes_command("evaluate", *places, "--output", "whole")
    assert whole.code == 0, whole.err
    (tmp_path / "b" / "drive.mp4").rename(tmp_path / "b.mp4")
    (tmp_path / "b" / "drive.mp4").write_bytes(b"no video")
    broken = boxes_command("evaluate", *places, "--output", "parts")
    assert broken.code == 1 and [row["title"] for row in report_in(Path("parts/all"))["recordings"]] == ["a", "c"]
    (tmp_path / "b.mp4").rename(tmp_path / "b" / "drive.mp4")
    again = boxes_command("evaluate", *places, "--output", "parts", "--resume")
    assert again.code == 0 and again.err.count("Finished before") == 2
    assert figures(Path("parts/all")) == figures(Path("whole/all"))


def test_without_ray_one_sentence_says_what_to_install(
    command: Command, predicted: tuple[object, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    ran = command(*predicted, "--engine", "ray")
    assert ran.code == 2 and "perception[ray]" in ran.sentence
    ran = command(*predicted, "--address", "here:1")
    assert ran.code == 2 and "Ray cluster" in ran.sentence
