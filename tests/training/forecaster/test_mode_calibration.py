"""Probabilities that are wrong in a known way, put right."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from support.windows import image_observations, make_windows
from torch import Tensor

from perception.forecasting import GruConfig, TrajectoryGRU
from perception.forecasting.batch_prediction import predict_windows
from perception.forecasting.track_dataset import Grid, Windows
from perception.training.forecaster.mode_calibration import calibrate_modes

GRID = Grid(2, (1, 2, 3, 4, 5, 6))
TIMES_S = torch.from_numpy(GRID.times_s).float()


@pytest.fixture
def model() -> TrajectoryGRU:
    torch.manual_seed(0)
    return TrajectoryGRU(GruConfig(hidden_size=16, input_size=16, feature_size=2)).eval()


def _windows_where(model: TrajectoryGRU, chances: Tensor, count: int, seed: int = 0) -> Windows:
    """Objects whose k-th future comes true exactly, as often as ``chances`` (K,) or (N, K) say."""
    generator = torch.Generator().manual_seed(seed)
    boxes = torch.tensor([0.5, 0.5, 0.1, 0.1]) + 0.02 * torch.randn(count, 3, 4, generator=generator)
    windows = make_windows(
        image_observations(boxes),
        labels=torch.zeros(count, dtype=torch.int64),
        features=None,
    )
    futures, _ = predict_windows(model, windows, TIMES_S)
    chosen = torch.multinomial(chances.expand(count, -1), 1, generator=generator)[:, 0]
    known = torch.ones(count, len(GRID.steps), dtype=torch.bool)
    return replace(windows, futures=futures.means[torch.arange(count), chosen], known=known)


def _said(model: TrajectoryGRU, windows: Windows) -> Tensor:
    return predict_windows(model, windows, TIMES_S)[0].log_probabilities.exp()


def test_the_first_future_is_called_as_probable_as_it_comes_true(model: TrajectoryGRU) -> None:
    chances = torch.tensor([0.8, 0.04, 0.04, 0.04, 0.04, 0.04])
    learnt, new = _windows_where(model, chances, 3000, 1), _windows_where(model, chances, 1000, 2)
    first = calibrate_modes(model, {"one": [learnt]}, GRID)["one"]
    assert first.accuracy == pytest.approx(0.8, abs=0.03) and first.probability_before < 0.6
    assert first.probability_after == pytest.approx(first.accuracy, abs=0.02)
    np.testing.assert_allclose(_said(model, new).mean(dim=0), chances, atol=0.04)
    assert (_said(model, new).diff(dim=1) <= 1e-6).all()  # they still fall


def test_where_probabilities_were_right_they_stay(model: TrajectoryGRU) -> None:
    some = _windows_where(model, torch.ones(6), 3000)
    right = _said(model, some)
    windows = _windows_where(model, right, 3000)
    calibrate_modes(model, {"one": [windows]}, GRID)
    np.testing.assert_allclose(_said(model, windows), right, atol=0.03)


def test_only_the_probabilities_change_and_once(model: TrajectoryGRU) -> None:
    windows = _windows_where(model, torch.tensor([0.5, 0.1, 0.1, 0.1, 0.1, 0.1]), 1000)
    before, _ = predict_windows(model, windows, TIMES_S)
    calibrate_modes(model, {"one": [windows]}, GRID)
    once = model.mode_correction.clone()
    after, _ = predict_windows(model, windows, TIMES_S)
    torch.testing.assert_close(after.means, before.means)
    torch.testing.assert_close(after.stds, before.stds)
    calibrate_modes(model, {"one": [windows]}, GRID)
    torch.testing.assert_close(model.mode_correction, once, atol=0.01, rtol=0.01)


def test_sets_count_alike_and_too_few_change_nothing(model: TrajectoryGRU) -> None:
    few = _windows_where(model, torch.tensor([1.0, 0, 0, 0, 0, 0]), 50)
    assert calibrate_modes(model, {"few": [few], "none": []}, GRID) == {}
    assert not model.mode_correction.any()
    often, seldom = torch.tensor([0.8, 0.04, 0.04, 0.04, 0.04, 0.04]), torch.tensor([0.4, *[0.12] * 5])
    many, some = _windows_where(model, often, 4000), _windows_where(model, seldom, 400)
    found = calibrate_modes(model, {"many": [many], "some": [some]}, GRID)
    assert found["many"].probability_after == pytest.approx(0.6, abs=0.05)


def test_what_nobody_knows_is_left_out(model: TrajectoryGRU) -> None:
    windows = _windows_where(model, torch.tensor([0.5, 0.1, 0.1, 0.1, 0.1, 0.1]), 1000)
    known = windows.known.clone()
    known[:400] = False
    wild = torch.where(known[..., None], windows.futures, 99.0)
    found = calibrate_modes(model, {"one": [replace(windows, futures=wild, known=known)]}, GRID)
    assert found["one"].accuracy == pytest.approx(0.5, abs=0.06)
