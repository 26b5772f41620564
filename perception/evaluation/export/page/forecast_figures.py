"""Figures on forecasts: error and coverage over the time ahead, and whether the spreads are right."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from perception.evaluation.core.calibration import CENTRAL_SHARES, Calibration
from perception.evaluation.core.records import ErrorAtTime, ForecastingReport
from perception.evaluation.export.page.figures import Figure, percent
from perception.evaluation.export.page.line_chart import Line, Look, line_chart
from perception.evaluation.export.page.svg import Axis, axis_from_zero, share_axis
from perception.evaluation.forecasting.ground import GroundForecastingReport
from perception.evaluation.report.report import Report, ground_headline_horizon, headline_horizon

_NAMES: dict[str, tuple[str, Look]] = {
    "expected": ("model", "model"),
    "best of K": ("best of K", "second"),
    "most probable": ("top mode", "other"),
}


def forecast_figures(report: Report) -> Iterator[Figure]:
    """For each setting the error, the coverage and the reliability."""
    if report.ground is not None:
        for on_ground in report.ground.forecasting:
            headline = ground_headline_horizon(on_ground.horizons)
            calibration = None if headline is None else headline.calibration
            horizon_s = 0.0 if headline is None else headline.horizon_s
            yield from _figures(on_ground, calibration, horizon_s, unit="m", axes=("along", "across"))
    for in_image in report.forecasting:
        scores = headline_horizon(in_image)
        calibration = None if scores is None else scores.calibration
        horizon_s = 0.0 if scores is None else scores.horizon_s
        yield from _figures(in_image, calibration, horizon_s, unit="px", axes=("x", "y"))


def _figures(
    part: ForecastingReport | GroundForecastingReport,
    calibration: Calibration | None,
    horizon_s: float,
    *,
    unit: str,
    axes: tuple[str, str],
) -> Iterator[Figure]:
    if not part.over_time:
        return
    what = "tracked objects" if part.setting == "tracked" else "ground-truth tracks"
    points = part.over_time
    yield _error(points, what, unit)
    if all(point.coverage_50 is not None for point in points):
        yield _coverage(points, what)
    if calibration is not None:
        yield _reliability(calibration, what, horizon_s, axes)


def _time_axis(points: Sequence[ErrorAtTime]) -> Axis:
    return axis_from_zero("Seconds ahead", [point.time_s for point in points])


def _error(points: Sequence[ErrorAtTime], what: str, unit: str) -> Figure:
    methods = list(points[-1].errors)
    lines = []
    for method in methods:
        name, look = _NAMES.get(method, (method, "baseline"))
        values = tuple((point.time_s, point.errors[method]) for point in points if method in point.errors)
        lines.append(Line(name, look, values, has_marks=look == "model"))
    last = points[-1]
    spoken = ", ".join(f"{one.name} {one.points[-1][1]:.2f} {unit}" for one in lines)
    return Figure(
        title=f"Error over time ahead, {what}",
        caption=(
            "Mean distance of the forecast from where the object was then. Best of K is chosen knowing the truth; grey "
            f"lines are baselines. {points[0].target_count:,} targets at {points[0].time_s:g} s, "
            f"{last.target_count:,} at {last.time_s:g} s."
        ),
        drawings=(
            line_chart(
                lines,
                _time_axis(points),
                axis_from_zero("Metres" if unit == "m" else "Pixels", [y for one in lines for _, y in one.points]),
                alternative=f"Error over time ahead of {what}; at {last.time_s:g} s: {spoken}.",
            ),
        ),
        scenes=("forecast",),
    )


def _coverage(points: Sequence[ErrorAtTime], what: str) -> Figure:
    inner = tuple((point.time_s, point.coverage_50 or 0.0) for point in points)
    outer = tuple((point.time_s, point.coverage_90 or 0.0) for point in points)
    ends = (points[0].time_s, points[-1].time_s)
    return Figure(
        title=f"Coverage over time ahead, {what}",
        caption=(
            "Share of targets inside the central 50 % and 90 % of the forecast; thin lines are what a calibrated "
            "forecast reaches. Below them the forecast is too sure of itself."
        ),
        drawings=(
            line_chart(
                [
                    *(Line("", "ideal", tuple((end, share) for end in ends)) for share in (0.5, 0.9)),
                    Line("90 %", "second", outer),
                    Line("50 %", "model", inner),
                ],
                _time_axis(points),
                share_axis("Targets inside, %"),
                alternative=(
                    f"Coverage over time ahead of {what}: the 50 % region holds {percent(inner[0][1], 0)} at "
                    f"{ends[0]:g} s and {percent(inner[-1][1], 0)} at {ends[1]:g} s, the 90 % region "
                    f"{percent(outer[0][1], 0)} and {percent(outer[-1][1], 0)}."
                ),
            ),
        ),
        scenes=("forecast",),
    )


def _reliability(found: Calibration, what: str, horizon_s: float, axes: tuple[str, str]) -> Figure:
    looks: tuple[Look, Look] = ("model", "second")
    lines = [
        Line(axis, look, tuple(zip(CENTRAL_SHARES, curve, strict=True)), has_marks=True)
        for axis, look, curve in zip(axes, looks, found.coverage, strict=True)
    ]
    spoken = "; ".join(
        f"{axis} {', '.join(percent(value, 0) for value in curve)}"
        for axis, curve in zip(axes, found.coverage, strict=True)
    )
    return Figure(
        title=f"Reliability at {horizon_s:g} s, {what}",
        caption=(
            "How much of the truth lies inside each central interval, over how much should. On the diagonal the "
            f"spreads are right. The most probable mode claims {percent(found.mode_confidence, 0)} and is the "
            f"nearest in {percent(found.mode_accuracy, 0)}."
        ),
        drawings=(
            line_chart(
                [Line("", "ideal", ((0.0, 0.0), (1.0, 1.0))), *lines],
                share_axis("Central interval, %"),
                share_axis("Truth inside, %"),
                alternative=f"Reliability at {horizon_s:g} s of {what}, inside the central 10 to 90 %: {spoken}.",
            ),
        ),
        scenes=("forecast",),
    )
