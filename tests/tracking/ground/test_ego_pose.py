"""Where the car is when poses come, stop, jump, or never were."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from support.ground_drive import pose_at

from perception.tracking.ground.ego_pose import EgoMotion, PlanarPose
from perception.tracking.ground.settings import PoseSettings

Array = NDArray[np.float64]


def ns(time_s: float) -> int:
    return round(time_s * 1e9)


def on_circle(time_s: float, *, speed_mps: float = 10.0, turn_radps: float = 0.3) -> Array:
    """A car that drives a circle to the left through the origin."""
    yaw, radius_m = turn_radps * time_s, speed_mps / turn_radps
    return pose_at(radius_m * np.sin(yaw), radius_m * (1 - np.cos(yaw)), yaw)


def driven(until_s: float, settings: PoseSettings | None = None) -> EgoMotion:
    car = EgoMotion(settings or PoseSettings())
    for k in range(round(until_s * 10) + 1):
        assert car.update(on_circle(k / 10), ns(k / 10))[1] == "fine"
    return car


def test_without_any_pose_the_car_stands_at_the_origin_and_that_is_fine() -> None:
    car = EgoMotion(PoseSettings())
    for k in range(5):
        pose, news = car.update(None, ns(k))
        assert news == "fine"
        np.testing.assert_array_equal(pose.position_m, 0.0)
        assert pose.yaw_rad == 0.0


def test_a_gap_is_bridged_along_the_curve() -> None:
    car = driven(2.0)
    for k in range(21, 31):
        pose, news = car.update(None, ns(k / 10))
        assert news == "missing"
    truth = PlanarPose.of(on_circle(3.0))
    np.testing.assert_allclose(pose.position_m, truth.position_m, atol=0.3)
    assert pose.yaw_rad == pytest.approx(truth.yaw_rad, abs=0.01)
    assert car.update(on_circle(3.1), ns(3.1))[1] == "fine"


def test_after_a_long_gap_it_stands_still() -> None:
    car = driven(2.0, PoseSettings(max_gap_s=1.0))
    positions = [car.update(None, ns(2 + k / 10))[0].position_m for k in range(1, 30)]
    assert np.linalg.norm(positions[8] - positions[0]) > 5
    np.testing.assert_array_equal(positions[-1], positions[15])


def test_one_impossible_pose_is_ignored() -> None:
    car = driven(2.0)
    pose, news = car.update(pose_at(300, 300, 2.0), ns(2.1))
    assert news == "wrong"
    np.testing.assert_allclose(pose.position_m, on_circle(2.1)[:2, 3], atol=0.1)
    assert car.update(on_circle(2.2), ns(2.2))[1] == "fine"


def test_a_pose_that_is_no_number_is_wrong() -> None:
    for car in (driven(1.0), EgoMotion(PoseSettings())):
        pose, news = car.update(np.full((4, 4), np.nan), ns(1.1))
        assert news == "wrong"
        assert np.isfinite(pose.position_m).all()


def test_poses_that_stay_elsewhere_are_believed_in_the_end() -> None:
    car, away = driven(2.0, PoseSettings(max_gap_s=0.5)), pose_at(1000, 0, 0)
    news = []
    for k in range(1, 12):
        there = on_circle(2 + k / 10)
        there[:2, 3] += away[:2, 3]
        pose, what = car.update(there, ns(2 + k / 10))
        news.append(what)
    assert news[:5] == ["wrong"] * 5
    assert news.count("elsewhere") == 1
    assert news[-1] == "fine"
    np.testing.assert_allclose(pose.position_m, there[:2, 3])


def test_poses_that_begin_late_mean_another_world() -> None:
    car = EgoMotion(PoseSettings())
    car.update(None, 0)
    assert car.update(on_circle(0.1), ns(0.1))[1] == "elsewhere"
    assert car.update(on_circle(0.2), ns(0.2))[1] == "fine"


def test_reset_forgets() -> None:
    car = driven(1.0)
    car.reset()
    pose, news = car.update(None, 0)
    assert news == "fine"
    np.testing.assert_array_equal(pose.position_m, 0.0)


def test_positions_survive_the_round_trip() -> None:
    pose, rng = PlanarPose.of(pose_at(10, -4, 0.7)), np.random.default_rng(0)
    measured = rng.normal(size=(5, 4))
    lasting = np.tile(np.eye(4, 2), (5, 1, 1))
    world, covariances, turned = pose.to_world(measured, np.tile(np.diag([4.0, 1, 1, 1]), (5, 1, 1)), lasting)
    np.testing.assert_allclose(pose.to_vehicle(world[:, :2]), measured[:, :2])
    np.testing.assert_array_equal(world[:, 2:], measured[:, 2:])
    # The long axis of the uncertainty turns with the car.
    axis = np.array([np.cos(0.7), np.sin(0.7)])
    assert axis @ covariances[0, :2, :2] @ axis == pytest.approx(4.0)
    np.testing.assert_allclose(turned[0, :2, 0], axis)
