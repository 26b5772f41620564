"""RoadNet on ShuffleNetV2: shapes, files, graphs, and NanoDet-Plus's answers from NanoDet-Plus's weights."""

from __future__ import annotations

import zlib
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.detection_cases import CPU, random_frame

from perception.detection import DetectionSettings, load_roadnet, read_roadnet, save_roadnet
from perception.detection.roadnet.engines import RoadNetOnnxEngine, RoadNetTorchEngine
from perception.detection.roadnet.nanodet_weights import COCO_ROWS, load_nanodet
from perception.detection.roadnet.network import grid_points, to_input
from perception.detection.roadnet.onnx_export import export_roadnet, roadnet_graph
from perception.detection.roadnet.quantization import quantise
from perception.detection.roadnet.shuffle import (
    SHUFFLE_SIZES,
    ShuffleRoadNet,
    ShuffleRoadNetConfig,
    shuffled,
)
from perception.errors import UsageError
from perception.weights import save_weights

TINY = ShuffleRoadNetConfig(stage_channels=(16, 24, 32), stage_depths=(2, 2, 1), channels=16, embedding_size=8)
MEAN_RGB, STD_RGB = np.array([123.675, 116.28, 103.53]), np.array([58.395, 57.12, 57.375])

# What the published ONNX graph of NanoDet-Plus-m-1.5x answers with the weights of ``drawn`` to standard normal pixels:
# for each stride the scores of our classes at the first grid point, and the first six distances' logits at the last.
EXPECTED = {
    8: ([0.48113, 0.49328, 0.35954, 0.46564, 0.48879, 0.54617], [0.056, 0.124, -0.092, 0.007, 0.22, 0.038]),
    16: ([0.51239, 0.4962, 0.52674, 0.46015, 0.45118, 0.44416], [0.219, 0.059, -0.078, -0.211, -0.211, 0.077]),
    32: ([0.51688, 0.52534, 0.53096, 0.48184, 0.51651, 0.53587], [0.191, 0.133, 0.057, -0.145, -0.259, 0.024]),
    64: ([0.46984, 0.51409, 0.45037, 0.57305, 0.50221, 0.52146], [-0.015, -0.155, -0.199, -0.141, -0.077, 0.079]),
}


def lively() -> ShuffleRoadNet:
    """Random weights whose scores differ between grid points."""
    torch.manual_seed(0)
    model = ShuffleRoadNet(TINY)
    for head in model.heads:
        torch.nn.init.normal_(head.classes.weight, std=3.0)
        torch.nn.init.constant_(head.classes.bias, -1.0)
        torch.nn.init.normal_(head.ltrb.weight, std=3.0)
    return model.eval()


def pictures(count: int = 2, height: int = 64, width: int = 96) -> np.ndarray:
    return np.stack([random_frame(width=width, height=height, seed=seed).image for seed in range(count)])


