"""One benchmark, several trainings of the same network: the figures, their confidence intervals, and the baselines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perception.arrays import FloatArray, IntArray
from perception.benchmarks.baselines import baselines_of
from perception.benchmarks.prediction import predict
from perception.benchmarks.split import Benchmark, Errors, Predicted, Split
from perception.errors import UsageError
from perception.evaluation.core.bootstrap import PairedComparison, compare_paired
from perception.evaluation.core.calibration import CENTRAL_SHARES, CalibrationSamples, central_coverage
from perception.evaluation.core.records import MOVING_M, MOVING_WIDTHS
from perception.forecasting.track_dataset import XY
from perception.forecasting.trajectory_gru import TrajectoryGRU


@dataclass(frozen=True)
class Figure:
    """A mean error: ``model`` over the seeds and their standard deviation, and of ``baselines_of`` by their names.

    ``comparison`` sets the model, its errors averaged over the seeds, against ``best_baseline``.
    """

    model: float
    spread: float | None
    baselines: Mapping[str, float]
    best_baseline: str
    comparison: PairedComparison


@dataclass(frozen=True)
class Subset:
    """The figures of some of the targets, by name; without any target there are none."""

    targets: int
    figures: Mapping[str, Figure]


@dataclass(frozen=True)
class Spreads:
    """Shares of the truth inside the central 50 % and 90 % intervals, over times and axes, and the mean negative log
    likelihood (per time; in the units of the tracks); the mean probability of the most probable mode, and how often it
    was the nearest to the truth, over times."""

    coverage_50: float
    coverage_90: float
    negative_log_likelihood: float
    mode_confidence: float
    mode_accuracy: float


@dataclass(frozen=True)
class FoldScores:
    """Figures of one fold by name, each reference's comparison by name and figure; see ``score``.

    ``moving`` and ``standing`` are the same figures of those targets alone.
    """

    fold: str
    targets: int
    groups: int
    seeds: int
    figures: Mapping[str, Figure]
    spreads: Spreads | None
    references: Mapping[str, Mapping[str, PairedComparison]]
    moving: Subset
    standing: Subset

    def to_json(self) -> dict[str, Any]:
        """Plain values for ``report.json``."""
        return asdict(self)


def score(
    benchmark: Benchmark,
    split: Split,
    models: Sequence[TrajectoryGRU],
    *,
    fold: str,
    neighbours: bool,
    rng: np.random.Generator,
    references: Mapping[str, Errors] | None = None,
) -> FoldScores:
    """``models`` differ in their seed alone; ``references`` are others' errors on the same targets, in order.

    Raises ``UsageError`` when a reference is of other targets.
    """
    actual = split.futures(benchmark.steps)
    predicted = [predict(model, split, benchmark, neighbours=neighbours) for model in models]
    by_seed = [benchmark.errors(one, actual) for one in predicted]
    baselines = {
        name: benchmark.errors(make(split, benchmark.steps), actual) for name, make in baselines_of(split).items()
    }
    moves = _is_moving(split, actual)
    every, moving, standing = (
        _subset(by_seed, baselines, split.groups, chosen, rng) for chosen in (np.ones(len(split), bool), moves, ~moves)
    )
    model_errors = {name: np.mean([errors[name] for errors in by_seed], axis=0) for name in by_seed[0]}
    for method, errors in (references or {}).items():
        if any(len(reference_errors) != len(split) for reference_errors in errors.values()):
            raise UsageError(f"{method} was measured on other targets than these {len(split):,}.", field="references")
    compared = {
        method: {
            name: compare_paired(model=model_errors[name], baseline=reference_errors, objects=split.groups, rng=rng)
            for name, reference_errors in errors.items()
            if name in model_errors
        }
        for method, errors in (references or {}).items()
    }
    return FoldScores(
        fold=fold,
        targets=len(split),
        groups=len(np.unique(split.groups)),
        seeds=len(models),
        figures=every.figures,
        spreads=_spreads(predicted),
        references=compared,
        moving=moving,
        standing=standing,
    )


def _is_moving(split: Split, actual: FloatArray) -> NDArray[np.bool_]:
    """(w,): whether each target moves, by its ``actual`` future (w, T, D)."""
    now = split.tracks.truth[split.tracks.truth_rows[split.ends]] * split.units
    moved = np.linalg.norm(actual[:, -1, XY] - now[:, XY], axis=1)
    has_box = actual.shape[2] > 2
    return np.asarray(moved > (MOVING_WIDTHS * now[:, 2] if has_box else MOVING_M))


def _subset(
    by_seed: Sequence[Errors],
    baselines: Mapping[str, Errors],
    groups: IntArray,
    chosen: NDArray[np.bool_],
    rng: np.random.Generator,
) -> Subset:
    """The figures of the ``chosen`` targets (w,)."""
    if not chosen.any():
        return Subset(0, {})
    figures = {}
    for name in by_seed[0]:
        seeds = [errors[name][chosen] for errors in by_seed]
        means = [float(errors.mean()) for errors in seeds]
        of_baselines = {method: errors[name][chosen] for method, errors in baselines.items()}
        best = min(of_baselines, key=lambda method: float(of_baselines[method].mean()))
        figures[name] = Figure(
            model=float(np.mean(means)),
            spread=float(np.std(means, ddof=1)) if len(means) > 1 else None,
            baselines={method: float(errors.mean()) for method, errors in of_baselines.items()},
            best_baseline=best,
            comparison=compare_paired(
                model=np.mean(seeds, axis=0), baseline=of_baselines[best], objects=groups[chosen], rng=rng
            ),
        )
    return Subset(int(chosen.sum()), figures)


def _spreads(predicted: Sequence[Predicted]) -> Spreads | None:
    parts = [one.calibration_samples for one in predicted if one.calibration_samples is not None]
    if not parts:
        return None
    _, times, axes = parts[0].quantiles.shape
    calibration_samples = CalibrationSamples.join(parts, times=times, axes=axes)
    shares = central_coverage(calibration_samples.quantiles.reshape(-1, axes))
    if shares is None:
        return None
    confidence, accuracy = calibration_samples.top_modes.mean(axis=(0, 1)).tolist()
    return Spreads(
        coverage_50=float(np.mean(shares[CENTRAL_SHARES.index(0.5)])),
        coverage_90=float(np.mean(shares[CENTRAL_SHARES.index(0.9)])),
        negative_log_likelihood=-float(np.mean(calibration_samples.log_densities)),
        mode_confidence=confidence,
        mode_accuracy=accuracy,
    )
