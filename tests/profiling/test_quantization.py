"""When quantization is worth it: the limits by hand, and the comparison on labelled pictures of the bundled drive."""

from __future__ import annotations

import pytest
from support.labelled_pictures import write_pictures

from perception.detection import read_roadnet
from perception.detection.roadnet.onnx_export import roadnet_graph
from perception.evaluation.core.image_dataset import read_image_dataset
from perception.profiling import quantization
from perception.profiling.quantization import Accuracy, Comparison, calibrate_and_quantise, compare
from perception.sources.images import read_rgb
from perception.weights import bundled_folder


@pytest.mark.parametrize(
    ("bits", "vehicles", "classes", "small_ms", "reason"),
    [
        (8, 0.795, 0.397, 50.0, None),
        (8, 0.789, 0.399, 50.0, "AP50 falls by 1.1 points"),
        (8, 0.810, 0.385, 50.0, "AP50 falls by 1.5 points"),
        (8, 0.800, 0.400, 95.0, "it takes 0.95 of the time"),
        (16, 0.798, 0.399, 150.0, None),
        (16, 0.796, 0.399, 50.0, "AP50 falls by 0.4 points"),
    ],
)
def test_the_limits(bits, vehicles, classes, small_ms, reason):
    found = Comparison(bits, Accuracy(0.8, 0.4), Accuracy(vehicles, classes), full_ms=100.0, small_ms=small_ms)
    assert found.why_not == reason


def test_both_are_measured_on_the_same_pictures(tmp_path, monkeypatch):
    labelled = read_image_dataset([write_pictures(tmp_path)])
    model, feature_space = read_roadnet(bundled_folder() / "roadnet.safetensors")
    full = roadnet_graph(model, feature_space=feature_space)
    monkeypatch.setattr(quantization, "median_ms", lambda engines, images: [10.0, 5.0])
    found = compare(full, calibrate_and_quantise(full, labelled, read_rgb), 8, labelled, read_rgb)
    assert found.full.classes > 0.2  # there are few vehicles in these pictures
    assert abs(found.ap50_lost) < 0.1
    assert found.time_share == 0.5
    halves = compare(full, roadnet_graph(model, feature_space=feature_space, half=True), 16, labelled, read_rgb)
    assert halves.full == found.full
    assert abs(halves.ap50_lost) < 0.02
