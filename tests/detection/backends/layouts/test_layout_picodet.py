"""PicoDet: maps or rows with Paddle's names, stretched pictures, no boxes as large as a large picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.onnx_graphs import maps, plain_frame, set_sides, write_answers

from perception.detection import DetectionSettings
from perception.detection.backends.onnx import OnnxDetector
from perception.taxonomy import CLASSES

PERSON = 0


def picodet_file(
    path: Path, *, size: int = 64, sides: tuple[int, int, int, int] = (0, 1, 1, 1), rows: bool = False, level: int = 0
) -> Path:
    """A person at row 0, column 1 of a level."""
    classes, distances = maps(4, 80, width=size, height=size), maps(4, 32, width=size, height=size)
    classes[level][0, PERSON, 0, 1] = 0.9
    set_sides(distances[level], 0, 1, sides)
    parts = [*classes, *distances]
    if rows:
        parts = [part.reshape(1, part.shape[1], -1).transpose(0, 2, 1) for part in parts]
    answers = {f"save_infer_model/scale_{i}.tmp_1": part for i, part in enumerate(parts)}
    shapes = {
        name: ("n", "points", part.shape[2]) if rows else ("n", part.shape[1], "h", "w")
        for name, part in answers.items()
    }
    lit = list(answers)[:4]
    return write_answers(path, answers, image=("image", ("n", 3, "height", "width")), shapes=shapes, lit=lit)


@pytest.mark.parametrize("rows", [False, True])
def test_a_known_cell_becomes_a_known_box_of_the_stretched_picture(tmp_path: Path, rows: bool) -> None:
    detector = OnnxDetector(picodet_file(tmp_path / "any.onnx", rows=rows), DetectionSettings(image_size_px=64))
    assert detector.layout.title == "PicoDet"
    bright, dark = detector.detect([plain_frame(width=128, height=64), plain_frame(0)])
    # The cell's centre is (12, 4) of 64x64: the box (12, -4, 20, 12), cut to the picture, twice as wide in it.
    np.testing.assert_allclose(bright.boxes_xyxy_px, [[24, 0, 40, 12]], atol=1e-3)
    assert [CLASSES[label] for label in bright.labels] == ["pedestrian"] and len(dark) == 0


def test_without_a_size_it_is_that_of_the_training(tmp_path: Path) -> None:
    detector = OnnxDetector(picodet_file(tmp_path / "net.onnx", size=416), DetectionSettings())
    assert detector.long_side_px == 416


@pytest.mark.parametrize(("size", "strides", "count"), [(416, 5, 1), (448, 5, 1), (448, 6, 0), (416, 6, 1)])
def test_above_that_size_boxes_as_large_as_the_picture_are_none(
    tmp_path: Path, size: int, strides: int, count: int
) -> None:
    """At stride 64, six strides are 384 pixels."""
    path = picodet_file(tmp_path / "net.onnx", size=size, sides=(0, 0, strides, 1), level=3)
    (found,) = OnnxDetector(path, DetectionSettings(image_size_px=size)).detect([plain_frame()])
    assert len(found) == count
