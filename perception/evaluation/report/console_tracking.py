"""Tracking as tables, in the images and on the ground."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console
from rich.text import Text

from perception.errors import counted
from perception.evaluation.report.console_layout import (
    COUNTED_AS,
    counts_line,
    make_table,
    percent,
    print_heading,
    print_note,
    print_table,
)
from perception.evaluation.tracking.ground import GroundTrackingReport
from perception.evaluation.tracking.image import TrackingReport
from perception.evaluation.tracking.mot_metrics import TrackingScores

_LEGEND = (
    "HOTA joins finding (DetA) and keeping the identity (AssA); IDF1: {what} with the right identity; MOTA "
    "subtracts errors from 100. In %, the last three are counts."
)


def print_tracking(report: TrackingReport, console: Console, *, has_legend: bool) -> None:
    """Scores in the images; the legend explains the columns."""
    cameras = counted(report.camera_count, "camera")
    print_heading(
        console,
        "Tracking in the image",
        f"{COUNTED_AS[report.grouping]}, {cameras}, {counted(report.image_count, 'image')}",
    )
    _print_scores(report.per_class, report.overall, console)
    if has_legend:
        print_note(console, _LEGEND.format(what="boxes"))
    print_note(console, _totals(report.overall, "box"))
    print_note(
        console,
        counts_line(
            (report.ignored_truth_count, "true box", "too low or too hidden to count"),
            (report.ignored_result_count, "tracked box", "ignored"),
            (report.outside_result_count, "tracked box", "in images without ground truth"),
            (report.outside_truth_count, "true box", "outside the evaluated images"),
            (report.other_class_result_count, "tracked box", "of other classes left out"),
            (report.other_class_truth_count, "true box", "of other classes left out"),
        ),
    )


def print_ground_tracking(report: GroundTrackingReport, console: Console, *, has_legend: bool) -> None:
    """Scores on the ground, one identity across all cameras."""
    print_heading(
        console,
        "Tracking on the ground",
        f"{COUNTED_AS[report.grouping]}, all cameras together, {counted(report.instant_count, 'instant')}",
    )
    _print_scores(report.per_class, report.overall, console)
    if has_legend:
        print_note(console, f"{_LEGEND.format(what='objects')} {_ground_legend(report)}")
    print_note(console, _totals(report.overall, "object"))
    print_note(
        console,
        counts_line(
            (report.ignored_truth_count, "true object", "too hidden or too far to count"),
            (report.ignored_result_count, "track", "on such objects ignored"),
            (report.instant_without_pose_count, "instant", "without a pose of the car left out"),
            (report.other_class_result_count, "track", "of other classes left out"),
            (report.other_class_truth_count, "true object", "of other classes left out"),
        ),
    )


def _ground_legend(report: GroundTrackingReport) -> str:
    scope, zero_m = report.scope, report.zero_distance_m
    high = f" and they are {scope.min_height_px:g} px high" if scope.min_height_px else ""
    return (
        "One identity per object across all cameras. Similarity of a track and an object: "
        f"1 - distance / {zero_m:g} m, so that {zero_m / 2:g} m is 0.5, from which IDF1 and MOTA count a match. "
        f"Objects count where a camera sees at least {scope.min_visible_share:.0%} of them{high}, up to "
        f"{scope.max_distance_m:g} m from the car."
    )


def _print_scores(per_class: Mapping[str, TrackingScores], overall: TrackingScores, console: Console) -> None:
    table = make_table("Class", "Objects", "HOTA", "DetA", "AssA", "IDF1", "MOTA", "Switch", "FP", "FN")
    for name, scores in per_class.items():
        table.add_row(name, *_cells(scores))
    if len(per_class) != 1:
        table.add_section()
        table.add_row(Text("all", style="bold"), *_cells(overall))
    print_table(console, table)


def _cells(scores: TrackingScores) -> list[Text]:
    shares = (scores.hota, scores.det_a, scores.ass_a, scores.idf1, scores.mota)
    counts = (scores.id_switch_count, scores.false_positive_count, scores.false_negative_count)
    return [Text(f"{scores.truth_object_count:,}"), *map(percent, shares), *(Text(f"{count:,}") for count in counts)]


def _totals(overall: TrackingScores, what: str) -> str:
    """More scores, and how many samples they rest on."""
    named = (("IDP", overall.idp), ("IDR", overall.idr), ("LocA", overall.loc_a), ("MOTP", overall.motp))
    precision = ", ".join(f"{name} {percent(value)}" for name, value in named)
    return (
        f"{precision}. {counted(overall.truth_box_count, f'true {what}')}, "
        f"{counted(overall.result_box_count, f'tracked {what}')}, "
        f"{counted(overall.result_track_count, 'track')}."
    )
