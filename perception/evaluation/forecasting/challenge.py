"""The figures of public forecasting challenges, by their own definitions.

nuScenes (Caesar et al. 2020, ``nuscenes/eval/prediction/metrics.py``): the k most probable paths; minADE and minFDE are
the least mean and final distance; a miss is a target from which each of them is somewhere at least 2 m away.

Argoverse 2 (Wilson et al. 2021, ``av2/datasets/motion_forecasting/eval/metrics.py``): the same, but a miss is a target
from whose end each of them ends more than 2 m away. The leaderboard's minADE is that of the path with the best end;
brier-minFDE adds to minFDE (1 - p)^2, with the probability p of that path.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from perception.arrays import FloatArray, IntArray
from perception.evaluation.core.bootstrap import PairedComparison
from perception.evaluation.forecasting.target_sums import ObjectSums, compare_with_best

Protocol = Literal["nuscenes", "argoverse"]

MISS_M = 2.0
TOP_K: Mapping[Protocol, tuple[int, ...]] = {"nuscenes": (1, 5, 10), "argoverse": (1, 6)}
"""Of so many of the most probable paths the best is taken."""

BASELINES = ("CV", "stays")

Float64 = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class ChallengeTargets:
    """N targets: ``probabilities`` (N, K) of the paths ``means_m`` (N, K, T, 2).

    Of a target with ``mode_counts`` (N,) paths, fewer than K, the others are infinitely far. ``futures_m`` (N, T, 2):
    where they truly went; ``positions_m`` and ``velocities_mps`` (N, 2) at the time of the forecast; ``objects`` (N,)
    numbers of true objects.
    """

    probabilities: FloatArray
    means_m: FloatArray
    mode_counts: IntArray
    futures_m: FloatArray
    positions_m: FloatArray
    velocities_mps: FloatArray
    objects: IntArray


@dataclass(frozen=True)
class TopKScores:
    """Means over all targets of the best of the ``k`` most probable paths.

    ``min_ade_m`` and ``min_fde_m`` are each the least for itself. ``best_end_ade_m`` is the ADE of the path with the
    best end, and ``brier_min_fde_m`` as the module says; both None for nuScenes.
    """

    k: int
    min_ade_m: float
    min_fde_m: float
    miss_rate: float
    best_end_ade_m: float | None = None
    brier_min_fde_m: float | None = None


@dataclass(frozen=True)
class ChallengeReport:
    """How good the forecasts of a challenge's file are, on ``target_count`` targets of ``recording_count`` recordings.

    ``targets`` says which. ``without_future_count`` others have no whole future. ``baselines`` are predictions that
    need no training, by name, with the same figures. The comparisons are of the most probable path and of the best of
    the most ones with the better baseline for that metric; intervals by bootstrap over objects.
    """

    protocol: Protocol
    targets: str
    horizon_s: float
    target_count: int
    object_count: int
    recording_count: int
    future_count: int
    without_future_count: int
    top_k: tuple[TopKScores, ...] = ()
    baselines: Mapping[str, TopKScores] = field(default_factory=dict)
    ade_baseline: str | None = None
    fde_baseline: str | None = None
    ade_comparison: PairedComparison | None = None
    fde_comparison: PairedComparison | None = None
    best_ade_comparison: PairedComparison | None = None
    best_fde_comparison: PairedComparison | None = None


@dataclass(frozen=True)
class _Errors:
    """Of N targets one figure each; ``is_missed`` 0 or 1."""

    ade_m: Float64
    fde_m: Float64
    is_missed: Float64
    best_end_ade_m: Float64
    brier_fde_m: Float64


def evaluate_challenge(
    found: ChallengeTargets,
    *,
    protocol: Protocol,
    targets: str,
    dt_s: float,
    recording_count: int,
    without_future_count: int,
    rng: np.random.Generator,
    bootstrap_samples: int = 1000,
) -> ChallengeReport:
    """All figures of ``protocol``; intervals are drawn from ``rng``."""
    steps = found.futures_m.shape[1]
    report = ChallengeReport(
        protocol=protocol,
        targets=targets,
        horizon_s=steps * dt_s,
        target_count=len(found.futures_m),
        object_count=len(np.unique(found.objects)),
        recording_count=recording_count,
        future_count=int(found.mode_counts.max(initial=0)),
        without_future_count=without_future_count,
    )
    if not report.target_count:
        return report
    of_k = {k: top_k_errors(found, k, protocol) for k in TOP_K[protocol]}
    baselines = {name: top_k_errors(one, 1, protocol) for name, one in _baselines(found, dt_s).items()}
    methods = [of_k[1], *baselines.values(), of_k[max(of_k)]]
    errors_m = np.stack([np.stack([errors.ade_m, errors.fde_m], axis=1) for errors in methods], axis=1)
    compared = compare_with_best(
        [ObjectSums.of(errors_m, found.objects.astype(np.int64))],
        methods=(0, len(methods) - 1),
        baselines={name: number for number, name in enumerate(baselines, start=1)},
        rng=rng,
        samples=bootstrap_samples,
    )
    return ChallengeReport(
        **{
            **vars(report),
            "top_k": tuple(_scores(errors, k, protocol) for k, errors in of_k.items()),
            "baselines": {name: _scores(errors, 1, protocol) for name, errors in baselines.items()},
            "ade_baseline": compared.ade_baseline,
            "fde_baseline": compared.fde_baseline,
            "ade_comparison": compared.ade[0],
            "fde_comparison": compared.fde[0],
            "best_ade_comparison": compared.ade[1],
            "best_fde_comparison": compared.fde[1],
        }
    )


def top_k_errors(found: ChallengeTargets, k: int, protocol: Protocol) -> _Errors:
    """The errors of each target by the best of its ``k`` most probable paths."""
    order = _by_probability(found, protocol)[:, :k]
    means_m = np.take_along_axis(found.means_m, order[..., None, None], axis=1)
    distances_m = np.linalg.norm(means_m - found.futures_m[:, None], axis=-1)
    ade_m, fde_m = distances_m.mean(axis=2), distances_m[..., -1]
    missed = distances_m.max(axis=2) >= MISS_M if protocol == "nuscenes" else fde_m > MISS_M
    best = (np.arange(len(order)), fde_m.argmin(axis=1))
    likely = np.take_along_axis(found.probabilities, order, axis=1)
    return _Errors(
        ade_m=ade_m.min(axis=1),
        fde_m=fde_m.min(axis=1),
        is_missed=missed.all(axis=1).astype(np.float64),
        best_end_ade_m=ade_m[best],
        brier_fde_m=fde_m[best] + np.square(1 - likely[best]),
    )


def _by_probability(found: ChallengeTargets, protocol: Protocol) -> NDArray[np.int64]:
    """(N, K): the paths, the most probable first, those that only fill up last."""
    is_there = np.arange(found.probabilities.shape[1]) < found.mode_counts[:, None]
    keys = np.where(is_there, found.probabilities, -1.0)
    # Of equal ones nuScenes' devkit takes the last first, which decides where all are equal.
    if protocol == "nuscenes":
        return np.flip(np.argsort(keys, axis=1, kind="stable"), axis=1)
    return np.argsort(-keys, axis=1, kind="stable")


def _baselines(found: ChallengeTargets, dt_s: float) -> dict[str, ChallengeTargets]:
    """One path for each target, without any training."""
    times_s = dt_s * np.arange(1, found.futures_m.shape[1] + 1)[:, None]
    moves = {"CV": found.velocities_mps, "stays": np.zeros_like(found.velocities_mps)}
    return {
        name: ChallengeTargets(
            **{
                **vars(found),
                "probabilities": np.ones((len(found.objects), 1)),
                "means_m": (found.positions_m[:, None] + times_s * velocities_mps[:, None])[:, None],
                "mode_counts": np.ones(len(found.objects), np.int64),
            }
        )
        for name, velocities_mps in moves.items()
    }


def _scores(errors: _Errors, k: int, protocol: Protocol) -> TopKScores:
    is_argoverse = protocol == "argoverse"
    return TopKScores(
        k=k,
        min_ade_m=float(errors.ade_m.mean()),
        min_fde_m=float(errors.fde_m.mean()),
        miss_rate=float(errors.is_missed.mean()),
        best_end_ade_m=float(errors.best_end_ade_m.mean()) if is_argoverse else None,
        brier_min_fde_m=float(errors.brier_fde_m.mean()) if is_argoverse else None,
    )
