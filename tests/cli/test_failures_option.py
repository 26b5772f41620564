"""``perception evaluate --failures``: pictures of what was missed or made up, and the recall by conditions."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from support.commands import Command, names_in
from support.media import write_image
from support.moving_boxes import street_image, true_boxes_xyxy_px

GHOST_ID = 99
MISS = "miss-01-pedestrian-front-000003.jpg"


def report_in(folder: Path) -> dict[str, Any]:
    report: dict[str, Any] = json.loads((folder / "report.json").read_text())
    return report


@pytest.fixture
def flawed_recording(street_recording: Path) -> Path:
    """In frames 0 to 7 the truth also has a pedestrian that nobody can see, largest in frame 3; box 8 is not in it."""
    path = street_recording / "objects.csv"
    with path.open(newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["id"] == "7"]
    for frame in range(8):
        bottom = 90 if frame == 3 else 70
        ghost = {"x1": 120, "y1": 40, "x2": 130, "y2": bottom}
        rows.append({"camera": "front", "frame_index": frame, "id": GHOST_ID, "class": "pedestrian", **ghost})
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return street_recording


def assert_is_picture(path: Path) -> None:
    image = cv2.imread(str(path))
    assert image is not None, path
    assert image.shape[1] >= 480
    assert image.shape[0] >= 300


def assert_has_known_failures(folder: Path) -> None:
    """One object was missed, one was found that the truth does not have; each is shown once."""
    names = names_in(folder / "failures")
    assert len(names) == 4
    assert {MISS, "misses.jpg", "false-alarms.jpg"} <= set(names)
    (false,) = [name for name in names if name.startswith("false-01-car-0.90-front-0000")]
    for name in names:
        assert_is_picture(folder / "failures" / name)
    miss, alarm = report_in(folder)["failures"]
    assert (miss["file"], miss["kind"], miss["height_px"]) == (f"failures/{MISS}", "miss", 50.0)
    assert (alarm["file"], alarm["kind"], alarm["score"]) == (f"failures/{false}", "false positive", 0.9)


def test_a_recording(boxes_command: Command, flawed_recording: Path) -> None:
    ran = boxes_command("evaluate", flawed_recording, "--failures", "5")
    assert ran.code == 0, ran.err
    assert_has_known_failures(ran.folder)
    breakdown = report_in(ran.folder)["breakdown"]
    assert (breakdown["grouping"], breakdown["overall"]["object_count"]) == ("both", 32)
    assert breakdown["factors"]["class"] == [
        {"name": "car", "object_count": 24, "found_count": 24, "recall": 1.0},
        {"name": "pedestrian", "object_count": 8, "found_count": 0, "recall": 0.0},
    ]
    assert [part["name"] for part in breakdown["factors"]["height"]] == ["16-32 px", "32-64 px"]
    assert [part["name"] for part in breakdown["factors"]["light"]] == ["bright"]
    assert set(breakdown["factors"]) == {"class", "height", "light", "border"}
    for words in ("Recall by condition", "16-32 px", "Light"):
        assert words in ran.out


def test_a_finished_run(boxes_command: Command, flawed_recording: Path) -> None:
    run = boxes_command("demo", "--source", flawed_recording, "--conf", "0.3")
    ran = boxes_command("evaluate", "--results", run.folder, "--truth", flawed_recording, "--failures", "5")
    assert ran.code == 0, ran.err
    assert ran.folder == Path("runs/evaluate") / run.folder.name
    assert names_in(ran.folder) == ["failures", "report.html", "report.json", "run.yaml"]
    assert_has_known_failures(ran.folder)


def test_only_the_frames_of_the_run_count(boxes_command: Command, flawed_recording: Path) -> None:
    ran = boxes_command("evaluate", flawed_recording, "--failures", "5", "--max-frames", "2", "--output", "mine")
    assert ran.folder == Path("mine")
    miss = report_in(ran.folder)["failures"][0]
    assert (miss["frame_index"], miss["height_px"]) == (0, 30.0)
    assert report_in(ran.folder)["breakdown"]["overall"]["object_count"] == 4


def test_vehicles_alone(boxes_command: Command, flawed_recording: Path) -> None:
    ran = boxes_command("evaluate", flawed_recording, "--failures", "5", "--grouping", "vehicles")
    assert [part["kind"] for part in report_in(ran.folder)["failures"]] == ["false positive"]
    assert "misses.jpg" not in names_in(ran.folder / "failures")


def test_several_recordings_have_their_own_pictures_and_one_breakdown(
    boxes_command: Command, flawed_recording: Path
) -> None:
    ran = boxes_command("evaluate", flawed_recording, flawed_recording, "--failures", "1")
    assert ran.code == 0, ran.err
    folders = [Path(line) for line in ran.out.splitlines() if line.startswith("runs/")]
    assert len(folders) == 3
    for folder in folders[:2]:
        assert MISS in names_in(folder / "failures")
    assert names_in(folders[2]) == ["report.html", "report.json", "run.yaml"]
    report = report_in(folders[2])
    assert report["breakdown"]["overall"]["object_count"] == 64
    # Each picture is named with the folder that it lies in.
    for part in report["failures"]:
        assert (folders[2].parent / part["file"]).is_file(), part


def test_labelled_images(boxes_command: Command, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    (x1, y1, x2, y2), _ = true_boxes_xyxy_px(0).tolist()
    write_image(folder / "night.png", street_image(0) // 4)
    write_image(folder / "day.png", np.minimum(street_image(0).astype(int) + 60, 255).astype(np.uint8))
    boxes = [[x1, y1, x2 - x1, y2 - y1], [100, 5, 40, 40]]
    content = {
        "categories": [{"id": 1, "name": "car"}],
        "images": [{"id": 1, "file_name": "night.png"}, {"id": 2, "file_name": "day.png"}],
        "annotations": [
            {"id": 10 * image + number, "image_id": image, "category_id": 1, "bbox": box}
            for image in (1, 2)
            for number, box in enumerate(boxes)
        ],
    }
    (folder / "val.json").write_text(json.dumps(content))
    ran = boxes_command("evaluate", "--images", folder / "val.json", "--failures", "3", "--grouping", "each")
    assert ran.code == 0, ran.err
    names = names_in(ran.folder / "failures")
    assert [name for name in names if name.startswith("miss-")] == [
        "miss-01-car-night.jpg", "miss-02-car-day.jpg", "miss-03-car-night.jpg"
    ]  # fmt: skip
    assert "false-01-car-0.90-day.jpg" in names
    factors = report_in(ran.folder)["breakdown"]["factors"]
    assert [(part["name"], part["object_count"], part["found_count"]) for part in factors["light"]] == [
        ("dark", 2, 0), ("bright", 2, 1)
    ]  # fmt: skip
    without = boxes_command("evaluate", "--images", folder / "val.json", "--grouping", "each")
    del factors["light"]
    assert report_in(without.folder)["breakdown"]["factors"] == factors and "border" in factors


def test_without_pictures_the_recall_is_broken_down_by_what_needs_none(
    boxes_command: Command, flawed_recording: Path
) -> None:
    ran = boxes_command("evaluate", flawed_recording)
    assert ran.code == 0, ran.err
    assert "failures" not in names_in(ran.folder)
    assert "Recall by condition" in ran.out
    factors = report_in(ran.folder)["breakdown"]["factors"]
    assert set(factors) == {"class", "height", "border"}
    assert [(part["name"], part["object_count"], part["found_count"]) for part in factors["height"]] == [
        ("16-32 px", 31, 24), ("32-64 px", 1, 0)
    ]  # fmt: skip
    again = boxes_command("evaluate", flawed_recording, "--failures", "1")
    assert report_in(again.folder)["breakdown"]["factors"]["border"] == factors["border"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["{folder}", "--failures", "-1"], "--failures -1: expected"),
        (["{folder}", "--failures", "5000"], "--failures 5000: expected"),
        (["{folder}", "--failures", "3", "--no-save"], "leave --no-save out"),
        (["--benchmark", "jaad", "--failures", "3"], "a benchmark has no pictures"),
    ],
)
def test_wrong_questions(boxes_command: Command, flawed_recording: Path, arguments: list[str], words: str) -> None:
    ran = boxes_command("evaluate", *(text.format(folder=flawed_recording) for text in arguments))
    assert ran.code == 2
    assert words in ran.sentence
    assert not Path("runs").exists()
