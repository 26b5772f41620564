"""Errors of measured ego-motion are those that were put in; what was not measured is not compared."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support.turning_camera import front_camera

from perception.arrays import FloatArray
from perception.egomotion import motion_between
from perception.evaluation.core.records import InstantForecasts
from perception.evaluation.core.timeline import Timeline
from perception.evaluation.tracking.ego_motion import ego_motion_errors, ego_motion_report
from perception.geometry.cameras import Rig
from perception.geometry.rotation import rotation_about_z, rotation_matrix
from perception.types import EgoMotion, Forecasts, Tracks

CAMERA = front_camera()
RIG = Rig({"front": CAMERA})
COUNT = 6


def pose(index: int) -> FloatArray:
    matrix = np.eye(4)
    matrix[:3, :3] = rotation_about_z(0.05 * index)
    matrix[0, 3] = index
    return matrix


def true_motion(index: int) -> EgoMotion:
    found = motion_between(pose(index - 1), pose(index), CAMERA, 0.1)
    assert found is not None
    return found


def measured(index: int, yaw_error_degps: float = 0.0, speed_error_mps: float = 0.0) -> EgoMotion:
    true = true_motion(index)
    wrong = rotation_matrix(np.array([0, np.deg2rad(yaw_error_degps) * 0.1, 0]))
    assert true.speed_mps is not None
    return replace(
        true,
        now_from_before=wrong @ true.now_from_before,
        speed_mps=true.speed_mps + speed_error_mps,
        from_poses=False,
    )


def record(index: int, motion: EgoMotion | None) -> InstantForecasts:
    return InstantForecasts.from_tracks(
        frame_index=index,
        timestamp_ns=index * 100_000_000,
        tracks=Tracks.empty(),
        forecasts=Forecasts.empty(),
        ego_motions={} if motion is None else {"front": motion},
    )


def timeline(*, with_poses: bool = True) -> Timeline:
    instants = np.arange(COUNT)
    return Timeline(
        instants * 100_000_000,
        {"front": instants},
        {"front": (640, 360)},
        {index: pose(index) for index in range(COUNT)} if with_poses else {},
    )


def test_errors_and_unknown_frames_are_counted() -> None:
    motions = [None, measured(1, 0.5), measured(2, -1.0, 2.0), None, measured(4, 3.0), measured(5, -0.5)]
    errors = ego_motion_errors([record(*pair) for pair in enumerate(motions)], timeline(), RIG)
    assert errors is not None
    report = ego_motion_report([errors])
    assert report is not None and list(report.per_camera) == ["front"]
    scores = report.overall
    assert (scores.frame_count, scores.unknown_share, scores.speed_share) == (5, 0.2, 0.8)
    assert scores.yaw_rate_median_degps == pytest.approx(0.75, abs=1e-6)
    assert scores.yaw_rate_p90_degps == pytest.approx(2.4, abs=1e-6)
    assert scores.speed_median_mps == pytest.approx(0, abs=1e-9)
    twice = ego_motion_report([errors, errors])
    assert twice is not None and twice.overall.frame_count == 10
    assert twice.overall.yaw_rate_median_degps == pytest.approx(0.75, abs=1e-6)


def test_a_run_of_every_second_instant_is_held_against_the_poses_of_those() -> None:
    two = motion_between(pose(0), pose(2), CAMERA, 0.2)
    assert two is not None
    records = [record(0, None), record(2, replace(two, from_poses=False))]
    errors = ego_motion_errors(records, timeline(), RIG)
    assert errors is not None
    np.testing.assert_allclose(errors.yaw_rates_degps, [0], atol=1e-9)


def test_poses_are_not_held_against_themselves_and_nothing_is_said_without_poses_or_rig() -> None:
    by_poses = [record(index, true_motion(index) if index else None) for index in range(COUNT)]
    by_flow = [record(index, measured(index) if index else None) for index in range(COUNT)]
    assert ego_motion_errors(by_poses, timeline(), RIG) is None
    assert ego_motion_errors(by_flow, timeline(), None) is None
    assert ego_motion_errors(by_flow, timeline(with_poses=False), RIG) is None
    assert ego_motion_report([]) is None
