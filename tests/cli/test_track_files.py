"""``--save-txt``, ``--save-crop``, ``--save-csv`` from the command line to the files."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import pytest
from support.commands import RESULT_FILES, Command, names_in
from support.mjpeg_server import MjpegServer
from support.moving_boxes import FPS, SIZE_PX, street_image, true_boxes_xyxy_px

OPTIONS = ("--save-txt", "--save-crop", "--save-csv")


def test_they_stand_beside_the_results(boxes_command: Command, street: Path) -> None:
    ran = boxes_command("demo", street, *OPTIONS)
    assert names_in(ran.folder) == sorted({*RESULT_FILES, "crops", "labels", "tracks.csv"})
    assert len(list((ran.folder / "labels").glob("street_*.txt"))) == 24
    rows = (ran.folder / "tracks.csv").read_text().splitlines()
    assert len(rows) == 1 + len((ran.folder / "tracks.txt").read_text().splitlines())
    pictures = sorted((ran.folder / "crops" / "car").iterdir())
    assert [path.name for path in pictures] == ["1.jpg", "2.jpg"]
    blue, green, red = cv2.imread(str(pictures[0])).mean(axis=(0, 1))
    assert red > green + 80 and red > blue + 80, "what the detector finds is red"


def test_a_live_camera_has_them_too(boxes_command: Command) -> None:
    with MjpegServer([street_image(number) for number in range(8)], fps=8) as server:
        ran = boxes_command("stream", server.url, "--max-frames", "3", *OPTIONS)
    assert ran.code == 0
    assert {"crops", "labels", "tracks.csv"} <= set(names_in(ran.folder))


def test_the_labels_are_predictions_that_can_be_measured(boxes_command: Command, street_recording: Path) -> None:
    labels = boxes_command("demo", street_recording, "--save-txt").folder / "labels"
    ran = boxes_command("evaluate", "--predictions", labels, "--truth", street_recording)
    assert ran.code == 0 and "HOTA" in ran.out


def test_the_classes_of_tracks_are_named_for_other_programs(
    boxes_command: Command, street: Path, tmp_path: Path
) -> None:
    """MOTChallenge's own number of a car is 3, and 1 a pedestrian: those of ``tracks.txt`` alone would mislead."""
    lines = [
        f"{number + 1},{track_id},{x1},{y1},{x2 - x1},{y2 - y1},1,3,1\n"
        for number in range(24)
        for track_id, (x1, y1, x2, y2) in enumerate(true_boxes_xyxy_px(number).tolist(), 1)
    ]
    truth = tmp_path / "seq" / "gt" / "gt.txt"
    truth.parent.mkdir(parents=True)
    truth.write_text("".join(lines))
    (tmp_path / "seq" / "seqinfo.ini").write_text(
        f"[Sequence]\nname=seq\nframeRate={FPS}\nseqLength=24\nimWidth={SIZE_PX[0]}\nimHeight={SIZE_PX[1]}\n"
    )
    run = boxes_command("demo", street).folder
    ran = boxes_command("evaluate", "--predictions", run / "tracks.txt", "--truth", "seq", "--grouping", "each")
    assert ran.code == 0, ran.err
    (tracking,) = json.loads((ran.folder / "report.json").read_text())["tracking"]
    assert tracking["overall"]["hota"] > 0.9


def test_a_run_that_is_replaced_takes_them_along(boxes_command: Command, street: Path) -> None:
    first = boxes_command("demo", street, *OPTIONS, "--exist-ok")
    (first.folder / "mine.txt").write_text("mine")
    again = boxes_command("demo", street, "--exist-ok")
    assert names_in(again.folder) == sorted({*RESULT_FILES, "mine.txt"})


@pytest.mark.parametrize("option", OPTIONS)
def test_files_need_a_folder(boxes_command: Command, street: Path, option: str) -> None:
    ran = boxes_command("demo", street, option, "--no-save")
    assert ran.code == 2
    assert f"{option} needs the folder of the results" in ran.sentence
