"""RTMDet without post-processing: logits and distances from the corner; one class is the person."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from support.onnx_graphs import plain_frame, write_answers

from perception.detection import DetectionSettings
from perception.detection.backends.onnx import OnnxDetector
from perception.errors import UsageError
from perception.taxonomy import CLASSES
from perception.training.detector.distillation import open_dense_teacher

SIZE = 64


def answers(channels: int = 5) -> dict[str, NDArray[np.float32]]:
    """A person at stride 8, row 3, column 2: 4 pixels left of its corner (16, 24), 8 above, 10 right, 20 below."""
    levels = [np.full((1, SIZE // s, SIZE // s, channels), -20, np.float32) for s in (8, 16, 32)]
    levels[0][0, 3, 2, 0] = np.log(3)  # the logit of 0.75
    levels[0][0, 3, 2, -4:] = [4, 8, 10, 20]
    return {f"level{i}": level for i, level in enumerate(levels)}


def rtmdet_file(path: Path) -> Path:
    given = answers()
    shapes = {name: answer.shape for name, answer in given.items()}
    return write_answers(path, given, image=("images", (1, 3, SIZE, SIZE)), shapes=shapes)


def convolutional_file(path: Path) -> Path:
    """A network whose maps follow its input: their logit is the mean brightness of the cell, in 100 grey levels."""
    nodes, constants, outputs = [], [], []
    for stride in (8, 16, 32):
        kernel = np.zeros((5, 3, stride, stride), np.float32)
        kernel[0] = 0.57 / (3 * stride * stride)
        bias = np.array([0, 0, 0, stride, stride], np.float32)
        constants += [numpy_helper.from_array(kernel, f"k{stride}"), numpy_helper.from_array(bias, f"b{stride}")]
        nodes += [
            helper.make_node("Conv", ["images", f"k{stride}", f"b{stride}"], [f"c{stride}"], strides=[stride, stride]),
            helper.make_node("Transpose", [f"c{stride}"], [f"o{stride}"], perm=[0, 2, 3, 1]),
        ]
        shape = (1, SIZE // stride, SIZE // stride, 5)
        outputs.append(helper.make_tensor_value_info(f"o{stride}", TensorProto.FLOAT, shape))
    image = helper.make_tensor_value_info("images", TensorProto.FLOAT, (1, 3, SIZE, SIZE))
    graph = helper.make_graph(nodes, "test", [image], outputs, constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def test_a_known_cell_becomes_a_known_box(tmp_path: Path) -> None:
    detector = OnnxDetector(rtmdet_file(tmp_path / "any.onnx"), DetectionSettings())
    assert detector.layout.title == "RTMDet" and detector.input_size_px == (SIZE, SIZE)
    (found,) = detector.detect([plain_frame(width=128, height=128)])
    np.testing.assert_allclose(found.boxes_xyxy_px, [[24, 32, 52, 88]], atol=1e-3)
    np.testing.assert_allclose(found.scores, [0.75], atol=1e-6)
    assert [CLASSES[label] for label in found.labels] == ["pedestrian"]
    assert detector.known_labels.tolist() == [False] * 5 + [True]


def test_the_size_of_a_convolutional_graph_is_freed_where_another_is_asked_for(tmp_path: Path) -> None:
    path = convolutional_file(tmp_path / "net.onnx")
    detector = OnnxDetector(path, DetectionSettings(confidence=0.6, image_size_px=2 * SIZE))
    assert detector.input_size_px is None and detector.long_side_px == 2 * SIZE
    bright, dark = detector.detect([plain_frame(255, width=256, height=128), plain_frame(0, width=256, height=128)])
    # 128x64 pixels of the input: 16x8 boxes of stride 8, 8x4 of stride 16, and so on, all apart from one another
    # where they are of one stride; the first of each place stays.
    assert len(bright) >= 16 * 8 and len(dark) == 0
    np.testing.assert_allclose(bright.boxes_xyxy_px[:, 2].max(), 256)
    assert OnnxDetector(path, DetectionSettings(image_size_px=SIZE)).input_size_px == (SIZE, SIZE)


def test_a_graph_that_cannot_run_at_the_size_asked_for_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"net\.onnx: looks like RTMDet and cannot be run at 128x128 pixels.*image_si"):
        OnnxDetector(rtmdet_file(tmp_path / "net.onnx"), DetectionSettings(image_size_px=128))


def test_a_detector_of_persons_alone_cannot_be_distilled(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"net\.onnx: a RTMDet without .*teacher"):
        open_dense_teacher(rtmdet_file(tmp_path / "net.onnx"))
