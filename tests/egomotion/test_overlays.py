"""What stands still while the camera turns belongs to the picture."""

from __future__ import annotations

import numpy as np

from perception.egomotion.overlays import Overlays

BONNET, TREE = np.array([300.0, 340.0]), np.array([100.0, 50.0])
POINTS = np.stack([BONNET, TREE])


def learned(turn_px: float, sightings: int) -> list[bool]:
    overlays = Overlays((640, 360), 24)
    for _ in range(sightings):
        overlays.learn(POINTS, np.array([[0.05, 0.0], [turn_px, 0.0]]), np.full((2, 2), [turn_px, 0.0]))
    return overlays.cover(POINTS).tolist()


def test_the_bonnet_is_found_in_a_turn_and_nothing_else() -> None:
    assert learned(3.0, 10) == [True, False]


def test_a_few_sightings_are_not_enough() -> None:
    assert learned(3.0, 3) == [False, False]


def test_going_straight_on_tells_nothing() -> None:
    assert learned(0.1, 100) == [False, False]


def test_what_moved_often_is_no_overlay() -> None:
    overlays = Overlays((640, 360), 24)
    for shift in [0.05] * 10 + [3.0] * 10:
        overlays.learn(POINTS, np.full((2, 2), [shift, 0.0]), np.full((2, 2), [3.0, 0.0]))
    assert not overlays.cover(POINTS).any()


def test_points_at_the_rim_have_a_cell() -> None:
    assert (
        Overlays((640, 360), 24).cover(np.array([[-0.5, -0.5], [640.0, 360.0], [700.0, 400.0]])).tolist() == [False] * 3
    )
