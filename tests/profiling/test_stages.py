"""Laps add up, and a detector that is watched finds what it found before."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from support.moving_boxes import BoxDetector, street_image

from perception.detection import DetectionSettings, load_roadnet
from perception.profiling import stages
from perception.profiling.stages import StagedDetector, Stopwatch
from perception.types import Frame
from perception.weights import bundled_folder

CPU = torch.device("cpu")


def test_each_lap_has_its_own_time(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([5.0, 5.02, 5.021])
    monkeypatch.setattr(stages, "perf_counter", lambda: next(clock))
    watch = Stopwatch(CPU)
    watch.lap("long")
    watch.lap("short")
    assert watch.times_ms() == pytest.approx({"long": 20.0, "short": 1.0})


def test_a_watched_detector_finds_the_same() -> None:
    frames = [Frame(street_image(number), "a", number, number) for number in range(2)]
    roadnet = load_roadnet(
        bundled_folder() / "roadnet.safetensors", DetectionSettings(confidence=0.001, image_size_px=96), device=CPU
    )
    for detector, names in ((roadnet, ["prepare", "network", "nms"]), (BoxDetector(), ["network"])):
        staged = StagedDetector(detector, CPU)
        for expected, found in zip(detector.detect(frames), staged.detect(frames), strict=True):
            np.testing.assert_array_equal(found.boxes_xyxy_px, expected.boxes_xyxy_px)
        assert list(staged.stage_ms) == names
        assert staged.feature_space == detector.feature_space


@pytest.mark.gpu
def test_a_gpu_is_timed_by_its_events() -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    device = torch.device("cuda")
    matrix = torch.ones(4096, 4096, device=device)
    (matrix @ matrix).sum().item()
    watch = Stopwatch(device)
    for _ in range(20):
        matrix = matrix @ matrix * 1e-4
    watch.lap("products")
    watch.lap("nothing")
    assert set(watch.times_ms()) == {"products", "nothing"}
    assert min(watch.times_ms().values()) >= 0
