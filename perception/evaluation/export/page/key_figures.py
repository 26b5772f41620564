"""The few figures at the head of the page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from perception.errors import counted
from perception.evaluation.core.bootstrap import PairedComparison
from perception.evaluation.report.report import Report, ground_headline_horizon, headline_horizon


@dataclass(frozen=True)
class KeyFigure:
    """``text`` with its ``unit``, what it is called, a line on it, and the ``value`` at ``path`` in the report."""

    name: str
    text: str
    unit: str
    note: str
    value: float
    path: str


def key_figures(report: Report) -> list[KeyFigure]:
    """At most one of each kind, in the order of the pipeline; what is not defined is left out."""
    return [*_detection(report), *_tracking(report), *_position(report), *_forecast(report), *_latency(report)]


def _detection(report: Report) -> Iterator[KeyFigure]:
    for part in report.detection[:1]:
        scores, path = part.overall, "detection.0.overall"
        what = "vehicles" if part.grouping == "vehicles" else "all classes"
        operating = f"{what}, score ≥ {part.score_threshold:g}"
        if scores.recall is not None:
            yield _share("Recall", scores.recall, operating, f"{path}.recall")
        if scores.precision is not None:
            yield _share("Precision", scores.precision, operating, f"{path}.precision")
        if scores.ap50 is not None:
            yield _share("AP50", scores.ap50, f"{what}, {counted(scores.truth_count, 'object')}", f"{path}.ap50")


def _tracking(report: Report) -> Iterator[KeyFigure]:
    on_ground = report.ground is not None
    parts = report.ground.tracking if report.ground is not None else report.tracking
    path = f"{'ground.' if on_ground else ''}tracking.0.overall"
    where = "on the ground, all cameras" if on_ground else "in the image"
    for part in parts[:1]:
        if part.overall.hota is not None:
            yield _share("HOTA", part.overall.hota, where, f"{path}.hota")
        if part.overall.idf1 is not None:
            yield _share("IDF1", part.overall.idf1, where, f"{path}.idf1")


def _position(report: Report) -> Iterator[KeyFigure]:
    found = None if report.ground is None else report.ground.localization
    near = None if found is None else found.near
    if near is not None and near.median_m is not None:
        note = f"median, nearer than {near.farthest_m:g} m"
        yield KeyFigure(
            "Position error", f"{near.median_m:.2f}", "m", note, near.median_m, "ground.localization.near.median_m"
        )


def _forecast(report: Report) -> Iterator[KeyFigure]:
    if report.ground is not None:
        for on_ground in report.ground.forecasting[:1]:
            ground_scores = ground_headline_horizon(on_ground.horizons)
            if ground_scores is not None and ground_scores.expected is not None:
                path = f"ground.forecasting.0.horizons.{on_ground.horizons.index(ground_scores)}.expected.fde_m"
                fde_m, against = ground_scores.expected.fde_m, _against(ground_scores.fde_comparison)
                yield KeyFigure(f"Error after {ground_scores.horizon_s:g} s", f"{fde_m:.2f}", "m", against, fde_m, path)
        return
    for in_image in report.forecasting[:1]:
        scores = headline_horizon(in_image)
        if scores is not None and scores.expected is not None:
            path = f"forecasting.0.horizons.{in_image.horizons.index(scores)}.expected.fde_px"
            fde_px, against = scores.expected.fde_px, _against(scores.fde_comparison)
            yield KeyFigure(f"Error after {scores.horizon_s:g} s", f"{fde_px:.1f}", "px", against, fde_px, path)


def _latency(report: Report) -> Iterator[KeyFigure]:
    if report.latency is not None and report.latency.total is not None:
        total = report.latency.total
        note = f"median per instant, 95 % within {total.p95_ms:,.0f} ms"
        yield KeyFigure("Time", f"{total.p50_ms:,.0f}", "ms", note, total.p50_ms, "latency.total.p50_ms")


def _share(name: str, value: float, note: str, path: str) -> KeyFigure:
    return KeyFigure(name, f"{100 * value:.1f}", "%", note, value, path)


def _against(comparison: PairedComparison | None) -> str:
    if comparison is None or comparison.ratio is None:
        return "mean distance from the truth"
    return f"{comparison.ratio:.2f} × that of the best baseline"