def drawn(name: str, shape: tuple[int, ...]) -> torch.Tensor:
    """Random numbers that depend on the name alone."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    scale = np.sqrt(1.2 / np.prod(shape[1:])) if len(shape) > 1 else 0.1
    return torch.from_numpy((rng.standard_normal(shape) * scale).astype(np.float32))


class DrawnState(dict[str, torch.Tensor]):
    """Weights of any name, as large as they are asked for: 80 classes and 4 x 8 distances in the last layers."""

    def __init__(self, model: ShuffleRoadNet) -> None:
        from perception.detection.roadnet.nanodet_weights import _layers

        for name, layer in _layers(model):
            convolution = next(part for part in layer.modules() if isinstance(part, torch.nn.Conv2d))
            self._add(name, tuple(convolution.weight.shape))
        for number in (77, 80, 83, 86):
            self._add(f"conv_{number}", (80 + 32, model.config.channels, 1, 1))

    def _add(self, name: str, shape: tuple[int, ...]) -> None:
        self[f"{name}.weight"] = drawn(f"{name}.weight", shape)
        self[f"{name}.bias"] = drawn(f"{name}.bias", shape[:1])


def test_nanodets_weights_give_nanodets_answers() -> None:
    model = ShuffleRoadNet().eval()
    load_nanodet(model, DrawnState(model))
    bgr = np.random.default_rng(0).standard_normal((1, 3, 64, 96)).astype(np.float32)
    pixels = bgr[:, ::-1] * STD_RGB[:, None, None] + MEAN_RGB[:, None, None]
    with torch.no_grad():
        output = model(torch.from_numpy(pixels / 127.5 - 1).float())
    assert output.ltrb_logits is not None
    for stride, (scores, distances) in EXPECTED.items():
        first, last = np.flatnonzero(output.strides == stride)[[0, -1]]
        np.testing.assert_allclose(output.class_logits.sigmoid()[0, first], scores, atol=3e-5)
        np.testing.assert_allclose(output.ltrb_logits[0, last].flatten()[:6], distances, atol=1e-3)


def test_our_classes_are_rows_of_cocos() -> None:
    coco = ("person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck")
    ours = tuple("person" if name == "pedestrian" else name for name in TINY.classes)
    assert tuple(coco[row] for row in COCO_ROWS) == ours


@pytest.mark.parametrize("damage", ["missing", "shape"])
def test_weights_that_do_not_fit_are_refused(damage: str) -> None:
    model = ShuffleRoadNet(SHUFFLE_SIZES["nano"])
    state = DrawnState(ShuffleRoadNet() if damage == "shape" else model)
    if damage == "missing":
        del state["convdw_182.bias"]
    with pytest.raises(ValueError, match="convdw_182.bias is missing" if damage == "missing" else "has shape"):
        load_nanodet(model, state)


def test_channels_are_taken_in_turn() -> None:
    first, second = torch.zeros(1, 3, 2, 2), torch.ones(1, 3, 2, 2)
    assert shuffled(first, second)[0, :, 0, 0].tolist() == [0, 1, 0, 1, 0, 1]


def test_grid_points_are_the_corners_of_cells() -> None:
    assert grid_points(2, 3, 8, device=CPU, offset=0.0).tolist() == [[0, 0], [8, 0], [16, 0], [0, 8], [8, 8], [16, 8]]


def test_one_row_per_grid_point_and_boxes_around_them() -> None:
    output = lively()(to_input(torch.from_numpy(pictures(2, 96, 64))))
    count = 12 * 8 + 6 * 4 + 3 * 2 + 2 * 1
    assert output.class_logits.shape == (2, count, 6) and output.embeddings.shape == (2, count, 8)
    assert output.ltrb_logits is not None and output.ltrb_logits.shape == (2, count, 4, 8)
    torch.testing.assert_close(output.embeddings.norm(dim=-1), torch.ones(2, count))
    assert output.points_xy[:2].tolist() == [[0, 0], [8, 0]] and output.points_xy[-1].tolist() == [0, 64]
    before, after = output.points_xy - output.boxes_xyxy[..., :2], output.boxes_xyxy[..., 2:] - output.points_xy
    distances = torch.cat([before, after], dim=2) / output.strides[:, None]
    assert (distances >= -1e-3).all() and (distances <= 7 + 1e-3).all()
    expected = (output.ltrb_logits.softmax(dim=-1) * torch.arange(8.0)).sum(dim=-1)
    torch.testing.assert_close(distances, expected, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize(("count", "height", "width"), [(1, 32, 32), (3, 64, 96), (2, 96, 64)])
def test_both_engines_answer_alike_at_every_grid_point(count: int, height: int, width: int) -> None:
    images = pictures(count, height, width)
    found = RoadNetOnnxEngine(roadnet_graph(lively(), feature_space="s"))(images)
    expected = RoadNetTorchEngine(lively(), device=CPU)(images)
    assert found.scores.std() > 0.01
    for ours, theirs, tolerance in zip(found, expected, (1e-4, 0.02, 1e-3), strict=True):
        torch.testing.assert_close(ours, theirs, atol=tolerance, rtol=1e-3)


def test_the_graph_is_exported_and_made_of_8_bits(tmp_path: Path) -> None:
    path = tmp_path / "shuffle.onnx"
    apart = export_roadnet(lively(), path, feature_space="s", images=[pictures()])
    assert apart.scores < 1e-4 and path.is_file()
    images = pictures()
    graph = path.read_bytes()
    small = quantise(graph, [images])
    full, eighth = RoadNetOnnxEngine(graph)(images), RoadNetOnnxEngine(small)(images)
    assert (full.scores - eighth.scores).abs().mean() < 0.02
    assert not torch.equal(full.scores, eighth.scores)


def test_a_file_gives_back_the_network(tmp_path: Path) -> None:
    model = lively()
    model.load_state_dict({name: value.half().float() for name, value in model.state_dict().items()})
    space = save_roadnet(model, tmp_path / "w.safetensors")
    again, feature_space = read_roadnet(tmp_path / "w.safetensors")
    assert isinstance(again, ShuffleRoadNet) and again.config == TINY and feature_space == space
    inputs = to_input(torch.from_numpy(pictures()))
    for before, after in zip(model(inputs), again.eval()(inputs), strict=True):
        assert torch.equal(before, after)
    detector = load_roadnet(tmp_path / "w.safetensors", DetectionSettings(confidence=0.2), device=CPU)
    assert detector.feature_size == 8 and detector.feature_space == space
    assert len(detector.detect([random_frame()])[0]) > 0


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"channels": 32}, "do not fit ShuffleRoadNet"),
        ({"channels": 15}, "no RoadNet has"),
        ({"stage_channels": [16, 24]}, "no RoadNet has"),
        ({"stage_channels": "wide"}, "no RoadNet has"),
        ({"stage_depths": [1, 0, 1]}, "no RoadNet has"),
        ({"dropout": 2}, "no RoadNet has"),
        ({"classes": ["car"]}, "finds car; give weights for car, truck"),
        ({"depth": 3}, r"not built like RoadNet \(config depth\)"),
    ],
)
def test_a_file_that_is_no_roadnet(tmp_path: Path, changes: dict[str, Any], sentence: str) -> None:
    model = lively()
    config = {**asdict(model.config), **changes}
    save_weights(tmp_path / "w.safetensors", model.state_dict(), kind="detector", config=config)
    with pytest.raises(UsageError, match=sentence):
        read_roadnet(tmp_path / "w.safetensors")


def test_the_ladder_grows() -> None:
    counts = [sum(p.numel() for p in ShuffleRoadNet(config).parameters()) for config in SHUFFLE_SIZES.values()]
    assert counts == sorted(counts) and counts[0] < 0.4 * counts[1]
