"""The report as tables in a terminal, from 80 columns on."""

from __future__ import annotations

from collections.abc import Callable

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from perception.evaluation.bootstrap import PairedComparison
from perception.evaluation.detection import DetectionReport, DetectionScores
from perception.evaluation.forecast_types import Baseline, DisplacementErrors, ForecastingReport, HorizonScores
from perception.evaluation.latency import LatencyReport, LatencyScores
from perception.evaluation.report import Report, headline_horizon
from perception.evaluation.tracking import TrackingReport, TrackingScores

_BETTER, _WORSE, _UNCLEAR, _NOTE = "bold green", "bold red", "yellow", "dim"
_NONE = Text("–", style="dim")
_CV_NOTE = (
    "ADE: mean distance from the true centre on the way there; FDE: distance at the end. CV: constant velocity, from "
    "the last two boxes or from the tracker's Kalman filter; the stronger one (*) is what ours is "
    "divided by (below 1 is better). [95% interval], by bootstrap over objects. Best of K is chosen knowing the truth."
)


def print_report(report: Report, console: Console) -> None:
    """Print all that was measured, with what the numbers mean and how many samples they rest on."""
    console.print()
    console.print(Text(report.title, style="bold"))
    console.print(Text(report.summary()))
    for index, detection in enumerate(report.detection):
        _print_detection(detection, console, has_legend=index == 0)
    for index, tracking in enumerate(report.tracking):
        _print_tracking(tracking, console, has_legend=index == 0)
    for index, forecasting in enumerate(report.forecasting):
        _print_forecasting(forecasting, console, has_legend=index == 0)
    if report.latency is not None:
        _print_latency(report.latency, console)
    if report.notes:
        console.print()
    for note in report.notes:
        _note(console, note)


def _print_detection(report: DetectionReport, console: Console, *, has_legend: bool) -> None:
    what = "vehicles as one class" if report.classes == "vehicle" else "each class"
    _heading(console, "Detection", f"{what}, {report.image_count:,} images")
    table = _table("Class", "Objects", "AP", "AP50", "AR", "Precision", "Recall", "at 0.5 FA")
    for name, scores in report.per_class.items():
        table.add_row(name, *_detection_cells(scores))
    if len(report.per_class) != 1:
        table.add_section()
        table.add_row(Text("all", style="bold"), *_detection_cells(report.overall))
    console.print(Padding(table, (0, 0, 0, 2)))
    if has_legend:
        _note(
            console,
            "AP, AP50, AR: COCO, in %; over all classes their mean. "
            f"Precision and recall at score ≥ {report.score_threshold:g} and IoU 0.5. "
            "At 0.5 FA: recall with one false alarm in two images.",
        )
    scores = report.overall
    _note(
        console,
        _counted(
            (scores.ignored_truth_count, f"objects lower than {report.min_height_px:g} px ignored"),
            (scores.ignored_detection_count, "detections counted neither way"),
            (report.partly_labelled_image_count, "images labelled in part"),
            (report.outside_detection_count, "detections in images without ground truth"),
            (report.outside_truth_count, "true boxes outside the evaluated images"),
            (report.other_class_detection_count, "detections of other classes left out"),
            (report.other_class_truth_count, "true boxes of other classes left out"),
        ),
    )


def _detection_cells(scores: DetectionScores) -> list[Text]:
    shares = (scores.ap, scores.ap50, scores.ar, scores.precision, scores.recall, scores.recall_at_half_false_alarm)
    return [Text(f"{scores.truth_count:,}"), *map(_percent, shares)]


