"""ETH/UCY on a tiny file: windows, folds, what is for choosing; and the loader check."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from support.benchmark_files import ETHUCY_SCENES, change_columns, write_ethucy

from perception.benchmarks import ETHUCY, Predicted, Split, constant_velocity
from perception.errors import UsageError
from perception.forecasting.features.ground_motion import AXIS, VELOCITY, XY
from perception.forecasting.track_dataset import windows_at
from perception.taxonomy import CLASSES


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_ethucy(tmp_path / "e.npz")


def _scenes(split: Split) -> set[int]:
    """Which scenes the targets are of: in each, 1 and 3 are 1 m further to the north."""
    walks_east = split.tracks.observations[split.ends, XY][:, 0] >= 0
    return {round(y) for y in split.tracks.observations[split.ends, XY][walks_east][:, 1]}


def test_windows_have_all_twenty_instants(path):
    split = ETHUCY.read(path, "test", "eth")
    # 1 is there 44 instants long, 2 in 21; 3 never 20 without a gap, but for the 19 after it.
    assert len(split) == (44 - 19) + (21 - 19)
    assert split.history == 8
    windows = windows_at(split.tracks, split.ends[:1], length=8, neighbours=8)
    np.testing.assert_allclose(windows.observations[0, :, XY], [[0.4 * step, 0] for step in range(8)], atol=1e-6)
    np.testing.assert_allclose(windows.observations[0, 1:, VELOCITY], [[1, 0]] * 7, atol=1e-5)
    assert (windows.observations[0, :, AXIS] == 0).all()
    np.testing.assert_allclose(windows.dt_s[0, 1:], 0.4, rtol=1e-6)
    assert windows.labels[0] == CLASSES.index("pedestrian")
    assert (windows.neighbours[0] >= 0).sum() == 2
    np.testing.assert_allclose(split.futures(12)[0], [[0.4 * step, 0] for step in range(8, 20)], atol=1e-9)


def test_the_scene_that_is_tested_is_left_out_of_the_others(path):
    everywhere = set(range(len(ETHUCY_SCENES)))
    own = {"eth": {0}, "hotel": {1}, "univ": {5, 6}, "zara1": {2}, "zara2": {3}}
    assert ETHUCY.folds == tuple(own)
    for fold, tested in own.items():
        assert _scenes(ETHUCY.read(path, "test", fold)) == tested
        for name in ("train", "val"):
            assert _scenes(ETHUCY.read(path, name, fold)) == everywhere - tested


def test_the_last_part_of_a_scene_is_for_choosing_and_no_window_crosses_the_cut(path):
    train, val = (ETHUCY.read(path, name, "eth") for name in ("train", "val"))
    assert train.tracks.times_s.max() == pytest.approx(21 * 0.4)
    assert val.tracks.times_s.min() == pytest.approx(22 * 0.4)
    assert len(val) == 7 * (22 - 19)
    # To learn from, two positions and half of the future are enough: 22, 21, 10 and 11 instants.
    assert len(train) == 7 * sum(n - 1 - 6 for n in (22, 21, 10, 11))


def test_targets_that_overlap_in_time_belong_together(path):
    split = ETHUCY.read(path, "test", "eth")
    instants = split.tracks.instants[split.ends]
    for group in np.unique(split.groups):
        within = instants[split.groups == group]
        assert np.ptp(within) < 20 * 10  # frames of a window of 8 and 12 steps
    assert 1 < len(np.unique(split.groups)) < len(np.unique(instants))
    univ = ETHUCY.read(path, "test", "univ")
    assert len(np.unique(univ.groups)) == 2 * len(np.unique(split.groups))


def test_changing_the_future_leaves_every_input_unchanged(path):
    before = ETHUCY.read(path, "test", "eth")
    with np.load(path) as content:
        positions = content["biwi_eth_xy"].copy()
        positions[content["biwi_eth_frame"] > 70] += 9000
    after = ETHUCY.read(change_columns(path, biwi_eth_xy=positions), "test", "eth")
    ours, theirs = (windows_at(s.tracks, s.ends[:1], length=8, neighbours=8) for s in (before, after))
    for name in ("observations", "dt_s", "unseen_s", "labels", "lengths", "neighbours"):
        assert torch.equal(getattr(ours, name), getattr(theirs, name)), name
    assert not np.allclose(before.futures(12)[0], after.futures(12)[0])


def test_the_best_of_the_futures_is_taken_for_each_figure_by_itself():
    means = np.zeros((1, 2, 12, 2))
    means[0, 0, :, 0], means[0, 0, -1, 0] = 1.0, 7.0
    means[0, 1, :, 0] = 3.0
    errors = ETHUCY.errors(Predicted(np.array([[0.5, 0.5]]), means), np.zeros((1, 12, 2)))
    figures = {name: float(values[0]) for name, values in errors.items()}
    assert figures["ADE best of 20"] == pytest.approx((11 + 7) / 12)
    assert figures["FDE best of 20"] == pytest.approx(3.0)
    assert figures["FDE one"] == pytest.approx(5.0)
    assert figures["ADE one"] == pytest.approx((11 * 2 + 5) / 12)


@pytest.mark.parametrize("column", ["biwi_eth_xy", "biwi_eth_frame", "biwi_eth_val_from"])
def test_a_missing_column_is_named(path, column):
    with pytest.raises(UsageError, match=column):
        ETHUCY.read(change_columns(path, **{column: None}), "test", "eth")


@pytest.mark.shared
def test_loader_check(shared_dir):
    """364 / 1197 / 24334 / 2356 / 5910 windows; constant velocity on average 0.534 / 1.147."""
    path = shared_dir / "benchmarks" / "ethucy.npz"
    counts, figures = [], []
    for fold in ETHUCY.folds:
        split = ETHUCY.read(path, "test", fold)
        counts.append(len(split))
        errors = ETHUCY.errors(constant_velocity(split, 12), split.futures(12))
        figures.append([float(errors[name].mean()) for name in ("ADE one", "FDE one")])
    assert counts == [364, 1197, 24334, 2356, 5910]
    np.testing.assert_allclose(np.mean(figures, axis=0), [0.534, 1.147], atol=1e-3)
