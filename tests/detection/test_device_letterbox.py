"""Scaling on the device of the network is what OpenCV does on the CPU."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from support.detection_cases import CPU

from perception.detection.device_letterbox import letterbox_on, resampling_weights
from perception.detection.letterbox import letterbox


def picture(width: int, height: int, seed: int = 0) -> NDArray[np.uint8]:
    coarse = np.random.default_rng(seed).integers(0, 255, (height // 4 + 2, width // 4 + 2, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)


@pytest.mark.parametrize(
    "sizes",
    [[(320, 192)], [(160, 96)], [(250, 150)], [(333, 181)], [(100, 60)], [(320, 192), (90, 160), (320, 192), (1, 300)]],
    ids=["half", "as it is", "by less than two", "odd", "magnified", "mixed"],
)
def test_it_is_opencvs_letterbox(sizes: list[tuple[int, int]]) -> None:
    images = [picture(*size, seed) for seed, size in enumerate(sizes)]
    expected = letterbox(images, width=160, height=96)
    found = letterbox_on(CPU, images, width=160, height=96)
    np.testing.assert_allclose(found.scales, expected.scales)
    np.testing.assert_array_equal(found.sizes_px, expected.sizes_px)
    apart = np.abs(found.images.numpy().astype(int) - expected.images.astype(int))
    assert apart.max() <= 2 and apart.mean() < 0.3


def test_each_new_pixel_is_a_mean_of_old_ones() -> None:
    assert resampling_weights(4, 2, True).tolist() == [[0.5, 0.5, 0, 0], [0, 0, 0.5, 0.5]]
    np.testing.assert_allclose(resampling_weights(3, 2, True), [[2 / 3, 1 / 3, 0], [0, 1 / 3, 2 / 3]], atol=1e-6)
    np.testing.assert_allclose(resampling_weights(2, 4, False)[1], [0.75, 0.25])


@pytest.mark.gpu
def test_a_gpu_scales_as_the_cpu_does() -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    images = [picture(333, 181), picture(100, 60)]
    expected = letterbox_on(CPU, images, width=160, height=96).images
    found = letterbox_on(torch.device("cuda"), images, width=160, height=96).images.cpu()
    assert (found.int() - expected.int()).abs().max() <= 1
