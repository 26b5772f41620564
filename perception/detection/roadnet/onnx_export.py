"""RoadNet as an ONNX graph, written layer by layer from its weights, and kept only when it gives the same outputs.

    images (B, H, W, 3) uint8 RGB -> scores (B, A, C), boxes (B, A, 4) in pixels of the input, embeddings (B, A, F)

Batch and size are free: the graph pads H and W with grey to multiples of 32, on the right and below; its grid points
cover the padding, too. Writing the graph here takes a tenth of a second, where tracing the network takes many, so that
a processor can run every RoadNet by ONNX Runtime without a file beside the weights.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from perception.arrays import FloatArray
from perception.detection.letterbox import PADDING_GREY
from perception.detection.roadnet.network import (
    DISTANCES,
    SIDE_MULTIPLE_PX,
    STRIDES,
    Ghost,
    GhostBottleneck,
    PathAggregation,
    RoadNet,
    RoadNetHead,
    ShuffleDown,
    ShuffleUnit,
    to_input,
)
from perception.errors import PerceptionError
from perception.files import atomic_write

CONFIG_KEY, FEATURE_SPACE_KEY = "perception.detector", "perception.feature_space"
NAMES_KEY, INPUT_KEY = "names", "input"
INPUT_DESCRIPTION = f"RGB, uint8, any number and size; padded to multiples of {SIDE_MULTIPLE_PX} within the graph"
OUTPUTS = ("scores", "boxes", "embeddings")
BOX_TOLERANCE_PX, SCORE_TOLERANCE, EMBEDDING_TOLERANCE = 0.5, 0.005, 0.005
LAST_LAYERS = "last_"
"""The names of the last layers, which give the outputs, begin with it."""

_OPSET, _IR_VERSION = 17, 9


class Difference(NamedTuple):
    """The largest differences between the two engines; boxes where a score is at least 0.05."""

    boxes_px: float
    scores: float
    embeddings: float


def roadnet_graph(model: RoadNet, *, feature_space: str, half: bool = False) -> bytes:
    """The network as the content of an ONNX file; ``model`` stays as it is.

    ``half`` has 16-bit numbers for runtimes that compute with them, from the picture to the last convolutions.
    """
    graph = _Graph(half)
    padded = graph.padded("images", SIDE_MULTIPLE_PX)
    pixels = graph.add("Cast", graph.add("Transpose", padded, perm=[0, 3, 1, 2]), to=TensorProto.FLOAT)
    outputs = _outputs(model, graph, graph.add("Div", pixels, graph.constant(127.5)))
    for name, parts in zip(OUTPUTS, zip(*outputs, strict=True), strict=True):
        graph.add("Concat", *parts, output=name, axis=1)

    sizes = (len(model.config.classes), 4, model.config.embedding_size)
    proto = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "RoadNet",
            [helper.make_tensor_value_info("images", TensorProto.UINT8, ["batch", "height", "width", 3])],
            [
                helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", "points", size])
                for name, size in zip(OUTPUTS, sizes, strict=True)
            ],
            graph.constants,
        ),
        opset_imports=[helper.make_opsetid("", _OPSET)],
        ir_version=_IR_VERSION,
    )
    described = {
        CONFIG_KEY: json.dumps(model.config.to_plain()),
        FEATURE_SPACE_KEY: feature_space,
        NAMES_KEY: str(dict(enumerate(model.config.classes))),
        INPUT_KEY: INPUT_DESCRIPTION,
    }
    helper.set_model_props(proto, described)
    return bytes(proto.SerializeToString())


def _outputs(model: RoadNet, graph: _Graph, features: str) -> list[tuple[str, str, str]]:
    """``RoadNet.forward`` from the pixels in 0..2: the dense outputs of each level."""
    model = copy.deepcopy(model).cpu().float().eval()
    features = graph.add("Sub", features, graph.constant(1 + model.mean[None].numpy()))
    features, maps = graph.layers(model.stem, graph.narrowed(features)), []
    for stage in model.stages:
        features = graph.stage(stage, features)
        maps.append(features)
    return [
        graph.dense_outputs(head, level, stride)
        for head, level, stride in zip(model.heads, graph.aggregation(model.neck, maps), STRIDES, strict=True)
    ]


def export_roadnet(
    model: RoadNet, path: Path, *, feature_space: str, images: Sequence[NDArray[np.uint8]]
) -> Difference:
    """Write the graph, after a check on ``images`` (B, H, W, 3) that ONNX Runtime gives PyTorch's outputs.

    Raises ``PerceptionError`` where boxes, scores or embeddings differ by more than the tolerances above.
    """
    content = roadnet_graph(model, feature_space=feature_space)
    onnx.checker.check_model(content, full_check=True)
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    worst = Difference(0.0, 0.0, 0.0)
    for batch in images:
        found = session.run(list(OUTPUTS), {"images": batch})
        worst = Difference(*map(max, worst, _difference(model, batch, found)))
    allowed = Difference(BOX_TOLERANCE_PX, SCORE_TOLERANCE, EMBEDDING_TOLERANCE)
    for name, value, limit in zip(Difference._fields, worst, allowed, strict=True):
        if not value <= limit:
            raise PerceptionError(f"{path}: not written, because the {name} of ONNX Runtime differ by {value:.2g}.")
    with atomic_write(path) as temporary:
        temporary.write_bytes(content)
    return worst


@torch.inference_mode()
def _difference(model: RoadNet, images: NDArray[np.uint8], found: Sequence[FloatArray]) -> Difference:
    output = model.eval()(to_input(torch.from_numpy(images)))
    scores = output.class_logits.sigmoid().numpy()
    matters = np.maximum(scores, found[0]).max(axis=2) >= 0.05
    boxes = np.abs(output.boxes_xyxy.numpy() - found[1])[matters]
    embeddings = np.abs(output.embeddings.numpy() - found[2])
    return Difference(float(boxes.max(initial=0.0)), float(np.abs(scores - found[0]).max()), float(embeddings.max()))


class _Graph:
    """Nodes and constants so far; each method returns the name of the value that it adds."""

    def __init__(self, half: bool) -> None:
        self.half = half
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def add(self, kind: str, *inputs: str, output: str | None = None, **attributes: Any) -> str:
        name = output or f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name=name, **attributes))
        return name

    def constant(self, value: Any, dtype: type = np.float32) -> str:
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value, dtype), name))
        return name

    def padded(self, images: str, multiple: int) -> str:
        """(B, H, W, 3) uint8 with grey on the right and below, so that H and W are whole multiples."""
        missing = self.add(
            "Mod", self.add("Neg", self.add("Shape", images, start=1, end=3)), self._integers([multiple])
        )
        pads = self.add("Concat", self._integers([0] * 5), missing, self._integers([0]), axis=0)
        return self.add("Pad", images, pads, self.constant(PADDING_GREY, np.uint8))

    def _integers(self, values: Sequence[int]) -> str:
        return self.constant(values, np.int64)

    def weights(self, value: Any) -> str:
        """A constant of the network itself."""
        return self.constant(value, np.float16 if self.half else np.float32)

    def narrowed(self, value: str) -> str:
        """As the network computes it."""
        return self.add("Cast", value, to=TensorProto.FLOAT16) if self.half else value

    def widened(self, value: str) -> str:
        """With 32 bits again."""
        return self.add("Cast", value, to=TensorProto.FLOAT) if self.half else value

    def layers(self, module: nn.Module, value: str) -> str:
        """``value`` through any module that RoadNet is made of."""
        match module:
            case nn.Conv2d():
                return self._convolution(module, value)
            case nn.LeakyReLU():
                return self.add("LeakyRelu", value, alpha=module.negative_slope)
            case nn.MaxPool2d():
                return self.add("MaxPool", value, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
            case Ghost():
                primary = self.layers(module.primary, value)
                return self.add("Concat", primary, self.layers(module.cheap, primary), axis=1)
            case GhostBottleneck():
                return self.add("Add", self.layers(module.ghosts, value), self.layers(module.shortcut, value))
            case nn.Dropout2d():
                return value
            case nn.Sequential():
                for part in module:
                    value = self.layers(part, value)
                return value
        raise TypeError(f"RoadNet has a layer that the graph cannot express: {type(module).__name__}")

    def _convolution(self, module: nn.Conv2d, value: str, output: str | None = None) -> str:
        weights = [self.weights(module.weight.detach().numpy())]
        if module.bias is not None:
            weights.append(self.weights(module.bias.detach().numpy()))
        return self.add(
            "Conv",
            value,
            *weights,
            output=output,
            kernel_shape=list(module.kernel_size),
            strides=list(module.stride),
            pads=[int(p) for p in module.padding] * 2,
            group=module.groups,
        )

    def stage(self, module: nn.Module, value: str) -> str:
        """A ``ShuffleDown`` and its ``ShuffleUnit``s. Channels stay one half behind the other, and are gathered as the
        shuffle would order them: that copies whole maps, where a shuffle copies single numbers."""
        down, *units = module.children()
        assert isinstance(down, ShuffleDown)
        joined = self.add("Concat", self.layers(down.short, value), self.layers(down.long, value), axis=1)
        last = next(layer for layer in reversed([*down.long.modules()]) if isinstance(layer, nn.Conv2d))
        half = last.out_channels
        order = np.arange(2 * half).reshape(2, half).T.ravel()
        for unit in units:
            assert isinstance(unit, ShuffleUnit)
            kept = self._gathered(joined, order[:half])
            other = self._gathered(joined, order[half:])
            joined = self.add("Concat", kept, self.layers(unit.changed, other), axis=1)
        return self._gathered(joined, order)

    def _gathered(self, value: str, channels: NDArray[np.int64]) -> str:
        return self.add("Gather", value, self.constant(channels, np.int64), axis=1)

    def aggregation(self, module: PathAggregation, maps: list[str]) -> list[str]:
        """``PathAggregation.forward``."""
        reduced = [self.layers(layer, value) for layer, value in zip(module.reduce, maps, strict=True)]
        top_down = [reduced[-1]]
        for merge, finer in zip(module.top_down, reversed(reduced[:-1]), strict=True):
            doubled = self.add("Resize", top_down[0], "", self.constant([1.0, 1.0, 2.0, 2.0]), mode="linear")
            top_down.insert(0, self.layers(merge, self.add("Concat", doubled, finer, axis=1)))
        levels = [top_down[0]]
        for down, merge, coarser in zip(module.down, module.bottom_up, top_down[1:], strict=True):
            levels.append(self.layers(merge, self.add("Concat", self.layers(down, levels[-1]), coarser, axis=1)))
        before, after = self.layers(module.coarsest_before, reduced[-1]), self.layers(module.coarsest_after, levels[-1])
        return [*levels, self.add("Add", before, after)]

    def dense_outputs(self, head: RoadNetHead, level: str, stride: int) -> tuple[str, str, str]:
        """Scores, boxes and embeddings at the grid points of one level, each (B, h * w, size)."""
        features = self.layers(head.tower, level)
        class_map, ltrb_map, embedding_map = (
            self.widened(self._convolution(layer, features, f"{LAST_LAYERS}{name}_{stride}"))
            for name, layer in (("classes", head.classes), ("ltrb", head.ltrb), ("embedding", head.embedding))
        )
        scores = self.add("Sigmoid", self._rows(class_map, head.classes.out_channels))
        logits = self.add("Reshape", ltrb_map, self.constant([0, 4, DISTANCES, -1], np.int64))
        steps = self.constant(np.arange(DISTANCES).reshape(1, 1, -1, 1) * float(stride))
        weighed = self.add("Mul", self.add("Softmax", logits, axis=2), steps)
        ltrb = self.add("ReduceSum", weighed, self.constant([2], np.int64), keepdims=0)
        ltrb = self.add("Transpose", ltrb, perm=[0, 2, 1])
        before, after, points = self._columns(ltrb, 0, 2), self._columns(ltrb, 2, 4), self._points(level, stride)
        boxes = self.add("Concat", self.add("Sub", points, before), self.add("Add", points, after), axis=2)
        embeddings = self._rows(embedding_map, head.embedding.out_channels)
        return scores, boxes, self.add("LpNormalization", embeddings, axis=-1, p=2)

    def _rows(self, value: str, channels: int) -> str:
        """(B, channels, h, w) to (B, h * w, channels)."""
        flat = self.add("Reshape", value, self.constant([0, channels, -1], np.int64))
        return self.add("Transpose", flat, perm=[0, 2, 1])

    def _columns(self, value: str, start: int, end: int) -> str:
        limits = (self.constant([number], np.int64) for number in (start, end, 2))
        return self.add("Slice", value, *limits)

    def _points(self, level: str, stride: int) -> str:
        """(1, h * w, 2): the grid points of a level (B, C, h, w), in pixels."""
        shape = self.add("Shape", level, start=2)
        along = []
        for axis in (1, 0):  # x runs along the columns
            count = self.add("Gather", shape, self.constant(axis, np.int64))
            cells = self.add("Range", self.constant(0, np.int64), count, self.constant(1, np.int64))
            pixels = self.add("Mul", self.add("Cast", cells, to=TensorProto.FLOAT), self.constant(float(stride)))
            if axis == 0:
                pixels = self.add("Unsqueeze", pixels, self.constant([1], np.int64))
            whole = self.add("Expand", pixels, shape)
            along.append(self.add("Reshape", whole, self.constant([1, -1, 1], np.int64)))
        return self.add("Concat", *along, axis=2)
