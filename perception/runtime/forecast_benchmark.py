"""``perception evaluate forecaster --benchmark``: the forecaster on a public benchmark, baselines beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from perception.benchmarks import BENCHMARKS, Benchmark, FoldScores, read_references, score
from perception.errors import UsageError
from perception.evaluation.core.bootstrap import PairedComparison
from perception.files import sha256, write_json
from perception.forecasting import BUNDLED_NAMES, TrajectoryGRU, read_gru
from perception.forecasting.registry import CONSTANT_VELOCITY, read_origin
from perception.pipeline.config import EvaluateConfig
from perception.results import next_run_folder, output_folder
from perception.weights import WEIGHTS_SUFFIX, bundled_folder


@dataclass(frozen=True)
class Trained:
    """One training: its network, the fold that it has not seen ("" where there are none), its file."""

    model: TrajectoryGRU
    fold: str
    path: Path


def run_benchmark(config: EvaluateConfig, console: Console) -> Path:
    """Show the tables on ``console``, write ``report.json`` into a new folder, return that. Raises ``UsageError``."""
    assert config.benchmark is not None
    benchmark = BENCHMARKS[config.benchmark]
    if config.data is None:
        raise UsageError("give its tracks, a .npz file, as `data`.", field="benchmark", value=benchmark.name)
    if config.forecaster == CONSTANT_VELOCITY:
        raise UsageError(
            "it stands beside the model anyway; give auto, weights, or their folder.",
            field="forecaster",
            value=CONSTANT_VELOCITY,
        )
    trained = _trained(config.forecaster, benchmark)
    references = None
    if config.references is not None:
        if benchmark.name != "jaad" or config.split != "test":
            raise UsageError("they are errors on JAAD's test split; leave them out for others.", field="references")
        references = read_references(config.references)
    rng, scores = np.random.default_rng(config.seed), []
    folds = sorted({one.fold for one in trained}, key=benchmark.folds.index)
    for fold in folds:
        models = [one.model for one in trained if one.fold == fold]
        with console.status(f"{benchmark.title} {fold}: {len(models)} trainings"):
            split = benchmark.targets(config.data, config.split, fold)
            if not len(split):
                raise UsageError(f"{config.data}: has no target in the {config.split} split; choose another `split`.")
            scores.append(
                score(
                    benchmark,
                    split,
                    models,
                    fold=fold,
                    neighbours=config.interactions,
                    rng=rng,
                    references=references,
                )
            )
    for each in scores:
        console.print(_table(benchmark, each, config.split))
    if len(scores) > 1:
        console.print(_average(benchmark, scores, config.split))
    for each in scores:
        _print_references(benchmark, each, console)
    if config.split == "test":
        console.print(_published(benchmark))
    _print_notes(benchmark, scores, console, alone=not config.interactions)
    folder = (
        output_folder(config.output)
        if config.output is not None
        else next_run_folder(Path("runs"), "evaluate", f"{benchmark.name}-{config.split}")
    )
    write_json(
        folder / "report.json",
        {
            "benchmark": benchmark.name,
            "split": config.split,
            "interactions": config.interactions,
            "weights_sha256": {str(one.path): sha256(one.path) for one in trained},
            "folds": [each.to_json() for each in scores],
        },
    )
    return folder


def _trained(name: str, benchmark: Benchmark) -> list[Trained]:
    """``name`` is auto, a weights file, or a folder below which each weights file is one training."""
    if name == "auto":
        paths = [bundled_folder() / f"{BUNDLED_NAMES[benchmark.reference_frame]}{WEIGHTS_SUFFIX}"]
    elif Path(name).is_dir():
        paths = sorted(Path(name).rglob(f"*{WEIGHTS_SUFFIX}"))
        if not paths:
            raise UsageError(f"{name}: holds no {WEIGHTS_SUFFIX} file; name a folder of trainings.")
    else:
        paths = [Path(name)]
    found = []
    for path in paths:
        model, origin = read_gru(path), read_origin(path)
        frame, horizon_s = model.config.reference_frame, model.config.horizon_s
        if frame != benchmark.reference_frame:
            raise UsageError(
                f"{path}: forecasts in the {frame} frame, but {benchmark.name} is in the "
                f"{benchmark.reference_frame} frame; give weights that were trained there."
            )
        if horizon_s < benchmark.horizon_s - 1e-6:
            raise UsageError(
                f"{path}: looks {horizon_s:g} s ahead, but {benchmark.name} asks {benchmark.horizon_s:g} s."
            )
        folds = (origin.get("fold", ""),) if origin.get("benchmark") == benchmark.name else benchmark.folds
        if any(fold not in benchmark.folds for fold in folds):
            raise UsageError(f"{path}: was trained for the fold {folds[0]!r}, which {benchmark.name} does not have.")
        found += [Trained(model, fold, path) for fold in folds]
    _check_once(found)
    return found


def _check_once(trained: Sequence[Trained]) -> None:
    """Raises ``UsageError`` where one training would count twice, or networks of several kinds as one's seeds."""
    hashes: dict[tuple[str, str], Path] = {}
    for one in trained:
        first = hashes.setdefault((one.fold, sha256(one.path)), one.path)
        if first is not one.path:
            raise UsageError(f"{one.path}: is a duplicate of {first}; remove one of them.")
    kinds = {one.model.config: one.path for one in trained}
    if len(kinds) > 1:
        first, second, *_ = kinds.values()
        raise UsageError(
            f"{first} and {second}: are networks of different kinds, not seeds of one; evaluate them separately."
        )


