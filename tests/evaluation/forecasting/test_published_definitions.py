"""Forecasting errors against the definitions of two public evaluations, written out one number after the other.

nuScenes: ``nuscenes/eval/prediction/metrics.py`` of the nuScenes devkit (Caesar et al. 2020). Modes are ordered by
probability; ``mean_distances`` and ``final_distances`` are taken per mode, then the minimum over the k first;
a miss is a target whose ``max_distances`` reach the tolerance of 2 m in each of these.

Argoverse 2: ``av2/datasets/motion_forecasting/eval/metrics.py`` (Wilson et al. 2021). ``compute_ade`` and
``compute_fde`` per mode; ``compute_is_missed_prediction`` where the FDE is more than 2 m. The benchmark's minADE is the
ADE of the mode with the least FDE; here, as for nuScenes, each minimum is taken for itself.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from perception.arrays import FloatArray
from perception.benchmarks import NUSCENES, Predicted
from perception.evaluation.forecasting.errors_image import Plan, ade_fde
from perception.evaluation.forecasting.ground import MISS_M


def _distance(first: FloatArray, second: FloatArray) -> float:
    return math.sqrt(sum((float(a) - float(b)) ** 2 for a, b in zip(first, second, strict=True)))


def _compute_ade(mode: FloatArray, actual: FloatArray) -> float:
    """av2's, and nuScenes' mean distance."""
    return sum(_distance(step, true) for step, true in zip(mode, actual, strict=True)) / len(actual)


def _compute_fde(mode: FloatArray, actual: FloatArray) -> float:
    """av2's, and nuScenes' final distance."""
    return _distance(mode[-1], actual[-1])


def _max_distance(mode: FloatArray, actual: FloatArray) -> float:
    return max(_distance(step, true) for step, true in zip(mode, actual, strict=True))


def _futures(seed: int, targets: int, modes: int, steps: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Probabilities, paths of all modes, and what happened; errors around 2 m, so that some are misses."""
    rng = np.random.default_rng(seed)
    actual = np.cumsum(rng.normal(0, 1, (targets, steps, 2)), axis=1)
    means = actual[:, None] + np.cumsum(rng.normal(0, 0.6, (targets, modes, steps, 2)), axis=2)
    return rng.dirichlet(np.ones(modes), targets), means, actual


@pytest.mark.parametrize("seed", range(3))
def test_best_of_k_is_that_of_argoverse(seed: int) -> None:
    _, means, actual = _futures(seed, targets=40, modes=6, steps=30)
    times_s = np.arange(1, 31) / 10
    horizons_s = (1.0, 2.0, 3.0)
    plan = Plan(
        horizons_s=horizons_s,
        times_s=times_s,
        weights=np.eye(30),
        until=times_s[None, :] <= np.array(horizons_s)[:, None] + 1e-6,
        at=np.array([9, 19, 29]),
    )
    found = ade_fde(means[:, :1], means, actual, plan)
    for target in range(len(actual)):
        for horizon, steps in enumerate((10, 20, 30)):
            true = actual[target, :steps]
            ades = [_compute_ade(mode[:steps], true) for mode in means[target]]
            fdes = [_compute_fde(mode[:steps], true) for mode in means[target]]
            assert found[target, horizon, 0] == pytest.approx((ades[0], fdes[0]), abs=1e-6)
            assert found[target, horizon, 1] == pytest.approx((min(ades), min(fdes)), abs=1e-6)
            is_missed = all(fde > 2.0 for fde in fdes)
            assert (found[target, horizon, 1, 1] > MISS_M) == is_missed


def _assert_equal_to_the_devkit(probabilities: FloatArray, means: FloatArray, actual: FloatArray) -> None:
    found = NUSCENES.errors(Predicted(probabilities, means), actual)
    misses = []
    for target in range(len(actual)):
        modes = [
            means[target, index] for index in sorted(range(means.shape[1]), key=lambda k: -probabilities[target, k])
        ]
        for count in (1, 5, 10):
            likely = modes[:count]
            expected = {
                f"minADE_{count}": min(_compute_ade(mode, actual[target]) for mode in likely),
                f"minFDE_{count}": min(_compute_fde(mode, actual[target]) for mode in likely),
                f"MissRate_2_{count}": float(all(_max_distance(mode, actual[target]) >= 2.0 for mode in likely)),
            }
            for name, value in expected.items():
                assert found[name][target] == pytest.approx(value, abs=1e-6), name
            misses.append(expected[f"MissRate_2_{count}"])
    assert 0 < sum(misses) < len(misses)


@pytest.mark.parametrize("seed", range(3))
def test_the_nuscenes_figures_are_the_devkits(seed: int) -> None:
    _assert_equal_to_the_devkit(*_futures(seed, targets=60, modes=12, steps=12))


@pytest.mark.shared
def test_the_nuscenes_figures_are_the_devkits_on_real_tracks(shared_dir: Path) -> None:
    split = NUSCENES.read(shared_dir / "benchmarks" / "nuscenes_pred.npz", "test", "")
    actual = split.futures(NUSCENES.steps)[:300]
    rng = np.random.default_rng(0)
    speeds = rng.uniform(0.5, 1.2, (len(actual), 12, 1, 1))
    now = split.tracks.truth[split.tracks.truth_rows[split.ends[: len(actual)]]]
    means = now[:, None, None] + speeds * (actual - now[:, None])[:, None]
    _assert_equal_to_the_devkit(rng.dirichlet(np.ones(12), len(actual)), means, actual)
