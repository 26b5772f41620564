"""KITTI in the image on a tiny file: targets, and futures of a camera that points on as it does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.benchmark_files import change_columns, write_kitti_image

from perception.benchmarks.baselines import baselines_of, recent_velocity, stays
from perception.benchmarks.kitti_image import FOLDS, KITTI_IMAGE
from perception.errors import UsageError
from perception.evaluation.core.gt_interpolation import TURNING_REMOVED
from perception.forecasting.features.image_motion import DIRECTION, IS_KNOWN, SPEED, TURNED


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_kitti_image(tmp_path / "k.npz")


def test_targets_are_every_fifth_box_with_half_a_second_of_past_and_three_of_future(path):
    split = KITTI_IMAGE.read(path, "test", "all")
    # Of 60 frames those from 5 to 25 have both: 5, 10, 15, 20, 25, in each sequence.
    assert split.groups.tolist() == [0] * 5 + [1] * 5
    assert len(KITTI_IMAGE.read(path, "test", "pedestrians")) == 0
    assert len(KITTI_IMAGE.read(path, "test", "vehicles")) == 10
    # Two seconds at 6 degrees each are 0.2 rad: the camera does not turn enough to count.
    assert len(KITTI_IMAGE.read(path, "test", "turning")) == 0
    assert FOLDS[0] == "all"


def test_what_only_the_camera_moves_stays_where_it_is(path):
    split = KITTI_IMAGE.read(path, "test", "all")
    first = split.groups == 0
    futures = split.futures(30)[first]
    now = (split.tracks.truth[split.ends] * split.units)[first]
    assert np.abs(futures[..., 0] - now[:, None, 0]).max() < 1.0  # pixels
    actual = split.futures(30)
    errors = {name: KITTI_IMAGE.errors(make(split, 30), actual) for name, make in baselines_of(split).items()}
    assert errors[TURNING_REMOVED]["FDE 3 s"][first].max() < 3.0
    assert errors["CV 0.25 s"]["FDE 3 s"][first].min() > 100.0
    assert KITTI_IMAGE.errors(stays(split, 30), actual)["FDE 3 s"][first].max() < 1.0


def test_how_the_camera_moves_is_observed(path):
    split = KITTI_IMAGE.read(path, "test", "all")
    turning, driving = (split.tracks.observations[split.ends[split.groups == sequence]] for sequence in (0, 1))
    assert (turning[:, TURNED.start] > 0).all()  # the camera turns left, so all moves right
    assert turning[:, SPEED].tolist() == [0.0] * 5
    assert (turning[:, IS_KNOWN] == [1, 0, 1]).all()
    assert np.abs(driving[:, TURNED]).max() < 1e-12
    assert (driving[:, DIRECTION] == [0, 0, 1]).all()
    assert driving[:, SPEED] == pytest.approx(5.0)


def test_without_turning_the_two_constant_velocities_are_one(path):
    split = KITTI_IMAGE.read(path, "test", "all")
    straight = split.groups == 1
    both = recent_velocity(split, 30), baselines_of(split)[TURNING_REMOVED](split, 30)
    np.testing.assert_allclose(both[0].means[straight], both[1].means[straight], atol=1e-6)


def test_another_file_is_refused(path):
    change_columns(path, ego=None)
    with pytest.raises(UsageError, match="has no column 'ego'"):
        KITTI_IMAGE.targets(path, "test", "all")
