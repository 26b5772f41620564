"""The report as tables in a terminal, from 80 columns on."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from perception.errors import counted
from perception.evaluation.core.latency_statistics import TOTAL, LatencyReport, LatencyScores
from perception.evaluation.detection.average_precision import DetectionReport, DetectionScores
from perception.evaluation.report.console_breakdown import print_breakdown
from perception.evaluation.report.console_challenge import print_challenge
from perception.evaluation.report.console_forecasting import print_forecasting
from perception.evaluation.report.console_ground import print_ground
from perception.evaluation.report.console_layout import (
    COUNTED_AS,
    NONE,
    counts_line,
    left_out,
    make_table,
    number,
    percent,
    print_heading,
    print_note,
    print_table,
    short_ratio,
)
from perception.evaluation.report.console_tracking import print_tracking
from perception.evaluation.report.report import RecordingFigures, Report, headline_figures
from perception.evaluation.tracking.ego_motion import EgoMotionReport, EgoMotionScores

_UNDEFINED = dict.fromkeys(("ap50", "hota", "idf1", "position_share", "fde_ratio", "best_fde_ratio"))


def print_report(report: Report, console: Console) -> None:
    """Print all that was measured, with what the numbers mean and how many samples they rest on."""
    console.print()
    console.print(Text(report.title, style="bold"))
    console.print(Text(report.summary()))
    for index, detection in enumerate(report.detection):
        _print_detection(detection, console, has_legend=index == 0)
    if report.breakdown is not None:
        print_breakdown(report.breakdown, console)
    if report.ground is not None:
        print_ground(report.ground, console)
    for index, tracking in enumerate(report.tracking):
        print_tracking(tracking, console, has_legend=index == 0 and report.ground is None)
    for index, forecasting in enumerate(report.forecasting):
        print_forecasting(forecasting, console, has_legend=index == 0)
    for index, challenge in enumerate(report.challenges):
        print_challenge(challenge, console, has_legend=index == 0)
    if report.ego_motion is not None:
        print_ego_motion(report.ego_motion, console)
    if report.recordings:
        _print_recordings(report, console)
    if report.latency is not None:
        _print_latency(report.latency, console)
    if report.notes:
        console.print()
    for note in report.notes:
        print_note(console, note)


def _print_detection(report: DetectionReport, console: Console, *, has_legend: bool) -> None:
    print_heading(console, "Detection", f"{COUNTED_AS[report.grouping]}, {counted(report.image_count, 'image')}")
    table = make_table("Class", "Objects", "AP", "AP50", "AR", "Precision", "Recall", "at 0.5 FP")
    for name, scores in report.per_class.items():
        table.add_row(name, *_detection_cells(scores))
    if len(report.per_class) != 1:
        table.add_section()
        table.add_row(Text("all", style="bold"), *_detection_cells(report.overall))
    print_table(console, table)
    if has_legend:
        print_note(
            console,
            "AP, AP50, AR: COCO, in %; over all classes their mean. "
            f"Precision and recall at score ≥ {report.score_threshold:g} and IoU 0.5. "
            "At 0.5 FP: recall at 0.5 false positives per image.",
        )
    scores = report.overall
    print_note(
        console,
        counts_line(
            (scores.ignored_truth_count, "object", left_out(report.min_height_px, report.min_visible_share)),
            (scores.ignored_detection_count, "detection", "ignored"),
            (report.partly_labelled_image_count, "image", "labelled in part"),
            (report.outside_detection_count, "detection", "in images without ground truth"),
            (report.outside_truth_count, "true box", "outside the evaluated images"),
            (report.other_class_detection_count, "detection", "of other classes left out"),
            (report.other_class_truth_count, "true box", "of other classes left out"),
        ),
    )


def _detection_cells(scores: DetectionScores) -> list[Text]:
    shares = (scores.ap, scores.ap50, scores.ar, scores.precision, scores.recall, scores.recall_at_half_false_alarm)
    return [Text(f"{scores.truth_count:,}"), *map(percent, shares)]


def print_ego_motion(report: EgoMotionReport, console: Console) -> None:
    """Print how well the cameras' motion was measured, camera by camera."""
    detail = f"{report.overall.frame_count:,} frames, from the pictures against the poses"
    print_heading(console, "Ego-motion", detail)
    table = make_table("Camera", "Frames", "Unknown", "Yaw rate", "90%", "Speed known", "Speed", "90%")
    for name, scores in report.per_camera.items():
        table.add_row(Text(name, overflow="fold"), *_ego_motion_cells(scores))
    if len(report.per_camera) != 1:
        table.add_section()
        table.add_row(Text("all", style="bold"), *_ego_motion_cells(report.overall))
    print_table(console, table)
    print_note(
        console,
        "Median and 90 % quantile of the absolute error: yaw rate in degrees per second, speed in metres per second. "
        "Unknown, speed known: % of the frames.",
    )


