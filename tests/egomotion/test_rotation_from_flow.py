"""The rotation is right to a tenth of a degree per second, its variance is honest, and doubt says so."""

from __future__ import annotations

import numpy as np
import pytest
from support.turning_camera import MATRIX, seen_points

from perception.egomotion.rotation import MIN_POINTS, estimate_motion
from perception.geometry.rotation import rotation_matrix, rotation_vector

POINT_STD = 0.25 / MATRIX[0, 0]
AHEAD = np.array([0.0, 0.0, 1.0])
STANDS = np.zeros(3)
SHIFT = np.array([0.01, 0.0, 0.0])


def error_rad(found: np.ndarray, turn_rad: np.ndarray) -> np.ndarray:
    return rotation_vector(found @ rotation_matrix(turn_rad).T)


@pytest.mark.parametrize(
    ("turn_deg", "travel_m"),
    [
        ((0, 0, 0), (0, 0, 1)),
        ((0, 3, 0), (0, 0, 1)),
        ((0.2, -3, 0.3), (0.05, 0, 0.8)),
        ((0, 2, 0), (1, 0, 0)),
        ((0, -1, 0), (-0.9, 0, -0.4)),
        ((0, 1, 0), (0, 0, -1)),
    ],
    ids=["straight", "a bend", "a bend over a bump", "seen to the side", "seen back to the side", "seen behind"],
)
def test_rotation_and_direction_of_a_travelling_camera(
    turn_deg: tuple[float, ...], travel_m: tuple[float, ...]
) -> None:
    turn, travel = np.deg2rad(turn_deg), np.array(travel_m, float)
    found = estimate_motion(*seen_points(turn, travel), POINT_STD)
    assert found is not None and found.direction is not None
    assert np.abs(error_rad(found.now_from_before, turn)).max() < np.deg2rad(0.05)
    assert found.direction @ travel / np.linalg.norm(travel) > np.cos(np.deg2rad(3))


def test_a_third_of_the_points_may_move_by_themselves() -> None:
    turn = np.deg2rad([0, 2.0, 0])
    before, now = seen_points(turn, AHEAD)
    now[: len(now) // 3, 0] += 0.05
    found = estimate_motion(before, now, POINT_STD)
    assert found is not None
    assert np.abs(error_rad(found.now_from_before, turn)).max() < np.deg2rad(0.1)
    assert found.is_inlier[len(now) // 3 :].mean() > 0.9


def test_a_standing_camera_has_no_rotation_a_small_variance_and_no_direction() -> None:
    found = estimate_motion(*seen_points(STANDS, STANDS, noise_px=0.05), POINT_STD)
    assert found is not None and found.direction is None
    np.testing.assert_array_equal(found.now_from_before, np.eye(3))
    assert found.rotation_stds_rad.max() < np.deg2rad(0.05)


def test_traffic_does_not_turn_a_standing_camera() -> None:
    before, now = seen_points(STANDS, STANDS, noise_px=0.05)
    now[: len(now) // 3] += [0.02, 0, 0]
    found = estimate_motion(before, now, POINT_STD)
    assert found is not None
    assert np.abs(error_rad(found.now_from_before, STANDS)).max() < np.deg2rad(0.05)


def test_a_camera_that_only_turns_has_no_direction() -> None:
    turn = np.deg2rad([0.5, 2.0, 0.2])
    found = estimate_motion(*seen_points(turn, STANDS), POINT_STD)
    assert found is not None and found.direction is None
    assert np.abs(error_rad(found.now_from_before, turn)).max() < np.deg2rad(0.03)


def test_the_axis_of_the_car_holds_the_direction_where_few_points_tell_it() -> None:
    turn = np.deg2rad([0, 2.0, 0])
    errors = []
    for axis in (None, AHEAD):
        parts = [estimate_motion(*seen_points(turn, AHEAD, count=60, seed=s, noise_px=0.3), POINT_STD, axis=axis)
                 for s in range(20)]  # fmt: skip
        errors.append(np.mean([np.abs(error_rad(p.now_from_before, turn)[1]) for p in parts if p is not None]))
    assert errors[1] <= errors[0]


def test_the_errors_are_as_large_as_is_said() -> None:
    turn, travel = np.deg2rad([0, 1.5, 0]), np.array([0.02, 0, 0.9])
    parts = [estimate_motion(*seen_points(turn, travel, seed=seed, noise_px=0.25), POINT_STD) for seed in range(60)]
    ratios = np.array([error_rad(p.now_from_before, turn) / p.rotation_stds_rad for p in parts if p is not None])
    assert len(ratios) == 60
    assert 0.2 < np.sqrt(np.mean(ratios**2)) < 1.5


def test_few_points_and_points_that_agree_on_nothing_are_unknown() -> None:
    before, now = seen_points(STANDS, AHEAD)
    assert estimate_motion(before[: MIN_POINTS - 1], now[: MIN_POINTS - 1], POINT_STD) is None
    shuffled = np.random.default_rng(0).permutation(now)
    assert estimate_motion(before, shuffled, POINT_STD) is None


def test_points_on_one_line_do_not_raise() -> None:
    before = np.stack([np.linspace(-0.5, 0.5, 40), np.zeros(40), np.ones(40)], axis=1)
    estimate_motion(before, before + SHIFT, POINT_STD)
    same = np.tile([[0.1, 0.1, 1.0]], (40, 1))
    estimate_motion(same, same + SHIFT, POINT_STD)
