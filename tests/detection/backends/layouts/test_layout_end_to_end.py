"""Graphs that end with the objects themselves: rows of YOLOv10 and 26, and those of YOLOv7."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.onnx_graphs import plain_frame, write_answers

from perception.class_names import ClassMap
from perception.detection.backends.onnx import OnnxDetector
from perception.detection.settings import DetectionSettings
from perception.errors import UsageError
from perception.taxonomy import CLASSES

FRAME = plain_frame(width=192, height=128)
ROWS = np.zeros((1, 30, 6), np.float32)
ROWS[0, :3] = [[10, 20, 40, 50, 0.9, 2], [50, 20, 60, 60, 0.6, 0], [0, 0, 90, 60, 0.8, 16]]  # car, person, dog


@pytest.mark.parametrize("shape", [(1, 30, 6), ("n", "objects", 6)])
@pytest.mark.parametrize("unit", [1.0, 64.0])
def test_each_row_is_an_object_in_pixels_or_shares(tmp_path: Path, shape: tuple[int, ...], unit: float) -> None:
    rows = ROWS / np.array([unit * 96 / 64, unit, unit * 96 / 64, unit, 1, 1], np.float32) if unit > 1 else ROWS
    path = write_answers(
        tmp_path / "v10.onnx", {"output0": rows}, image=("images", (1, 3, 64, 96)), shapes={"output0": shape}
    )
    detector = OnnxDetector(path, DetectionSettings())
    (found,) = detector.detect([FRAME])
    assert "v10 and 26" in detector.layout.title
    np.testing.assert_allclose(found.boxes_xyxy_px, [[20, 40, 80, 100], [100, 40, 120, 120]], atol=1e-3)
    assert [CLASSES[label] for label in found.labels] == ["car", "pedestrian"]
    np.testing.assert_allclose(found.scores, [0.9, 0.6], atol=1e-6)


def test_own_names_and_what_they_stand_for_come_from_the_user(tmp_path: Path) -> None:
    path = write_answers(tmp_path / "v26.onnx", {"output0": ROWS}, image=("images", (1, 3, 64, 96)),
                         shapes={"output0": (1, 30, 6)})  # fmt: skip
    names = ("forklift", "pallet", "crane")
    mapped = ClassMap(names, {"forklift": CLASSES.index("truck"), "crane": CLASSES.index("car")})
    (found,) = OnnxDetector(path, DetectionSettings(class_map=mapped)).detect([FRAME])
    assert [CLASSES[label] for label in found.labels] == ["car", "truck"]
    with pytest.raises(UsageError, match=r"finds forklift, pallet, crane, none of car.*`class_map`"):
        OnnxDetector(path, DetectionSettings(class_map=ClassMap(names)))


def test_yolov7_gives_as_many_rows_as_it_finds(tmp_path: Path) -> None:
    rows = np.array([[0, 10, 20, 40, 50, 2, 0.9], [0, 50, 20, 60, 60, 0, 0.6]], np.float32)
    path = write_answers(tmp_path / "v7.onnx", {"output": rows}, image=("images", (1, 3, 64, 96)),
                         shapes={"output": ("found", 7)})  # fmt: skip
    detector = OnnxDetector(path, DetectionSettings())
    assert "v7" in detector.layout.title
    (found, other) = detector.detect([FRAME, FRAME])
    np.testing.assert_allclose(found.boxes_xyxy_px, [[20, 40, 80, 100], [100, 40, 120, 120]], atol=1e-3)
    np.testing.assert_array_equal(other.boxes_xyxy_px, found.boxes_xyxy_px)


def test_no_object_is_no_error(tmp_path: Path) -> None:
    path = write_answers(tmp_path / "v7.onnx", {"output": np.zeros((0, 7), np.float32)},
                         image=("images", (1, 3, 64, 96)), shapes={"output": ("found", 7)})  # fmt: skip
    assert len(OnnxDetector(path, DetectionSettings()).detect([FRAME])[0]) == 0
