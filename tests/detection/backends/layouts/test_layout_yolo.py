"""YOLOv5 to YOLO12, by graphs that state one known box; shapes and names of classes tell the layouts apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from support.onnx_graphs import plain_frame, write_answers

from perception.detection.backends.layouts.layout import grid_points
from perception.detection.backends.onnx import OnnxDetector
from perception.detection.settings import DetectionSettings
from perception.errors import UsageError
from perception.taxonomy import CLASSES

SIZE = (96, 64)
IMAGE = ("images", (1, 3, 64, 96))
BOX_CXCYWH, BOX_XYXY = (48, 32, 40, 24), [[28, 20, 68, 44]]
THREE = {"names": "{0: 'person', 1: 'pallet', 2: 'van'}", "task": "detect"}


def rows(count: int, *, anchors: int = 1) -> NDArray[np.float32]:
    """(1, A, 4 + count): small boxes at all grid points of strides 8 to 32."""
    points = grid_points(SIZE, (8, 16, 32))
    found = np.zeros((1, len(points.cells), 4 + count), np.float32)
    found[0, :, :2], found[0, :, 2:4] = points.cells * points.strides, points.strides
    return np.tile(found, (1, anchors, 1))


def with_box(table: NDArray[np.float32], column: int, score: float = 0.8) -> NDArray[np.float32]:
    """The known box in a row, with ``score`` in ``column``."""
    table[0, 40, :4], table[0, 40, column] = BOX_CXCYWH, score
    return table


def opened(path: Path, table: NDArray[np.float32], *, free: bool = False, **more: object) -> OnnxDetector:
    shape = ("n", "a", "b") if free else table.shape
    write_answers(path, {"output0": table}, image=IMAGE, shapes={"output0": shape}, **more)  # type: ignore[arg-type]
    return OnnxDetector(path, DetectionSettings())


def check(detector: OnnxDetector, title: str, name: str, score: float = 0.8) -> None:
    assert title in detector.layout.title and not detector.layout.pixels.is_bgr
    (found,) = detector.detect([plain_frame(width=96, height=64)])
    np.testing.assert_allclose(found.boxes_xyxy_px, BOX_XYXY, atol=1e-4)
    np.testing.assert_allclose(found.scores, [score], atol=1e-6)
    assert [CLASSES[label] for label in found.labels] == [name]


@pytest.mark.parametrize("free", [False, True])
def test_columns_of_grid_points_are_yolov8(tmp_path: Path, free: bool) -> None:
    table = with_box(rows(80), 4 + 2).transpose(0, 2, 1).copy()
    check(opened(tmp_path / "v8.onnx", table, free=free), "YOLOv8", "car")


def test_rows_without_an_objectness_are_told_by_the_number_of_classes(tmp_path: Path) -> None:
    check(opened(tmp_path / "coco.onnx", with_box(rows(80), 4 + 2)), "YOLOv8", "car")
    check(opened(tmp_path / "own.onnx", with_box(rows(3), 4 + 2), metadata=THREE), "YOLOv8", "car")


def test_own_classes_of_the_metadata_stand_for_road_users(tmp_path: Path) -> None:
    detector = opened(tmp_path / "own.onnx", with_box(rows(3), 4).transpose(0, 2, 1).copy(), metadata=THREE)
    check(detector, "YOLOv8", "pedestrian")
    assert detector.layout.columns.description == (
        "Of 3 classes these are road users: person as pedestrian, van as car; left out: pallet."
    )
    pallet = with_box(rows(3), 5).transpose(0, 2, 1).copy()
    assert not len(opened(tmp_path / "p.onnx", pallet, metadata=THREE).detect([plain_frame(width=96, height=64)])[0])


def test_rows_of_three_anchors_are_yolov5(tmp_path: Path) -> None:
    table = rows(81, anchors=3)
    table[0, :, 4] = 0.01
    table = with_box(table, 5 + 5)
    table[0, 40, 4] = 0.5
    check(opened(tmp_path / "v5.onnx", table), "YOLOv5", "bus", 0.4)
    check(opened(tmp_path / "free.onnx", table, free=True), "YOLOv5", "bus", 0.4)


def test_boxes_may_be_shares_of_the_picture(tmp_path: Path) -> None:
    table = with_box(rows(80), 4 + 2)
    table[..., :4] /= [*SIZE, *SIZE]
    check(opened(tmp_path / "v8.onnx", table.transpose(0, 2, 1).copy()), "YOLOv8", "car")
    queries = np.ascontiguousarray(table[:, 30:60])  # as many as no grid has points
    detector = opened(tmp_path / "detr.onnx", queries)
    check(detector, "RT-DETR", "car")
    assert not detector.layout.keeps_aspect


def test_classes_that_nobody_names_are_the_cause_of_a_refusal(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"layout YOLOv8.* with 3 classes and does not name them.*`class_map`"):
        opened(tmp_path / "own.onnx", rows(3).transpose(0, 2, 1).copy())
    with pytest.raises(UsageError, match="with 2 classes, and 3 are named"):
        opened(tmp_path / "own.onnx", rows(2).transpose(0, 2, 1).copy(), metadata=THREE)


def test_a_network_for_another_task_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is a network for the task pose"):
        opened(tmp_path / "p.onnx", rows(52).transpose(0, 2, 1).copy(), metadata=THREE | {"task": "pose"})


def test_logits_are_no_scores(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"looks like YOLOv8.*scores of a grey picture run from 0 to 7"):
        opened(tmp_path / "raw.onnx", with_box(rows(80), 6, 7.0).transpose(0, 2, 1).copy())
