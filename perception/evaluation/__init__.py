"""Computes and presents the quality report: detection, tracking, positions, forecasting, latency."""

from perception.evaluation.bootstrap import PairedComparison, compare_paired
from perception.evaluation.boxes import ImageKey, box_iou
from perception.evaluation.detection import DetectionReport, DetectionScores, evaluate_detection
from perception.evaluation.failure_album import FailureEntry
from perception.evaluation.failure_study import FailureStudy, study_images, study_run, with_failures
from perception.evaluation.forecast_types import (
    Coverage,
    DisplacementErrors,
    ForecastingReport,
    ForecastRecord,
    HorizonScores,
)
from perception.evaluation.forecasting import evaluate_forecasts
from perception.evaluation.futures import constant_velocity_futures, kalman_velocity_futures
from perception.evaluation.ground import GroundScope, GroundTable
from perception.evaluation.ground_forecasting import (
    GroundCoverage,
    GroundErrors,
    GroundForecastingReport,
    GroundHorizonScores,
    evaluate_ground_forecasts,
)
from perception.evaluation.ground_run import GroundReport, evaluate_ground
from perception.evaluation.ground_tracking import GroundTrackingReport, evaluate_ground_tracking
from perception.evaluation.handover import HandoverReport, evaluate_handover
from perception.evaluation.hindsight import Hindsight
from perception.evaluation.image_run import detect_images
from perception.evaluation.labelled_images import LabelledImage, LabelledImages, read_labelled_images
from perception.evaluation.latency import LatencyReport, LatencyScores, evaluate_latency
from perception.evaluation.measured import MeasuredRun
from perception.evaluation.positions import PositionErrors, PositionReport, evaluate_positions
from perception.evaluation.printing import print_report
from perception.evaluation.recall_breakdown import RecallBreakdown
from perception.evaluation.recorder import RunRecorder, RunTables, join_tables
from perception.evaluation.report import RecordingFigures, Report
from perception.evaluation.run import Measures, evaluate_groupings, evaluate_run, evaluate_runs
from perception.evaluation.sightings import Sighted, match_sightings
from perception.evaluation.timeline import Timeline
from perception.evaluation.tracking import TrackingReport, evaluate_tracking
from perception.evaluation.tracking_counts import TrackingScores
from perception.evaluation.true_tracks import true_tracks

__all__ = [
    "Coverage",
    "DetectionReport",
    "DetectionScores",
    "DisplacementErrors",
    "FailureEntry",
    "FailureStudy",
    "ForecastRecord",
    "ForecastingReport",
    "GroundCoverage",
    "GroundErrors",
    "GroundForecastingReport",
    "GroundHorizonScores",
    "GroundReport",
    "GroundScope",
    "GroundTable",
    "GroundTrackingReport",
    "HandoverReport",
    "Hindsight",
    "HorizonScores",
    "ImageKey",
    "LabelledImage",
    "LabelledImages",
    "LatencyReport",
    "LatencyScores",
    "MeasuredRun",
    "Measures",
    "PairedComparison",
    "PositionErrors",
    "PositionReport",
    "RecallBreakdown",
    "RecordingFigures",
    "Report",
    "RunRecorder",
    "RunTables",
    "Sighted",
    "Timeline",
    "TrackingReport",
    "TrackingScores",
    "box_iou",
    "compare_paired",
    "constant_velocity_futures",
    "detect_images",
    "evaluate_detection",
    "evaluate_forecasts",
    "evaluate_ground",
    "evaluate_ground_forecasts",
    "evaluate_ground_tracking",
    "evaluate_groupings",
    "evaluate_handover",
    "evaluate_latency",
    "evaluate_positions",
    "evaluate_run",
    "evaluate_runs",
    "evaluate_tracking",
    "join_tables",
    "kalman_velocity_futures",
    "match_sightings",
    "print_report",
    "read_labelled_images",
    "study_images",
    "study_run",
    "true_tracks",
    "with_failures",
]
