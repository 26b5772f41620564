"""NanoDet-Plus: its eight maps and the rows of its own exporter."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from support.onnx_graphs import maps, plain_frame, set_sides, write_answers

from perception.detection import DetectionSettings
from perception.detection.backends.onnx import OnnxDetector
from perception.taxonomy import CLASSES

CAR = 2  # COCO's third class
SETTINGS = DetectionSettings(image_size_px=128)


def one_car(height: int = 128) -> tuple[list[NDArray[np.float32]], list[NDArray[np.float32]]]:
    """At stride 16, row 2, column 3: from its corner (48, 32) 1 stride left, 2 up, 3 right and 1 down."""
    classes, sides = maps(4, 80, height=height), maps(4, 32, height=height)
    classes[1][0, CAR, 2, 3] = 0.8
    set_sides(sides[1], 2, 3, (1, 2, 3, 1))
    return classes, sides


def heads_file(path: Path) -> Path:
    classes, sides = one_car()
    answers = {
        f"{part}{8 << i}": level
        for part, levels in (("cls", classes), ("dis", sides))
        for i, level in enumerate(levels)
    }
    shapes = {name: ("n", answer.shape[1], "h", "w") for name, answer in answers.items()}
    lit = [name for name in answers if name.startswith("cls")]
    return write_answers(path, answers, image=("data", ("n", 3, "height", "width")), lit=lit, shapes=shapes)


def rows_file(path: Path) -> Path:
    classes, sides = one_car(height=64)
    rows = [
        np.concatenate([c, s], axis=1).reshape(1, 112, -1).transpose(0, 2, 1)
        for c, s in zip(classes, sides, strict=True)
    ]
    answers = {"output": np.concatenate(rows, axis=1)}
    shape = answers["output"].shape
    return write_answers(path, answers, image=("data", (1, 3, 64, 128)), shapes={"output": shape})


@pytest.mark.parametrize(("write", "height"), [(heads_file, 128), (rows_file, 64)])
def test_a_known_cell_becomes_a_known_box(tmp_path: Path, write: Callable[[Path], Path], height: int) -> None:
    detector = OnnxDetector(write(tmp_path / "any.onnx"), SETTINGS)
    assert detector.layout.title == "NanoDet-Plus"
    (found,) = detector.detect([plain_frame(width=256, height=2 * height)])
    np.testing.assert_allclose(found.boxes_xyxy_px, [[64, 0, 192, 96]], atol=1e-3)
    np.testing.assert_allclose(found.scores, [0.8], atol=1e-6)
    assert [CLASSES[label] for label in found.labels] == ["car"]


def test_a_free_size_is_the_one_that_is_asked_for_and_pictures_go_together(tmp_path: Path) -> None:
    detector = OnnxDetector(heads_file(tmp_path / "net.onnx"), SETTINGS)
    assert detector.input_size_px is None and detector.long_side_px == 128
    bright, dark = detector.detect([plain_frame(camera="a"), plain_frame(0, camera="b")])
    assert (bright.camera, len(bright)) == ("a", 1) and (dark.camera, len(dark)) == ("b", 0)


def test_dense_outputs_are_for_every_class_at_every_grid_point(tmp_path: Path) -> None:
    detector = OnnxDetector(heads_file(tmp_path / "net.onnx"), SETTINGS)
    scores, boxes = detector.dense(np.full((2, 128, 128, 3), 200, np.uint8))
    points = 16 * 16 + 8 * 8 + 4 * 4 + 2 * 2
    assert scores.shape == (2, points, 6) and boxes.shape == (2, points, 4)
    assert scores[1, 16 * 16 + 2 * 8 + 3].argmax() == 0
