"""DEIM: a set of labels, boxes and scores; labels are COCO's, boxes refer to the size that it is told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from support.onnx_graphs import plain_frame, write_answers

from perception.detection import DetectionSettings
from perception.detection.backends.onnx import OnnxDetector
from perception.taxonomy import CLASSES


def deim_file(path: Path, *, metadata: dict[str, str] | None = None) -> Path:
    """A truck, and something that is no road user, in 64x64 pixels."""
    answers = {
        "labels": np.array([[7, 15]], np.int64),
        "boxes": np.array([[[10, 20, 30, 40], [0, 0, 9, 9]]], np.float32),
        "scores": np.array([[0.7, 0.9]], np.float32),
    }
    return write_answers(
        path,
        answers,
        image=("images", ("N", 3, 64, 64)),
        sizes_input="orig_target_sizes",
        lit=["scores"],
        shapes={"boxes": ("N", "queries", 4), "labels": ("N", "queries"), "scores": ("N", "queries")},
        metadata=metadata,
    )


def test_a_known_row_becomes_a_known_box_of_the_stretched_picture(tmp_path: Path) -> None:
    detector = OnnxDetector(deim_file(tmp_path / "any.onnx"), DetectionSettings())
    assert detector.layout.title == "DEIM" and detector.input_size_px == (64, 64)
    bright, dark = detector.detect([plain_frame(width=128, height=64), plain_frame(0)])
    np.testing.assert_allclose(bright.boxes_xyxy_px, [[20, 20, 60, 40]], atol=1e-4)
    np.testing.assert_allclose(bright.scores, [0.7])
    assert [CLASSES[label] for label in bright.labels] == ["truck"] and len(dark) == 0


def test_named_classes_replace_those_of_coco(tmp_path: Path) -> None:
    names = ",".join([f"thing {i}" for i in range(15)] + ["bus"])
    detector = OnnxDetector(deim_file(tmp_path / "net.onnx", metadata={"classes": names}), DetectionSettings())
    (found,) = detector.detect([plain_frame()])
    assert [CLASSES[label] for label in found.labels] == ["bus"]
    assert [name for name, known in zip(CLASSES, detector.known_labels, strict=True) if known] == ["bus"]
