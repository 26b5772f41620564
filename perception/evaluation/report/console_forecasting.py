"""Forecasts in the image as tables."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from perception.errors import counted
from perception.evaluation.core.calibration import calibration_note
from perception.evaluation.core.gt_interpolation import RECENT_S, TURNING_REMOVED
from perception.evaluation.core.records import MOVING_WIDTHS, ForecastingReport, HorizonScores, ImageAdeFde
from perception.evaluation.report.console_layout import (
    NONE,
    NOTE,
    baseline_cell,
    comparison_cell,
    comparison_style,
    counts_line,
    make_table,
    print_heading,
    print_note,
    print_table,
    print_unreached,
)
from perception.evaluation.report.report import headline_horizon

_ADE, _FDE = range(2)

_COLUMNS = {
    "CV\nlast": ("CV last",),
    f"CV\n{RECENT_S:g} s": (f"CV {RECENT_S:g} s", TURNING_REMOVED),
    "CV\nKF": ("CV Kalman",),
    "Stays": ("stays",),
}
"""The baselines of each column."""

_LEGEND = (
    "In pixels. ADE: mean distance from the true centre up to the horizon; FDE: distance at the horizon. CV: constant "
    f"velocity, from the last two boxes, over the last {RECENT_S:g} s (less the camera's turning, where that is "
    "better), or from the tracker's filter (KF). Stays: no motion. The model is divided by the best of these (*); "
    "below 1 is better. [95% interval], by bootstrap over objects. Best of K is chosen knowing the truth. Moving: the "
    f"centre truly goes further than {MOVING_WIDTHS:g} widths of its box up to the horizon."
)


def print_forecasting(report: ForecastingReport, console: Console, *, has_legend: bool) -> None:
    """Displacement errors in pixels beside the baselines, moving and standing objects apart; the legend explains."""
    what = "on tracked boxes" if report.setting == "tracked" else "on ground-truth tracks"
    print_heading(console, "Forecasting", f"{what}, {counted(report.instant_count, 'instant')}")
    table = make_table("Horizon", "Model", f"Best\nof {report.future_count}", *_COLUMNS, "Model / best", "Targets")
    for scores in report.horizons:
        _add_horizon(table, scores)
    for name, horizons in (("moving", report.moving_horizons), ("standing", report.standing_horizons)):
        if any(scores.target_count for scores in horizons):
            table.add_row(Text(f"{name.capitalize()}", style="bold"))
            for scores in horizons:
                _add_row(table, f"{scores.horizon_s:g} s FDE", scores, _FDE)
            table.add_section()
    print_table(console, table)
    if has_legend:
        print_note(console, _LEGEND)
    headline = headline_horizon(report)
    if headline is not None and headline.expected is not None:
        print_note(console, _headline_note(headline))
    lost = max((scores.without_future_count for scores in report.horizons), default=0)
    print_note(
        console,
        f"{report.candidate_count:,} of {counted(report.track_count, 'track')}, counted per instant, could be scored; "
        f"{report.truth_matched_count:,} of {counted(report.truth_count, 'true box')} had a track. "
        + counts_line(
            (report.without_forecast_count, "track", "without a forecast"),
            (report.unmatched_count, "track", "without a true object"),
            (report.first_sight_count, "track", "at first sight"),
            (lost, "track", "without a known future at the longest horizon"),
        ),
    )
    print_unreached(console, report.unreached_horizons_s)


def _add_horizon(table: Table, scores: HorizonScores) -> None:
    ahead = f"{scores.horizon_s:g} s"
    _add_row(table, f"{ahead} ADE", scores, _ADE)
    if scores.target_count:
        _add_row(table, f"{'FDE':>{len(ahead) + 4}}", scores, _FDE, has_count=False)
    table.add_section()


def _add_row(table: Table, name: str, scores: HorizonScores, metric: int, *, has_count: bool = True) -> None:
    """One metric at one horizon."""
    if scores.target_count == 0:
        table.add_row(name, *[NONE] * (len(_COLUMNS) + 3), Text("0"))
        return
    comparison = (scores.ade_comparison, scores.fde_comparison)[metric]
    best = (scores.ade_baseline, scores.fde_baseline)[metric]
    table.add_row(
        name,
        Text(_pixels(scores.expected, metric), style=comparison_style(comparison)),
        Text(_pixels(scores.best_of_k, metric), style=NOTE),
        *(_baseline(scores, names, metric, best) for names in _COLUMNS.values()),
        comparison_cell(comparison),
        Text(f"{scores.target_count:,}" if has_count else ""),
    )


def _baseline(scores: HorizonScores, names: Sequence[str], metric: int, best: str | None) -> Text:
    """The best of the baselines ``names`` that are known."""
    known = {name: scores.baselines[name] for name in names if name in scores.baselines}
    if not known:
        return NONE
    name = min(known, key=lambda name: _error(known[name], metric))
    return baseline_cell(_pixels(known[name], metric), is_best=best in known)


def _error(errors: ImageAdeFde, metric: int) -> float:
    return (errors.ade_px, errors.fde_px)[metric]


def _pixels(errors: ImageAdeFde | None, metric: int) -> str:
    if errors is None:
        return ""
    value = _error(errors, metric)
    return f"{value:.1f}" if value < 100 else f"{value:.0f}"


def _headline_note(scores: HorizonScores) -> str:
    if scores.expected is None:
        return ""
    start = (
        f"At {scores.horizon_s:g} s: {counted(scores.object_count, 'object')}; FDE "
        f"{scores.expected.fde_per_width:.1%} of the "
        "image's width."
    )
    spread = scores.coverage
    if spread is None or scores.calibration is None:
        return start
    return (
        f"{start} Inside the forecast's 50% region lie {spread.x_50:.0%} (x) and {spread.y_50:.0%} (y) of the targets, "
        f"inside its 90% region {spread.x_90:.0%} and {spread.y_90:.0%}. "
        + calibration_note(scores.calibration, ("x", "y"), "pixel")
    )
