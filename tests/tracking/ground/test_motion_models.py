"""Standing and moving as two models: what each believes, and how fast it changes its mind."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from perception.arrays import FloatArray
from perception.state_layout import POSITION, VELOCITY
from perception.tracking.ground.motion_models import MOVING, STANDING, MotionModels
from perception.tracking.ground.settings import GroundMotionNoise

MOTION, CARS = GroundMotionNoise(), np.array([0])
JITTER_M, GATE = 0.2, 5.99
JITTERS: FloatArray = JITTER_M**2 * np.eye(4)[None]


def far_away(distance_m: float) -> FloatArray:
    """(1, 4, 2): a distance that may be wrong by a tenth, and a bearing that hardly can."""
    lasting = np.zeros((1, 4, 2))
    lasting[0, 0, 0], lasting[0, 1, 1] = 0.1 * distance_m, 0.05
    return lasting


def measured(x_m: float) -> FloatArray:
    return np.array([[x_m, 0.0, 1.8, 1.5]])


def follow(
    path: Callable[[float], float], *, until_s: float, dt_s: float = 0.1, seed: int = 0, distance_m: float = 10.0
) -> list[MotionModels]:
    rng, lasting = np.random.default_rng(seed), far_away(distance_m)
    models = MotionModels.spawned(measured(path(0.0)), JITTERS, lasting, CARS, MOTION)
    history = [models]
    for k in range(1, round(until_s / dt_s) + 1):
        seen = measured(path(k * dt_s) + rng.normal(0, JITTER_M))
        models = models.predicted(dt_s, CARS, MOTION).corrected(seen, JITTERS, lasting, GATE)
        history.append(models)
    return history


def speed_of(models: MotionModels) -> float:
    means, _ = models.apparent(far_away(10.0))
    return float(np.linalg.norm(means[0, VELOCITY]))


@pytest.mark.parametrize("dt_s", [1 / 30, 0.1, 0.5, 1.0])
def test_what_stands_has_no_speed_at_any_frame_rate(dt_s: float) -> None:
    history = follow(lambda _: 10.0, until_s=6, dt_s=dt_s)
    late = history[len(history) // 2 :]
    assert np.mean([models.is_standing[0] for models in late]) > 0.9
    assert all(speed_of(models) == 0.0 for models in late if models.is_standing[0])


@pytest.mark.parametrize("speed_mps", [-8.0, 3.0, 8.0])
def test_what_moves_is_known_to_move_at_its_speed(speed_mps: float) -> None:
    models = follow(lambda t: 10 + speed_mps * t, until_s=2)[-1]
    assert not models.is_standing[0]
    assert speed_of(models) == pytest.approx(abs(speed_mps), rel=0.2)


def test_moving_off_is_noticed_within_a_second_and_stopping_within_two() -> None:
    def path(time_s: float) -> float:
        return 10 + 5 * float(np.clip(time_s - 3, 0, 3))

    history = follow(path, until_s=10)
    assert history[29].is_standing[0]
    assert not any(models.is_standing[0] for models in history[40:60])
    assert all(models.is_standing[0] for models in history[80:])


def test_a_distance_that_is_wrong_by_the_same_share_is_no_motion() -> None:
    # The car drives from 40 m to 10 m; what it sees ahead seems a tenth too far.
    models, jitters = None, JITTERS
    for k in range(31):
        distance_m = 40.0 - k
        lasting = far_away(distance_m)
        seen = measured(40.0 + 0.1 * distance_m)
        if models is None:
            models = MotionModels.spawned(seen, jitters, lasting, CARS, MOTION)
        else:
            models = models.predicted(0.1, CARS, MOTION).corrected(seen, jitters, lasting, GATE)
    assert models is not None
    assert models.is_standing[0]
    assert models.means[0, STANDING, 0] == pytest.approx(40.0, abs=1.0)


def test_one_wrong_box_sets_nothing_in_motion() -> None:
    history = follow(lambda t: 18.0 if abs(t - 4) < 0.01 else 10.0, until_s=5)
    assert all(models.is_standing[0] for models in history[30:])
    means, _ = history[-1].apparent(far_away(10.0))
    assert means[0, POSITION] == pytest.approx([10.0, 0.0], abs=0.5)


def test_two_half_steps_are_a_whole_one_for_the_probabilities() -> None:
    start = follow(lambda t: 10 + t, until_s=1)[-1]
    once = start.predicted(0.4, CARS, MOTION)
    twice = start.predicted(0.2, CARS, MOTION).predicted(0.2, CARS, MOTION)
    np.testing.assert_allclose(once.probabilities, twice.probabilities)
    np.testing.assert_allclose(start.predicted(0.0, CARS, MOTION).probabilities, start.probabilities)


def test_covariances_stay_positive_and_probabilities_sum_to_one() -> None:
    for models in follow(lambda t: 10 + 30 * t, until_s=5, dt_s=0.5, seed=3):
        _, covariances = models.apparent(far_away(10.0))
        assert (np.linalg.eigvalsh(covariances) > 0).all()
        assert (np.linalg.eigvalsh(models.covariances[:, MOVING]) > 0).all()
        np.testing.assert_allclose(models.probabilities.sum(axis=1), 1.0)


def test_no_tracks_are_no_case_apart() -> None:
    none = MotionModels.spawned(np.zeros((0, 4)), np.zeros((0, 4, 4)), np.zeros((0, 4, 2)), CARS[:0], MOTION)
    after = none.predicted(0.1, CARS[:0], MOTION).corrected(
        np.zeros((0, 4)), np.zeros((0, 4, 4)), np.zeros((0, 4, 2)), GATE
    )
    assert len(after) == 0
    assert after.apparent(np.zeros((0, 4, 2)))[0].shape == (0, 8)
