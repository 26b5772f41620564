"""``perception evaluate``: recordings, finished runs, labelled images."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from support.commands import Command, names_in
from support.media import write_image
from support.moving_boxes import SIZE_PX, street_image, true_boxes_xyxy_px
from support.onnx_graphs import write_answers


def report_in(folder: Path) -> dict[str, Any]:
    report: dict[str, Any] = json.loads((folder / "report.json").read_text())
    return report


def test_a_recording_is_measured_in_every_respect(boxes_command: Command, street_recording: Path) -> None:
    ran = boxes_command("evaluate", street_recording)
    assert ran.code == 0, ran.err
    assert ran.folder == Path("runs/evaluate/street_with_truth")
    assert names_in(ran.folder) == [
        "detections.json", "forecasts.jsonl", "labels.txt", "report.html", "report.json", "run.yaml", "timing.json",
        "tracks.txt"
    ]  # fmt: skip
    report = report_in(ran.folder)
    assert [part["grouping"] for part in report["detection"]] == ["vehicles", "each"]
    assert [part["grouping"] for part in report["tracking"]] == ["vehicles", "each"]
    assert [part["setting"] for part in report["forecasting"]] == ["tracked", "ground-truth tracks"]
    assert report["detection"][0]["overall"]["ap50"] == pytest.approx(1.0)
    assert report["tracking"][0]["overall"]["hota"] > 0.9
    # Straight ways are forecast exactly; boxes of the truth are exact, those of the tracker nearly.
    for part, limit_px in zip(report["forecasting"], (1.0, 1e-6), strict=True):
        one_second = part["horizons"][0]
        assert one_second["target_count"] > 0
        assert one_second["expected"]["fde_px"] < limit_px
    assert set(report["latency"]["per_stage"]) == {"decode", "detect", "ego_motion", "track", "forecast", "write"}
    for heading in ("Detection", "Tracking", "Forecasting", "Latency", "HOTA", "IDF1", "MOTA", "99%"):
        assert heading in ran.out


def test_a_finished_run_gives_the_same_scores_as_the_run_itself(boxes_command: Command, street_recording: Path) -> None:
    run = boxes_command("evaluate", "--source", street_recording)
    again = boxes_command("evaluate", run.folder)
    named = boxes_command("evaluate", "--results", run.folder, "--truth", street_recording)
    ours, theirs = report_in(run.folder), report_in(again.folder)
    assert ours["detection"] == theirs["detection"] == report_in(named.folder)["detection"]
    for part, other in zip(ours["tracking"], theirs["tracking"], strict=True):
        # The tables round to a hundredth of a pixel.
        assert part["overall"] == pytest.approx(other["overall"], abs=1e-3)
    assert [part["setting"] for part in theirs["forecasting"]] == ["tracked"]
    assert names_in(again.folder) == ["report.html", "report.json", "run.yaml"]


def test_a_part_of_a_recording_is_compared_with_that_part_of_the_truth(
    boxes_command: Command, street_recording: Path
) -> None:
    ran = boxes_command("evaluate", street_recording, "--stride", "2", "--max-frames", "5")
    report = report_in(ran.folder)
    assert report["detection"][0]["image_count"] == 5
    assert report["detection"][0]["overall"]["truth_count"] == 10
    assert report["detection"][0]["outside_truth_count"] == 38
    # What follows the part is known all the same: a second after the last frame.
    gt_tracks = report["forecasting"][1]
    assert gt_tracks["horizons"][0]["target_count"] == gt_tracks["candidate_count"] == 8


@pytest.mark.parametrize("use", ["evaluate", "demo"])
def test_a_fault_in_what_is_known_of_objects_is_reported_before_the_run(
    boxes_command: Command, street_recording: Path, use: str
) -> None:
    header = "timestamp_ns,id,class,x,y,z,length,width,height,yaw,speed_mps"
    (street_recording / "objects3d.csv").write_text(f"{header}\n0,1,car,0,none,0,4,2,1.5,0,0\n")
    ran = boxes_command(use, "--source", street_recording, "--output", "results")
    assert ran.code == 2 and "objects3d.csv, line 2, column y: not a number" in ran.sentence
    assert not Path("results").exists()


@pytest.mark.parametrize(("grouping", "expected"), [("vehicles", ["vehicles"]), ("each", ["each"])])
def test_one_way_of_counting_classes(
    boxes_command: Command, street_recording: Path, grouping: str, expected: list[str]
) -> None:
    ran = boxes_command("evaluate", street_recording, "--grouping", grouping, "--max-frames", "3")
    assert [part["grouping"] for part in report_in(ran.folder)["detection"]] == expected


def coco_file(folder: Path) -> Path:
    """Two images; in the second one box is missing and cars are not labelled completely."""
    annotations = []
    for number, boxes in ((0, true_boxes_xyxy_px(0)), (5, true_boxes_xyxy_px(5)[:1])):
        write_image(folder / "images" / f"{number}.png", street_image(number))
        for x1, y1, x2, y2 in boxes.tolist():
            annotations.append(
                {"id": len(annotations), "image_id": number, "category_id": 3, "bbox": [x1, y1, x2 - x1, y2 - y1]}
            )
    annotations.append({"id": 99, "image_id": 0, "category_id": 8, "bbox": [1, 1, 5, 5]})
    path = folder / "val.json"
    path.write_text(
        json.dumps(
            {
                "categories": [{"id": 3, "name": "car"}, {"id": 8, "name": "kite"}],
                "images": [{"id": 0, "file_name": "0.png"}, {"id": 5, "file_name": "5.png", "exhaustive_for": ["bus"]}],
                "annotations": annotations,
            }
        )
    )
    return path


def test_coco_images_are_measured_and_gaps_in_the_labels_are_no_false_alarms(
    boxes_command: Command, tmp_path: Path
) -> None:
    ran = boxes_command("evaluate", "--images", coco_file(tmp_path / "photos"))
    assert ran.code == 0, ran.err
    assert names_in(ran.folder) == ["report.html", "report.json", "run.yaml"]
    vehicles = report_in(ran.folder)["detection"][0]
    assert vehicles["overall"]["truth_count"] == 3
    assert vehicles["overall"]["ap50"] == pytest.approx(1.0)
    assert vehicles["overall"]["ignored_detection_count"] == 1
    assert "1 kite" in " ".join(ran.out.split())


def test_a_network_of_others_is_measured_on_images_by_its_file(command: Command, tmp_path: Path) -> None:
    images = coco_file(tmp_path / "photos")
    boxes = true_boxes_xyxy_px(0) / np.tile(SIZE_PX, 2) * 64
    answers = {"labels": np.array([[2, 2]], np.int64), "boxes": boxes[None], "scores": np.array([[0.9, 0.8]])}
    shapes = {"boxes": ("n", 2, 4), "labels": ("n", 2), "scores": ("n", 2)}
    path = write_answers(
        tmp_path / "net.onnx", answers, image=("images", ("n", 3, 64, 64)), sizes_input="sizes", shapes=shapes
    )
    ran = command("evaluate", "--images", images, "--detector", path, "--max-frames", "1", "--device", "cpu")
    assert ran.code == 0, ran.err
    assert "read as DEIM, by ONNX Runtime on the CPU" in ran.err
    vehicles = report_in(ran.folder)["detection"][0]
    assert vehicles["overall"]["truth_count"] == 2 and vehicles["overall"]["ap50"] == pytest.approx(1.0)
    assert list(yaml.safe_load((ran.folder / "run.yaml").read_text())["weights_sha256"]) == ["net.onnx"]


def test_a_surround_view_is_one_batch_with_its_own_spellings(boxes_command: Command, tmp_path: Path) -> None:
    boxes = true_boxes_xyxy_px(0).tolist()
    cameras = {}
    for name, spelling in (("FRONT", "Car"), ("BACK", "Bus/RV/Caravan")):
        write_image(tmp_path / "rig" / "images" / f"{name}.png", street_image(0))
        objects = [{"class": spelling, "box_xyxy": boxes[0]}, {"class": "barrier", "box_xyxy": boxes[1]}]
        cameras[name] = {"image": f"images/{name}.png", "timestamp": 0, "objects": objects}
    path = tmp_path / "rig" / "frames.json"
    path.write_text(json.dumps({"frames": [{"cameras": cameras}]}))
    ran = boxes_command("evaluate", "--images", path, "--grouping", "vehicles", "--min-height", "10")
    assert ran.code == 0, ran.err
    (vehicles,) = report_in(ran.folder)["detection"]
    assert vehicles["image_count"] == 2
    assert vehicles["overall"]["truth_count"] == 2
    assert vehicles["overall"]["recall"] == 1.0
    assert vehicles["overall"]["precision"] == 0.5
    assert "1/1 batches" in ran.err
    (lowest,) = report_in(
        boxes_command("evaluate", "--images", path, "--grouping", "vehicles", "--min-height", "90").folder
    )["detection"]
    assert lowest["overall"]["truth_count"] == 0
    assert lowest["overall"]["ignored_truth_count"] == 2


def test_a_true_box_that_is_none_is_reported(boxes_command: Command, tmp_path: Path) -> None:
    content = json.loads((path := coco_file(tmp_path)).read_text())
    for wrong in (float("nan"), -5):
        content["annotations"][0]["bbox"][2] = wrong
        path.write_text(json.dumps(content))
        ran = boxes_command("evaluate", "--images", path)
        assert ran.code == 2 and str(path) in ran.sentence and "box" in ran.sentence


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "give one recording, or --results, or --images"),
        (["{street}", "--images", "x.json"], "give one recording, or --results, or --images"),
        (["{street}", "--source", "{street}"], "leave one of them out"),
        (["--source", "{street}", "--source", "{street}"], "give one recording"),
        (["{street}"], "has no ground truth"),
        (["--results", "{folder}"], "has no forecasts.jsonl"),
        (["--images", "{folder}/none.json"], "none.json: cannot be read"),
        (["--images", "{street}"], "street.mp4: cannot be read as JSON"),
        (["--images", "{folder}/twice.json"], "twice.json: cannot be read as JSON (front occurs twice)"),
        (["--images", "x.json", "--min-visible", "0.9"], "--min-visible: belongs to a recording"),
        (["--images", "x.json", "--rig", "front"], "--rig: belongs to a recording"),
        (["--images", "x.json", "--detect-interval", "2"], "--detect-interval: belongs to a recording"),
    ],
)
def test_wrong_questions(
    boxes_command: Command, street: Path, tmp_path: Path, arguments: list[str], words: str
) -> None:
    (tmp_path / "twice.json").write_text('{"frames": [{"cameras": {"front": {}, "front": {}}}]}')
    ran = boxes_command("evaluate", *(text.format(street=street, folder=tmp_path) for text in arguments))
    assert ran.code == 2
    assert words in ran.sentence


def test_a_run_without_its_recording_asks_for_it(boxes_command: Command, street_recording: Path) -> None:
    run = boxes_command("demo", "--source", street_recording, "--max-frames", "3")
    (run.folder / "run.yaml").unlink()
    ran = boxes_command("evaluate", run.folder)
    assert ran.code == 2
    assert "name it with --truth" in ran.sentence


@pytest.mark.shared
def test_the_teacher_by_the_same_command_has_its_known_figures(command: Command, shared_dir: Path) -> None:
    teacher = shared_dir / "teachers" / "yolox_nano_coco_416.onnx"
    arguments = (
        "--detector",
        teacher,
        "--forecaster",
        "constant-velocity",
        "--grouping",
        "vehicles",
        "--device",
        "cpu",
        "--iou",
        "0.65",
    )
    ran = command("evaluate", shared_dir / "real" / "motorway" / "val_morning", "--max-frames", "40", *arguments)
    assert ran.code == 0, ran.err
    assert report_in(ran.folder)["detection"][0]["overall"]["ap50"] == pytest.approx(0.477, abs=0.02)
    content = yaml.safe_load((ran.folder / "run.yaml").read_text())
    assert list(content["weights_sha256"]) == [teacher.name]
    frames = sorted((shared_dir / "real" / "surround").glob("*/frames.json"))
    images = [text for path in frames for text in ("--images", path)]
    ran = command("evaluate", *images, "--min-height", "25", *arguments)
    assert ran.code == 0, ran.err
    assert report_in(ran.folder)["detection"][0]["overall"]["ap50"] == pytest.approx(0.299, abs=0.02)


def test_a_recording_that_is_named_by_a_number_is_no_webcam(boxes_command: Command, street_recording: Path) -> None:
    street_recording.rename("3000")
    ran = boxes_command("evaluate", "3000", "--max-frames", 8)
    assert ran.code == 0, ran.err
    assert (ran.folder / "report.json").is_file()
