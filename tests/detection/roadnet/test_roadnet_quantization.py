"""RoadNet with 8 bits: smaller, nearly the same answers, and the last layers left alone."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from perception.detection import read_roadnet
from perception.detection.roadnet.engines import RoadNetOnnxEngine
from perception.detection.roadnet.onnx_export import LAST_LAYERS, roadnet_graph
from perception.detection.roadnet.quantization import quantise
from perception.profiling.detector import example_batches
from perception.weights import bundled_folder


@pytest.fixture(scope="module")
def graphs() -> tuple[bytes, bytes]:
    """The bundled network with 32 and with 8 bits, calibrated at both sizes and not on the pictures of the test."""
    model, feature_space = read_roadnet(bundled_folder() / "roadnet.safetensors")
    full = roadnet_graph(model, feature_space=feature_space)
    small, large = example_batches()
    return full, quantise(full, [small, large[3:]])


def test_the_answers_stay_nearly_the_same(graphs):
    pictures = example_batches()[1][:3]
    full, small = (RoadNetOnnxEngine(graph) for graph in graphs)
    assert small.feature_space == full.feature_space
    expected, found = full(pictures), small(pictures)
    sees = expected.scores.amax(dim=2) > 0.3
    assert sees.sum() > 20
    assert (found.scores - expected.scores).abs()[sees].mean() < 0.02
    assert (found.boxes_xyxy - expected.boxes_xyxy).abs()[sees].mean() < 1.5
    assert (found.embeddings * expected.embeddings).sum(dim=2)[sees].mean() > 0.99
    assert not np.array_equal(found.scores.numpy(), expected.scores.numpy())


def test_the_weights_take_a_third_and_the_last_layers_keep_theirs(graphs):
    full, small = graphs
    assert len(small) < 0.35 * len(full)
    nodes = onnx.load_from_string(small).graph.node
    makers = {output: node.op_type for node in nodes for output in node.output}
    last = [node for node in nodes if node.name.startswith(LAST_LAYERS)]
    inner = [node for node in nodes if node.op_type == "Conv" and not node.name.startswith(LAST_LAYERS)]
    assert len(last) == 12 and len(inner) > 60
    assert all(makers.get(node.input[1]) is None for node in last)
    assert all(makers.get(node.input[1]) == "DequantizeLinear" for node in inner)
