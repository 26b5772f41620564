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
from perception.evaluation.image_run import detect_images
from perception.evaluation.labelled_images import LabelledImage, LabelledImages, read_labelled_images
from perception.evaluation.latency import LatencyReport, LatencyScores, evaluate_latency
from perception.evaluation.printing import print_report
from perception.evaluation.report import Report
from perception.evaluation.run import RunRecorder, RunTables, evaluate_groupings, evaluate_run, join_tables
from perception.evaluation.timeline import Timeline
from perception.evaluation.tracking import TrackingReport, TrackingScores, evaluate_tracking
from perception.evaluation.true_tracks import true_tracks

__all__ = [
    "Coverage",
    "DetectionReport",
    "DetectionScores",
    "DisplacementErrors",
    "ForecastRecord",
    "ForecastingReport",
    "HorizonScores",
    "ImageKey",
    "LabelledImage",
    "LabelledImages",
    "LatencyReport",
    "LatencyScores",
    "PairedComparison",
    "Report",
    "RunRecorder",
    "RunTables",
    "Timeline",
    "TrackingReport",
    "TrackingScores",
    "box_iou",
    "compare_paired",
    "constant_velocity_futures",
    "detect_images",
    "evaluate_detection",
    "evaluate_forecasts",
    "evaluate_groupings",
    "evaluate_latency",
    "evaluate_run",
    "evaluate_tracking",
    "join_tables",
    "kalman_velocity_futures",
    "print_report",
    "read_labelled_images",
    "true_tracks",
]
