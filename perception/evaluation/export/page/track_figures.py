"""Figures on tracks: HOTA over its thresholds, the error of positions, and how long an instant takes."""

from __future__ import annotations

from collections.abc import Iterator

from perception.evaluation.core.latency_statistics import LatencyReport
from perception.evaluation.export.page.bar_chart import Bar, bar_chart
from perception.evaluation.export.page.figures import Figure, percent
from perception.evaluation.export.page.line_chart import Line, Look, line_chart
from perception.evaluation.export.page.svg import axis_from_zero, share_axis
from perception.evaluation.report.console_layout import COUNTED_AS
from perception.evaluation.report.report import Report
from perception.evaluation.tracking.ground import GroundTrackingReport
from perception.evaluation.tracking.image import TrackingReport
from perception.evaluation.tracking.localization import LocalizationReport

_PARTS: tuple[tuple[str, Look, str], ...] = (
    ("HOTA", "model", "hota"),
    ("AssA", "second", "ass_a"),
    ("DetA", "baseline", "det_a"),
)


def tracking_figures(report: Report) -> Iterator[Figure]:
    """One chart for each way of counting classes, on the ground before in the image."""
    for on_ground in report.ground.tracking if report.ground is not None else ():
        similarity = f"1 − distance / {on_ground.zero_distance_m:g} m"
        yield from _hota(on_ground, f"on the ground, {COUNTED_AS[on_ground.grouping]}", similarity)
    for part in report.tracking:
        yield from _hota(part, f"in the image, {COUNTED_AS[part.grouping]}", "the overlap (IoU)")


def localization_figures(report: LocalizationReport | None) -> Iterator[Figure]:
    """The error of positions by distance."""
    bins = [] if report is None else [part for part in report.bins if part.median_m is not None]
    if not bins:
        return
    values = [(part, part.median_m or 0.0, part.p90_m or 0.0) for part in bins]
    bars = [
        Bar(f"{part.nearest_m:g}-{part.farthest_m:g} m", median, f"{median:.2f} m, 90 % {p90:.2f} m", (p90,))
        for part, median, p90 in values
    ]
    spoken = "; ".join(f"{bar.name} {bar.words}" for bar in bars)
    yield Figure(
        title="Error of positions by distance",
        caption="Bar: median distance of a track from its true object. Line: nine of ten lie nearer than this.",
        drawings=(
            bar_chart(
                bars,
                axis_from_zero("", [p90 for _, _, p90 in values]),
                alternative=f"Error of positions by distance from the car: {spoken}.",
            ),
        ),
    )


def latency_figures(report: LatencyReport | None) -> Iterator[Figure]:
    """How long each stage takes."""
    if report is None or report.total is None:
        return
    stages = {**report.per_stage, "total": report.total}
    bars = [
        Bar(name, scores.p50_ms, f"{scores.p50_ms:,.1f} ms, 95 % {scores.p95_ms:,.1f} ms", (scores.p95_ms,))
        for name, scores in stages.items()
    ]
    spoken = "; ".join(f"{bar.name} {bar.words}" for bar in bars)
    yield Figure(
        title="Time per instant",
        caption=(
            "Bar: median. Line: nineteen of twenty instants took no longer. All cameras together. The slowest were the "
            f"run's instants {', '.join(map(str, report.slowest_instants))}, counted from 0."
        ),
        drawings=(
            bar_chart(
                bars,
                axis_from_zero("", [scores.p95_ms for scores in stages.values()]),
                alternative=f"Milliseconds per instant by stage: {spoken}.",
            ),
        ),
    )


def _hota(part: TrackingReport | GroundTrackingReport, where: str, similarity: str) -> Iterator[Figure]:
    curve = part.hota_curve
    if curve is None:
        return
    scores = part.overall
    yield Figure(
        title=f"HOTA {where}",
        caption=(
            f"Finding objects (DetA) and keeping their identity (AssA), by how close a track must be: {similarity} of "
            "at least the threshold. The scores of the tables are the means of the lines."
        ),
        drawings=(
            line_chart(
                [
                    Line(name, look, tuple(zip(curve.thresholds, getattr(curve, field), strict=True)))
                    for name, look, field in _PARTS
                ],
                share_axis("Threshold of the similarity, %"),
                share_axis("%"),
                alternative=(
                    f"HOTA over its thresholds {where}: mean HOTA {percent(scores.hota)}, "
                    f"DetA {percent(scores.det_a)}, AssA {percent(scores.ass_a)}; "
                    f"at threshold 0.5 HOTA is {percent(curve.hota[9])}."
                ),
            ),
        ),
        scenes=("identity switch",),
    )
