"""Which estimator is taken: poses where they are, flow for tracks in the image, nothing where nothing needs it."""

from __future__ import annotations

import numpy as np
import pytest
from support.turning_camera import front_camera, texture

from perception.egomotion import FlowEgoMotion, PoseEgoMotion, open_ego_motion
from perception.errors import UsageError
from perception.geometry.cameras import Rig
from perception.types import Frame, FrameSet

RIG = Rig({"front": front_camera()})


def test_auto_measures_uncalibrated_cameras_and_takes_poses_on_the_ground() -> None:
    assert isinstance(open_ego_motion("auto", rig=None, reference_frame="image").estimator, FlowEgoMotion)
    assert isinstance(open_ego_motion("auto", rig=RIG, reference_frame="ground").estimator, PoseEgoMotion)


def test_one_that_is_asked_for_is_taken() -> None:
    assert open_ego_motion("off", rig=RIG, reference_frame="image").estimator is None
    assert isinstance(open_ego_motion("flow", rig=RIG, reference_frame="ground").estimator, FlowEgoMotion)
    assert isinstance(open_ego_motion("poses", rig=RIG, reference_frame="image").estimator, PoseEgoMotion)


def test_poses_without_a_rig_are_refused() -> None:
    with pytest.raises(UsageError, match="not calibrated"):
        open_ego_motion("poses", rig=None, reference_frame="image")


def test_in_the_image_the_pictures_help_out_where_poses_are_missing() -> None:
    estimator = open_ego_motion("auto", rig=RIG, reference_frame="image").estimator
    assert estimator is not None
    found = []
    for index, pose in enumerate([np.eye(4), np.eye(4), None, None, np.eye(4), np.eye(4)]):
        frame = Frame(texture(), "front", index * 100_000_000, index)
        found.append(estimator.update(FrameSet((frame,), frame.timestamp_ns, index, pose), {}).get("front"))
    assert [None if motion is None else motion.from_poses for motion in found] == [None, True, None, False, None, True]
