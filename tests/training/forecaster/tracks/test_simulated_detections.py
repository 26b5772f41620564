"""Boxes of simulated road users without pictures, and drives that are tracked from them."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest
from support.ground_tracks import pose

from perception.geometry.cameras import Camera, Rig
from perception.simulation.world import RoadUsers
from perception.training.forecaster.tracks.simulated_detections import (
    SimulatedDetector,
    boxes_in,
    boxes_of,
    visible_shares,
)

FRONT = np.array([[0.0, 0, 1, 0], [-1, 0, 0, 0], [0, -1, 0, 1.5], [0, 0, 0, 1]])
"""``vehicle_from_camera`` of a camera at the vehicle's origin, 1.5 m high, that looks ahead."""


def _camera(name: str = "front", vehicle_from_camera: np.ndarray = FRONT) -> Camera:
    intrinsics = np.array([[1000.0, 0, 800], [0, 1000, 450], [0, 0, 1]])
    return Camera(name, (1600, 900), intrinsics, vehicle_from_camera)


def _users(positions_m: list[tuple[float, float]], *, label: int = 0) -> RoadUsers:
    """Cubes of 2 m at positions in the town, facing east."""
    count = len(positions_m)
    return RoadUsers(
        ids=np.arange(count) + 3,
        labels=np.full(count, label),
        bodies=np.zeros(count, int),
        appearance_seeds=np.zeros(count, np.uint32),
        positions_m=np.array([(x, y, 0.0) for x, y in positions_m]).reshape(count, 3),
        yaws_rad=np.zeros(count),
        sizes_lwh_m=np.full((count, 3), 2.0),
        speeds_mps=np.zeros(count),
        is_braking=np.zeros(count, bool),
        indicators=np.zeros(count, int),
        travelled_m=np.zeros(count),
    )


def _corners(centre_m: tuple[float, float], side_m: float = 2.0) -> np.ndarray:
    steps = (-side_m / 2, side_m / 2)
    return np.array([[(centre_m[0] + x, centre_m[1] + y, z) for x in steps for y in steps for z in (0.0, side_m)]])


def test_the_box_of_a_cube_ahead_is_that_of_its_near_face():
    boxes, depths_m = boxes_in(_camera(), _corners((11.0, 0.0)))
    np.testing.assert_allclose(boxes, [[800 - 100, 450 - 50, 800 + 100, 450 + 150]], atol=1e-9)
    np.testing.assert_allclose(depths_m, [11.0])


def test_what_stands_behind_or_beside_has_no_box():
    for position in ((-11.0, 0.0), (5.0, 60.0)):
        box = boxes_in(_camera(), _corners(position))[0][0]
        assert (box[2] - box[0]) * (box[3] - box[1]) == 0


def test_what_reaches_past_the_camera_is_cut_at_the_border():
    """A wall from 5 m behind to 15 m ahead, 3 m to the left: it leaves the picture at the left."""
    corners = np.array([[(x, y, z) for x in (-5.0, 15.0) for y in (3.0, 3.5) for z in (0.0, 2.0)]])
    box = boxes_in(_camera(), corners)[0][0]
    assert box[0] == 0
    assert box[2] == pytest.approx(800 - 1000 * 3 / 15)
    assert box[3] == 900


def test_nearer_boxes_hide_farther_ones():
    boxes = np.array([[0.0, 0, 60, 60], [30, 0, 90, 60], [200, 0, 260, 60]])
    np.testing.assert_allclose(visible_shares(boxes, np.array([20.0, 10, 5])), [0.5, 1, 1])
    np.testing.assert_allclose(visible_shares(boxes, np.array([10.0, 20, 5])), [1, 0.5, 1])
    assert visible_shares(np.zeros((0, 4)), np.zeros(0)).shape == (0,)


