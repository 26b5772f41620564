"""Forecasts in the image as tables."""

from __future__ import annotations

from collections.abc import Callable

from rich.console import Console
from rich.table import Table
from rich.text import Text

from perception.evaluation.core.calibration import calibration_note
from perception.evaluation.core.records import Baseline, ForecastingReport, HorizonScores, ImageAdeFde
from perception.evaluation.report.console_layout import (
    NONE,
    NOTE,
    comparison_cell,
    comparison_style,
    counted,
    make_table,
    print_heading,
    print_note,
    print_table,
    print_unreached,
)
from perception.evaluation.report.report import headline_horizon

_CV_NOTE = (
    "ADE: mean distance from the true centre up to the horizon; FDE: distance at the horizon. CV: constant velocity, "
    "from the last two boxes or from the tracker's Kalman filter; the stronger one (*) is what the model is "
    "divided by (below 1 is better). [95% interval], by bootstrap over objects. Best of K is chosen knowing the truth."
)


def print_forecasting(report: ForecastingReport, console: Console, *, has_legend: bool) -> None:
    """Displacement errors in pixels beside constant velocity; the legend explains the columns."""
    what = "on tracked boxes" if report.setting == "tracked" else "on ground-truth tracks"
    print_heading(console, "Forecasting", f"{what}, {report.instant_count:,} instants")
    table = make_table(
        "Horizon",
        "Error",
        "Model",
        f"Best\nof {report.future_count}",
        "CV\nlast",
        "CV\nKalman",
        "Model / CV",
        "Targets",
    )
    for scores in report.horizons:
        if scores.target_count == 0:
            table.add_row(f"{scores.horizon_s:g} s", "", *[NONE] * 5, Text("0"))
            continue
        _add_horizon(table, scores)
    print_table(console, table)
    if has_legend:
        print_note(console, f"In pixels. {_CV_NOTE}")
    headline = headline_horizon(report)
    if headline is not None and headline.expected is not None:
        print_note(console, _headline_note(headline))
    lost = max((scores.without_future_count for scores in report.horizons), default=0)
    print_note(
        console,
        f"{report.candidate_count:,} of {report.track_count:,} tracks, counted per instant, could be scored; "
        f"{report.truth_matched_count:,} of {report.truth_count:,} true boxes had a track. "
        + counted(
            (report.without_forecast_count, "tracks without a forecast"),
            (report.unmatched_count, "without a true object"),
            (report.first_sight_count, "at first sight"),
            (lost, "without a known future at the longest horizon"),
        ),
    )
    print_unreached(console, report.unreached_horizons_s)


def _add_horizon(table: Table, scores: HorizonScores) -> None:
    pick: dict[str, Callable[[ImageAdeFde], float]] = {
        "ADE": lambda errors: errors.ade_px,
        "FDE": lambda errors: errors.fde_px,
    }
    comparisons = {"ADE": scores.ade_comparison, "FDE": scores.fde_comparison}
    stronger: dict[str, Baseline | None] = {"ADE": scores.stronger_ade, "FDE": scores.stronger_fde}
    for metric, value in pick.items():
        is_first = metric == "ADE"
        table.add_row(
            f"{scores.horizon_s:g} s" if is_first else "",
            metric,
            _pixels(scores.expected, value, style=comparison_style(comparisons[metric])),
            _pixels(scores.best_of_k, value, style=NOTE),
            _baseline(scores.constant_velocity_difference, value, is_stronger=stronger[metric] == "last difference"),
            _baseline(scores.constant_velocity_kalman, value, is_stronger=stronger[metric] == "Kalman"),
            comparison_cell(comparisons[metric]),
            Text(f"{scores.target_count:,}" if is_first else ""),
            end_section=not is_first,
        )


def _headline_note(scores: HorizonScores) -> str:
    if scores.expected is None:
        return ""
    start = (
        f"At {scores.horizon_s:g} s: {scores.object_count:,} objects; FDE {scores.expected.fde_per_width:.1%} of the "
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


def _pixels(errors: ImageAdeFde | None, pick: Callable[[ImageAdeFde], float], *, style: str = "") -> Text:
    return NONE if errors is None else Text(f"{pick(errors):.1f}", style=style)


def _baseline(errors: ImageAdeFde | None, pick: Callable[[ImageAdeFde], float], *, is_stronger: bool) -> Text:
    return _pixels(errors, pick) + Text("*" if is_stronger else " ")
