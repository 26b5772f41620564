"""Baselines on a benchmark's targets: the filter against a plain one, lines by hand, JAAD's real tracks."""

from __future__ import annotations

import numpy as np
import pytest
from support.windows import make_track_set

from perception.benchmarks import BASELINES, JAAD, Split, constant_velocity, kalman, recent_velocity, stays
from perception.benchmarks.jaad import JaadTracks, protocol


def _split(positions: list[np.ndarray], ends: list[int], history: int, unit: float = 1.0) -> Split:
    tracks = make_track_set(positions, [0] * len(positions))
    return Split(tracks, np.array(ends), history, np.arange(len(ends)), np.full((len(ends), 2), unit))


def _plain_kalman(measured: np.ndarray, steps: int) -> np.ndarray:
    """One coordinate (n,), by the textbook: predict, then update with the whole matrices."""
    transition, noise, seen = np.array([[1.0, 1], [0, 1]]), np.eye(2), np.array([[1.0, 0]])
    state, covariance = np.array([measured[0], 0.0]), np.eye(2)
    for value in measured[1:]:
        state, covariance = transition @ state, transition @ covariance @ transition.T + noise
        gain = covariance @ seen.T @ np.linalg.inv(seen @ covariance @ seen.T + np.eye(1))
        state = state + gain @ (value - seen @ state)
        covariance = (np.eye(2) - gain @ seen) @ covariance
    return np.array([(np.linalg.matrix_power(transition, step) @ state)[0] for step in range(1, steps + 1)])


def test_kalman_equals_a_plain_filter_for_pasts_of_any_length():
    rng = np.random.default_rng(0)
    positions = [np.cumsum(rng.normal(size=(n, 2)), axis=0) for n in (12, 9, 5)]
    ends = [9, 2, 0, 12 + 5, 21 + 1]  # 10, 3, 1, 6 and 2 positions seen, of which 7 at most are read
    found = kalman(_split(positions, ends, history=7), 4)
    assert found.probabilities.tolist() == [[1.0]] * 5
    assert found.means.shape == (5, 1, 4, 2)
    assert found.calibration_samples is None
    every = np.concatenate(positions)
    for row, (end, start) in enumerate(zip(ends, [3, 0, 0, 12, 21], strict=True)):
        expected = np.stack([_plain_kalman(every[start : end + 1, axis], 4) for axis in (0, 1)], axis=1)
        np.testing.assert_allclose(found.means[row, 0], expected, atol=1e-9)


def test_kalman_filters_in_the_unit_of_the_errors():
    """Its noise is one unit, so that it makes a difference whether that is a pixel or the whole picture."""
    positions = np.cumsum(np.random.default_rng(1).normal(size=(9, 2)), axis=0)
    large = kalman(_split([positions], [8], 9, unit=100.0), 3).means[0, 0, :, 0]
    np.testing.assert_allclose(large, _plain_kalman(100 * positions[:, 0], 3))


def test_kalman_continues_a_straight_line():
    line = np.arange(400)[:, None] * np.array([1.0, -2.0])
    split = _split([line], [299], 300)
    np.testing.assert_allclose(kalman(split, 45).means[0, 0], line[300:345], atol=1e-3)


def test_constant_velocity_continues_the_last_displacement():
    positions = [np.array([[0.0, 0], [5, 5], [6, 5]]), np.array([[9.0, 9], [8, 8]])]
    found = constant_velocity(_split(positions, [2, 3, 4], 3, unit=10.0), 2)
    assert found.means[:, 0].tolist() == [[[70, 50], [80, 50]], [[90, 90], [90, 90]], [[70, 70], [60, 60]]]
    assert found.probabilities.tolist() == [[1.0]] * 3


def test_boxes_are_continued_with_their_size_in_pixels():
    boxes = np.array([[10.0, 20, 30, 60]]) + np.arange(70)[:, None] * np.array([2.0, 0, 3, 0])
    jaad = JaadTracks(boxes, np.arange(70), np.array([0, 70]), np.zeros(1, int), np.array([[200, 100]]))
    split = protocol(jaad)
    found = constant_velocity(split, 45).means[0, 0]
    np.testing.assert_allclose(found, split.futures(45)[0], atol=1e-9)
    # Centre and size after 15 more than the 15th box: wider by one pixel each step.
    np.testing.assert_allclose(found[0], [20 + 2.5 * 15, 40, 20 + 15, 40])


def test_the_recent_velocity_is_the_mean_over_a_quarter_of_a_second():
    """Of 10 positions per second the last three steps, so that noise in the last one counts a third."""
    line = np.arange(20)[:, None] * np.array([2.0, -1.0])
    line[-1] += 4.0
    split = _split([line], [19], 15)
    assert split.tracks.grid.rate_fps == 10
    step = (line[19] - line[16]) / 3
    np.testing.assert_allclose(recent_velocity(split, 3).means[0, 0], line[19] + np.arange(1, 4)[:, None] * step)


def test_the_recent_velocity_reads_no_more_than_was_seen():
    positions = [np.array([[0.0, 0], [5, 5], [6, 5]]), np.array([[9.0, 9], [8, 8]])]
    found = recent_velocity(_split(positions, [2, 3, 4], 2, unit=10.0), 2)  # two positions are read at most
    assert found.means[:, 0].tolist() == [[[70, 50], [80, 50]], [[90, 90], [90, 90]], [[70, 70], [60, 60]]]


def test_the_recent_velocity_holds_the_size_of_a_box():
    boxes = np.array([[10.0, 20, 30, 60]]) + np.arange(70)[:, None] * np.array([2.0, 0, 3, 0])
    split = protocol(JaadTracks(boxes, np.arange(70), np.array([0, 70]), np.zeros(1, int), np.array([[200, 100]])))
    found = recent_velocity(split, 45).means[0, 0]
    np.testing.assert_allclose(found[:, :2], split.futures(45)[0][:, :2], atol=1e-9)
    np.testing.assert_allclose(found[:, 2:], np.tile([20.0 + 14, 40], (45, 1)))


def test_what_stays_is_where_it_was_last_seen():
    found = stays(_split([np.array([[0.0, 0], [5, 5], [6, 5]])], [0, 2], 3, unit=10.0), 2)
    assert found.means[:, 0].tolist() == [[[0, 0], [0, 0]], [[60, 50], [60, 50]]]


@pytest.mark.shared
def test_baselines_on_jaads_test_split(shared_dir):
    split = JAAD.read(shared_dir / "benchmarks" / "jaad_tracks.npz", "test", "")
    figures = ("MSE 0.5 s", "MSE 1.0 s", "MSE 1.5 s")
    found = {}
    for name in ("CV 0.25 s", "Kalman"):
        errors = JAAD.errors(BASELINES[name](split, JAAD.steps), split.futures(JAAD.steps))
        found[name] = [round(float(errors[figure].mean())) for figure in figures]
    assert found == {"CV 0.25 s": [125, 538, 1669], "Kalman": [223, 854, 2298]}
