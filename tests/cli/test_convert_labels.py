"""``perception convert RUN_OR_TRUTH --to FORMAT``: what is written is read again as the same."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.commands import Command
from support.evaluation_tables import table as boxes
from support.media import write_image
from support.moving_boxes import street_image
from support.prediction_cases import FRAMES, SIZE_PX, true_table, write_coco_truth, write_mot_truth, write_yolo_truth

from perception.evaluation.runs.label_folders import pictures_of
from perception.evaluation.runs.truth import find_recordings, read_recording
from perception.results.formats.registry import find_format
from perception.runtime.convert import read_labels
from perception.runtime.evaluate_predictions import read_pictures
from perception.types import BoxTable


def sorted_rows(table: BoxTable, *, has_ids: bool) -> np.ndarray:
    """Frame, id, label and box of each row, in one order."""
    ids = table.ids if has_ids else np.zeros(len(table))
    rows = np.column_stack([table.frame_indices, ids, table.labels, table.boxes_xyxy_px])
    return rows[np.lexsort(np.round(rows, 2).T[::-1])]


@pytest.mark.parametrize("to", ["mot", "kitti", "cvat", "coco", "yolo"])
def test_a_recordings_truth_is_read_again(command: Command, tmp_path: Path, to: str) -> None:
    truth = true_table(1)
    # In a text of YOLO and KITTI, what lies outside the picture stays there.
    seq = write_mot_truth(tmp_path / "seq", replace(truth, cameras=np.full(len(truth), "seq")))
    ran = command("convert", seq, "--to", to, "--output", "out")
    assert ran.code == 0, ran.err
    assert ran.folder == Path("out")
    pictures = read_recording(find_recordings(seq)[0]).pictures
    if to == "coco":
        again = read_pictures(Path("out/seq.json"))
        assert len([image for batch in again.batches for image in batch]) == FRAMES
        np.testing.assert_allclose(
            sorted_rows(again.truth, has_ids=False), sorted_rows(truth, has_ids=False), atol=1e-3
        )
        return
    place = Path("out") if to == "yolo" else next(Path("out").glob("seq.*"))
    found = find_format(place).read(place, pictures)
    assert found.notes == ()
    has_ids = to != "yolo"
    table = found.tracks if has_ids else found.detections
    assert table is not None
    np.testing.assert_allclose(sorted_rows(table, has_ids=has_ids), sorted_rows(truth, has_ids=has_ids), atol=1e-3)


@pytest.mark.parametrize("to", ["coco", "yolo", "kitti"])
def test_single_pictures_are_read_again(command: Command, tmp_path: Path, to: str) -> None:
    truth = true_table(2)
    path = write_coco_truth(tmp_path / "truth.json", truth)
    assert command("convert", path, "--to", to, "--output", "out").code == 0
    if to == "coco":
        table = read_pictures(Path("out/truth.json")).truth
    else:
        index = pictures_of(read_pictures(path), "truth")
        found = find_format(Path("out")).read(Path("out"), index)
        assert found.detections is not None
        table = found.detections
    np.testing.assert_allclose(sorted_rows(table, has_ids=False), sorted_rows(truth, has_ids=False), atol=1e-3)


def test_a_folder_of_yolo_becomes_a_coco_file_of_the_same_pictures(command: Command, tmp_path: Path) -> None:
    write_yolo_truth(tmp_path / "yolo", true_table(3))
    assert command("convert", "yolo", "--to", "coco", "--output", "out").code == 0
    content = json.loads(Path("out/yolo.json").read_text())
    assert [image["file_name"] for image in content["images"]] == [f"{n:06d}.jpg" for n in range(FRAMES)]
    assert {(image["width"], image["height"]) for image in content["images"]} == {SIZE_PX}
    assert [category["name"] for category in content["categories"]][:3] == ["pedestrian", "bicycle", "car"]


def test_a_run_becomes_what_evaluate_measures_alike(boxes_command: Command, command: Command, street_recording) -> None:
    run = boxes_command("evaluate", street_recording)
    reports = {}
    for to in ("mot", "kitti", "cvat", "csv", "coco", "yolo"):
        ran = command("convert", run.folder, "--to", to, "--output", f"as-{to}")
        assert ran.code == 0, ran.err
        place = ran.folder if to == "yolo" else next(path for path in ran.folder.iterdir() if path.name != "labels.txt")
        ran = command("evaluate", "--predictions", place, "--truth", street_recording, "--output", f"report-{to}")
        assert ran.code == 0, ran.err
        reports[to] = json.loads((ran.folder / "report.json").read_text())
    whole = json.loads((run.folder / "report.json").read_text())
    for to in ("mot", "kitti", "cvat"):
        for part, other in zip(reports[to]["tracking"], whole["tracking"], strict=True):
            assert part["overall"] == pytest.approx(other["overall"], abs=2e-3), to
    for to in ("coco", "yolo"):
        ours, theirs = (report["detection"][0]["overall"] for report in (reports[to], whole))
        assert ours == pytest.approx(theirs, abs=1e-3), to
    ours, theirs = (report["forecasting"][0]["horizons"] for report in (reports["csv"], whole))
    assert len(ours) == len(theirs) > 0
    for part, other in zip(ours, theirs, strict=True):
        assert part["target_count"] == other["target_count"]
        assert part["expected"] == pytest.approx(other["expected"], abs=0.05)
        assert part["best_of_k"] == pytest.approx(other["best_of_k"], abs=0.05)


def test_what_a_format_needs_is_looked_for_before_anything_is_written(command: Command, tmp_path: Path) -> None:
    path = write_coco_truth(tmp_path / "truth.json", true_table(2))
    for to, fault in (("mot", "has no tracks"), ("csv", "has no forecasts"), ("avi", "is no format")):
        ran = command("convert", path, "--to", to, "--output", "out")
        assert ran.code == 2 and fault in ran.sentence
    ran = command("convert", "nowhere", "--to", "mot", "--output", "out")
    assert ran.code == 2 and "nowhere" in ran.sentence
    assert not (tmp_path / "out").exists()


def test_labels_of_a_run_know_all_its_frames(command: Command, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "tracks.txt").write_text("3,7,10,20,30,40,0.5,2,1\n")
    (part,) = read_labels(tmp_path / "run")
    assert part.tracks is not None and list(part.stems.values()) == ["run_000001", "run_000002", "run_000003"]
    expected = boxes([(2, 7, (10, 20, 40, 60))], labels=1, scores=0.5, cameras="camera")
    np.testing.assert_array_equal(part.tracks.boxes_xyxy_px, expected.boxes_xyxy_px)


@pytest.mark.parametrize("to", ["mot", "kitti", "cvat", "yolo", "coco"])
def test_several_cameras_are_read_again_as_one_recording(
    boxes_command: Command, command: Command, street_recording: Path, to: str
) -> None:
    """Every format of a run of two cameras, one of whose names is the end of the other's."""
    (street_recording / "recording.yaml").write_text(
        "cameras: {front: {video: drive.mp4}, rear_front: {images: 'frames/*.png', fps: 10}}\n"
    )
    for number in range(5):
        write_image(street_recording / "frames" / f"{number}.png", street_image(number))
    run = boxes_command("evaluate", street_recording, "--frame", "image")
    whole = json.loads((run.folder / "report.json").read_text())
    ran = command("convert", run.folder, "--to", to, "--output", "converted")
    assert ran.code == 0, ran.err
    ran = command("evaluate", "--predictions", ran.folder, "--truth", street_recording)
    assert ran.code == 0, ran.err
    report = json.loads((ran.folder / "report.json").read_text())
    part = "detection" if to in ("yolo", "coco") else "tracking"
    assert report[part][0]["overall"] == pytest.approx(whole[part][0]["overall"], abs=2e-3)


