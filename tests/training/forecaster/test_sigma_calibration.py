"""Spreads that are wrong by a known factor, put right."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from support.windows import image_observations, make_windows

from perception.forecasting import GruConfig, TrajectoryGRU
from perception.forecasting.batch_prediction import predict_windows
from perception.forecasting.track_dataset import Grid, Windows
from perception.training.forecaster.sigma_calibration import calibrate_sigmas

GRID = Grid(2, (1, 2, 3, 4, 5, 6))
CAR, BUS, PEDESTRIAN = 0, 2, 5


@pytest.fixture
def model() -> TrajectoryGRU:
    torch.manual_seed(0)
    return TrajectoryGRU(GruConfig(hidden_size=16, input_size=16, feature_size=2)).eval()


def _windows_that_came_true(model: TrajectoryGRU, widths: dict[int, float], count: int, seed: int) -> Windows:
    """Objects of the classes in ``widths`` that do what ``model`` foresees, with spreads so many times as wide."""
    generator = torch.Generator().manual_seed(seed)
    boxes = torch.tensor([0.5, 0.5, 0.1, 0.1]) + 0.02 * torch.randn(count, 3, 4, generator=generator)
    labels = torch.tensor(list(widths))[torch.arange(count) % len(widths)]
    windows = make_windows(image_observations(boxes), labels=labels, features=None)
    futures, _ = predict_windows(model, windows, torch.from_numpy(GRID.times_s).float())
    chosen = torch.multinomial(futures.log_probabilities.exp(), 1, generator=generator)[:, 0]
    rows = torch.arange(count)
    factors = torch.tensor([widths[int(label)] for label in labels])
    noise = torch.randn(count, len(GRID.steps), 4, generator=generator) * futures.stds[rows, chosen]
    true = futures.means[rows, chosen] + noise * factors[:, None, None]
    return replace(windows, futures=true, known=torch.ones(count, len(GRID.steps), dtype=torch.bool))


def test_each_class_gets_the_spread_that_it_needs(model: TrajectoryGRU) -> None:
    learnt, new = (_windows_that_came_true(model, {CAR: 2.0, PEDESTRIAN: 0.5}, 4000, seed) for seed in (1, 2))
    (before, after) = calibrate_sigmas(model, {"one": [learnt]}, GRID)["one"]
    assert before.middle_90 < 0.86
    assert after.middle_50 == pytest.approx(0.5, abs=0.03) and after.middle_90 == pytest.approx(0.9, abs=0.03)
    (now, _) = calibrate_sigmas(model, {"new": [new]}, GRID)["new"]
    assert now.middle_50 == pytest.approx(0.5, abs=0.03) and now.middle_90 == pytest.approx(0.9, abs=0.03)
    curves = model.spread_curves(torch.from_numpy(GRID.times_s).float())
    for label, factor in ((CAR, 2.0), (PEDESTRIAN, 0.5)):
        logs = curves @ model.sigma_correction[label]
        assert logs.mean().item() == pytest.approx(math.log(factor), abs=0.15)
    # Nobody saw a bus: it takes what is best for all of them together.
    assert (curves @ model.sigma_correction[BUS]).mean().abs() < math.log(2)


def test_means_and_probabilities_stay(model: TrajectoryGRU) -> None:
    windows = _windows_that_came_true(model, {CAR: 3.0}, 500, 1)
    times_s = torch.from_numpy(GRID.times_s).float()
    before, _ = predict_windows(model, windows, times_s)
    calibrate_sigmas(model, {"one": [windows]}, GRID)
    after, _ = predict_windows(model, windows, times_s)
    torch.testing.assert_close(after.means, before.means)
    torch.testing.assert_close(after.log_probabilities, before.log_probabilities)
    assert (after.stds / before.stds).mean() > 2


def test_sets_count_alike_and_too_few_change_nothing(model: TrajectoryGRU) -> None:
    few = _windows_that_came_true(model, {CAR: 3.0}, 50, 1)
    calibrate_sigmas(model, {"few": [few]}, GRID)
    assert not model.sigma_correction.any()
    many, some = (_windows_that_came_true(model, {CAR: w}, n, 3) for w, n in ((3.0, 4000), (1 / 3, 400)))
    calibrate_sigmas(model, {"many": [many], "some": [some]}, GRID)
    curves = model.spread_curves(torch.from_numpy(GRID.times_s).float())
    assert (curves @ model.sigma_correction[CAR]).mean().abs() < 0.6


def test_what_nobody_knows_is_left_out(model: TrajectoryGRU) -> None:
    windows = _windows_that_came_true(model, {CAR: 1.0}, 1000, 1)
    known = windows.known.clone()
    known[:500] = False
    wild = torch.where(known[..., None], windows.futures, 99.0)
    nothing = replace(windows, known=torch.zeros_like(windows.known))
    sets = {"one": [replace(windows, futures=wild, known=known)], "nothing": [nothing], "none": []}
    found = calibrate_sigmas(model, sets, GRID)
    assert list(found) == ["one"]
    (before, after) = found["one"]
    assert after.middle_50 == pytest.approx(0.5, abs=0.05)
    curves = model.spread_curves(torch.from_numpy(GRID.times_s).float())
    assert (curves @ model.sigma_correction[CAR]).mean().abs() < 0.15
    assert before.middle_50 == pytest.approx(0.5, abs=0.05) and before.middle_90 == pytest.approx(0.9, abs=0.05)
