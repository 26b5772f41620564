"""NanoDet through ncnn: its decoding by hand, its agreement with YOLOX, its errors."""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from support.detection_cases import matched_share, random_frame

from perception.detection import DetectionSettings
from perception.detection.backends.ncnn import NcnnDetector, decode_level
from perception.detection.backends.onnx import OnnxDetector
from perception.errors import UsageError
from perception.protocols import Detector
from perception.taxonomy import COCO80_COLUMNS
from perception.types import Frame


def test_a_level_is_decoded_as_the_mean_of_its_distributions() -> None:
    height, width = 2, 3
    class_scores = np.arange(80 * height * width, dtype=np.float32).reshape(80, height, width)
    logits = np.full((height, width, 32), -100, np.float32)
    sides_in_strides = (1, 2, 3, 4)
    for side, bin_index in enumerate(sides_in_strides):
        logits[..., side * 8 + bin_index] = 100
    logits[0, 0, :8] = 0  # a flat distribution over 0..7: the mean is 3.5
    scores, boxes = decode_level(class_scores, logits, stride=16)
    assert scores.shape == (6, 6) and boxes.shape == (6, 4)
    np.testing.assert_allclose(boxes[4], [16 - 16, 16 - 32, 16 + 48, 16 + 64])  # row 1, column 1
    np.testing.assert_allclose(boxes[0], [-3.5 * 16, -32, 48, 64])
    np.testing.assert_array_equal(scores[4], class_scores[list(COCO80_COLUMNS), 1, 1])


def test_without_the_package_the_remedy_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ncnn", None)
    with pytest.raises(UsageError, match="pip install ncnn"):
        NcnnDetector(tmp_path / "net.param", DetectionSettings())


def test_files_that_are_no_network(tmp_path: Path) -> None:
    pytest.importorskip("ncnn")
    with pytest.raises(UsageError, match=r"net\.param: there is no such file"):
        NcnnDetector(tmp_path / "net.param", DetectionSettings())
    (tmp_path / "net.param").write_text("not a network\n")
    with pytest.raises(UsageError, match=r"net\.bin: there is no such file"):
        NcnnDetector(tmp_path / "net.param", DetectionSettings())
    (tmp_path / "net.bin").write_bytes(b"")
    with pytest.raises(UsageError, match=r"net\.param: not a readable ncnn network"):
        NcnnDetector(tmp_path / "net.param", DetectionSettings())
    (tmp_path / "net.param").write_text("7767517\n1 1\nInput in0 0 1 in0\n")
    with pytest.raises(UsageError, match=r"net\.param: lacks the outputs cls8 to dis64"):
        NcnnDetector(tmp_path / "net.param", DetectionSettings())


@pytest.mark.shared
def test_sees_what_yolox_is_sure_of(shared_dir: Path) -> None:
    pytest.importorskip("ncnn")
    teachers = shared_dir / "teachers"
    detector = NcnnDetector(teachers / "nanodet-plus-m_416.param", DetectionSettings(confidence=0.2))
    other = OnnxDetector(teachers / "yolox_nano_coco_416.onnx", DetectionSettings(confidence=0.5))
    assert isinstance(detector, Detector) and detector.detect([]) == []
    capture = cv2.VideoCapture(str(shared_dir / "real" / "clips" / "udacity_solidWhiteRight.mp4"))
    shares = []
    for index in (0, 200):
        capture.set(cv2.CAP_PROP_POS_FRAMES, index)
        _, image = capture.read()
        frame = Frame(np.ascontiguousarray(image[..., ::-1]), "front", 0, index)
        found, expected = detector.detect([frame])[0], other.detect([frame])[0]
        if len(expected):
            shares.append(matched_share(expected, found, iou=0.5))
        np.testing.assert_array_equal(found.boxes_xyxy_px, detector.detect([frame])[0].boxes_xyxy_px)
    assert shares and np.mean(shares) >= 0.5
    assert len(detector.detect([frame, random_frame("b")])) == 2
