"""Engines side by side: the work counted by hand, the share of a roofline, detectors interleaved."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from rich.console import Console
from support.moving_boxes import BoxDetector, street_image
from torch import nn

from perception.detection import load_roadnet
from perception.detection.settings import DetectionSettings
from perception.profiling import Contender, Roofline, Work, measure_engines, measure_roofline, print_engines, work_of
from perception.profiling import roofline as roofline_module
from perception.types import Frame, FrameSet
from perception.weights import bundled_folder

CPU = torch.device("cpu")


def instants(count: int = 2) -> list[FrameSet]:
    return [
        FrameSet(tuple(Frame(street_image(number), camera, number, number) for camera in "ab"), number, number)
        for number in range(count)
    ]


def test_the_work_of_a_convolution_is_counted_as_by_hand() -> None:
    network = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.ReLU(), nn.Conv2d(8, 4, 1))
    work = work_of(network, torch.zeros(2, 3, 10, 10))
    assert work.flops == 2 * (2 * 100 * 8 * 27 + 2 * 100 * 4 * 8)
    first, second = 600 + 1600 + 8 * 27, 1600 + 800 + 4 * 8 + 4
    assert work.bytes == 4 * (first + second)
    half = work_of(network, torch.zeros(2, 3, 10, 10), torch.float16)
    assert (half.flops, half.bytes) == (work.flops, work.bytes / 2)


def test_the_lower_bound_of_the_roofline_decides() -> None:
    roofline = Roofline(flops_per_s=1e9, bytes_per_s=1e8)
    assert Work(flops=2e6, bytes=1e4).min_ms(roofline) == pytest.approx(2.0)
    assert Work(flops=2e6, bytes=1e6).min_ms(roofline) == pytest.approx(10.0)


def test_a_roofline_is_what_a_machine_can_do(monkeypatch: pytest.MonkeyPatch) -> None:
    # Small, as only the order of magnitude is checked here.
    monkeypatch.setattr(roofline_module, "_MATRIX_SIZE", 256)
    monkeypatch.setattr(roofline_module, "_COPIED_BYTES", 2**22)
    roofline = measure_roofline(CPU)
    assert 1e8 < roofline.flops_per_s < 1e14
    assert 1e8 < roofline.bytes_per_s < 1e13


def test_ours_shows_its_stages_and_others_one() -> None:
    path = bundled_folder() / "roadnet.safetensors"
    ours = load_roadnet(path, DetectionSettings(image_size_px=64), device=CPU, engine="onnx")
    work, roofline = Work(1e9, 1e6), Roofline(1e12, 1e12)
    done: list[float] = []
    measured = measure_engines(
        [Contender("ours", ours, work, roofline), Contender("boxes", BoxDetector())],
        instants(),
        instants=3,
        on_instant=lambda times: done.append(sum(times.values())),
    )
    first, second = measured
    assert list(first.latency.per_stage) == ["prepare", "network", "nms"]
    assert list(second.latency.per_stage) == ["network"]
    assert first.images == 2 and first.latency.instant_count == 3
    assert first.roofline_share == pytest.approx(1.0 / first.latency.per_stage["network"].p50_ms)
    assert second.roofline_share is None and second.flops_per_s is None
    assert first.images_per_s == pytest.approx(2000 / first.median_ms)
    assert len(done) > 2 * 3
    console = Console(file=io.StringIO(), width=120)
    print_engines(measured, console, detail="two pictures")
    text = " ".join(console.file.getvalue().split())  # type: ignore[attr-defined]
    assert "ours" in text and "boxes" in text and "1,000 GFLOP/s and 1,000 GB/s" in text


def test_measuring_does_not_change_what_is_found() -> None:
    path = bundled_folder() / "roadnet.safetensors"
    detector = load_roadnet(path, DetectionSettings(confidence=0.0001, image_size_px=64), device=CPU)
    frames = instants(1)[0].frames
    before = detector.detect(frames)
    measure_engines([Contender("ours", detector)], instants(), instants=1)
    for one, other in zip(before, detector.detect(frames), strict=True):
        np.testing.assert_array_equal(one.boxes_xyxy_px, other.boxes_xyxy_px)


def test_two_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="same title"):
        measure_engines([Contender("a", BoxDetector()), Contender("a", BoxDetector())], instants(), instants=1)
