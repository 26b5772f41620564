"""Which car carries the cameras, and from when on: one that turns, waits a little and has much around it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from perception.arrays import FloatArray, IntArray
from perception.errors import PerceptionError
from perception.geometry.rotation import wrap_angle_rad
from perception.simulation.traffic.motion import ActorPoses
from perception.taxonomy import CLASSES

_NEIGHBOURHOOD_M = 60.0
_NEXT_M = 30.0
"""Who comes as near as this is seen well; each class that does makes the drive worth more."""
_ENOUGH_NEIGHBOURS = 25.0
_ENOUGH_TURNING_RAD = 1.4
_USUAL_SPEED_MPS = 6.0
_START_SPEED_MPS = 3.0
_STANDING_MPS = 0.2
_WELCOME_STANDING = (0.08, 0.35)
_CHANCE = 0.6
"""Taste varies from drive to drive by so many points; each wish is worth about one."""
_COUNT_EVERY = 20
_START_EVERY = 5


def choose_recording_car(
    history: Sequence[ActorPoses],
    labels: IntArray,
    may_record: NDArray[np.bool_],
    judged_steps: int,
    step_s: float,
    random: np.random.Generator,
) -> tuple[int, int]:
    """Choose (step at which the recording starts, row of the car) from the known ``history``.

    ``labels`` (N,) are the classes of the fleet, ``may_record`` (N,) marks the rows that may be chosen; a choice is
    judged by the ``judged_steps`` that follow its start. Raises ``PerceptionError`` when none of these cars is there
    all the time.
    """
    rows = np.nonzero(may_record)[0]
    for poses in history:
        rows = np.intersect1d(rows, poses.rows)
    if not len(rows):
        raise PerceptionError("No car stays on the road for the whole drive; use another seed.")
    speeds_mps = _column(history, rows, "speeds_mps")
    turned_rad = np.abs(wrap_angle_rad(np.diff(_column(history, rows, "yaws_rad"), axis=0)))
    travelled_m = _column(history, rows, "travelled_m")
    neighbours, is_next = _neighbours(history, rows, labels)
    starts = np.arange(0, len(history) - judged_steps + 1, _START_EVERY)
    points = np.stack(
        [
            _points(
                speeds_mps[start : start + judged_steps],
                turned_rad[start : start + judged_steps - 1],
                (travelled_m[start + judged_steps - 1] - travelled_m[start]) / max((judged_steps - 1) * step_s, step_s),
                neighbours[counted],
                is_next[counted],
            )
            for start in starts
            for counted in [slice(start // _COUNT_EVERY, (start + judged_steps) // _COUNT_EVERY + 1)]
        ]
    )
    points += random.uniform(0, _CHANCE, points.shape)
    best_start, best_car = np.unravel_index(np.argmax(points), points.shape)
    return int(starts[best_start]), int(rows[best_car])


def _points(
    speeds_mps: FloatArray,
    turned_rad: FloatArray,
    mean_speeds_mps: FloatArray,
    neighbours: FloatArray,
    is_next: NDArray[np.bool_],
) -> FloatArray:
    """(cars,): how well each car's way meets the wishes; the arguments are (steps, cars), (cars,) or, ``is_next``,
    (counts, cars, classes)."""
    turning = np.minimum(turned_rad.sum(axis=0) / _ENOUGH_TURNING_RAD, 1.0)
    company = np.minimum(neighbours.mean(axis=0) / _ENOUGH_NEIGHBOURS, 1.0)
    pace = np.minimum(mean_speeds_mps / _USUAL_SPEED_MPS, 1.0)
    standing = (speeds_mps < _STANDING_MPS).mean(axis=0)
    waits_a_little = (standing > _WELCOME_STANDING[0]) & (standing < _WELCOME_STANDING[1])
    starts_driving = speeds_mps[0] > _START_SPEED_MPS
    variety = is_next.any(axis=0).mean(axis=1)
    points: FloatArray = turning + 1.5 * company + 2 * variety + pace + waits_a_little + starts_driving
    return points


def _column(history: Sequence[ActorPoses], rows: NDArray[np.int64], name: str) -> FloatArray:
    """(steps, cars) of a column of the poses."""
    return np.stack([getattr(poses, name)[np.searchsorted(poses.rows, rows)] for poses in history])


def _neighbours(
    history: Sequence[ActorPoses], rows: NDArray[np.int64], labels: IntArray
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Of each car, counted now and then: how many others are in its neighbourhood (counts, cars), and which classes
    come next to it (counts, cars, classes)."""
    near, is_next = [], []
    for poses in history[::_COUNT_EVERY]:
        cars_m = poses.centres_m[np.searchsorted(poses.rows, rows)]
        distances_m = np.linalg.norm(cars_m[:, None] - poses.centres_m[None], axis=2)
        distances_m[poses.rows[None] == rows[:, None]] = np.inf
        near.append((distances_m < _NEIGHBOURHOOD_M).sum(axis=1))
        classes = labels[poses.rows]
        is_next.append([(distances_m[:, classes == label] < _NEXT_M).any(axis=1) for label in range(len(CLASSES))])
    return np.array(near, dtype=np.float64), np.array(is_next, dtype=bool).transpose(0, 2, 1)
