"""The quality of a run as JSON and as one line; ``console.py`` has the tables, ``runtime/run_metadata.py`` the file."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

import numpy as np

from perception.evaluation.core.latency_statistics import LatencyReport
from perception.evaluation.core.records import ForecastingReport, HorizonScores
from perception.evaluation.detection.average_precision import DetectionReport
from perception.evaluation.detection.confusion import ConfusionMatrix
from perception.evaluation.failures.gallery import FailureEntry
from perception.evaluation.failures.recall_breakdown import RecallBreakdown
from perception.evaluation.failures.scenes import SceneEntry
from perception.evaluation.forecasting.challenge import ChallengeReport
from perception.evaluation.forecasting.ground import GroundForecastingReport, GroundHorizonScores
from perception.evaluation.report.evaluate_ground import GroundReport
from perception.evaluation.tracking.ego_motion import EgoMotionReport
from perception.evaluation.tracking.ground import GroundTrackingReport
from perception.evaluation.tracking.image import TrackingReport
from perception.evaluation.tracking.localization import LocalizationReport

HEADLINE_HORIZON_S = 2.0
"""The horizon that the summary speaks of in the image, where it was reached."""

GROUND_HEADLINE_HORIZON_S = 3.0
"""The same on the ground."""


@dataclass(frozen=True)
class RecordingFigures:
    """The headline figures of one of several recordings, None where they are not defined.

    ``hota`` and ``idf1`` are of the ground frame for a run there, else of the image; ``position_share`` is the median
    error over the distance nearer than 40 m; ``fde_ratio`` and ``best_fde_ratio`` are the expected and the best future
    over the best baseline at the headline horizon.
    """

    title: str
    instant_count: int
    ap50: float | None
    hota: float | None
    idf1: float | None
    position_share: float | None
    fde_ratio: float | None
    best_fde_ratio: float | None


@dataclass(frozen=True)
class Report:
    """All that was measured; what was not is empty or None.

    ``detection`` and ``tracking`` may hold one report per way of counting classes, ``forecasting`` one per setting;
    the first of each makes the summary. ``ground`` holds what was measured in metres, across cameras, ``challenges``
    the figures of public forecasting challenges, of files made for them. ``title`` names the recording, ``recordings``
    are the parts where it is several, ``spread`` is the standard deviation over these of each headline figure that two
    of them have, ``notes`` are sentences on the ground truth. ``breakdown`` is the recall by conditions, ``failures``
    lists the pictures of the worst failures, ``scenes`` the frames that are worth looking at, ``confusion`` states
    which class was taken for which. ``ego_motion`` compares the cameras' motion in the pictures with the poses.
    """

    title: str
    detection: tuple[DetectionReport, ...] = ()
    tracking: tuple[TrackingReport, ...] = ()
    ground: GroundReport | None = None
    forecasting: tuple[ForecastingReport, ...] = ()
    challenges: tuple[ChallengeReport, ...] = ()
    recordings: tuple[RecordingFigures, ...] = ()
    spread: Mapping[str, float] = field(default_factory=dict)
    latency: LatencyReport | None = None
    ego_motion: EgoMotionReport | None = None
    notes: tuple[str, ...] = ()
    breakdown: RecallBreakdown | None = None
    confusion: ConfusionMatrix | None = None
    scenes: tuple[SceneEntry, ...] = ()
    failures: tuple[FailureEntry, ...] = ()

    @property
    def has_truth(self) -> bool:
        """Whether anything was compared with ground truth."""
        return bool(self.detection or self.tracking or self.forecasting or self.challenges or self.ground)

    def to_json(self) -> dict[str, Any]:
        """Plain dicts, lists and numbers, None where a value is not defined (``json.dumps(..., allow_nan=False)``)."""
        plain: dict[str, Any] = _plain(self)
        return {"summary": self.summary(), **plain}

    def summary(self) -> str:
        """One sentence in plain language."""
        parts = [_detection_part(report) for report in self.detection[:1]]
        if self.ground is None:
            parts += [_tracking_part(report) for report in self.tracking[:1]]
        else:
            parts += [_ground_tracking_part(report) for report in self.ground.tracking[:1]]
            if self.ground.localization is not None:
                parts.append(_position_part(self.ground.localization))
            parts += [_ground_forecasting_part(report) for report in self.ground.forecasting[:1]]
        parts += [_forecasting_part(report) for report in self.forecasting[:1]]
        parts += [_challenge_part(report) for report in self.challenges[:1]]
        if self.latency is not None and self.latency.total is not None and self.latency.total.p50_ms > 0:
            parts.append(f"takes {self.latency.total} per instant")
        clauses = [part for part in parts if part]
        if not clauses:
            return "Nothing could be evaluated."
        listed = "; ".join(clauses)
        return f"{listed[0].upper()}{listed[1:]}."


def headline_horizon(report: ForecastingReport) -> HorizonScores | None:
    """The horizon for the summary: 2 s, else the longest one with a target."""
    scored = [scores for scores in report.horizons if scores.target_count > 0]
    wanted = [scores for scores in scored if scores.horizon_s == HEADLINE_HORIZON_S]
    best = wanted or scored[-1:]
    return best[0] if best else None


def ground_headline_horizon(horizons: Sequence[GroundHorizonScores]) -> GroundHorizonScores | None:
    """The horizon for the summary: 3 s, else the longest one with a target."""
    scored = [scores for scores in horizons if scores.target_count > 0]
    wanted = [scores for scores in scored if scores.horizon_s == GROUND_HEADLINE_HORIZON_S]
    best = wanted or scored[-1:]
    return best[0] if best else None


def headline_figures(report: Report) -> RecordingFigures:
    """What one line reports of a recording, from the first report of each kind."""
    ground = report.ground
    tracking = (report.tracking if ground is None else ground.tracking)[:1]
    if ground is not None:
        scores = [ground_headline_horizon(forecasting.horizons) for forecasting in ground.forecasting[:1]]
        comparisons = [(part.fde_comparison, part.best_fde_comparison) for part in scores if part is not None]
    else:
        in_image = [headline_horizon(forecasting) for forecasting in report.forecasting[:1]]
        comparisons = [(part.fde_comparison, part.best_fde_comparison) for part in in_image if part is not None]
    expected, best = comparisons[0] if comparisons else (None, None)
    counts = [part.instant_count for part in (ground.forecasting if ground is not None else report.forecasting)]
    # Predictions without forecasts are of each picture.
    if not counts:
        counts = [part.instant_count for part in (() if ground is None else ground.tracking)]
        counts += [part.image_count for part in report.tracking] + [part.image_count for part in report.detection]
    return RecordingFigures(
        title=report.title,
        instant_count=max(counts, default=0),
        ap50=report.detection[0].overall.ap50 if report.detection else None,
        hota=tracking[0].overall.hota if tracking else None,
        idf1=tracking[0].overall.idf1 if tracking else None,
        position_share=None if ground is None or ground.localization is None else ground.localization.near.median_share,
        fde_ratio=expected.ratio if expected is not None else None,
        best_fde_ratio=best.ratio if best is not None else None,
    )


def recording_spread(recordings: Sequence[RecordingFigures]) -> dict[str, float]:
    """The standard deviation (with n - 1) over ``recordings`` of each figure that two of them at least have."""
    spread = {}
    for column in fields(RecordingFigures)[2:]:
        values = [value for one in recordings if (value := getattr(one, column.name)) is not None]
        if len(values) > 1:
            spread[column.name] = float(np.std(values, ddof=1))
    return spread


def _detection_part(report: DetectionReport) -> str:
    what = "vehicles" if report.grouping == "vehicles" else "road users"
    scores = report.overall
    if scores.recall is None:
        return ""
    precise = f" ({scores.precision:.0%} of what it reports is right)" if scores.precision is not None else ""
    limits = [
        *([f"at least {report.min_height_px:g} px high"] if report.min_height_px else []),
        *([f"at least {report.min_visible_share:.0%} visible"] if report.min_visible_share else []),
    ]
    which = f" that are {' and '.join(limits)}" if limits else ""
    return f"finds {scores.recall:.0%} of the {what}{which}{precise}"


def _tracking_part(report: TrackingReport) -> str:
    scores = report.overall
    if scores.idf1 is None:
        return ""
    return f"keeps the right identity on {scores.idf1:.0%} of the boxes (IDF1)"


def _ground_tracking_part(report: GroundTrackingReport) -> str:
    idf1 = report.overall.idf1
    return "" if idf1 is None else f"keeps the right identity across all cameras on {idf1:.0%} of the objects (IDF1)"


def _position_part(report: LocalizationReport) -> str:
    near = report.near
    if near.median_m is None or near.median_share is None:
        return ""
    return (
        f"locates what is nearer than {near.farthest_m:g} m to {near.median_m:.2f} m, {near.median_share:.1%} of the "
        "distance (median)"
    )


def _forecasting_part(report: ForecastingReport) -> str:
    scores = headline_horizon(report)
    if scores is None or scores.expected is None or scores.best_of_k is None:
        return ""
    errors = (f"{scores.expected.fde_px:.1f} px", f"{scores.best_of_k.fde_px:.1f} px")
    return _prediction(scores, errors, report.future_count)


def _ground_forecasting_part(report: GroundForecastingReport) -> str:
    scores = ground_headline_horizon(report.horizons)
    if scores is None or scores.expected is None or scores.best_of_k is None:
        return ""
    errors = (f"{scores.expected.fde_m:.2f} m", f"{scores.best_of_k.fde_m:.2f} m")
    return _prediction(scores, errors, report.future_count)


def _challenge_part(report: ChallengeReport) -> str:
    if not report.top_k:
        return ""
    first, last = report.top_k[0], report.top_k[-1]
    errors = (f"{first.min_fde_m:.2f} m", f"{last.min_fde_m:.2f} m")
    return _prediction(report, errors, min(last.k, report.future_count))


def _prediction(
    scores: HorizonScores | GroundHorizonScores | ChallengeReport, errors: tuple[str, str], future_count: int
) -> str:
    """``errors`` are those of the one output and of the best of K futures, which never stands alone."""
    comparison, baseline = scores.fde_comparison, f"the best baseline ({scores.fde_baseline})"
    if comparison is None:
        return ""
    expected, best = errors
    best_of_k = f" (best of {future_count} futures: {best})" if future_count > 1 else ""
    clause = f"predicts positions {scores.horizon_s:g} s ahead to {expected}{best_of_k}"
    if comparison.is_worse and comparison.ratio is None:
        return f"{clause}, where {baseline} is exact"
    if comparison.ratio is not None and comparison.is_better:
        return f"{clause}, {1 - comparison.ratio:.0%} closer than {baseline}"
    if comparison.ratio is not None and comparison.is_worse:
        return f"{clause}, {comparison.ratio - 1:.0%} farther off than {baseline}"
    return f"{clause}, no clear difference from {baseline}"


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