def _print_tracking(report: TrackingReport, console: Console, *, has_legend: bool) -> None:
    what = "vehicles as one class" if report.vehicles_as_one else "each class"
    cameras = f"{report.camera_count} camera{'s' if report.camera_count != 1 else ''}"
    _heading(console, "Tracking", f"{what}, {cameras}, {report.image_count:,} images")
    table = _table("Class", "Objects", "HOTA", "DetA", "AssA", "IDF1", "MOTA", "Switch", "FP", "FN")
    for name, scores in report.per_class.items():
        table.add_row(name, *_tracking_cells(scores))
    if len(report.per_class) != 1:
        table.add_section()
        table.add_row(Text("all", style="bold"), *_tracking_cells(report.overall))
    console.print(Padding(table, (0, 0, 0, 2)))
    overall = report.overall
    precision = ", ".join(
        f"{name} {_percent(value)}"
        for name, value in (
            ("IDP", overall.idp),
            ("IDR", overall.idr),
            ("LocA", overall.loc_a),
            ("MOTP", overall.motp),
        )
    )
    if has_legend:
        _note(
            console,
            "HOTA joins finding (DetA) and keeping the identity (AssA); IDF1: boxes with the right identity; MOTA "
            "subtracts errors from 100. In %, the last three are counts.",
        )
    _note(
        console,
        f"{precision}. {overall.truth_box_count:,} true and {overall.result_box_count:,} tracked boxes, "
        f"{overall.result_track_count:,} tracks.",
    )
    _note(
        console,
        _counted(
            (report.outside_result_count, "tracked boxes in images without ground truth"),
            (report.outside_truth_count, "true boxes outside the evaluated images"),
            (report.other_class_result_count, "tracked boxes of other classes left out"),
            (report.other_class_truth_count, "true boxes of other classes left out"),
        ),
    )


def _tracking_cells(scores: TrackingScores) -> list[Text]:
    shares = (scores.hota, scores.det_a, scores.ass_a, scores.idf1, scores.mota)
    counts = (scores.id_switch_count, scores.false_positive_count, scores.false_negative_count)
    return [Text(f"{scores.truth_object_count:,}"), *map(_percent, shares), *(Text(f"{count:,}") for count in counts)]


def _print_forecasting(report: ForecastingReport, console: Console, *, has_legend: bool) -> None:
    what = "on tracked boxes" if report.setting == "tracked" else "on true tracks"
    _heading(console, "Forecasting", f"{what}, {report.instant_count:,} instants")
    table = _table(
        "Ahead", "Error", "Ours", f"Best\nof {report.future_count}", "CV\nlast", "CV\nKalman", "Ours / CV", "Targets"
    )
    for scores in report.horizons:
        if scores.target_count == 0:
            table.add_row(f"{scores.horizon_s:g} s", "", *[_NONE] * 5, Text("0"))
            continue
        _add_horizon(table, scores)
    console.print(Padding(table, (0, 0, 0, 2)))
    if has_legend:
        _note(console, f"In pixels. {_CV_NOTE}")
    headline = headline_horizon(report)
    if headline is not None and headline.expected is not None:
        _note(console, _headline_note(headline))
    lost = max((scores.without_future_count for scores in report.horizons), default=0)
    _note(
        console,
        f"{report.candidate_count:,} of {report.track_count:,} tracks, counted per instant, could be scored; "
        f"{report.truth_matched_count:,} of {report.truth_count:,} true boxes had a track. "
        + _counted(
            (report.without_forecast_count, "tracks without a forecast"),
            (report.unmatched_count, "without a true object"),
            (report.first_sight_count, "at first sight"),
            (lost, "without a known future at the longest horizon"),
        ),
    )
    if report.unreached_horizons_s:
        reached = ", ".join(f"{horizon:g} s" for horizon in report.unreached_horizons_s)
        _note(console, f"The forecasts do not reach {reached}.")


def _add_horizon(table: Table, scores: HorizonScores) -> None:
    pick: dict[str, Callable[[DisplacementErrors], float]] = {
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
            _pixels(scores.expected, value, style=_comparison_style(comparisons[metric])),
            _pixels(scores.best_of_k, value, style=_NOTE),
            _baseline(scores.constant_velocity_difference, value, is_stronger=stronger[metric] == "last difference"),
            _baseline(scores.constant_velocity_kalman, value, is_stronger=stronger[metric] == "Kalman"),
            _comparison(comparisons[metric]),
            Text(f"{scores.target_count:,}" if is_first else ""),
            end_section=not is_first,
        )


