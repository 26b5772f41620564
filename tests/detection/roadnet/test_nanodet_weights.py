"""NanoDet-Plus's answers from NanoDet-Plus's weights."""

from __future__ import annotations

import zlib
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import helper, numpy_helper
from safetensors.torch import save_file

from perception.arrays import FloatArray
from perception.detection.letterbox import letterbox
from perception.detection.roadnet.nanodet_weights import COCO_ROWS, _layers, load_nanodet, read_nanodet
from perception.detection.roadnet.network import SIZES, STRIDES, RoadNet, to_input
from perception.errors import UsageError
from perception.taxonomy import CLASSES

MEAN_RGB, STD_RGB = np.array([123.675, 116.28, 103.53]), np.array([58.395, 57.12, 57.375])

# What the published ONNX graph of NanoDet-Plus-m-1.5x answers with the weights of ``drawn`` to standard normal pixels:
# for each stride the scores of our classes at the first grid point, and the first six distances' logits at the last.
EXPECTED = {
    8: ([0.48113, 0.49328, 0.35954, 0.46564, 0.48879, 0.54617], [0.056, 0.124, -0.092, 0.007, 0.22, 0.038]),
    16: ([0.51239, 0.4962, 0.52674, 0.46015, 0.45118, 0.44416], [0.219, 0.059, -0.078, -0.211, -0.211, 0.077]),
    32: ([0.51688, 0.52534, 0.53096, 0.48184, 0.51651, 0.53587], [0.191, 0.133, 0.057, -0.145, -0.259, 0.024]),
    64: ([0.46984, 0.51409, 0.45037, 0.57305, 0.50221, 0.52146], [-0.015, -0.155, -0.199, -0.141, -0.077, 0.079]),
}


