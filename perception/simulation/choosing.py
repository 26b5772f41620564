"""Which car carries the cameras, and from when on: one that turns, waits a little and has many others around it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from perception.errors import PerceptionError
from perception.simulation.motion import Poses, wrapped_rad
from perception.types import FloatArray

_NEIGHBOURHOOD_M = 60.0
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
    history: Sequence[Poses],
    may_record: NDArray[np.bool_],
    judged_steps: int,
    step_s: float,
    random: np.random.Generator,
) -> tuple[int, int]:
    """Choose (step at which the recording starts, row of the car) from the known ``history``.

    ``may_record`` (N,) marks the rows of the fleet that may be chosen; a choice is judged by the ``judged_steps`` that
    follow its start. Raises ``PerceptionError`` when none of these cars is there all the time.
    """
    rows = np.nonzero(may_record)[0]
    for poses in history:
        rows = np.intersect1d(rows, poses.rows)
    if not len(rows):
        raise PerceptionError("No car stays on the road for the whole drive; use another seed.")
    speeds_mps = _column(history, rows, "speeds_mps")
    turned_rad = np.abs(wrapped_rad(np.diff(_column(history, rows, "yaws_rad"), axis=0)))
    travelled_m = _column(history, rows, "travelled_m")
    neighbours = _neighbours(history, rows)
    starts = np.arange(0, len(history) - judged_steps + 1, _START_EVERY)
    points = np.stack(
        [
            _points(
                speeds_mps[start : start + judged_steps],
                turned_rad[start : start + judged_steps - 1],
                (travelled_m[start + judged_steps - 1] - travelled_m[start]) / max((judged_steps - 1) * step_s, step_s),
                neighbours[start // _COUNT_EVERY : (start + judged_steps) // _COUNT_EVERY + 1],
            )
            for start in starts
        ]
    )
    points += random.uniform(0, _CHANCE, points.shape)
    best_start, best_car = np.unravel_index(np.argmax(points), points.shape)
    return int(starts[best_start]), int(rows[best_car])


def _points(
    speeds_mps: FloatArray, turned_rad: FloatArray, mean_speeds_mps: FloatArray, neighbours: FloatArray
) -> FloatArray:
    """(cars,): how well each car's way meets the wishes; the arguments are (steps, cars) or (cars,)."""
    turning = np.minimum(turned_rad.sum(axis=0) / _ENOUGH_TURNING_RAD, 1.0)
    company = np.minimum(neighbours.mean(axis=0) / _ENOUGH_NEIGHBOURS, 1.0)
    pace = np.minimum(mean_speeds_mps / _USUAL_SPEED_MPS, 1.0)
    standing = (speeds_mps < _STANDING_MPS).mean(axis=0)
    waits_a_little = (standing > _WELCOME_STANDING[0]) & (standing < _WELCOME_STANDING[1])
    starts_driving = speeds_mps[0] > _START_SPEED_MPS
    points: FloatArray = turning + 1.5 * company + pace + waits_a_little + starts_driving
    return points


def _column(history: Sequence[Poses], rows: NDArray[np.int64], name: str) -> FloatArray:
    """(steps, cars) of a column of the poses."""
    return np.stack([getattr(poses, name)[np.searchsorted(poses.rows, rows)] for poses in history])


def _neighbours(history: Sequence[Poses], rows: NDArray[np.int64]) -> FloatArray:
    """(counts, cars): how many others were near each car, counted now and then."""
    counts = []
    for poses in history[::_COUNT_EVERY]:
        cars_m = poses.centres_m[np.searchsorted(poses.rows, rows)]
        distances_m = np.linalg.norm(cars_m[:, None] - poses.centres_m[None], axis=2)
        counts.append((distances_m < _NEIGHBOURHOOD_M).sum(axis=1) - 1)
    return np.array(counts, dtype=np.float64)
