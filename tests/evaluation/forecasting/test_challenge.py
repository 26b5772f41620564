"""The figures of forecasting challenges against their definitions, written out one number after the other."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from perception.evaluation.forecasting.challenge import ChallengeReport, ChallengeTargets, Protocol, evaluate_challenge


def targets(seed: int, count: int, modes: int, steps: int, *, equal: bool = False) -> ChallengeTargets:
    """Of 2 to ``modes`` paths each, whose errors are around 2 m, so that some are misses."""
    rng = np.random.default_rng(seed)
    futures = np.cumsum(rng.normal(0, 1, (count, steps, 2)), axis=1)
    means = futures[:, None] + np.cumsum(rng.normal(0, 1.8 / math.sqrt(steps), (count, modes, steps, 2)), axis=2)
    counts = rng.integers(2, modes + 1, count)
    chances = np.zeros((count, modes))
    for row, own in enumerate(counts.tolist()):
        chances[row, :own] = np.full(own, 1 / own) if equal else rng.dirichlet(np.ones(own))
        means[row, own:] = np.inf
    return ChallengeTargets(
        probabilities=chances,
        means_m=means,
        mode_counts=counts,
        futures_m=futures,
        positions_m=np.zeros((count, 2)),
        velocities_mps=rng.normal(0, 1, (count, 2)),
        objects=np.arange(count) // 2,
    )


def report(found: ChallengeTargets, protocol: Protocol, dt_s: float) -> ChallengeReport:
    return evaluate_challenge(
        found,
        protocol=protocol,
        targets="all",
        dt_s=dt_s,
        recording_count=1,
        without_future_count=0,
        rng=np.random.default_rng(0),
        bootstrap_samples=50,
    )


def distances(path: Any, future: Any) -> list[float]:
    return [math.hypot(x - u, y - v) for (x, y), (u, v) in zip(path.tolist(), future.tolist(), strict=True)]


def paths_of(found: ChallengeTargets, row: int, *, last_first: bool) -> list[tuple[float, list[float]]]:
    """Probability and distances of each path, the most probable first."""
    own = range(int(found.mode_counts[row]))
    order = sorted(reversed(own) if last_first else own, key=lambda mode: -found.probabilities[row, mode])
    return [
        (float(found.probabilities[row, mode]), distances(found.means_m[row, mode], found.futures_m[row]))
        for mode in order
    ]


@pytest.mark.parametrize("equal", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_the_figures_of_nuscenes_are_the_devkits(seed: int, equal: bool) -> None:
    found = targets(seed, 40, 12, 12, equal=equal)
    for scores in report(found, "nuscenes", 0.5).top_k:
        ades, fdes, misses = [], [], []
        for row in range(40):
            likely = [away for _, away in paths_of(found, row, last_first=True)[: scores.k]]
            ades.append(min(sum(away) / len(away) for away in likely))
            fdes.append(min(away[-1] for away in likely))
            misses.append(all(max(away) >= 2 for away in likely))
        assert scores.min_ade_m == pytest.approx(sum(ades) / 40, abs=1e-9)
        assert scores.min_fde_m == pytest.approx(sum(fdes) / 40, abs=1e-9)
        assert scores.miss_rate == pytest.approx(sum(misses) / 40, abs=1e-12) and 0 < scores.miss_rate < 1
        assert scores.brier_min_fde_m is None and scores.best_end_ade_m is None


@pytest.mark.parametrize("seed", range(3))
def test_the_figures_of_argoverse_are_those_of_av2(seed: int) -> None:
    found = targets(seed, 40, 9, 60)
    for scores in report(found, "argoverse", 0.1).top_k:
        rows = []
        for row in range(40):
            likely = paths_of(found, row, last_first=False)[: scores.k]
            ades = [sum(away) / len(away) for _, away in likely]
            fdes = [away[-1] for _, away in likely]
            best = fdes.index(min(fdes))
            rows.append((min(ades), min(fdes), min(fdes) > 2, ades[best], fdes[best] + (1 - likely[best][0]) ** 2))
        expected = [sum(column) / 40 for column in zip(*rows, strict=True)]
        ours = [scores.min_ade_m, scores.min_fde_m, scores.miss_rate, scores.best_end_ade_m, scores.brier_min_fde_m]
        assert ours == pytest.approx(expected, abs=1e-9)
        assert 0 < scores.miss_rate < 1


def test_a_miss_of_two_metres_is_one_of_nuscenes_and_none_of_argoverse() -> None:
    found = targets(0, 1, 2, 3)
    paths = np.zeros((1, 2, 3, 2))
    paths[0, :, 2, 0] = 2.0
    found = replace(found, means_m=paths, futures_m=np.zeros((1, 3, 2)), mode_counts=np.array([2]))
    assert report(found, "nuscenes", 0.5).top_k[0].miss_rate == 1
    assert report(found, "argoverse", 0.1).top_k[0].miss_rate == 0


def test_the_baselines_stand_beside_with_an_interval() -> None:
    found = targets(1, 30, 6, 60)
    steady = found.velocities_mps[:, None] * (0.1 * np.arange(1, 61))[:, None]
    found = replace(found, futures_m=steady, means_m=steady[:, None] + np.ones((30, 6, 60, 2)))
    scored = report(found, "argoverse", 0.1)
    assert scored.baselines["CV"].min_fde_m == pytest.approx(0, abs=1e-9)
    assert scored.baselines["stays"].min_fde_m == pytest.approx(np.linalg.norm(steady[:, -1], axis=1).mean())
    assert scored.fde_baseline == "CV" and scored.fde_comparison is not None and scored.fde_comparison.is_worse
    assert scored.object_count == 15 and scored.horizon_s == pytest.approx(6)


@pytest.mark.shared
def test_on_real_tracks_the_figures_are_the_devkits(shared_dir: Path) -> None:
    from perception.benchmarks import NUSCENES, Predicted

    split = NUSCENES.read(shared_dir / "benchmarks" / "nuscenes_pred.npz", "test", "")
    futures = split.futures(NUSCENES.steps)[:400]
    rng = np.random.default_rng(0)
    now = split.tracks.truth[split.tracks.truth_rows[split.ends[:400]]]
    means = now[:, None, None] + rng.uniform(0.5, 1.2, (400, 12, 1, 1)) * (futures - now[:, None])[:, None]
    chances = rng.dirichlet(np.ones(12), 400)
    found = ChallengeTargets(
        probabilities=chances,
        means_m=means,
        mode_counts=np.full(400, 12),
        futures_m=futures,
        positions_m=now,
        velocities_mps=np.zeros((400, 2)),
        objects=np.arange(400),
    )
    ours, theirs = report(found, "nuscenes", 0.5), NUSCENES.errors(Predicted(chances, means), futures)
    for scores in ours.top_k:
        assert scores.min_ade_m == pytest.approx(theirs[f"minADE_{scores.k}"].mean(), abs=1e-9)
        assert scores.min_fde_m == pytest.approx(theirs[f"minFDE_{scores.k}"].mean(), abs=1e-9)
        assert scores.miss_rate == pytest.approx(theirs[f"MissRate_2_{scores.k}"].mean(), abs=1e-9)
