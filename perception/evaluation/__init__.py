"""Computes and presents the quality report: detection, tracking, localization, forecasting, latency.

The names here are what a user needs to evaluate a run; all else is imported from its own module.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from perception.evaluation.core.run_tables import RunRecorder, RunTables
    from perception.evaluation.core.timeline import Timeline
    from perception.evaluation.detection.average_precision import evaluate_detection
    from perception.evaluation.report.console import print_report
    from perception.evaluation.report.count import EvalConfig
    from perception.evaluation.report.evaluate import evaluate_run
    from perception.evaluation.report.report import Report
    from perception.evaluation.runs.evaluated_run import EvaluatedRun
    from perception.evaluation.tracking.image import evaluate_tracking

__all__ = [
    "EvalConfig",
    "EvaluatedRun",
    "Report",
    "RunRecorder",
    "RunTables",
    "Timeline",
    "evaluate_detection",
    "evaluate_run",
    "evaluate_tracking",
    "print_report",
]

_MODULES = {
    "core.run_tables": ("RunRecorder", "RunTables"),
    "core.timeline": ("Timeline",),
    "detection.average_precision": ("evaluate_detection",),
    "report.console": ("print_report",),
    "report.count": ("EvalConfig",),
    "report.evaluate": ("evaluate_run",),
    "report.report": ("Report",),
    "runs.evaluated_run": ("EvaluatedRun",),
    "tracking.image": ("evaluate_tracking",),
}


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is asked for: a run without ground truth needs no COCO evaluation."""
    for module, names in _MODULES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
