"""Poses of the car and the place of a camera give its motion exactly."""

from __future__ import annotations

import numpy as np
import pytest
from support.turning_camera import front_camera

from perception.arrays import FloatArray
from perception.egomotion import PoseEgoMotion, motion_between
from perception.geometry.cameras import Rig
from perception.geometry.rotation import rotation_about_z, rotation_vector
from perception.types import Frame, FrameSet

RIG = Rig({"front": front_camera()})


def pose(x_m: float, yaw_rad: float = 0.0) -> FloatArray:
    matrix = np.eye(4)
    matrix[:3, :3] = rotation_about_z(yaw_rad)
    matrix[0, 3] = x_m
    return matrix


def instant(index: int, world_from_vehicle: FloatArray | None) -> FrameSet:
    time_ns = index * 100_000_000
    frame = Frame(np.zeros((360, 640, 3), np.uint8), "front", time_ns, index)
    return FrameSet((frame,), time_ns, index, world_from_vehicle)


def test_a_left_turn_moves_the_world_to_the_right() -> None:
    motion = motion_between(pose(0), pose(1, 0.1), front_camera(), 0.1)
    assert motion is not None and motion.direction is not None and motion.from_poses
    np.testing.assert_allclose(rotation_vector(motion.now_from_before), [0, 0.1, 0], atol=1e-9)
    assert (motion.now_from_before @ [0, 0, 1.0])[0] > 0
    np.testing.assert_allclose(motion.direction, [np.sin(0.1), 0, np.cos(0.1)], atol=1e-9)
    assert motion.speed_mps == pytest.approx(10)


def test_a_standing_car_has_speed_zero_and_no_direction() -> None:
    motion = motion_between(pose(1), pose(1), front_camera(), 0.1)
    assert motion is not None and motion.direction is None and motion.speed_mps == 0


def test_poses_that_leap_say_nothing() -> None:
    assert motion_between(pose(0), pose(500), front_camera(), 0.1) is None
    assert motion_between(pose(0), pose(1), front_camera(), 0.0) is None


def test_what_follows_an_instant_without_pose_is_unknown_once() -> None:
    estimator = PoseEgoMotion(RIG)
    poses = [pose(0), pose(1), None, pose(3), pose(4)]
    known = ["front" in estimator.update(instant(index, one), {}) for index, one in enumerate(poses)]
    assert known == [False, True, False, False, True]


def test_reset_forgets_the_last_pose() -> None:
    estimator = PoseEgoMotion(RIG)
    estimator.update(instant(0, pose(0)), {})
    estimator.reset()
    assert estimator.update(instant(1, pose(1)), {}) == {}
