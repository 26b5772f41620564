"""Where tracks have been."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from perception.types import EgoMotion
from perception.visualization import TrackHistory

SECOND_NS = 10**9


def test_foot_points_and_ages_come_oldest_first(scene_of, tracks_of):
    history = TrackHistory(span_s=2.0)
    for step in range(3):
        box = [10 * step, 20, 10 * step + 30, 60 + step]
        history.update(scene_of(tracks_of([box], [5]), timestamp_ns=step * SECOND_NS // 2))
    points, ages_s = history.path(5, "front")
    np.testing.assert_allclose(points, [[15, 60], [25, 61], [35, 62]])
    np.testing.assert_allclose(ages_s, [1.0, 0.5, 0.0])


def test_what_is_older_than_the_span_is_forgotten(scene_of, tracks_of):
    history = TrackHistory(span_s=1.0)
    for step in range(50):
        history.update(scene_of(tracks_of([[0, 0, 9, 9]], [1]), timestamp_ns=step * SECOND_NS // 10))
    _, ages_s = history.path(1, "front")
    assert len(ages_s) == 11
    assert ages_s.max() == pytest.approx(1.0)


def test_a_fast_stream_is_thinned_but_keeps_its_span(scene_of, tracks_of):
    history = TrackHistory(span_s=1.0, max_points=20)
    for step in range(3000):
        history.update(scene_of(tracks_of([[0, 0, 9, 9]], [1]), timestamp_ns=step * SECOND_NS // 1000))
    points, ages_s = history.path(1, "front")
    assert len(points) <= 20
    assert ages_s.max() > 0.9


def test_tracks_that_are_gone_and_unknown_tracks_have_no_past(scene_of, tracks_of):
    history = TrackHistory()
    history.update(scene_of(tracks_of([[0, 0, 9, 9], [5, 5, 20, 20]], [1, 2])))
    history.update(scene_of(tracks_of([[0, 0, 9, 9]], [1]), timestamp_ns=SECOND_NS))
    assert len(history) == 1
    assert history.path(2, "front")[0].shape == (0, 2)
    assert history.path(1, "rear")[0].shape == (0, 2)


def test_time_that_runs_backwards_starts_afresh(scene_of, tracks_of):
    history = TrackHistory()
    history.update(scene_of(tracks_of([[0, 0, 9, 9]], [1]), timestamp_ns=5 * SECOND_NS))
    history.update(scene_of(tracks_of([[0, 0, 9, 9]], [1]), timestamp_ns=SECOND_NS))
    assert len(history.path(1, "front")[0]) == 1
    assert history.first_timestamp_ns == SECOND_NS


def test_a_span_of_zero_is_rejected():
    with pytest.raises(ValueError, match="span_s"):
        TrackHistory(span_s=0)


def test_in_the_ground_frame_the_past_lies_in_the_world(scene_of, ground_tracks_of):
    history = TrackHistory(span_s=2.0)
    for step in range(4):
        history.update(scene_of(ground_tracks_of([[10 + step, 5]], [7]), timestamp_ns=step * SECOND_NS // 2))
    points, ages_s = history.world_path(7)
    np.testing.assert_allclose(points, [[10, 5], [11, 5], [12, 5], [13, 5]])
    np.testing.assert_allclose(ages_s, [1.5, 1.0, 0.5, 0.0])
    assert len(history.path(7, "front")[0]) == 0
    paths = history.world_paths([7, 99], np.array([2.0, 0.75, 0.0]), np.array([[13.0, 5], [1, 1]]))
    np.testing.assert_allclose(paths, [[[10, 5], [11.5, 5], [13, 5]], [[1, 1]] * 3])


def drive(history, scene_of, x_of_step, *, headings_rad=None, steps=10):
    for step in range(steps):
        pose = np.eye(4)
        heading = 0.0 if headings_rad is None else headings_rad[step]
        pose[:2, :2] = [[np.cos(heading), -np.sin(heading)], [np.sin(heading), np.cos(heading)]]
        pose[0, 3] = x_of_step(step)
        history.update(scene_of(timestamp_ns=step * SECOND_NS // 10, world_from_vehicle=pose))


def test_the_cars_own_way_and_speed(scene_of):
    history = TrackHistory()
    assert history.own_speed_mps(0.0) is None
    drive(history, scene_of, lambda step: 1.5 * step)
    points, ages_s = history.own_path()
    np.testing.assert_allclose(points[[0, -1]], [[0, 0], [13.5, 0]])
    assert ages_s[0] == pytest.approx(0.9)
    assert history.own_speed_mps(0.0) == pytest.approx(15.0)
    assert history.own_speed_mps(np.pi) == pytest.approx(-15.0)


def test_a_missing_pose_is_carried_on_for_a_second(scene_of):
    history = TrackHistory()
    np.testing.assert_allclose(history.own_pose(None)[0], [0, 0])
    drive(history, scene_of, lambda step: 1.0 * step, headings_rad=[0.1 * step + np.pi - 0.85 for step in range(10)])
    for gap_tenths, carried_s in ((0, 0.0), (5, 0.5), (30, 1.0)):
        history.update(scene_of(timestamp_ns=(9 + gap_tenths) * SECOND_NS // 10))
        position, heading = history.own_pose(None)
        np.testing.assert_allclose(position, [9 + 10 * carried_s, 0], atol=1e-6)
        assert np.cos(heading - (0.9 + np.pi - 0.85 + carried_s)) == pytest.approx(1.0)


def test_a_given_pose_counts(scene_of):
    history = TrackHistory()
    drive(history, scene_of, lambda step: 1.0 * step)
    pose = np.array([[0.0, -1, 0, 4], [1, 0, 0, 5], [0, 0, 1, 0], [0, 0, 0, 1]])
    position, heading = history.own_pose(pose)
    np.testing.assert_allclose(position, [4, 5])
    assert heading == pytest.approx(np.pi / 2)


def test_the_past_of_what_stands_still_does_not_swing_with_the_camera(scene_of, tracks_of):
    history = TrackHistory(span_s=2.0)
    matrix = np.array([[200.0, 0, 160], [0, 200, 120], [0, 0, 1]])
    ego = EgoMotion(
        dt_s=0.1,
        now_from_before=Rotation.from_euler("y", -0.02).as_matrix(),
        rotation_stds_rad=np.full(3, 1e-3),
        camera_matrix=matrix,
        image_size_px=(320, 240),
    )
    for step in range(10):
        x = 160 + 200 * np.tan(0.3 - 0.02 * step)
        box = [x - 10, 100, x + 10, 120]  # its foot is on the horizon, far away
        scene = scene_of(tracks_of([box], [5]), timestamp_ns=step * SECOND_NS // 10)
        history.update(replace(scene, ego_motions={"front": ego} if step else {}))
    points, ages_s = history.path(5, "front")
    assert len(points) == len(ages_s) == 10
    np.testing.assert_allclose(points, np.tile(points[-1], (10, 1)), atol=0.01)
