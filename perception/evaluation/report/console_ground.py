"""The report on the ground as tables, in metres."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from perception.errors import counted
from perception.evaluation.core.calibration import calibration_note
from perception.evaluation.core.records import MOVING_M
from perception.evaluation.forecasting.errors_ground import BASELINES
from perception.evaluation.forecasting.ground import (
    MISS_M,
    GroundAdeFde,
    GroundForecastingReport,
    GroundHorizonScores,
)
from perception.evaluation.report.console_layout import (
    NONE,
    NOTE,
    baseline_cell,
    comparison_cell,
    comparison_style,
    counts_line,
    make_table,
    percent,
    print_heading,
    print_note,
    print_table,
    print_unreached,
    ratio_cell,
)
from perception.evaluation.report.console_tracking import print_ground_tracking
from perception.evaluation.report.evaluate_ground import GroundReport
from perception.evaluation.report.report import ground_headline_horizon
from perception.evaluation.tracking.cross_camera_identity import CrossCameraIdentityReport
from perception.evaluation.tracking.localization import LocalizationErrors, LocalizationReport

_ADE, _FDE = range(2)

_HEADINGS = tuple(name.replace("stays", "Stays") for name in BASELINES)

_LEGEND = (
    "In metres. ADE: mean distance from the true centre up to the horizon; FDE: distance at the horizon. Model: the "
    "mean of all modes; top mode: the most probable one; best of K: minADE and minFDE, chosen knowing the truth. CV: "
    "constant velocity of the track; stays: no motion. Both are divided by the best of these (*); below 1 is better. "
    f"[95% interval], by bootstrap over objects. Moving: truly more than {MOVING_M:g} m away at the horizon."
)


def print_ground(report: GroundReport, console: Console) -> None:
    """Tracking across cameras, localization, cross-camera identity and forecasts."""
    for index, tracking in enumerate(report.tracking):
        print_ground_tracking(tracking, console, has_legend=index == 0)
    if report.cross_camera_identity is not None:
        _print_cross_camera_identity(report.cross_camera_identity, console)
    if report.localization is not None:
        _print_localization(report.localization, console)
    for index, forecasting in enumerate(report.forecasting):
        _print_forecasting(forecasting, console, has_legend=index == 0)


def _print_cross_camera_identity(report: CrossCameraIdentityReport, console: Console) -> None:
    print_heading(console, "Cross-camera identity", "one identity per object")
    if report.kept_share is not None:
        print_note(
            console,
            f"{report.kept_share:.0%} keep their identity: {report.kept_count:,} of {report.tracked_count:,} tracked "
            f"objects that left one camera and were next seen by another within {report.window_s:g} s; "
            f"{report.changed_count:,} got another one, {report.lost_count:,} were not found again in that time.",
        )
    else:
        print_note(console, f"No tracked object passed from one camera to another within {report.window_s:g} s.")
    if report.one_identity_share is not None:
        print_note(
            console,
            f"{report.one_identity_share:.0%} have one identity where several cameras track them at once "
            f"({report.one_identity_count:,} of {report.shared_count:,}, counted per instant).",
        )


def _print_localization(report: LocalizationReport, console: Console) -> None:
    print_heading(console, "Localization", "of what is seen, by distance from the car")
    table = make_table(
        "Distance", "Median", "90%", "Median\n% dist.", "90%\n% dist.", "Along", "Across", "Matched", "GT"
    )
    for errors in report.bins:
        table.add_row(f"{errors.nearest_m:g}-{errors.farthest_m:g} m", *_localization_cells(errors))
    table.add_section()
    table.add_row(Text(f"0-{report.near.farthest_m:g} m", style="bold"), *_localization_cells(report.near))
    print_table(console, table)
    bias_m = report.near.along_bias_m
    leaning = (
        ""
        if bias_m is None
        else f" The median track nearer than {report.near.farthest_m:g} m lies {abs(bias_m):.2f} m too "
        f"{'far' if bias_m > 0 else 'near'}."
    )
    print_note(
        console,
        "Error of the centre in metres and in % of the distance; along and across: medians of its parts along the "
        f"ray from the car and across it.{leaning}",
    )


def _localization_cells(errors: LocalizationErrors) -> list[Text]:
    return [
        *map(_metres, (errors.median_m, errors.p90_m)),
        *map(percent, (errors.median_share, errors.p90_share)),
        *map(_metres, (errors.along_m, errors.across_m)),
        Text(f"{errors.count:,}"),
        Text(f"{errors.truth_count:,}"),
    ]


def _print_forecasting(report: GroundForecastingReport, console: Console, *, has_legend: bool) -> None:
    what = "tracked objects" if report.setting == "tracked" else "ground-truth tracks"
    print_heading(console, "Forecasting on the ground", f"{what}, {counted(report.instant_count, 'instant')}")
    table = make_table(
        *("Horizon", "Model", "Top\nmode", f"Best\nof {report.future_count}"),
        *(*_HEADINGS, "Model / base", "Best\n/ base"),
    )
    for scores in report.horizons:
        _add_horizon(table, scores)
    for name, horizons in (("moving", report.moving_horizons), ("standing", report.standing_horizons)):
        if any(scores.target_count for scores in horizons):
            table.add_row(Text(name.capitalize(), style="bold"))
            for scores in horizons:
                _add_row(table, f"{scores.horizon_s:g} s FDE", scores, _FDE)
            table.add_section()
    print_table(console, table)
    if has_legend:
        print_note(console, _LEGEND)
    headline, moving = ground_headline_horizon(report.horizons), ground_headline_horizon(report.moving_horizons)
    if headline is not None:
        print_note(console, _headline_note(headline, moving))
    lost = max((scores.without_future_count for scores in report.horizons), default=0)
    print_note(
        console,
        f"{report.candidate_count:,} of {counted(report.track_count, 'track')}, counted per instant, could be scored; "
        f"{report.truth_matched_count:,} of {counted(report.truth_count, 'true object')} had a track. "
        + counts_line(
            (report.without_forecast_count, "track", "without a forecast"),
            (report.unmatched_count, "track", "without a true object within 2 m"),
            (report.ignored_count, "track", "on an object too hidden or too far"),
            (report.first_sight_count, "track", "at first sight"),
            (lost, "track", "without a known future at the longest horizon"),
        ),
    )
    print_unreached(console, report.unreached_horizons_s)


def _add_horizon(table: Table, scores: GroundHorizonScores) -> None:
    ahead = f"{scores.horizon_s:g} s"
    # One column for both, for the two intervals need the room.
    _add_row(table, f"{ahead} ADE" if scores.target_count else ahead, scores, _ADE)
    if scores.target_count:
        _add_row(table, f"{'FDE':>{len(ahead) + 4}}", scores, _FDE)
    table.add_section()


def _add_row(table: Table, name: str, scores: GroundHorizonScores, metric: int) -> None:
    """One metric at one horizon."""
    if scores.target_count == 0:
        table.add_row(name, *[NONE] * (len(BASELINES) + 5))
        return
    model = (scores.ade_comparison, scores.fde_comparison)[metric]
    best = (scores.best_ade_comparison, scores.best_fde_comparison)[metric]
    base = (scores.ade_baseline, scores.fde_baseline)[metric]
    methods = (scores.expected, scores.most_probable, scores.best_of_k)
    styles = (comparison_style(model), "", NOTE)
    table.add_row(
        name,
        *(_metres(_error_m(errors, metric), style=style) for errors, style in zip(methods, styles, strict=True)),
        *(
            baseline_cell(_metres(_error_m(scores.baselines[each], metric)).plain, is_best=each == base)
            for each in BASELINES
        ),
        comparison_cell(model),
        ratio_cell(best),
    )


def _error_m(errors: GroundAdeFde | None, metric: int) -> float | None:
    return None if errors is None else (errors.ade_m, errors.fde_m)[metric]


def _metres(value: float | None, *, style: str = "") -> Text:
    if value is None:
        return NONE
    return Text(f"{value:.2f}" if value < 100 else f"{value:.1f}", style=style)


def _headline_note(scores: GroundHorizonScores, moving: GroundHorizonScores | None) -> str:
    which = "" if moving is None else f", of which {moving.target_count:,} moving"
    sentences = (
        f"At {scores.horizon_s:g} s: {counted(scores.target_count, 'target')}{which}, "
        f"{counted(scores.object_count, 'object')}."
    )
    if scores.miss_rate is not None and scores.baseline_miss_rate is not None:
        sentences += (
            f" Miss rate at {MISS_M:g} m: {scores.miss_rate:.0%} (best of K), "
            f"{scores.baseline_miss_rate:.0%} (best baseline)."
        )
    spread = scores.coverage
    if spread is None or scores.calibration is None:
        return sentences
    return (
        f"{sentences} Inside the forecast's 50% region lie {spread.along_50:.0%} (along) and {spread.across_50:.0%} "
        f"(across) of the targets, inside its 90% region {spread.along_90:.0%} and {spread.across_90:.0%}. "
        + calibration_note(scores.calibration, ("along", "across"), "metre")
    )
