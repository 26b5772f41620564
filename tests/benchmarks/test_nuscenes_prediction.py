"""The nuScenes prediction challenge on a tiny file, its figures on hand-made futures, and the loader check."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from support.benchmark_files import change_columns, write_nuscenes

from perception.benchmarks import NUSCENES, Predicted, constant_velocity
from perception.errors import UsageError
from perception.forecasting.features.ground_motion import AXIS, CAR_IS_KNOWN, CAR_XY, CAR_YAW, SIZE, VELOCITY, XY
from perception.forecasting.track_dataset import windows_at
from perception.taxonomy import CLASSES


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_nuscenes(tmp_path / "n.npz")


def test_targets_have_a_flag_and_are_not_the_recording_car(path):
    split = NUSCENES.read(path, "test", "")
    assert len(split) == 2
    assert split.groups.tolist() == [2, 2]
    assert split.tracks.labels[np.searchsorted(split.tracks.starts, split.ends, side="right") - 1].tolist() == [
        CLASSES.index("car"), CLASSES.index("bus"),
    ]  # fmt: skip
    windows = windows_at(split.tracks, split.ends, length=split.history, neighbours=8)
    assert windows.lengths[:2].tolist() == [5, 1]
    drives, stands = windows.observations[0], windows.observations[1]
    np.testing.assert_allclose(drives[:, XY], [[10, 3 * frame] for frame in range(5)], atol=1e-5)
    np.testing.assert_allclose(drives[:, VELOCITY], [[0, 0]] + [[0, 6]] * 4, atol=1e-5)
    np.testing.assert_allclose(drives[:, AXIS], np.pi / 2, atol=1e-4)
    np.testing.assert_allclose(drives[:, SIZE], [[2, 5]] * 5)
    np.testing.assert_allclose(drives[:, CAR_XY], [[2 * frame, 0] for frame in range(5)], atol=1e-5)
    assert (drives[:, CAR_YAW] == 0).all()
    assert (drives[:, CAR_IS_KNOWN] == 1).all()
    np.testing.assert_allclose(stands[0, AXIS], np.pi, atol=1e-4)
    # Everybody of the same instant is near, the recording car, too.
    assert (windows.neighbours[:2] >= 0).sum(dim=1).tolist() == [3, 3]
    np.testing.assert_allclose(split.futures(12)[0], [[10, 3.0 * frame] for frame in range(5, 17)])


def test_every_eighth_training_scene_is_for_choosing(path):
    train, val = (NUSCENES.read(path, name, "") for name in ("train", "val"))
    assert set(val.groups) == {1}  # scene-0008
    assert set(train.groups) == {0}
    assert len(val) == 2
    # All that has half of the future teaches, the recording car and those that stand, too.
    assert len(train) == (20 - 6) * 2 + (17 - 6) * 2


def test_an_instant_without_the_recording_car_reports_it(path):
    with np.load(path) as content:
        table = dict(content)
    kept = ~((table["id"] == 99) & (table["frame"] == 2))
    rows = {name: column[kept] for name, column in table.items() if name != "scenes"}
    split = NUSCENES.read(change_columns(path, **rows), "test", "")
    seen = windows_at(split.tracks, split.ends, length=5).observations[0]
    assert seen[:, CAR_IS_KNOWN].tolist() == [1, 1, 0, 1, 1]
    assert torch.all(seen[2, CAR_XY] == 0)


def test_changing_the_future_leaves_every_input_unchanged(path):
    before = NUSCENES.read(path, "test", "")
    with np.load(path) as content:
        later, positions, yaws = content["frame"] > 4, content["xy_mm"].copy(), content["yaw_mrad10"].copy()
    positions[later] += 4000
    yaws[later] += 3000
    after = NUSCENES.read(change_columns(path, xy_mm=positions, yaw_mrad10=yaws), "test", "")
    np.testing.assert_array_equal(after.ends, before.ends)
    ours, theirs = (windows_at(s.tracks, s.ends[:1], length=5, neighbours=8) for s in (before, after))
    for name in ("observations", "dt_s", "unseen_s", "labels", "lengths", "neighbours"):
        assert torch.equal(getattr(ours, name), getattr(theirs, name)), name
    assert not np.allclose(before.futures(12)[0], after.futures(12)[0])


def test_a_straight_way_is_foreseen_by_constant_velocity(path):
    split = NUSCENES.read(path, "test", "")
    errors = NUSCENES.errors(constant_velocity(split, 12), split.futures(12))
    assert {float(values.max()) for values in errors.values()} == {0.0}


@pytest.mark.parametrize("column", ["scene", "scenes", "xy_mm", "flag", "split"])
def test_a_missing_column_is_named(path, column):
    with pytest.raises(UsageError, match=f"column '{column}'"):
        NUSCENES.read(change_columns(path, **{column: None}), "test", "")


def _predicted(probabilities: list[float], off_m: list[list[float]]) -> tuple[Predicted, np.ndarray]:
    """One target; each future is off to the left by so many metres at its first 11 steps, and at the last one."""
    means = np.zeros((1, len(off_m), 12, 2))
    for mode, (early, last) in enumerate(off_m):
        means[0, mode, :11, 1], means[0, mode, 11, 1] = early, last
    return Predicted(np.array([probabilities]), means), np.zeros((1, 12, 2))


def test_the_figures_take_the_k_most_probable_futures():
    """The best future is the least probable of six: five most probable ones do not have it."""
    probabilities = [0.05, 0.3, 0.2, 0.15, 0.2, 0.1]
    off_m = [[0.5, 0.5], [8.0, 8.0], [7.0, 7.0], [6.0, 6.0], [5.0, 5.0], [4.0, 4.0]]
    figures = {name: float(values[0]) for name, values in NUSCENES.errors(*_predicted(probabilities, off_m)).items()}
    assert figures["minADE_1"] == figures["minFDE_1"] == pytest.approx(8.0)
    assert figures["minADE_5"] == figures["minFDE_5"] == pytest.approx(4.0)
    assert figures["minADE_10"] == figures["minFDE_10"] == pytest.approx(0.5)
    assert [figures[f"MissRate_2_{count}"] for count in (1, 5, 10)] == [1.0, 1.0, 0.0]
    assert figures["ADE one"] == pytest.approx(np.dot(probabilities, [row[0] for row in off_m]))


def test_each_minimum_is_taken_for_itself():
    """The best on average is not the best at last."""
    figures = NUSCENES.errors(*_predicted([0.6, 0.4], [[1.0, 10.0], [3.0, 3.0]]))
    assert float(figures["minADE_5"][0]) == pytest.approx((11 * 1 + 10) / 12)
    assert float(figures["minFDE_5"][0]) == pytest.approx(3.0)


@pytest.mark.parametrize(("off_m", "missed"), [(1.99, 0.0), (2.0, 1.0)])
def test_a_miss_is_two_metres_at_any_point(off_m, missed):
    """At one step in the middle; the final error is nothing."""
    means = np.zeros((1, 1, 12, 2))
    means[0, 0, 5, 0] = off_m
    figures = NUSCENES.errors(Predicted(np.ones((1, 1)), means), np.zeros((1, 12, 2)))
    assert {float(figures[f"MissRate_2_{count}"][0]) for count in (1, 5, 10)} == {missed}


@pytest.mark.shared
def test_loader_check(shared_dir):
    """9,041 targets; constant velocity by backward differences about 4.73 / 11.42."""
    path = shared_dir / "benchmarks" / "nuscenes_pred.npz"
    split = NUSCENES.read(path, "test", "")
    assert len(split) == 9_041
    assert (split.tracks.truth_ends[split.ends] - split.ends > 12).all()
    errors = NUSCENES.errors(constant_velocity(split, 12), split.futures(12))
    assert float(errors["minADE_1"].mean()) == pytest.approx(4.73, abs=0.01)
    assert float(errors["minFDE_1"].mean()) == pytest.approx(11.42, abs=0.01)
    train, val = (NUSCENES.read(path, name, "") for name in ("train", "val"))
    assert not set(train.groups) & set(val.groups)
    assert not (set(train.groups) | set(val.groups)) & set(split.groups)
    assert 0.05 < len(set(val.groups)) / len(set(train.groups)) < 0.25
    assert (val.tracks.truth_ends[val.ends] - val.ends > 12).all()