def _ego_motion_cells(scores: EgoMotionScores) -> list[Text]:
    yaw_rates = [number(value) for value in (scores.yaw_rate_median_degps, scores.yaw_rate_p90_degps)]
    speeds = [number(value) for value in (scores.speed_median_mps, scores.speed_p90_mps)]
    shares = percent(scores.unknown_share), percent(scores.speed_share)
    return [Text(f"{scores.frame_count:,}"), shares[0], *yaw_rates, shares[1], *speeds]


def _print_recordings(report: Report, console: Console) -> None:
    print_heading(console, "Each recording", counted(len(report.recordings), "recording"))
    on_ground = report.ground is not None
    headers = ["HOTA", "IDF1", *(["Position"] if on_ground else []), "FDE\n/ base", "Best\n/ base"]
    table = make_table("Recording", "Instants", "AP50", *headers)
    for figures in report.recordings:
        table.add_row(Text(figures.title, overflow="fold"), *_recording_cells(figures, on_ground=on_ground))
    table.add_section()
    table.add_row(Text("together", style="bold"), *_recording_cells(headline_figures(report), on_ground=on_ground))
    spread = RecordingFigures(title="spread", instant_count=0, **{**_UNDEFINED, **report.spread})
    table.add_row(Text("spread"), NONE, *_recording_cells(spread, on_ground=on_ground)[1:])
    print_table(console, table)
    where = (
        "on the ground; Position: median error nearer than 40 m, % of the distance" if on_ground else "in the images"
    )
    print_note(
        console, f"In %, but for the ratios to the best baseline. HOTA and IDF1 {where}. Spread: standard deviation."
    )


def _recording_cells(figures: RecordingFigures, *, on_ground: bool) -> list[Text]:
    ratios = [
        NONE if ratio is None else Text(short_ratio(ratio)) for ratio in (figures.fde_ratio, figures.best_fde_ratio)
    ]
    cells = [Text(f"{figures.instant_count:,}"), *map(percent, (figures.ap50, figures.hota, figures.idf1))]
    return [*cells, *([percent(figures.position_share)] if on_ground else []), *ratios]


def _print_latency(report: LatencyReport, console: Console) -> None:
    print_heading(
        console,
        "Latency",
        f"{counted(report.instant_count, 'instant')}, the first {report.warmup_instant_count} left out",
    )
    if report.total is None:
        print_note(console, "The run ended within the warm-up: run it on more frames for figures.")
        return
    table = make_table("Stage", "Mean", "Median", "95%", "99%", "Instants")
    for name, scores in report.per_stage.items():
        table.add_row(Text(name, overflow="fold"), *_latency_cells(scores))
    table.add_section()
    table.add_row(Text(TOTAL, style="bold"), *_latency_cells(report.total))
    print_table(console, table)
    rate = f" The mean makes {1000 / report.total.mean_ms:.1f} instants per second." if report.total.mean_ms > 0 else ""
    print_note(
        console,
        f"In milliseconds per instant, all cameras together; {TOTAL}: a whole turn of the loop, in which stages may "
        f"run side by side; 95%: nineteen of twenty instants took no longer.{rate}",
    )


def _latency_cells(scores: LatencyScores) -> list[Text]:
    values = (scores.mean_ms, scores.p50_ms, scores.p95_ms, scores.p99_ms)
    return [*(Text(f"{value:,.1f}") for value in values), Text(f"{scores.instant_count:,}")]
