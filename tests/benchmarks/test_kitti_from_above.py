"""KITTI seen from above on a tiny file: windows, drives, figures; and the loader check."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from support.benchmark_files import change_columns, write_kitti

from perception.benchmarks import KITTI, Predicted, constant_velocity
from perception.errors import UsageError
from perception.forecasting.features.ground_motion import AXIS, CAR_IS_KNOWN, VELOCITY, XY
from perception.forecasting.track_dataset import windows_at
from perception.taxonomy import CLASSES


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_kitti(tmp_path / "k.npz")


def test_windows_start_at_each_step_but_the_last_possible_one(path):
    split = KITTI.read(path, "test", "")
    # Tracks of 62, 60 and 80 steps have 3, 1 and 21 windows of 60 steps.
    assert len(split) == 2 + 0 + 20
    assert set(split.groups) == {1}
    assert split.history == 20
    windows = windows_at(split.tracks, split.ends[:1], length=20)
    np.testing.assert_allclose(windows.observations[0, :, XY], [[step, 0] for step in range(20)], atol=1e-5)
    np.testing.assert_allclose(windows.observations[0, 1:, VELOCITY], [[10, 0]] * 19, atol=1e-4)
    assert (windows.observations[0, :, AXIS] == 0).all()
    assert (windows.observations[0, :, CAR_IS_KNOWN] == 0).all()
    np.testing.assert_allclose(split.futures(40)[0], [[step, 0] for step in range(20, 60)])


def test_drives_are_tested_on_held_out_or_learnt_from(path):
    train, val = (KITTI.read(path, name, "") for name in ("train", "val"))
    assert set(train.groups) == {3}
    assert set(val.groups) == {5}
    assert len(val) == 22
    assert len(train) == sum(n - 1 - 20 for n in (62, 60, 80))


def test_objects_of_the_same_step_of_the_same_drive_see_one_another(path):
    split = KITTI.read(path, "test", "")
    windows = windows_at(split.tracks, split.ends[:1], length=2, neighbours=8)
    assert (windows.neighbours[0] >= 0).sum() == 2
    heard = windows.neighbours[0][:2]
    assert windows.observations[heard, -1, :2].tolist() == [[19, 4], [19, 8]]
    names = [CLASSES[label] for label in windows.labels[heard]]
    assert names == ["pedestrian", "car"]


def test_changing_the_future_leaves_every_input_unchanged(path):
    before = KITTI.read(path, "test", "")
    with np.load(path) as content:
        positions = content["xy_mm"].copy()
        lengths = np.diff(content["offset"])
    in_track = np.concatenate([np.arange(n) for n in lengths])
    positions[in_track > 19] += 9000
    after = KITTI.read(change_columns(path, xy_mm=positions), "test", "")
    ours, theirs = (windows_at(s.tracks, s.ends[:1], length=20, neighbours=8) for s in (before, after))
    for name in ("observations", "dt_s", "unseen_s", "labels", "lengths", "neighbours"):
        assert torch.equal(getattr(ours, name), getattr(theirs, name)), name
    assert not np.allclose(before.futures(40)[0], after.futures(40)[0])


def test_figures_are_of_the_mean_over_the_futures():
    means = np.zeros((1, 2, 40, 2))
    means[0, 0, :, 1], means[0, 1, :, 1] = np.arange(1, 41), -np.arange(1, 41)
    figures = KITTI.errors(Predicted(np.array([[0.75, 0.25]]), means), np.zeros((1, 40, 2)))
    assert list(figures) == [f"{name} {second} s" for second in (1, 2, 3, 4) for name in ("ADE", "FDE")]
    for second in (1, 2, 3, 4):
        assert float(figures[f"FDE {second} s"][0]) == pytest.approx(0.5 * 10 * second)
        assert float(figures[f"ADE {second} s"][0]) == pytest.approx(0.5 * (10 * second + 1) / 2)


@pytest.mark.parametrize("column", ["offset", "drive", "classes", "xy_mm", "start", "cls"])
def test_a_missing_column_is_named(path, column):
    with pytest.raises(UsageError, match=f"column '{column}'"):
        KITTI.read(change_columns(path, **{column: None}), "test", "")


@pytest.mark.shared
def test_loader_check(shared_dir):
    """2,907 test windows of the eight test drives."""
    path = shared_dir / "benchmarks" / "kitti_mantra.npz"
    split = KITTI.read(path, "test", "")
    assert len(split) == 2_907
    assert set(split.groups) <= {1, 2, 15, 18, 29, 32, 52, 70}
    assert (split.tracks.truth_ends[split.ends] - split.ends > 40).all()
    others = set(KITTI.read(path, "train", "").groups) | set(KITTI.read(path, "val", "").groups)
    assert not others & set(split.groups)
    errors = KITTI.errors(constant_velocity(split, 40), split.futures(40))
    assert all(np.isfinite(values).all() for values in errors.values())