def _headline_note(scores: HorizonScores) -> str:
    if scores.expected is None:
        return ""
    said = (
        f"At {scores.horizon_s:g} s: {scores.object_count:,} objects; FDE {scores.expected.fde_per_width:.1%} of the "
        "image's width."
    )
    spread = scores.coverage
    if spread is None:
        return said
    return (
        f"{said} Inside the forecast's 50% region lie {spread.x_50:.0%} (x) and {spread.y_50:.0%} (y) of the targets, "
        f"inside its 90% region {spread.x_90:.0%} and {spread.y_90:.0%}."
    )


def _print_latency(report: LatencyReport, console: Console) -> None:
    _heading(console, "Latency", f"{report.instant_count:,} instants, the first {report.warmup_instant_count} left out")
    if report.total is None:
        _note(console, "The run ended within the warm-up: run it on more frames for figures.")
        return
    table = _table("Stage", "Mean", "Median", "95%", "99%", "Instants")
    for name, scores in report.per_stage.items():
        table.add_row(Text(name, overflow="fold"), *_latency_cells(scores))
    table.add_section()
    table.add_row(Text("total", style="bold"), *_latency_cells(report.total))
    console.print(Padding(table, (0, 0, 0, 2)))
    rate = f" The mean makes {1000 / report.total.mean_ms:.1f} instants per second." if report.total.mean_ms > 0 else ""
    _note(
        console,
        f"In milliseconds per instant, all cameras together; 95%: nineteen of twenty instants took no longer.{rate}",
    )


def _latency_cells(scores: LatencyScores) -> list[Text]:
    values = (scores.mean_ms, scores.p50_ms, scores.p95_ms, scores.p99_ms)
    return [*(Text(f"{value:,.1f}") for value in values), Text(f"{scores.instant_count:,}")]


def _heading(console: Console, name: str, detail: str) -> None:
    console.print()
    console.print(Text.assemble((name, "bold cyan"), "  ", (detail, _NOTE)))


def _note(console: Console, text: str) -> None:
    if text:
        console.print(Padding(Text(text, style=_NOTE), (0, 0, 0, 2)))


def _table(*headers: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for index, header in enumerate(headers):
        is_word = index == 0 or header == "Error"
        table.add_column(header, justify="left" if is_word else "right", no_wrap=index > 0, vertical="bottom")
    return table


def _percent(value: float | None) -> Text:
    return _NONE if value is None else Text(f"{100 * value:.1f}")


def _pixels(errors: DisplacementErrors | None, pick: Callable[[DisplacementErrors], float], *, style: str = "") -> Text:
    return _NONE if errors is None else Text(f"{pick(errors):.1f}", style=style)


def _baseline(
    errors: DisplacementErrors | None, pick: Callable[[DisplacementErrors], float], *, is_stronger: bool
) -> Text:
    return _pixels(errors, pick) + Text("*" if is_stronger else " ")


def _comparison_style(comparison: PairedComparison | None) -> str:
    if comparison is None or comparison.difference_interval is None:
        return ""
    if comparison.is_better:
        return _BETTER
    return _WORSE if comparison.is_worse else _UNCLEAR


def _comparison(comparison: PairedComparison | None) -> Text:
    if comparison is None or comparison.ratio is None:
        return _NONE
    text = _short(comparison.ratio)
    if comparison.ratio_interval is not None:
        low, high = comparison.ratio_interval
        text += f" [{_short(low)}, {_short(high)}]"
    return Text(text, style=_comparison_style(comparison))


def _short(ratio: float) -> str:
    if ratio >= 1000:
        return ">999"
    return f"{ratio:.2f}" if ratio < 10 else f"{ratio:.0f}"


def _counted(*counts: tuple[int, str]) -> str:
    said = [f"{count:,} {what}" for count, what in counts if count]
    return f"{'; '.join(said)}." if said else ""
