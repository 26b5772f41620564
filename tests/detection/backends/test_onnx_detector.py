"""YOLOX-type files: decoded as an independent reading does, refused when they are something else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from support.detection_cases import matched_share, random_frame, write_onnx
from support.yolox_teacher import YoloxTeacher

from perception.class_names import ClassMap
from perception.detection import DetectionSettings
from perception.detection.backends.layouts.layout import grid_points
from perception.detection.backends.onnx import OnnxDetector
from perception.errors import UsageError
from perception.protocols import Detector
from perception.taxonomy import CLASSES
from perception.types import Frame

CAR = 5 + 2  # the column of COCO's third class in a row


def one_car() -> np.ndarray:
    """Raw rows of a 96x64 input: one car of 32x16 pixels at stride 8, column 5, row 2, a quarter cell right of it."""
    raw = np.zeros((1, 8 * 12 + 4 * 6 + 2 * 3, 85), np.float32)
    raw[0, 2 * 12 + 5, :4] = [0.25, 0.5, np.log(4), np.log(2)]
    raw[0, 2 * 12 + 5, 4], raw[0, 2 * 12 + 5, CAR] = 0.9, 0.8
    return raw


def test_a_known_row_becomes_a_known_box(tmp_path: Path) -> None:
    detector = OnnxDetector(write_onnx(tmp_path / "net.onnx", raw=one_car()), DetectionSettings())
    assert isinstance(detector, Detector) and detector.name == "net"
    # 192x128: the input's shape at twice its size
    (found,) = detector.detect([random_frame("front", width=192, height=128)])
    np.testing.assert_allclose(found.boxes_xyxy_px, [[52, 24, 116, 56]], atol=1e-4)
    np.testing.assert_allclose(found.scores, [0.72], atol=1e-6)
    assert CLASSES[found.labels[0]] == "car" and found.camera == "front"


def test_several_frames_through_a_network_of_batch_one(tmp_path: Path) -> None:
    detector = OnnxDetector(write_onnx(tmp_path / "net.onnx", raw=one_car()), DetectionSettings())
    found = detector.detect([random_frame("a", width=192, height=128), random_frame("b")])
    assert [d.camera for d in found] == ["a", "b"]
    np.testing.assert_allclose(found[0].boxes_xyxy_px, 2 * found[1].boxes_xyxy_px, atol=1e-4)
    assert detector.detect([]) == []


def test_classes_and_confidence(tmp_path: Path) -> None:
    path = write_onnx(tmp_path / "net.onnx", raw=one_car())
    frame = random_frame()
    assert len(OnnxDetector(path, DetectionSettings(classes=("bus",))).detect([frame])[0]) == 0
    assert len(OnnxDetector(path, DetectionSettings(confidence=0.73)).detect([frame])[0]) == 0
    assert len(OnnxDetector(path, DetectionSettings(confidence=0.71)).detect([frame])[0]) == 1


def test_a_network_of_our_own_classes(tmp_path: Path) -> None:
    raw = np.zeros((1, 126, 5 + len(CLASSES)), np.float32)
    raw[0, 0, 4], raw[0, 0, 5 + CLASSES.index("bicycle")] = 1.0, 0.6
    settings = DetectionSettings(class_map=ClassMap(CLASSES))
    (found,) = OnnxDetector(write_onnx(tmp_path / "net.onnx", raw=raw), settings).detect([random_frame()])
    assert [CLASSES[label] for label in found.labels] == ["bicycle"]


@pytest.mark.parametrize(
    ("shapes", "sentence"),
    [
        ({"input_shape": (1, 1, 64, 96)}, "inputs .images 1x1x64x96. .* no known layout"),
        ({"input_shape": (1, 3, "height", 96)}, "inputs .images 1x3x.x96. .* no known layout"),
        ({"input_shape": (2, 3, 64, 96)}, "no known layout"),
        ({"output_shape": (1, 126, 83)}, "YOLOX with 78 classes and does not name them"),
        ({"output_shape": (1, 126, 11)}, "YOLOX with 6 classes and does not name them"),
        ({"output_shape": (1, 100, 85)}, "outputs .output 1x100x85. are of no known layout"),
        ({"output_shape": (126, 85)}, "no known layout"),
    ],
)
def test_networks_of_another_kind(tmp_path: Path, shapes: dict[str, Any], sentence: str) -> None:
    path = write_onnx(tmp_path / "net.onnx", **shapes)
    with pytest.raises(UsageError, match=rf"^.*net\.onnx: .*{sentence}"):
        OnnxDetector(path, DetectionSettings())


def test_rows_that_are_decoded_already_are_read_as_they_are(tmp_path: Path) -> None:
    points = grid_points((96, 64), (8, 16, 32))
    raw = np.zeros((1, 126, 85), np.float32)
    raw[0, :, :2], raw[0, :, 2:4] = points.cells * points.strides, points.strides
    car = 8 * 12 + 1 * 6 + 3  # stride 16, row 1, column 3
    raw[0, car, :4], raw[0, car, 4], raw[0, car, CAR] = [50, 20, 40, 24], 0.9, 0.8
    (found,) = OnnxDetector(write_onnx(tmp_path / "net.onnx", raw=raw), DetectionSettings()).detect([random_frame()])
    np.testing.assert_allclose(found.boxes_xyxy_px, [[30, 8, 70, 32]], atol=1e-4)


def test_one_decoded_row_among_empty_ones_is_no_raw_one(tmp_path: Path) -> None:
    raw = np.zeros((1, 126, 85), np.float32)
    raw[0, 100, :4], raw[0, 100, 4], raw[0, 100, CAR] = [50, 20, 40, 24], 0.9, 0.8
    detector = OnnxDetector(write_onnx(tmp_path / "net.onnx", raw=raw), DetectionSettings())
    assert detector.layout.title == "YOLOX with decoded boxes" and detector.layout.pixels.is_bgr
    np.testing.assert_allclose(detector.detect([random_frame()])[0].boxes_xyxy_px, [[30, 8, 70, 32]], atol=1e-4)


def test_decoded_rows_without_doubt_about_objects_are_yolov6(tmp_path: Path) -> None:
    points = grid_points((96, 64), (8, 16, 32))
    raw = np.zeros((1, 126, 85), np.float32)
    raw[0, :, :2], raw[0, :, 2:4], raw[..., 4] = points.cells * points.strides, points.strides, 1
    raw[0, 50, :4], raw[0, 50, CAR] = [50, 20, 40, 24], 0.8
    detector = OnnxDetector(write_onnx(tmp_path / "net.onnx", raw=raw), DetectionSettings())
    assert detector.layout.title == "YOLOv6" and not detector.layout.pixels.is_bgr
    (found,) = detector.detect([random_frame()])
    np.testing.assert_allclose(found.boxes_xyxy_px, [[30, 8, 70, 32]], atol=1e-4)
    np.testing.assert_allclose(found.scores, [0.8], atol=1e-6)


def test_files_that_are_no_network(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none\.onnx: there is no such file"):
        OnnxDetector(tmp_path / "none.onnx", DetectionSettings())
    whole = write_onnx(tmp_path / "net.onnx").read_bytes()
    for name, content in [("empty.onnx", b""), ("text.onnx", b"not a network"), ("cut.onnx", whole[: len(whole) // 2])]:
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UsageError, match=rf"{name}: .*not a readable ONNX file|{name}: .*no known layout"):
            OnnxDetector(tmp_path / name, DetectionSettings())


@pytest.mark.shared
def test_agrees_with_an_independent_reading_of_yolox(shared_dir: Path) -> None:
    path = shared_dir / "teachers" / "yolox_nano_coco_416.onnx"
    detector = OnnxDetector(path, DetectionSettings(confidence=0.3, iou=0.45))
    teacher = YoloxTeacher(path, score_threshold=0.3)
    capture = cv2.VideoCapture(str(shared_dir / "real" / "clips" / "udacity_solidWhiteRight.mp4"))
    seen = 0
    for index in range(0, 200, 40):
        capture.set(cv2.CAP_PROP_POS_FRAMES, index)
        _, image = capture.read()
        image = np.ascontiguousarray(image[..., ::-1])
        found = detector.detect([Frame(image, "front", 0, index)])[0]
        expected = teacher.detect(image)
        if len(expected) and len(found):
            # Another interpolation when shrinking moves scores by some hundredths across the threshold.
            sure_found, sure_expected = found[found.scores > 0.45], expected[expected.scores > 0.45]
            assert matched_share(sure_expected, found, iou=0.8) == 1.0
            assert matched_share(sure_found, expected, iou=0.8) == 1.0
            seen += len(sure_expected)
    assert seen >= 5