def test_a_camera_without_a_file_is_named(command: Command, street_recording: Path, tmp_path: Path) -> None:
    (street_recording / "recording.yaml").write_text(
        "cameras: {front: {video: drive.mp4}, rear: {images: 'frames/*.png', fps: 10}}\n"
    )
    for number in range(5):
        write_image(street_recording / "frames" / f"{number}.png", street_image(number))
    (tmp_path / "theirs").mkdir()
    for name in ("street_front", "street_side"):
        (tmp_path / "theirs" / f"{name}.txt").write_text("1,1,0,0,5,5,1,1\n")
    ran = command("evaluate", "--predictions", "theirs", "--truth", street_recording)
    assert ran.code == 2 and "theirs: holds no file of the camera rear" in ran.sentence


def test_what_is_not_there_is_called_as_it_was_given(command: Command, tmp_path: Path) -> None:
    ran = command("convert", "nix", "--to", "mot", "--output", "out")
    assert (ran.code, ran.sentence) == (2, "nix: no such file or folder; check the name.")
    (tmp_path / "theirs.txt").write_text("1,1,0,0,5,5,1,1\n")
    ran = command("evaluate", "--predictions", "theirs.txt", "--truth", "nothing")
    assert (ran.code, ran.sentence) == (2, "nothing: no such file or folder; check the name.")
