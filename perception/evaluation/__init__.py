"""Computes and presents the quality report: detection, tracking, forecasting, latency."""

from perception.evaluation.bootstrap import PairedComparison, compare_paired
from perception.evaluation.boxes import ImageKey, box_iou
from perception.evaluation.detection import DetectionReport, DetectionScores, evaluate_detection
from perception.evaluation.forecast_types import (
    Coverage,
    DisplacementErrors,
    ForecastingReport,
    ForecastRecord,
    HorizonScores,
)
from perception.evaluation.forecasting import evaluate_forecasts
from perception.evaluation.futures import constant_velocity_futures, kalman_velocity_futures
from perception.evaluation.latency import LatencyReport, LatencyScores, evaluate_latency
from perception.evaluation.printing import print_report
from perception.evaluation.report import Report
from perception.evaluation.tracking import TrackingReport, TrackingScores, evaluate_tracking

__all__ = [
    "Coverage",
    "DetectionReport",
    "DetectionScores",
    "DisplacementErrors",
    "ForecastRecord",
    "ForecastingReport",
    "HorizonScores",
    "ImageKey",
    "LatencyReport",
    "LatencyScores",
    "PairedComparison",
    "Report",
    "TrackingReport",
    "TrackingScores",
    "box_iou",
    "compare_paired",
    "constant_velocity_futures",
    "evaluate_detection",
    "evaluate_forecasts",
    "evaluate_latency",
    "evaluate_tracking",
    "kalman_velocity_futures",
    "print_report",
]