def drawn(name: str, shape: tuple[int, ...]) -> torch.Tensor:
    """Random numbers that depend on the name alone."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    scale = np.sqrt(1.2 / np.prod(shape[1:])) if len(shape) > 1 else 0.1
    return torch.from_numpy((rng.standard_normal(shape) * scale).astype(np.float32))


class DrawnState(dict[str, torch.Tensor]):
    """Weights of any name, as large as they are asked for: 80 classes and 4 x 8 distances in the last layers."""

    def __init__(self, model: RoadNet) -> None:
        for name, layer in _layers(model):
            convolution = next(part for part in layer.modules() if isinstance(part, torch.nn.Conv2d))
            self._add(name, tuple(convolution.weight.shape))
        for number in (77, 80, 83, 86):
            self._add(f"conv_{number}", (80 + 32, model.config.channels, 1, 1))

    def _add(self, name: str, shape: tuple[int, ...]) -> None:
        self[f"{name}.weight"] = drawn(f"{name}.weight", shape)
        self[f"{name}.bias"] = drawn(f"{name}.bias", shape[:1])


def test_nanodets_weights_give_nanodets_answers() -> None:
    model = RoadNet().eval()
    load_nanodet(model, DrawnState(model))
    bgr = np.random.default_rng(0).standard_normal((1, 3, 64, 96)).astype(np.float32)
    pixels = bgr[:, ::-1] * STD_RGB[:, None, None] + MEAN_RGB[:, None, None]
    with torch.no_grad():
        output = model(torch.from_numpy(pixels / 127.5 - 1).float())
    for stride, (scores, distances) in EXPECTED.items():
        first, last = np.flatnonzero(output.strides == stride)[[0, -1]]
        np.testing.assert_allclose(output.class_logits.sigmoid()[0, first], scores, atol=3e-5)
        np.testing.assert_allclose(output.ltrb_logits[0, last].flatten()[:6], distances, atol=1e-3)


def test_our_classes_are_rows_of_cocos() -> None:
    coco = ("person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck")
    ours = tuple("person" if name == "pedestrian" else name for name in CLASSES)
    assert tuple(coco[row] for row in COCO_ROWS) == ours


@pytest.mark.parametrize("damage", ["missing", "shape"])
def test_weights_that_do_not_fit_are_refused(damage: str) -> None:
    model = RoadNet(SIZES["nano"])
    state = DrawnState(RoadNet() if damage == "shape" else model)
    if damage == "missing":
        del state["convdw_182.bias"]
    with pytest.raises(ValueError, match="convdw_182.bias is missing" if damage == "missing" else "has shape"):
        load_nanodet(model, state)


@pytest.mark.parametrize(
    "names", [("convrelu_0_w", "convrelu_0_b"), ("n.mods.convrelu_0.weight", "n.mods.convrelu_0.bias")]
)
def test_an_onnx_file_and_a_file_of_tensors_give_the_same(tmp_path: Path, names: tuple[str, str]) -> None:
    state = {"convrelu_0.weight": drawn("a", (4, 3, 3, 3)), "convrelu_0.bias": drawn("b", (4,))}
    tensors = [numpy_helper.from_array(value.numpy(), name) for name, value in zip(names, state.values(), strict=True)]
    others = [numpy_helper.from_array(np.zeros(2, np.int64), name) for name in ("chunk_0_s", "channelshuffle_4_i")]
    graph = helper.make_graph([], "nanodet", [], [], [*tensors, *others])
    onnx.save(helper.make_model(graph), tmp_path / "n.onnx")
    save_file(state, tmp_path / "n.safetensors")
    for path in (tmp_path / "n.onnx", tmp_path / "n.safetensors"):
        found = read_nanodet(path)
        assert found.keys() == state.keys() and all(torch.equal(found[name], state[name]) for name in state)


@pytest.mark.parametrize("content", [None, b"no graph"])
def test_a_file_that_is_no_onnx_is_named(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "n.onnx").write_bytes(content)
    with pytest.raises(UsageError, match=r"n\.onnx: is not a readable ONNX file"):
        read_nanodet(tmp_path / "n.onnx")


@pytest.mark.shared
@pytest.mark.parametrize(
    ("size", "original", "tensors", "tolerances"),
    [
        ("nano", "nanodet_plus_m_onnx/nanodet_plus_m.onnx", None, (1e-5, 0.01)),
        ("small", "nanodet_plus_m15/nanodet_plus_m15.onnx", None, (1e-5, 0.01)),
        # With 16 bits.
        (
            "small",
            "nanodet_plus_m15/nanodet_plus_m15.onnx",
            "nanodet_plus_m15/nanodet_plus_m15_coco_fp16.safetensors",
            (5e-3, 2.0),
        ),
    ],
)
def test_a_real_picture_gets_the_scores_and_boxes_of_the_original(
    shared_dir: Path, size: str, original: str, tensors: str | None, tolerances: tuple[float, float]
) -> None:
    folder = shared_dir / "teachers"
    model = RoadNet(SIZES[size]).eval()
    load_nanodet(model, read_nanodet(folder / (tensors or original)))
    picture = cv2.imread(str(min((shared_dir / "real" / "street" / "images").iterdir())))[..., ::-1]
    images = letterbox([np.ascontiguousarray(picture)], width=640, height=384).images
    with torch.no_grad():
        output = model(to_input(torch.from_numpy(images)))
    scores, boxes_xyxy = answers_of(folder / original, images)
    assert (scores > 0.4).sum() > 10
    np.testing.assert_allclose(output.class_logits.sigmoid()[0], scores, atol=tolerances[0])
    np.testing.assert_allclose(output.boxes_xyxy[0], boxes_xyxy, atol=tolerances[1])


def answers_of(path: Path, images: np.ndarray) -> tuple[FloatArray, FloatArray]:
    """Scores (A, 6) and boxes (A, 4) at each grid point of the original network for one picture (1, H, W, 3)."""
    bgr = ((images - MEAN_RGB) / STD_RGB)[..., ::-1].transpose(0, 3, 1, 2)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [f"{kind}{stride}" for kind in ("cls", "dis") for stride in STRIDES]
    found = session.run(names, {session.get_inputs()[0].name: np.ascontiguousarray(bgr, np.float32)})
    scores, boxes = [], []
    for stride, class_map, distance_map in zip(STRIDES, found[:4], found[4:], strict=True):
        scores.append(class_map[0, list(COCO_ROWS)].reshape(6, -1).T)
        shares = np.exp(distance_map[0].reshape(4, 8, -1))
        distances = (np.arange(8) @ (shares / shares.sum(axis=1, keepdims=True))).T * stride
        ys, xs = np.mgrid[: class_map.shape[2], : class_map.shape[3]]
        points = np.stack([xs.ravel(), ys.ravel()], axis=1) * stride
        boxes.append(np.concatenate([points - distances[:, :2], points + distances[:, 2:]], axis=1))
    return np.concatenate(scores), np.concatenate(boxes)
