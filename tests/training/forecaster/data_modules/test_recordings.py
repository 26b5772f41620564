"""Features that a forecaster learns from: none where they are to be lost, blurred alike over a window, of length 1."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from perception.training.forecaster.data_modules.recordings import augment_features

KEEP = np.array([True, True, False])


def features() -> Tensor:
    """Three windows of four instants; in the second one the object has no feature at first."""
    drawn = nn.functional.normalize(torch.randn(3, 1, 64, generator=torch.Generator().manual_seed(0)), dim=-1)
    windows = drawn.expand(3, 4, 64).clone()
    windows[1, 0] = 0
    return windows


def test_no_feature_stays_none() -> None:
    assert augment_features(None, np.random.default_rng(0), keep=KEEP, noise=0.1) is None


def test_without_noise_they_are_kept_or_lost() -> None:
    found = augment_features(features(), np.random.default_rng(0), keep=KEEP, noise=0.0)
    assert found is not None
    torch.testing.assert_close(found[:2], features()[:2])
    assert not found[2].any()


def test_noise_moves_a_window_as_a_whole_and_keeps_lengths_and_gaps() -> None:
    found = augment_features(features(), np.random.default_rng(0), keep=KEEP, noise=0.1)
    assert found is not None
    lengths = found.norm(dim=-1)
    torch.testing.assert_close(lengths, torch.tensor([[1.0] * 4, [0.0, 1, 1, 1], [0.0] * 4]))
    torch.testing.assert_close(found[0], found[0, :1].expand(4, 64))
    cosine = float((found[0, 0] * features()[0, 0]).sum())
    assert 0.6 < cosine < 0.95  # 1 / sqrt(1 + 64 * 0.1^2) is 0.78


def test_each_window_has_a_noise_of_its_own() -> None:
    same = features()[:1].expand(2, 4, 64)
    found = augment_features(same, np.random.default_rng(0), keep=KEEP[:2], noise=0.1)
    assert found is not None
    assert not torch.allclose(found[0], found[1])
