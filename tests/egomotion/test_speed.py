"""The road's flow tells the distance travelled, by the height of the camera."""

from __future__ import annotations

import numpy as np
import pytest
from support.turning_camera import MATRIX, front_camera, seen_points

from perception.egomotion.rotation import estimate_motion
from perception.egomotion.speed import travelled_m

POINT_STD = 0.25 / MATRIX[0, 0]


def distance_m(turn_deg: list[float], travel_m: list[float], *, road_height_m: float = 0.0) -> float | None:
    before, now = seen_points(np.deg2rad(turn_deg), np.array(travel_m))
    motion = estimate_motion(before, now, POINT_STD)
    assert motion is not None
    return travelled_m(before, now, motion, camera=front_camera(), road_height_m=road_height_m, point_std=POINT_STD)


@pytest.mark.parametrize("travel_m", [[0.0, 0.0, 1.0], [0.0, 0.0, -0.5], [0.05, 0.0, 0.8]])
def test_the_distance_is_right_to_three_per_cent(travel_m: list[float]) -> None:
    assert distance_m([0, 1, 0], travel_m) == pytest.approx(np.linalg.norm(travel_m), rel=0.03)


def test_a_road_that_lies_lower_makes_the_same_flow_a_longer_way() -> None:
    assert distance_m([0, 0, 0], [0, 0, 1.0], road_height_m=-0.5) == pytest.approx(4 / 3, rel=0.05)


def test_a_camera_below_the_road_or_one_that_stands_has_no_speed() -> None:
    assert distance_m([0, 0, 0], [0, 0, 1.0], road_height_m=2.0) is None
    assert distance_m([0, 0, 0], [0, 0, 0.0]) is None


def test_without_a_road_there_is_no_speed() -> None:
    before, now = seen_points(np.zeros(3), np.array([0, 0, 1.0]))
    is_high = before[:, 1] < 0
    motion = estimate_motion(before[is_high], now[is_high], POINT_STD)
    assert motion is not None
    args = before[is_high], now[is_high], motion
    assert travelled_m(*args, camera=front_camera(), road_height_m=0.0, point_std=POINT_STD) is None
