"""The quality of a run in one place: for a file, and for people."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import numpy as np

from perception.evaluation.detection import DetectionReport
from perception.evaluation.forecast_types import ForecastingReport, HorizonScores
from perception.evaluation.latency import LatencyReport
from perception.evaluation.tracking import TrackingReport

HEADLINE_HORIZON_S = 2.0
"""The horizon that the summary speaks of, where it was reached."""


@dataclass(frozen=True)
class Report:
    """All that was measured; what was not is empty or None.

    ``detection`` and ``tracking`` may hold one report per way of counting classes, ``forecasting`` one per setting;
    the first of each makes the summary. ``title`` names the recording, ``notes`` are sentences on the ground truth.
    """

    title: str
    detection: tuple[DetectionReport, ...] = ()
    tracking: tuple[TrackingReport, ...] = ()
    forecasting: tuple[ForecastingReport, ...] = ()
    latency: LatencyReport | None = None
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain dicts, lists and numbers, None where a value is not defined (``json.dumps(..., allow_nan=False)``)."""
        plain: dict[str, Any] = _plain(self)
        return {"summary": self.summary(), **plain}

    def summary(self) -> str:
        """One sentence in plain language."""
        parts = [_detection_part(report) for report in self.detection[:1]]
        parts += [_tracking_part(report) for report in self.tracking[:1]]
        parts += [_forecasting_part(report) for report in self.forecasting[:1]]
        if self.latency is not None and self.latency.total is not None and self.latency.total.p50_ms > 0:
            parts.append(f"takes {self.latency.total.p50_ms:.0f} ms per instant")
        said = [part for part in parts if part]
        if not said:
            return "Nothing could be measured."
        listed = "; ".join(said)
        return f"{listed[0].upper()}{listed[1:]}."


def headline_horizon(report: ForecastingReport) -> HorizonScores | None:
    """The horizon for the summary: 2 s, else the longest one with a target."""
    scored = [scores for scores in report.horizons if scores.target_count > 0]
    wanted = [scores for scores in scored if scores.horizon_s == HEADLINE_HORIZON_S]
    if wanted:
        return wanted[0]
    return scored[-1] if scored else None


def _detection_part(report: DetectionReport) -> str:
    what = "vehicles" if report.classes == "vehicle" else "road users"
    scores = report.overall
    if scores.recall is None:
        return ""
    precise = f" ({scores.precision:.0%} of what it reports is right)" if scores.precision is not None else ""
    return f"finds {scores.recall:.0%} of the {what}{precise}"


def _tracking_part(report: TrackingReport) -> str:
    scores = report.overall
    if scores.idf1 is None:
        return ""
    return f"keeps the right identity on {scores.idf1:.0%} of the boxes (IDF1)"


def _forecasting_part(report: ForecastingReport) -> str:
    scores = headline_horizon(report)
    if scores is None or scores.fde_comparison is None or scores.expected is None:
        return ""
    comparison = scores.fde_comparison
    said = f"predicts positions {scores.horizon_s:g} s ahead to {scores.expected.fde_px:.1f} px"
    if comparison.is_worse and comparison.ratio is None:
        return f"{said}, where constant velocity is exact"
    if comparison.ratio is not None and comparison.is_better:
        return f"{said}, {1 - comparison.ratio:.0%} closer than constant velocity"
    if comparison.ratio is not None and comparison.is_worse:
        return f"{said}, {comparison.ratio - 1:.0%} farther off than constant velocity"
    return f"{said}, no clear difference from constant velocity"


def _plain(value: object) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {column.name: _plain(getattr(value, column.name)) for column in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value
