"""Each engine, precision and kind of memory gives the same answers."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from support.detection_cases import CPU, lively_roadnet

from perception.detection.roadnet.engines import RoadNetOnnxEngine, RoadNetTorchEngine
from perception.detection.roadnet.network import to_input
from perception.detection.roadnet.onnx_export import roadnet_graph

PIXELS = np.random.default_rng(0).integers(0, 255, (2, 64, 96, 3), dtype=np.uint8)


def test_arrays_and_tensors_are_the_same_to_every_engine() -> None:
    model = lively_roadnet()
    with torch.no_grad():
        expected = model(to_input(torch.from_numpy(PIXELS)))
    for engine in (
        RoadNetOnnxEngine(roadnet_graph(model, feature_space="s")),
        RoadNetTorchEngine(copy.deepcopy(model), device=CPU),
    ):
        for pixels in (PIXELS, torch.from_numpy(PIXELS)):
            answers = engine(pixels)
            torch.testing.assert_close(answers.scores, expected.class_logits.sigmoid(), atol=1e-4, rtol=1e-3)
            torch.testing.assert_close(answers.boxes_xyxy, expected.boxes_xyxy, atol=0.02, rtol=1e-3)
            torch.testing.assert_close(answers.embeddings, expected.embeddings, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("count", [1, 4, 5])
def test_batches_of_any_size_come_back_in_order(count: int) -> None:
    pixels = np.random.default_rng(1).integers(0, 255, (count, 32, 64, 3), dtype=np.uint8)
    engine = RoadNetOnnxEngine(roadnet_graph(lively_roadnet(), feature_space="s"))
    together = engine(pixels)
    for image in range(count):
        for answers, alone in zip(together, engine(pixels[image : image + 1]), strict=True):
            assert answers.shape[0] == count
            torch.testing.assert_close(answers[image : image + 1], alone, atol=1e-4, rtol=1e-4)


def test_half_precision_rounds_the_network_but_not_its_answers() -> None:
    model = lively_roadnet()
    full = RoadNetTorchEngine(copy.deepcopy(model), device=CPU)(PIXELS)
    half = RoadNetTorchEngine(model, device=CPU, half=True)(PIXELS)
    assert {answer.dtype for answer in half} == {torch.float32}
    assert 0 < (half.scores - full.scores).abs().max() < 0.1


@pytest.mark.gpu
@pytest.mark.parametrize("half", [False, True])
def test_a_replayed_graph_gives_the_answers_of_a_processor(half: bool) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    model, device = lively_roadnet(), torch.device("cuda")
    on_cpu, on_gpu = (RoadNetTorchEngine(copy.deepcopy(model), device=d, half=half and d != CPU) for d in (CPU, device))
    batches = [PIXELS, PIXELS[::-1].copy(), PIXELS[:1], PIXELS]  # captured, replayed, another size, replayed again
    kept = [on_gpu(batch) for batch in batches]
    for batch, answers in zip(batches, kept, strict=True):
        expected = on_cpu(batch)
        tolerance = 0.05 if half else 1e-3
        torch.testing.assert_close(answers.scores.cpu(), expected.scores, atol=tolerance, rtol=tolerance)
        torch.testing.assert_close(answers.boxes_xyxy.cpu(), expected.boxes_xyxy, atol=0.5, rtol=tolerance)


@pytest.mark.gpu
def test_a_gpu_keeps_the_graphs_of_a_few_sizes() -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    engine = RoadNetTorchEngine(lively_roadnet(), device=torch.device("cuda"), half=True)
    first = engine(PIXELS)
    for height in range(32, 32 * 8, 32):
        for _ in range(2):  # what comes again is captured
            engine(np.zeros((1, height, 64, 3), np.uint8))
    assert len(engine._captured) == 4
    torch.testing.assert_close(engine(PIXELS).scores, first.scores)
