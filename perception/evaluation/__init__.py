"""Computes and presents the quality report: detection, tracking, positions, forecasting, latency."""

from perception.evaluation.core.bootstrap import PairedComparison, compare_paired
from perception.evaluation.core.boxes import ImageKey
from perception.evaluation.core.ground_truth import GroundScope, GroundTable
from perception.evaluation.core.gt_interpolation import kalman_velocity_paths, last_difference_paths
from perception.evaluation.core.gt_tracks_image import gt_tracks
from perception.evaluation.core.image_dataset import DatasetImage, ImageDataset, read_image_dataset
from perception.evaluation.core.latency import LatencyReport, LatencyScores, evaluate_latency
from perception.evaluation.core.records import (
    Coverage,
    ForecastingReport,
    HorizonScores,
    ImageAdeFde,
    InstantForecasts,
)
from perception.evaluation.core.run_tables import RunRecorder, RunTables, join_tables
from perception.evaluation.core.timeline import Timeline
from perception.evaluation.detection.average_precision import DetectionReport, DetectionScores, evaluate_detection
from perception.evaluation.failures.gallery import FailureEntry
from perception.evaluation.failures.recall_breakdown import RecallBreakdown
from perception.evaluation.forecasting.ground import (
    GroundAdeFde,
    GroundCoverage,
    GroundForecastingReport,
    GroundHorizonScores,
    evaluate_ground_forecasts,
)
from perception.evaluation.forecasting.image import evaluate_forecasts
from perception.evaluation.forecasting.online_error import OnlineError
from perception.evaluation.report.console import print_report
from perception.evaluation.report.evaluate import EvalConfig, evaluate_groupings, evaluate_run, evaluate_runs
from perception.evaluation.report.evaluate_ground import GroundReport, evaluate_ground
from perception.evaluation.report.failure_analysis import (
    FailureAnalysis,
    analyse_image_failures,
    analyse_run_failures,
    with_failures,
)
from perception.evaluation.report.report import RecordingFigures, Report
from perception.evaluation.runs.evaluated_run import EvaluatedRun
from perception.evaluation.runs.run_images import detect_images
from perception.evaluation.tracking.cross_camera_identity import (
    CrossCameraIdentityReport,
    evaluate_cross_camera_identity,
)
from perception.evaluation.tracking.ground import GroundTrackingReport, evaluate_ground_tracking
from perception.evaluation.tracking.gt_track_matching import GtTrackMatches, match_gt_tracks
from perception.evaluation.tracking.image import TrackingReport, evaluate_tracking
from perception.evaluation.tracking.localization import LocalizationErrors, LocalizationReport, evaluate_localization
from perception.evaluation.tracking.mot_metrics import TrackingScores

__all__ = [
    "Coverage",
    "CrossCameraIdentityReport",
    "DatasetImage",
    "DetectionReport",
    "DetectionScores",
    "EvalConfig",
    "EvaluatedRun",
    "FailureAnalysis",
    "FailureEntry",
    "ForecastingReport",
    "GroundAdeFde",
    "GroundCoverage",
    "GroundForecastingReport",
    "GroundHorizonScores",
    "GroundReport",
    "GroundScope",
    "GroundTable",
    "GroundTrackingReport",
    "GtTrackMatches",
    "HorizonScores",
    "ImageAdeFde",
    "ImageDataset",
    "ImageKey",
    "InstantForecasts",
    "LatencyReport",
    "LatencyScores",
    "LocalizationErrors",
    "LocalizationReport",
    "OnlineError",
    "PairedComparison",
    "RecallBreakdown",
    "RecordingFigures",
    "Report",
    "RunRecorder",
    "RunTables",
    "Timeline",
    "TrackingReport",
    "TrackingScores",
    "analyse_image_failures",
    "analyse_run_failures",
    "compare_paired",
    "detect_images",
    "evaluate_cross_camera_identity",
    "evaluate_detection",
    "evaluate_forecasts",
    "evaluate_ground",
    "evaluate_ground_forecasts",
    "evaluate_ground_tracking",
    "evaluate_groupings",
    "evaluate_latency",
    "evaluate_localization",
    "evaluate_run",
    "evaluate_runs",
    "evaluate_tracking",
    "gt_tracks",
    "join_tables",
    "kalman_velocity_paths",
    "last_difference_paths",
    "match_gt_tracks",
    "print_report",
    "read_image_dataset",
    "with_failures",
]
