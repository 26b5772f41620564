"""DETR, RT-DETR and RF-DETR: known boxes as shares, and what the number of classes says of the scores."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from support.onnx_graphs import plain_frame, write_answers

from perception.class_names import ClassMap
from perception.detection.backends.onnx import OnnxDetector
from perception.detection.settings import DetectionSettings
from perception.errors import UsageError
from perception.taxonomy import CLASSES

FRAME = plain_frame(width=192, height=128)


def answers(names: tuple[str, str], logits: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    boxes = np.full((1, 5, 4), 0.01, np.float32)
    boxes[0, 2] = [0.5, 0.5, 0.25, 0.5]
    return {names[1]: boxes, names[0]: logits}


def found_by(detector: OnnxDetector) -> tuple[str, float]:
    """The one object, whose box is known: its class and score."""
    (found,) = detector.detect([FRAME])
    np.testing.assert_allclose(found.boxes_xyxy_px, [[72, 32, 120, 96]], atol=1e-3)
    return CLASSES[found.labels[0]], round(float(found.scores[0]), 4)


def logits(count: int, column: int, value: float = 2.0, others: float = -9.0) -> NDArray[np.float32]:
    values = np.full((1, 5, count), others, np.float32)
    values[0, 2, column] = value
    return values


def test_80_columns_are_rt_detr(tmp_path: Path) -> None:
    path = write_answers(tmp_path / "d.onnx", answers(("logits", "pred_boxes"), logits(80, 2)))
    detector = OnnxDetector(path, DetectionSettings())
    assert detector.layout.title == "RT-DETR" and detector.layout.pixels.mean is None
    assert found_by(detector) == ("car", 0.8808)


def test_91_columns_are_ids_of_categories(tmp_path: Path) -> None:
    path = write_answers(tmp_path / "d.onnx", answers(("labels", "dets"), logits(91, 3)))
    detector = OnnxDetector(path, DetectionSettings())
    assert "RF-DETR" in detector.layout.title and detector.layout.pixels.mean is not None
    assert found_by(detector) == ("car", 0.8808)


def test_one_class_more_than_there_are_names_is_no_object(tmp_path: Path) -> None:
    values = logits(92, 3, 3.0, 0.0)
    values[0, [0, 1, 3, 4], 91] = 20.0  # all other queries see nothing
    values[0, 2, :91] = -20.0
    values[0, 2, [3, 91]] = 2.0, 0.0
    path = write_answers(tmp_path / "d.onnx", answers(("pred_logits", "pred_boxes"), values))
    detector = OnnxDetector(path, DetectionSettings(image_size_px=96))
    assert detector.layout.title == "DETR" and detector.layout.keeps_aspect
    assert found_by(detector) == ("car", 0.8808)

    own = logits(3, 1, 2.0, -20.0)
    own[0, 2, 2] = 0.0
    own[0, [0, 1, 3, 4], 2] = 20.0
    path = write_answers(tmp_path / "own.onnx", answers(("logits", "pred_boxes"), own))
    mapped = ClassMap(("person", "forklift"), {"forklift": CLASSES.index("truck")})
    detector = OnnxDetector(path, DetectionSettings(class_map=mapped, image_size_px=96))
    assert detector.layout.title == "DETR" and found_by(detector) == ("truck", 0.8808)


def test_own_classes_without_names_are_refused(tmp_path: Path) -> None:
    path = write_answers(tmp_path / "d.onnx", answers(("logits", "pred_boxes"), logits(4, 2)))
    with pytest.raises(UsageError, match="layout RT-DETR with 4 classes and does not name them"):
        OnnxDetector(path, DetectionSettings())


def test_names_of_the_metadata_count_them(tmp_path: Path) -> None:
    metadata = {"class_names": '["person", "dog", "lorry", "tree"]'}
    path = write_answers(tmp_path / "d.onnx", answers(("logits", "pred_boxes"), logits(4, 2)), metadata=metadata)
    assert found_by(OnnxDetector(path, DetectionSettings())) == ("truck", 0.8808)
