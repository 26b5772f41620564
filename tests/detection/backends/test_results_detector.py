"""Boxes from elsewhere: matched by camera and frame, and held against the recording."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from perception.detection import DetectionSettings, open_detector
from perception.detection.backends.results import ResultsDetector
from perception.errors import UsageError
from perception.tables.prediction_files import read_mot_boxes
from perception.taxonomy import PEDESTRIAN_LABEL
from perception.types import Frame

CPU = torch.device("cpu")
SETTINGS = DetectionSettings(confidence=0.1)


def frame(index: int, camera: str = "front") -> Frame:
    return Frame(np.zeros((96, 160, 3), np.uint8), camera, index * 10**8, index)


def detector(
    path: object, settings: DetectionSettings = SETTINGS, cameras: tuple[str, ...] = ("front",)
) -> ResultsDetector:
    return ResultsDetector(str(path), settings, frame_counts=dict.fromkeys(cameras, 10))


def test_boxes_of_a_text_belong_to_their_frames(tmp_path: Path) -> None:
    path = tmp_path / "boxes.txt"
    path.write_text(
        "3,-1,10,20,30,40,0.9,1,1\n1,-1,0,0,5,6,0.5,6,1\n3,-1,100,50,100,20,0.2,3,1\n3,-1,1,1,2,2,0.05,1,1\n"
    )
    found = detector(path).detect([frame(0), frame(1), frame(2)])
    assert [len(one) for one in found] == [1, 0, 2]
    np.testing.assert_allclose(found[0].boxes_xyxy_px, [[0, 0, 5, 6]])
    np.testing.assert_allclose(found[2].boxes_xyxy_px, [[10, 20, 40, 60], [100, 50, 160, 70]])  # cut to the picture
    assert found[2].labels.tolist() == [0, 2] and found[0].labels.tolist() == [5]
    np.testing.assert_allclose(found[2].scores, [0.9, 0.2])
    only_cars = DetectionSettings(confidence=0.5, classes=("car",))
    assert [len(one) for one in detector(path, only_cars).detect([frame(0), frame(2)])] == [0, 1]


@pytest.mark.parametrize("columns", [7, 8, 9, 10])
def test_a_mot_text_of_7_to_10_columns(tmp_path: Path, columns: int) -> None:
    path = tmp_path / "det.txt"
    path.write_text(",".join(["1", "-1", "10", "20", "30", "40", "0.9", "-1", "-1", "-1"][:columns]) + "\n\n")
    table = read_mot_boxes(path, camera="front")
    assert table.labels.tolist() == [PEDESTRIAN_LABEL]  # MOTChallenge is about people
    np.testing.assert_allclose(table.boxes_xyxy_px, [[10, 20, 40, 60]])


def test_coco_results(tmp_path: Path) -> None:
    path = tmp_path / "boxes.json"
    path.write_text(json.dumps([{"image_id": 4, "category_id": 2, "bbox": [1, 2, 3, 4], "score": 0.75}]))
    (found,) = detector(path).detect([frame(4)])
    np.testing.assert_allclose(found.boxes_xyxy_px, [[1, 2, 4, 6]])
    assert (found.labels.tolist(), found.scores.tolist()) == ([1], [0.75])
    named = {"image_id": 4, "category_id": 6, "category_name": "bus", "bbox": [1, 2, 3, 4], "score": 0.75}
    path.write_text(json.dumps([named]))
    assert detector(path).detect([frame(4)])[0].labels.tolist() == [2]


def test_each_camera_has_its_file(tmp_path: Path) -> None:
    both = ("left", "right")
    for place in ("boxes-{camera}.txt", "detections_{camera}.json"):
        for camera, x in zip(both, (10, 20), strict=True):
            record = {"image_id": 0, "category_id": 1, "bbox": [x, 2, 3, 4], "score": 0.5}
            text = json.dumps([record]) if place.endswith("json") else f"1,-1,{x},2,3,4,0.5\n"
            (tmp_path / place.replace("{camera}", camera)).write_text(text)
    for place in (tmp_path / "boxes-{camera}.txt", tmp_path):
        found = detector(place, cameras=both).detect([frame(0, "right"), frame(0, "left")])
        assert [one.boxes_xyxy_px[0, 0] for one in found] == [20, 10]
        assert [one.camera for one in found] == ["right", "left"]
    with pytest.raises(UsageError, match="holds boxes of one camera, and the source has 2"):
        detector(tmp_path / "boxes-left.txt", cameras=both)


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("11,-1,1,1,2,2,0.5", r"frame 10 \(from 0\) lies past the end of the 10 frames of camera front .1 box in all"),
        ("0,-1,1,1,2,2,0.5", "line 2: frames count from 1"),
        ("1,-1,1,1,2,2,0.5,7", "line 2: unknown class, expected 1..6 for car, truck"),
        ("1,-1,1,1,2,2,0.5,0", "line 2: unknown class"),
        ("1,-1,1,1,2,2,1.5", "line 2: expected a score from 0 to 1"),
        ("1,-1,1,1,0,2,0.5", "line 2: width and height must be positive"),
        ("1,-1,1,1,nan,2,0.5", "line 2: expected finite numbers"),
        ("1.5,-1,1,1,2,2,0.5", "line 2: expected finite numbers, and whole ones"),
        ("1,-1,1,1,2,2", "line 2: expected frame,id,x,y,width,height,score"),
        ("a,-1,1,1,2,2,0.5", "line 2: expected frame,id"),
    ],
)
def test_what_does_not_fit_is_told_before_anything_is_computed(tmp_path: Path, line: str, sentence: str) -> None:
    path = tmp_path / "boxes.txt"
    path.write_text(f"1,-1,1,1,2,2,0.5\n{line}\n")
    with pytest.raises(UsageError, match=sentence) as caught:
        detector(path)
    assert str(caught.value).startswith(str(path))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [({"image_id": 10}, "past the end"), ({"category_id": 7}, "category"), ({"score": 2}, "scores from 2 to 2")],
)
def test_coco_results_that_do_not_fit(tmp_path: Path, change: dict[str, float], sentence: str) -> None:
    path = tmp_path / "boxes.json"
    path.write_text(json.dumps([{"image_id": 4, "category_id": 2, "bbox": [1, 2, 3, 4], "score": 0.75} | change]))
    with pytest.raises(UsageError, match=sentence):
        detector(path)


def test_a_box_outside_the_picture_is_of_another_recording(tmp_path: Path) -> None:
    path = tmp_path / "boxes.txt"
    path.write_text("1,-1,1,1,2,2,0.5\n2,-1,400,10,20,20,0.5\n")
    boxes = detector(path)
    assert len(boxes.detect([frame(0)])[0]) == 1
    with pytest.raises(UsageError, match=r"box \(400, 10, 420, 30\) lies outside the picture of 160x96 .*frame 1"):
        boxes.detect([frame(1)])


def test_results_as_a_detector(tmp_path: Path) -> None:
    path = tmp_path / "boxes.txt"
    path.write_text("1,-1,1,1,2,2,0.5\n")
    opened = open_detector(f"results:{path}", SETTINGS, device=CPU, frame_counts={"front": 3})
    assert opened.origin.weights == (path,) and str(path) in opened.origin.reason
    assert (opened.detector.name, opened.detector.is_calibrated) == ("boxes", False)
    for more, sentence in (
        ({"weights": path}, "^weights "),
        ({"engine": "onnx"}, "^engine onnx: "),
        ({"half": True}, "^half: "),
        ({"frame_counts": None}, "belong to a recording"),
    ):
        with pytest.raises(UsageError, match=sentence):
            open_detector(f"results:{path}", SETTINGS, device=CPU, **({"frame_counts": {"front": 3}} | more))  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="results: names no file"):
        open_detector("results", SETTINGS, device=CPU, frame_counts={"front": 3})
    with pytest.raises(UsageError, match="cannot be read"):
        open_detector(f"results:{tmp_path / 'none.txt'}", SETTINGS, device=CPU, frame_counts={"front": 3})
