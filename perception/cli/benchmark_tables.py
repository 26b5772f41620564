"""The tables of ``perception evaluate forecaster --benchmark``."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from rich.console import Console
from rich.table import Table

from perception.benchmarks import Benchmark, FoldScores
from perception.evaluation.core.bootstrap import PairedComparison
from perception.runtime.forecast_benchmark import BenchmarkReport


def print_benchmark(report: BenchmarkReport, console: Console) -> None:
    """A table for each fold, their mean, and what others have published."""
    benchmark = report.benchmark
    for scores in report.folds:
        console.print(_fold_table(benchmark, scores, report.split))
    if len(report.folds) > 1:
        console.print(_mean_table(benchmark, report.folds, report.split))
    for scores in report.folds:
        _print_references(benchmark, scores, console)
    if report.split == "test":
        console.print(_published_table(benchmark))
    _print_notes(report, console)


def _fold_table(benchmark: Benchmark, scores: FoldScores, split: str) -> Table:
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


def _mean_table(benchmark: Benchmark, scores: Sequence[FoldScores], split: str) -> Table:
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


def _published_table(benchmark: Benchmark) -> Table:
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


def _print_notes(report: BenchmarkReport, console: Console) -> None:
    spreads = [each.spreads for each in report.folds if each.spreads is not None]
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
        f"its interval by paired bootstrap, each {report.benchmark.group} drawn as one.",
        *report.benchmark.notes,
        *([] if report.interactions else ["Interactions are not used: each object is alone."]),
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
