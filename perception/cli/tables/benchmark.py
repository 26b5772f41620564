"""The tables of ``perception evaluate forecaster --benchmark``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from perception.benchmarks import Benchmark, FoldScores
from perception.benchmarks.scoring import Figure
from perception.errors import counted
from perception.evaluation.core.gt_interpolation import RECENT_S
from perception.evaluation.core.records import MOVING_M, MOVING_WIDTHS
from perception.evaluation.report.console_layout import comparison_cell
from perception.runtime.forecast_benchmark import BenchmarkReport
from perception.types import ReferenceFrame

_MOVING: Mapping[ReferenceFrame, str] = {
    "image": f"Moving: the centre truly goes further than {MOVING_WIDTHS:g} widths of its box up to the last step.",
    "ground": f"Moving: the object truly is further than {MOVING_M:g} m away at the last step.",
}


def print_benchmark(report: BenchmarkReport, console: Console) -> None:
    """A table for each fold, their mean, and what others have published."""
    benchmark = report.benchmark
    for scores in report.folds:
        console.print(_fold_table(benchmark, scores, report.split))
    if len(report.folds) > 1 and benchmark.averages_folds:
        console.print(_mean_table(benchmark, report.folds, report.split))
    for scores in report.folds:
        _print_references(benchmark, scores, console)
    if report.split == "test":
        console.print(_published_table(benchmark))
    _print_notes(report, console)


def _fold_table(benchmark: Benchmark, scores: FoldScores, split: str) -> Table:
    seeds = counted(scores.seeds, "seed")
    where = f"{benchmark.title}{' ' + scores.fold if scores.fold else ''}"
    title = f"{where}: {split}, {counted(scores.targets, 'target')}, {seeds}"
    table = _titled(title, benchmark.unit, "Model", *_baseline_headings(scores), "Model / best")
    _add_figures(table, scores.figures)
    for name, subset in (("moving", scores.moving), ("standing", scores.standing)):
        if subset.targets:
            table.add_section()
            table.add_row(Text(f"{subset.targets:,} {name}", style="bold"))
            _add_figures(table, {figure: subset.figures[figure] for figure in benchmark.chosen_by})
    return table


def _baseline_headings(scores: FoldScores) -> list[str]:
    some = next(iter(scores.figures.values()))
    return [name.replace("CV ", "CV\n").replace(", ", ",\n") for name in some.baselines]


def _add_figures(table: Table, figures: Mapping[str, Figure]) -> None:
    for name, figure in figures.items():
        table.add_row(
            name,
            _number(figure.model) + ("" if figure.spread is None else f" ± {_number(figure.spread)}"),
            *(
                Text(_number(value) + ("*" if method == figure.best_baseline else ""))
                for method, value in figure.baselines.items()
            ),
            comparison_cell(figure.comparison),
        )


def _mean_table(benchmark: Benchmark, scores: Sequence[FoldScores], split: str) -> Table:
    title = f"{benchmark.title}: {split}, mean of {counted(len(scores), 'fold')}"
    table = _titled(title, benchmark.unit, "Model", *_baseline_headings(scores[0]))
    for name in scores[0].figures:
        figures = [each.figures[name] for each in scores]
        spreads = [figure.spread for figure in figures if figure.spread is not None]
        # Folds are trained apart: their variances add.
        spread = f" ± {_number(float(np.linalg.norm(spreads)) / len(scores))}" if spreads else ""
        table.add_row(
            name,
            _number(float(np.mean([figure.model for figure in figures]))) + spread,
            *(
                _number(float(np.mean([figure.baselines[method] for figure in figures])))
                for method in figures[0].baselines
            ),
        )
    return table


def _published_table(benchmark: Benchmark) -> Table:
    names = list(dict.fromkeys(name for figures in benchmark.published.values() for name in figures))
    table = _titled("As published by others", benchmark.unit, *benchmark.published)
    for name in names:
        table.add_row(name, *(_number(f[name]) if name in f else "" for f in benchmark.published.values()), style="dim")
    return table


def _titled(title: str | None, first: str, *others: str) -> Table:
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
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
        f"Model: TrajectoryGRU. CV: constant velocity, by the last step or by the last {RECENT_S:g} s with held size. "
        "± is the standard deviation over seeds. The model is divided by the best baseline (*); below 1 is better. "
        f"[95% interval] by paired bootstrap, each {report.benchmark.group} drawn as one.",
        _MOVING[report.benchmark.reference_frame],
        *report.benchmark.notes,
        *([] if report.interactions else ["Interactions are not used: each object is alone."]),
    ]
    console.print(" ".join(notes), style="dim", highlight=False)


def _number(value: float) -> str:
    """Four digits that count: 990.2, 0.1234."""
    return f"{value:.1f}" if abs(value) >= 100 else f"{value:.2f}" if abs(value) >= 10 else f"{value:.3f}"
