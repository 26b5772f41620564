"""The world in the vehicle's axes."""

import numpy as np
import pytest

from perception.visualization import TrackHistory
from perception.visualization.ground_view.ground_scene import ground_scene

TURNED = np.array([[0.0, -1, 0, 10], [1, 0, 0, 20], [0, 0, 1, 0], [0, 0, 0, 1]])
"""The car stands at x = 10, y = 20 and looks along the world's y axis."""


def test_the_world_is_turned_into_the_vehicles_axes(scene_of, ground_tracks_of, ground_forecasts_of):
    tracks = ground_tracks_of([[10, 40]], headings_rad=[np.pi / 2])
    forecasts = ground_forecasts_of(tracks, [[0.0, 5.0]], stds=(2.0, 0.5))
    ground = ground_scene(scene_of(tracks, forecasts, world_from_vehicle=TURNED), None, min_probability=0.05)
    np.testing.assert_allclose(ground.centres_m, [[20, 0]], atol=1e-9)
    np.testing.assert_allclose(ground.headings_rad, [0], atol=1e-9)
    np.testing.assert_allclose(ground.futures.paths_m[0, [0, -1]], [[20, 0], [40, 0]], atol=1e-9)
    np.testing.assert_allclose(ground.futures.across[0, 3], [0, 1], atol=1e-9)
    np.testing.assert_allclose(ground.futures.spreads_m[0, 1:], 0.5, atol=1e-9)


def test_without_a_pose_the_world_is_the_vehicle(scene_of, ground_tracks_of):
    ground = ground_scene(scene_of(ground_tracks_of([[20, -3]])), None, min_probability=0.05)
    np.testing.assert_allclose(ground.centres_m, [[20, -3]])
    assert ground.speed_mps is None
    assert len(ground.own_past_m) == 0


def test_far_objects_come_first(scene_of, ground_tracks_of):
    tracks = ground_tracks_of([[5, 0], [50, 0], [20, 0]], [4, 5, 6])
    assert ground_scene(scene_of(tracks), None, min_probability=0.05).tracks.ids.tolist() == [5, 6, 4]


def test_the_spread_is_that_across_the_way(scene_of, ground_tracks_of, ground_forecasts_of):
    tracks = ground_tracks_of([[20, 0]], headings_rad=[np.pi / 3])
    forecasts = ground_forecasts_of(tracks, [[4.0, 0.0]], stds=(2.0, 1.0))
    spreads = ground_scene(scene_of(tracks, forecasts), None, min_probability=0.05).futures.spreads_m
    expected = np.hypot(2.0 * np.sin(np.pi / 3), 1.0 * np.cos(np.pi / 3))
    np.testing.assert_allclose(spreads[0, 1:], expected)
    assert spreads[0, 0] == 0


def test_unlikely_and_standing_futures_are_left_out(scene_of, ground_tracks_of, ground_forecasts_of):
    tracks = ground_tracks_of([[20, 0], [30, 0]], [1, 2])
    forecasts = ground_forecasts_of(tracks, [[4.0, 0], [0, 4.0], [0.1, 0]], [0.6, 0.03, 0.37])
    futures = ground_scene(scene_of(tracks, forecasts), None, min_probability=0.05).futures
    assert len(futures) == 2
    assert futures.best.all()
    still = ground_forecasts_of(tracks, [[0.1, 0]])
    assert ground_scene(scene_of(tracks, still), None, min_probability=0.05).futures is None


def test_the_past_stays_in_the_world_while_the_car_moves(scene_of, ground_tracks_of):
    history = TrackHistory(span_s=1.0)
    for step in range(11):
        pose = np.eye(4)
        pose[0, 3] = step
        scene = scene_of(ground_tracks_of([[30, 2]]), timestamp_ns=step * 10**8, world_from_vehicle=pose)
        history.update(scene)
    ground = ground_scene(scene, history, min_probability=0.05)
    np.testing.assert_allclose(ground.pasts_m[0], np.tile([20, 2], (9, 1)), atol=1e-9)
    np.testing.assert_allclose(ground.own_past_m[[0, -1]], [[-10, 0], [0, 0]], atol=1e-9)
    assert ground.speed_mps == pytest.approx(10.0)


def test_a_gap_in_the_poses_is_bridged_by_the_last_motion(scene_of, ground_tracks_of):
    history = TrackHistory()
    for step in range(6):
        pose = np.eye(4)
        pose[0, 3] = step
        scene = scene_of(
            ground_tracks_of([[30, 2]]),
            timestamp_ns=step * 10**8,
            world_from_vehicle=pose if step < 4 else None,
        )
        history.update(scene)
    ground = ground_scene(scene, history, min_probability=0.05)
    np.testing.assert_allclose(ground.centres_m, [[25, 2]], atol=1e-6)


def test_tracks_of_the_image_frame_are_no_part_of_it(scene_of, tracks_of):
    assert len(ground_scene(scene_of(tracks_of([[0, 0, 9, 9]])), None, min_probability=0.05).tracks) == 0


def test_forecasts_of_another_frame_are_refused(scene_of, tracks_of, ground_tracks_of, forecasts_of):
    image = forecasts_of(tracks_of([[0, 0, 9, 9]], [1]), [[0.1, 0.0]])
    with pytest.raises(ValueError, match="ground frame"):
        ground_scene(scene_of(ground_tracks_of([[20, 0]], [1]), image), None, min_probability=0.05)
