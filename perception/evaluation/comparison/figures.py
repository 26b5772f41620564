"""The figures of a report by name, for limits and comparisons."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from perception.evaluation.core.latency_statistics import LatencyScores
from perception.evaluation.core.records import HorizonScores
from perception.evaluation.detection.average_precision import DetectionScores
from perception.evaluation.forecasting.challenge import TopKScores
from perception.evaluation.forecasting.ground import GroundHorizonScores
from perception.evaluation.report.report import Report
from perception.evaluation.tracking.localization import LocalizationErrors
from perception.evaluation.tracking.mot_metrics import TrackingScores
from perception.taxonomy import CLASSES

Part = TypeVar("Part")
Read = Callable[[Report], float | None]


@dataclass(frozen=True)
class NamedFigure:
    """How a figure is read from a report, None where that does not have it, and which way is better."""

    read: Read
    lower_is_better: bool = False


def figures_of(report: Report) -> dict[str, float]:
    """All named figures that ``report`` has."""
    values = {name: figure.read(report) for name, figure in FIGURES.items()}
    return {name: float(value) for name, value in values.items() if value is not None}


def _all() -> Mapping[str, NamedFigure]:
    """Shares are 0 to 1; lengths, pixels and times have their unit in the name."""
    return {
        **_detection("", _first_detection),
        **_tracking("", _first_tracking),
        **{name: _of(_near, attribute, lower_is_better=True) for name, attribute in _POSITION.items()},
        **{name: figure for seconds in (1, 2, 3) for name, figure in _image_forecasts(seconds).items()},
        **{name: figure for seconds in (1, 2, 3, 4) for name, figure in _ground_forecasts(seconds).items()},
        **{name: figure for k in (1, 5, 6, 10) for name, figure in _challenge(k).items()},
        **{name: _of(_total, attribute, lower_is_better=True) for name, attribute in _TIMES.items()},
        **{
            name: figure
            for label in CLASSES
            for name, figure in (
                *_detection(f"_{label}", _detection_of(label)).items(),
                *_tracking(f"_{label}", _tracking_of(label)).items(),
            )
        },
    }


_DETECTION = {"ap": "ap", "ap50": "ap50", "ar": "ar", "precision": "precision", "recall": "recall"}
_TRACKING = {"hota": "hota", "deta": "det_a", "assa": "ass_a", "idf1": "idf1", "mota": "mota"}
_POSITION = {"position_m": "median_m", "position_share": "median_share"}
_TIMES = {"time_ms": "p50_ms", "mean_time_ms": "mean_ms"}


def _of(part: Callable[[Report], Part | None], attribute: str, *, lower_is_better: bool = False) -> NamedFigure:
    def read(report: Report) -> float | None:
        found = part(report)
        value: float | None = None if found is None else getattr(found, attribute)
        return value

    return NamedFigure(read, lower_is_better)


def _detection(suffix: str, part: Callable[[Report], DetectionScores | None]) -> dict[str, NamedFigure]:
    return {f"{name}{suffix}": _of(part, attribute) for name, attribute in _DETECTION.items()}


def _tracking(suffix: str, part: Callable[[Report], TrackingScores | None]) -> dict[str, NamedFigure]:
    return {
        **{f"{name}{suffix}": _of(part, attribute) for name, attribute in _TRACKING.items()},
        f"switches{suffix}": _of(part, "id_switch_count", lower_is_better=True),
    }


def _image_forecasts(seconds: int) -> dict[str, NamedFigure]:
    def horizon(report: Report) -> HorizonScores | None:
        return _at(report.forecasting[0].horizons, seconds) if report.forecasting else None

    return _forecasts(seconds, horizon, "px")


def _ground_forecasts(seconds: int) -> dict[str, NamedFigure]:
    def horizon(report: Report) -> GroundHorizonScores | None:
        ground = report.ground
        return _at(ground.forecasting[0].horizons, seconds) if ground is not None and ground.forecasting else None

    return _forecasts(seconds, horizon, "m")


Scores = TypeVar("Scores", HorizonScores, GroundHorizonScores)


def _at(horizons: Sequence[Scores], seconds: int) -> Scores | None:
    return next((scores for scores in horizons if scores.horizon_s == seconds and scores.target_count), None)


def _forecasts(
    seconds: int, horizon: Callable[[Report], HorizonScores | GroundHorizonScores | None], unit: str
) -> dict[str, NamedFigure]:
    """Errors of the one output and of the best of K, and the first over the best baseline."""

    def error(method: str, metric: str) -> Read:
        def read(report: Report) -> float | None:
            scores = horizon(report)
            errors = None if scores is None else getattr(scores, method)
            value: float | None = None if errors is None else getattr(errors, f"{metric}_{unit}")
            return value

        return read

    def ratio(metric: str) -> Read:
        def read(report: Report) -> float | None:
            scores = horizon(report)
            comparison = None if scores is None else getattr(scores, f"{metric}_comparison")
            value: float | None = None if comparison is None else comparison.ratio
            return value

        return read

    named = {
        f"{start}{metric}_{seconds}s_{unit}": error(method, metric)
        for start, method in (("", "expected"), ("min", "best_of_k"))
        for metric in ("ade", "fde")
    }
    ratios = {f"{metric}_{seconds}s_{unit}_ratio": ratio(metric) for metric in ("ade", "fde")}
    return {name: NamedFigure(read, lower_is_better=True) for name, read in (named | ratios).items()}


def _challenge(k: int) -> dict[str, NamedFigure]:
    """Of the best of the ``k`` most probable paths, in a challenge's file."""

    def scores(report: Report) -> TopKScores | None:
        return next((one for one in report.challenges[0].top_k if one.k == k), None) if report.challenges else None

    return {
        f"{name}_{k}{unit}": _of(scores, f"{name}{of}", lower_is_better=True)
        for name, unit, of in (
            ("min_ade", "_m", "_m"),
            ("min_fde", "_m", "_m"),
            ("miss_rate", "", ""),
            ("best_end_ade", "_m", "_m"),
            ("brier_min_fde", "_m", "_m"),
        )
    }


def _first_detection(report: Report) -> DetectionScores | None:
    return report.detection[0].overall if report.detection else None


def _first_tracking(report: Report) -> TrackingScores | None:
    """On the ground where the run is there, else in the image: as the summary."""
    reports = report.tracking if report.ground is None else report.ground.tracking
    return reports[0].overall if reports else None


def _detection_of(label: str) -> Callable[[Report], DetectionScores | None]:
    def read(report: Report) -> DetectionScores | None:
        return next((each.per_class.get(label) for each in report.detection if each.grouping == "each"), None)

    return read


def _tracking_of(label: str) -> Callable[[Report], TrackingScores | None]:
    def read(report: Report) -> TrackingScores | None:
        reports = report.tracking if report.ground is None else report.ground.tracking
        return next((each.per_class.get(label) for each in reports if each.grouping == "each"), None)

    return read


def _near(report: Report) -> LocalizationErrors | None:
    ground = report.ground
    return None if ground is None or ground.localization is None else ground.localization.near


def _total(report: Report) -> LatencyScores | None:
    return None if report.latency is None else report.latency.total


FIGURES: Mapping[str, NamedFigure] = _all()
"""By name. Those without a class are of the first report of each kind, which makes the summary."""
