"""Networks, frames and files that the detection tests share."""

from __future__ import annotations

import copy
import functools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from perception.arrays import FloatArray
from perception.detection import DetectionSettings, RoadNetDetector
from perception.detection.roadnet.engines import RoadNetTorchEngine
from perception.detection.roadnet.network import RoadNet, RoadNetConfig
from perception.types import Detections, Frame

CPU = torch.device("cpu")
TINY = RoadNetConfig(stage_channels=(16, 24, 32), stage_depths=(2, 2, 1), channels=16, embedding_size=8)


def random_frame(camera: str = "front", *, width: int = 96, height: int = 64, seed: int = 0) -> Frame:
    """Smooth random colours, so that a network answers differently at each grid point."""
    coarse = np.random.default_rng(seed).integers(0, 256, (height // 8 + 1, width // 8 + 1, 3), dtype=np.uint8)
    return Frame(np.ascontiguousarray(coarse.repeat(8, 0).repeat(8, 1)[:height, :width]), camera, 0, 0)


def lively_roadnet() -> RoadNet:
    """Random weights whose scores are spread over 0..1."""
    return copy.deepcopy(_lively_roadnet())


@functools.cache
def _lively_roadnet() -> RoadNet:
    torch.manual_seed(0)
    model = RoadNet(TINY)
    hooks = [
        module.register_forward_hook(_scale_to_unit_spread)
        for module in model.modules()
        if isinstance(module, torch.nn.Conv2d)
    ]
    with torch.no_grad():
        model.eval()(torch.randn(1, 3, 64, 96))
    for hook in hooks:
        hook.remove()
    for head in model.heads:
        torch.nn.init.normal_(head.classes.weight, std=1.0)
        torch.nn.init.constant_(head.classes.bias, -1.0)
        torch.nn.init.normal_(head.ltrb.weight, std=1.0)
    return model.eval()


def _scale_to_unit_spread(module: torch.nn.Module, _: object, output: torch.Tensor) -> torch.Tensor:
    """With plain random weights the image fades from layer to layer, and all grid points answer alike."""
    spread = output.std()
    module.weight.div_(spread)
    return output / spread


def detector_of(
    model: RoadNet,
    *,
    half: bool = False,
    device: torch.device = CPU,
    settings: DetectionSettings | None = None,
) -> RoadNetDetector:
    settings = settings or DetectionSettings(confidence=0.3, image_size_px=96)
    engine = RoadNetTorchEngine(model, device=device, half=half)
    return RoadNetDetector(engine, settings, name="test", feature_space="test")


def assert_same(first: Detections, second: Detections, *, atol: float = 1e-3) -> None:
    """The same objects up to rounding, which may change the order of equal scores."""
    assert len(first) == len(second) > 0
    distance = np.abs(first.boxes_xyxy_px[:, None] - second.boxes_xyxy_px[None]).max(axis=-1)
    distance += np.abs(first.scores[:, None] - second.scores[None])  # tells boxes apart that fill the picture
    other_label = first.labels[:, None] != second.labels[None]
    partners = (distance + 1e6 * other_label).argmin(axis=1)
    assert len(set(partners)) == len(first)
    second = second[partners]
    np.testing.assert_array_equal(first.labels, second.labels)
    np.testing.assert_allclose(first.boxes_xyxy_px, second.boxes_xyxy_px, atol=100 * atol)
    np.testing.assert_allclose(first.scores, second.scores, atol=atol)
    np.testing.assert_allclose(first.features, second.features, atol=10 * atol)


def matched_share(first: Detections, second: Detections, *, iou: float) -> float:
    """The part of ``first`` that has a box of the same label in ``second`` overlapping by at least ``iou``."""
    overlap = iou_matrix(first.boxes_xyxy_px, second.boxes_xyxy_px)
    same = first.labels[:, None] == second.labels[None]
    return float(((overlap >= iou) & same).any(axis=1).mean())


def iou_matrix(first: FloatArray, second: FloatArray) -> FloatArray:
    """(n, m), written apart from the package's own."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=2)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(axis=1) for boxes in (first, second)]
    return shared / np.maximum(areas[0][:, None] + areas[1][None] - shared, 1e-9)


def write_onnx(
    path: Path,
    *,
    input_shape: Sequence[int | str] = (1, 3, 64, 96),
    output_shape: Sequence[int] | None = None,
    raw: FloatArray | None = None,
) -> Path:
    """A network that ignores its image and answers ``raw``, or zeros of ``output_shape``."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    raw = np.zeros(output_shape or (1, 126, 85), np.float32) if raw is None else raw.astype(np.float32)
    # The image takes part with weight zero, so that no optimiser removes the input.
    nodes = [
        helper.make_node("ReduceMean", ["images"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["mean", "zero"], ["nothing"]),
        helper.make_node("Add", ["raw", "nothing"], ["output"]),
    ]
    constants = [numpy_helper.from_array(raw, "raw"), numpy_helper.from_array(np.float32(0), "zero")]
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, list(input_shape))],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, list(raw.shape))],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, path)
    return path
