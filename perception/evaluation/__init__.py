"""Computes and presents the quality report: detection, tracking, positions, forecasting, latency."""

from perception.evaluation.core.bootstrap import PairedComparison, compare_paired
from perception.evaluation.core.boxes import ImageKey
from perception.evaluation.core.ground_truth import GroundScope, GroundTable
from perception.evaluation.core.gt_interpolation import constant_velocity_futures, kalman_velocity_futures
from perception.evaluation.core.gt_tracks_image import true_tracks
from perception.evaluation.core.image_dataset import DatasetImage, ImageDataset, read_image_dataset
from perception.evaluation.core.latency import LatencyReport, LatencyScores, evaluate_latency
from perception.evaluation.core.records import (
    Coverage,
    DisplacementErrors,
    ForecastingReport,
    ForecastRecord,
    HorizonScores,
)
from perception.evaluation.core.run_tables import RunRecorder, RunTables, join_tables
from perception.evaluation.core.timeline import Timeline
from perception.evaluation.detection.average_precision import DetectionReport, DetectionScores, evaluate_detection
from perception.evaluation.failures.gallery import FailureEntry
from perception.evaluation.failures.recall_breakdown import RecallBreakdown
from perception.evaluation.forecasting.ground import (
    GroundCoverage,
    GroundErrors,
    GroundForecastingReport,
    GroundHorizonScores,
    evaluate_ground_forecasts,
)
from perception.evaluation.forecasting.image import evaluate_forecasts
from perception.evaluation.forecasting.online_error import Hindsight
from perception.evaluation.report.console import print_report
from perception.evaluation.report.evaluate import Measures, evaluate_groupings, evaluate_run, evaluate_runs
from perception.evaluation.report.evaluate_ground import GroundReport, evaluate_ground
from perception.evaluation.report.failure_analysis import FailureStudy, study_images, study_run, with_failures
from perception.evaluation.report.report import RecordingFigures, Report
from perception.evaluation.runs.evaluated_run import MeasuredRun
from perception.evaluation.runs.run_images import detect_images
from perception.evaluation.tracking.cross_camera_identity import HandoverReport, evaluate_handover
from perception.evaluation.tracking.ground import GroundTrackingReport, evaluate_ground_tracking
from perception.evaluation.tracking.gt_track_matching import Sighted, match_sightings
from perception.evaluation.tracking.image import TrackingReport, evaluate_tracking
from perception.evaluation.tracking.localization import PositionErrors, PositionReport, evaluate_positions
from perception.evaluation.tracking.mot_metrics import TrackingScores

__all__ = [
    "Coverage",
    "DatasetImage",
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
    "ImageDataset",
    "ImageKey",
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
    "read_image_dataset",
    "study_images",
    "study_run",
    "true_tracks",
    "with_failures",
]