def _table(benchmark: Benchmark, scores: FoldScores, split: str) -> Table:
    seeds = f"{scores.seeds} seeds" if scores.seeds > 1 else "1 seed"
    title = f"{benchmark.title}{' ' + scores.fold if scores.fold else ''}: {split}, {scores.targets:,} targets, {seeds}"
    table = _titled(title, benchmark.unit, "TrajectoryGRU", "CV", "Kalman", "ratio", "95 % interval")
    for name, figure in scores.figures.items():
        table.add_row(
            name,
            _number(figure.model) + ("" if figure.spread is None else f" ± {_number(figure.spread)}"),
            _number(figure.constant_velocity),
            _number(figure.kalman),
            *_ratio(figure.comparison),
        )
    return table


def _average(benchmark: Benchmark, scores: Sequence[FoldScores], split: str) -> Table:
    title = f"{benchmark.title}: {split}, mean of {len(scores)} folds"
    table = _titled(title, benchmark.unit, "TrajectoryGRU", "CV", "Kalman")
    for name in scores[0].figures:
        figures = [each.figures[name] for each in scores]
        spreads = [figure.spread for figure in figures if figure.spread is not None]
        # Folds are trained apart: their variances add.
        spread = f" ± {_number(float(np.linalg.norm(spreads)) / len(scores))}" if spreads else ""
        table.add_row(
            name,
            _number(float(np.mean([figure.model for figure in figures]))) + spread,
            _number(float(np.mean([figure.constant_velocity for figure in figures]))),
            _number(float(np.mean([figure.kalman for figure in figures]))),
        )
    return table


def _published(benchmark: Benchmark) -> Table:
    names = list(dict.fromkeys(name for figures in benchmark.published.values() for name in figures))
    table = _titled("As published by others", benchmark.unit, *benchmark.published)
    for name in names:
        table.add_row(name, *(_number(f[name]) if name in f else "" for f in benchmark.published.values()), style="dim")
    return table


def _titled(title: str | None, first: str, *others: str) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column(first)
    for heading in others:
        table.add_column(heading, justify="right")
    return table


def _print_references(benchmark: Benchmark, scores: FoldScores, console: Console) -> None:
    for method, comparisons in scores.references.items():
        console.print(f"Against {method}, on the same windows", style="italic")
        table = _titled(None, benchmark.unit, "difference", "95 % interval")
        for name, comparison in comparisons.items():
            interval = comparison.difference_interval
            table.add_row(
                name,
                f"{comparison.difference:+.1f}",
                "" if interval is None else f"{interval[0]:+.1f} .. {interval[1]:+.1f}",
                style="green" if comparison.is_better else "red" if comparison.is_worse else "",
            )
        console.print(table)


def _print_notes(benchmark: Benchmark, scores: Sequence[FoldScores], console: Console, *, alone: bool) -> None:
    spreads = [each.spreads for each in scores if each.spreads is not None]
    if spreads:
        console.print(
            f"Coverage of the central 50 % interval: {np.mean([s.coverage_50 for s in spreads]):.1%}, of the central "
            f"90 %: {np.mean([s.coverage_90 for s in spreads]):.1%}; negative log likelihood "
            f"{np.mean([s.negative_log_likelihood for s in spreads]):.2f} per time. Most probable mode: mean "
            f"probability {np.mean([s.mode_confidence for s in spreads]):.0%}, accuracy "
            f"{np.mean([s.mode_accuracy for s in spreads]):.0%}.",
            highlight=False,
        )
    notes = [
        "CV: constant velocity. ± is the standard deviation over seeds; the ratio is to the better baseline, "
        f"its interval by paired bootstrap, each {benchmark.group} drawn as one.",
        *benchmark.notes,
        *(["Interactions are not used: each object is alone."] if alone else []),
    ]
    console.print(" ".join(notes), style="dim", highlight=False)


def _ratio(comparison: PairedComparison) -> tuple[str, str]:
    interval = comparison.ratio_interval
    return (
        "" if comparison.ratio is None else f"{comparison.ratio:.3f}",
        "" if interval is None else f"{interval[0]:.3f} .. {interval[1]:.3f}",
    )


def _number(value: float) -> str:
    """Four digits that count: 990.2, 0.1234."""
    return f"{value:.1f}" if abs(value) >= 100 else f"{value:.2f}" if abs(value) >= 10 else f"{value:.3f}"
