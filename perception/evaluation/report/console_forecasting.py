"""Forecasts in the image as tables."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from perception.errors import counted
from perception.evaluation.core.calibration import calibration_note
from perception.evaluation.core.gt_interpolation import RECENT_S
from perception.evaluation.core.records import MOVING_WIDTHS, ForecastingReport, HorizonScores, ImageAdeFde
from perception.evaluation.forecasting.errors_image import BASELINES
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

_LEGEND = (
    "In pixels. ADE: mean distance from the true centre up to the horizon; FDE: distance at the horizon. CV: constant "
    f"velocity, from the last two boxes, over the last {RECENT_S:g} s, or from the tracker's filter (KF). Stays: no "
    "motion. The model is divided by the best of these (*); below 1 is better. [95% interval], by bootstrap over "
    "objects. Best of K is chosen knowing the truth. Moving: the centre truly goes further than "
    f"{MOVING_WIDTHS:g} widths of its box up to the horizon."
)


def print_forecasting(report: ForecastingReport, console: Console, *, has_legend: bool) -> None:
    """Displacement errors in pixels beside the baselines, moving and standing objects apart; the legend explains."""
    what = "on tracked boxes" if report.setting == "tracked" else "on ground-truth tracks"
    print_heading(console, "Forecasting", f"{what}, {counted(report.instant_count, 'instant')}")
    headings = ["CV\nlast", f"CV\n{RECENT_S:g} s", "CV\nKF", "Stays"]
    table = make_table("Horizon", "Model", f"Best\nof {report.future_count}", *headings, "Model / best", "Targets")
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
        table.add_row(name, *[NONE] * (len(BASELINES) + 3), Text("0"))
        return
    comparison = (scores.ade_comparison, scores.fde_comparison)[metric]
    best = (scores.ade_baseline, scores.fde_baseline)[metric]
    table.add_row(
        name,
        Text(_pixels(scores.expected, metric), style=comparison_style(comparison)),
        Text(_pixels(scores.best_of_k, metric), style=NOTE),
        *(
            baseline_cell(_pixels(scores.baselines[baseline], metric), is_best=baseline == best)
            if baseline in scores.baselines
            else NONE
            for baseline in BASELINES
        ),
        comparison_cell(comparison),
        Text(f"{scores.target_count:,}" if has_count else ""),
    )


def _pixels(errors: ImageAdeFde | None, metric: int) -> str:
    if errors is None:
        return ""
    value = (errors.ade_px, errors.fde_px)[metric]
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
