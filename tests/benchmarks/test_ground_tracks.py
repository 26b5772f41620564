"""Positions in metres become tracks: gaps cut them, headings are those of the way gone, velocities look back."""

from __future__ import annotations

import numpy as np
import pytest

from perception.benchmarks.ground_tracks import GroundRows, best_of, track_set
from perception.forecasting.features.ground_motion import AXIS, CAR_IS_KNOWN, CAR_XY, VARIANCE, VELOCITY


def _rows(objects: list[int], steps: list[int], positions_m: np.ndarray, **more: np.ndarray) -> GroundRows:
    count = len(objects)
    return GroundRows(
        objects=np.array(objects),
        steps=np.array(steps),
        instants=np.array(steps),
        positions_m=positions_m.astype(float),
        labels=np.array(objects) % 6,
        sizes_m=np.ones((count, 2)),
        rate_fps=2.0,
        **more,
    )


def test_rows_are_sorted_and_a_missing_step_begins_a_new_track():
    rows = _rows([7, 3, 7, 7, 3], [5, 1, 2, 3, 0], np.arange(10).reshape(5, 2))
    tracks, order = track_set(rows, horizon=2)
    assert order.tolist() == [4, 1, 2, 3, 0]
    assert tracks.starts.tolist() == [0, 2, 4, 5]
    assert tracks.labels.tolist() == [3, 1, 1]
    assert tracks.truth_ends.tolist() == [2, 2, 4, 4, 5]
    assert tracks.times_s.tolist() == [0.0, 0.5, 1.0, 1.5, 2.5]
    assert tracks.instants.tolist() == [0, 1, 2, 3, 5]
    np.testing.assert_array_equal(tracks.truth, rows.positions_m[order])
    assert tracks.grid.times_s.tolist() == [0.5, 1.0]


def test_velocities_look_back_and_are_nothing_at_first():
    positions = np.array([[0.0, 0], [1, 0], [1, 3], [9, 9], [9, 8]])
    tracks, _ = track_set(_rows([1, 1, 1, 2, 2], [0, 1, 2, 0, 1], positions), horizon=2)
    assert tracks.observations[:, VELOCITY].tolist() == [[0, 0], [2, 0], [0, 6], [0, 0], [0, -2]]
    assert (tracks.observations[:, VARIANCE] > 0).all()


def test_who_stands_keeps_the_direction_that_it_came_from():
    """North for long, then small steps to and fro: the last step alone would turn it about."""
    positions = np.cumsum([[0.0, 0], *[[0, 1.0]] * 6, [0.01, -0.02], [-0.01, 0.01]], axis=0)
    tracks, _ = track_set(_rows([1] * 9, list(range(9)), positions), horizon=2)
    np.testing.assert_allclose(tracks.observations[1:7, AXIS], np.pi / 2)
    np.testing.assert_allclose(tracks.observations[7:, AXIS], np.pi / 2, atol=0.1)


def test_who_turns_is_followed():
    positions = np.cumsum([[0.0, 0], *[[1.0, 0]] * 6, *[[0, 1.0]] * 6], axis=0)
    tracks, _ = track_set(_rows([1] * 13, list(range(13)), positions), horizon=2)
    assert tracks.observations[6, AXIS] == 0
    assert tracks.observations[12, AXIS] == pytest.approx(np.pi / 2, abs=0.1)


def test_known_headings_and_cars_are_taken_and_unknown_cars_are_zeros():
    cars = np.array([[1.0, 2, 0.5], [np.nan, np.nan, np.nan]])
    rows = _rows([1, 1], [0, 1], np.array([[0.0, 0], [5, 0]]), yaws_rad=np.array([2.0, 3.0]), cars=cars)
    observations = track_set(rows, horizon=2)[0].observations
    assert observations[:, AXIS].tolist() == [2.0, 3.0]
    assert observations[:, CAR_XY.start :].tolist() == [[1, 2, 0.5, 1], [0, 0, 0, 0]]
    assert observations[:, CAR_IS_KNOWN].tolist() == [1, 0]


def test_a_part_of_the_rows():
    rows = _rows([1, 2, 3], [0, 0, 0], np.arange(6).reshape(3, 2), yaws_rad=np.arange(3.0))
    part = rows[np.array([2, 0])]
    assert part.objects.tolist() == [3, 1]
    assert part.yaws_rad.tolist() == [2, 0]
    assert part.cars is None
    assert part.rate_fps == 2.0


def test_the_minima_of_a_best_of_are_apart():
    distances = np.array([[[1.0, 9.0], [6.0, 6.0]]])
    found = {name: values.tolist() for name, values in best_of(distances, "best of 2").items()}
    assert found == {"ADE best of 2": [5.0], "FDE best of 2": [6.0]}