def _detect(users: RoadUsers, seed: int, *, instants: int = 1, car: np.ndarray | None = None) -> list:
    detector = SimulatedDetector(Rig({"front": _camera()}), np.random.default_rng(seed))
    return [detector.detect(users, pose() if car is None else car, 0.1 * i)[0] for i in range(instants)]


def test_boxes_are_those_of_the_scaled_images_give_or_take_a_detectors_faults():
    found = _detect(_users([(11.0, 0.0)]), seed=1, instants=200)
    boxes = np.concatenate([each.boxes_xyxy_px for each in found])
    assert found[0].image_size_px == (640, 360)
    assert 150 < len(boxes) < 200  # some are missed
    ((outlines, _),) = boxes_of(_users([(11.0, 0.0)]), pose(), [_camera()])
    np.testing.assert_allclose(boxes.mean(axis=0), outlines[0] * 0.4, atol=1.5)
    assert np.all(boxes.std(axis=0) < 6)
    assert np.all(boxes.std(axis=0) > 0.5)
    # Errors last: what one instant gets wrong, the next does, too.
    error = boxes[:, 0] - boxes[:, 0].mean()
    assert np.corrcoef(error[1:], error[:-1])[0, 1] > 0.2


def test_a_car_has_the_outline_of_a_car():
    """From behind: its roof ends before its bumper does, and it touches the road with its wheels."""
    ((outlines, depths_m),) = boxes_of(_users([(11.0, 0.0)]), pose(), [_camera()])
    cuboid = np.array([700, 400, 900, 600])
    left, top, right, bottom = outlines[0] - cuboid
    assert 0 < left < 25 and -25 < right < 0
    assert 0 < top < 60 and -60 < bottom < 0
    assert depths_m[0] == pytest.approx(11.0)
    # What is too near to be seen whole is taken for a cuboid.
    near = _users([(1.1, 0.0)])
    ((boxes, _),) = boxes_of(near, pose(), [_camera()])
    assert boxes[0].tolist() == [0, 0, 1600, 900]


def test_the_car_sees_from_where_it_is():
    """The car faces north, the object is 11 m north of it."""
    found = _detect(_users([(5.0, 16.0)]), seed=1, car=pose(5.0, 5.0, np.pi / 2), instants=5)
    assert sum(len(each) for each in found) >= 3


def test_the_hidden_and_the_far_are_not_found():
    assert len(_detect(_users([(11.0, 0.0), (40.0, 0.0)]), seed=0)[0]) == 1
    assert sum(len(each) for each in _detect(_users([(400.0, 0.0)]), seed=0, instants=5)) == 0
    assert len(_detect(_users([]), seed=0)[0]) == 0


def test_the_same_seed_makes_the_same_faults():
    first, again, other = (_detect(_users([(11.0, 0.0)]), seed=s, instants=3)[2].boxes_xyxy_px for s in (5, 5, 6))
    np.testing.assert_array_equal(first, again)
    assert first.shape != other.shape or not np.array_equal(first, other)


@pytest.mark.skipif(find_spec("libsumo") is None, reason="SUMO is not installed")
def test_simulated_traffic_becomes_pasts_and_futures():
    from perception.training.forecaster.tracks.simulated_tracks import track_traffic

    sets, gt_histories = track_traffic(4, "surround-six", duration_s=6.0, strides=(1, 5), with_gt_history=True)
    assert gt_histories is not None and len(gt_histories.ends(1, 1))
    assert len(sets) == 2
    for tracks, rate_fps in zip(sets, (10, 2), strict=True):
        assert len(tracks.ends(2, 1)) > 20
        np.testing.assert_allclose(np.unique(np.round(np.diff(np.unique(tracks.times_s)), 6)), [1 / rate_fps])
        matched = tracks.truth_rows >= 0
        assert matched.mean() > 0.7
        now = tracks.truth[tracks.truth_rows[matched]]
        apart_m = np.linalg.norm(tracks.observations[matched, :2] - now, axis=1)
        assert np.median(apart_m) < 2.0
