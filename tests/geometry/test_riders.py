"""Rider and machine as one box, by hand-made cases."""

from __future__ import annotations

import numpy as np
import pytest

from perception.geometry.riders import join_riders, joined_labels, rider_convention

MACHINE = [100.0, 100.0, 200.0, 200.0]
RIDER = [120.0, 40.0, 180.0, 170.0]


def test_a_rider_is_part_of_the_machine() -> None:
    joined = join_riders(np.array([MACHINE]), np.array([RIDER]))
    assert joined.boxes_xyxy_px.tolist() == [[100.0, 40.0, 200.0, 200.0]]
    assert joined.machine_of.tolist() == [0]


def test_a_machine_has_several_riders_and_a_rider_one_machine() -> None:
    machines = np.array([MACHINE, [150.0, 110.0, 230.0, 200.0]])
    persons = np.array([RIDER, [130.0, 60.0, 170.0, 160.0]])
    joined = join_riders(machines, persons)
    assert joined.machine_of.tolist() == [0, 0]
    assert joined.boxes_xyxy_px[1].tolist() == machines[1].tolist()


@pytest.mark.parametrize(
    "person",
    [
        [210.0, 40.0, 260.0, 190.0],  # beside it
        [120.0, 60.0, 180.0, 240.0],  # in front of it, feet below the wheels
        [120.0, 0.0, 180.0, 105.0],  # behind it, legs hidden by nothing
        [120.0, 150.0, 180.0, 195.0],  # a child in front of it, head below the seat
        [140.0, 95.0, 160.0, 120.0],  # far behind it
    ],
)
def test_who_stands_near_a_machine_rides_none(person: list[float]) -> None:
    joined = join_riders(np.array([MACHINE]), np.array([person]))
    assert joined.machine_of.tolist() == [-1]
    assert joined.boxes_xyxy_px.tolist() == [MACHINE]


def test_nothing_to_join() -> None:
    empty = np.zeros((0, 4), np.float32)
    assert join_riders(empty, np.array([RIDER])).machine_of.tolist() == [-1]
    assert join_riders(np.array([MACHINE]), empty).boxes_xyxy_px.tolist() == [MACHINE]


def test_of_labelled_boxes_only_two_wheelers_are_ridden_and_riders_go() -> None:
    boxes = np.array([MACHINE, RIDER, MACHINE, RIDER], np.float32)
    labels = np.array([0, 5, 4, 5])
    joined, remains = joined_labels(boxes, labels, labels == 5)
    assert joined[0].tolist() == MACHINE and joined[2].tolist() == [100.0, 40.0, 200.0, 200.0]
    assert remains.tolist() == [True, False, True, False]
    joined, remains = joined_labels(boxes[:2], labels[:2], labels[:2] == 5)
    assert remains.all() and joined.tolist() == boxes[:2].tolist()


def test_joining_moves_with_the_picture() -> None:
    """Shifted and enlarged, the same persons ride."""
    rng = np.random.default_rng(0)
    corners = rng.uniform(0, 200, size=(30, 2))
    boxes = np.concatenate([corners, corners + rng.uniform(10, 120, size=(30, 2))], axis=1)
    first = join_riders(boxes[:10], boxes[10:])
    second = join_riders(boxes[:10] * 3 + 50, boxes[10:] * 3 + 50)
    assert (first.machine_of >= 0).any() and (first.machine_of < 0).any()
    assert first.machine_of.tolist() == second.machine_of.tolist()


def test_the_stated_convention_is_its_first_word() -> None:
    assert rider_convention("joined: one box") == "joined"
    assert rider_convention("machine boxed as bicycle") == "machine"
    assert rider_convention("separate") == "separate"
    for wrong in ("together", ""):
        with pytest.raises(ValueError, match="expected joined, separate or machine"):
            rider_convention(wrong)
