"""What is of no known layout, or of unknown classes, is told in one sentence; names of files do not count."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.onnx_graphs import write_answers

from perception.class_names import ClassMap
from perception.detection.backends.layouts.class_columns import class_columns
from perception.detection.backends.layouts.layout import FLOAT, Graph, Port
from perception.detection.backends.layouts.recognition import known_layouts, recognize
from perception.detection.backends.onnx import OnnxDetector
from perception.detection.settings import DetectionSettings
from perception.errors import UsageError
from perception.taxonomy import CLASSES, COCO80_COLUMNS

PATH = Path("net.onnx")


def test_an_unknown_layout_is_told_with_the_known_ones(tmp_path: Path) -> None:
    path = write_answers(tmp_path / "yolox.onnx", {"output0": np.zeros((1, 84, 125), np.float32)},
                         image=("images", (1, 3, 64, 96)), shapes={"output0": (1, 84, 125)})  # fmt: skip
    with pytest.raises(UsageError) as caught:
        OnnxDetector(path, DetectionSettings())
    sentence = str(caught.value)
    assert "inputs (images 1x3x64x96) and outputs (output0 1x84x125) are of no known layout" in sentence
    assert all(title in sentence for title in known_layouts()) and "\n" not in sentence
    assert known_layouts() == [
        "YOLOX", "YOLOv8", "end-to-end YOLO", "NanoDet-Plus", "PicoDet", "DEIM", "DETR", "RTMDet",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "outputs",
    [
        [Port("cls8", ("n", 80, "h", "w"), FLOAT)],  # one of eight maps
        [Port(f"scale_{i}", ("n", 80, "h", "w"), FLOAT) for i in range(8)],  # not Paddle's names
        [Port(name, ("n", "q"), FLOAT) for name in ("labels", "boxes", "scores")],  # no second input
        [Port(f"o{i}", (1, 8, 8, 5), FLOAT) for i in range(3)],  # not the sizes of the strides
        [Port("output", (1, 126, 85), "tensor(float16)")],
        [],
    ],
)
def test_what_is_nearly_a_layout_is_none(outputs: list[Port]) -> None:
    with pytest.raises(UsageError, match="no known layout"):
        recognize(Graph(PATH, (Port("images", (1, 3, 64, 96), FLOAT),), tuple(outputs)))


@pytest.mark.parametrize("count", [1, 3, 81])
def test_unknown_classes_are_told_as_the_cause(count: int) -> None:
    graph = Graph(PATH, (Port("images", (1, 3, 64, 96), FLOAT),), (Port("output", (1, 126, 5 + count), FLOAT),))
    with pytest.raises(UsageError, match=f"YOLOX with {count} class(es)? and does not name them.*metadata as names"):
        recognize(graph)


def test_named_classes_are_found_by_any_of_their_names() -> None:
    columns = class_columns(PATH, "X", 4, ClassMap(("Person", "van", "tree", "car")))
    np.testing.assert_array_equal(columns.known_labels, [name in ("car", "pedestrian") for name in CLASSES])
    np.testing.assert_allclose(columns.select(np.array([0.1, 0.6, 0.9, 0.3])), [0.6, 0, 0, 0, 0, 0.1])


def test_classes_without_names() -> None:
    scores = np.arange(80, dtype=np.float32)
    assert class_columns(PATH, "X", 80, ClassMap()).select(scores).tolist() == list(COCO80_COLUMNS)
    assert class_columns(PATH, "X", 91, ClassMap()).select(np.arange(91)).tolist() == [3, 8, 6, 4, 2, 1]
    only = class_columns(PATH, "X", 1, ClassMap(), one_is="pedestrian").known_labels
    assert only.tolist() == [False] * 5 + [True]


@pytest.mark.parametrize(
    ("count", "names", "sentence"),
    [(3, ("car", "bus"), "X with 3 classes, and 2 are named"), (2, ("cat", "dog"), "finds cat, dog, none of car")],
)
def test_wrong_names(count: int, names: tuple[str, ...], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        class_columns(PATH, "X", count, ClassMap(names))
