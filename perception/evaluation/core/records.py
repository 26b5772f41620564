"""What goes into the evaluation of forecasts, and what comes out of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from perception.arrays import FloatArray, IntArray
from perception.evaluation.core.bootstrap import PairedComparison
from perception.evaluation.core.calibration import Calibration
from perception.types import EgoMotions, Forecasts, Tracks

Setting = Literal["tracked", "ground-truth tracks"]

MOVING_M = 1.0
"""An object on the ground is a moving one that is truly further away than this at the horizon."""

MOVING_WIDTHS = 0.5
"""In the image it is one whose centre is then further away than this many widths of its box."""


@dataclass(frozen=True)
class InstantForecasts:
    """What was known and forecast at one instant.

    N tracks: ``track_ids`` (N,), ``boxes_xyxy_px`` (N, 4), ``cameras`` (N,), ``image_sizes_px`` (N, 2) width and
    height; ``state_means`` (N, 8) are the tracker's filter states where there are any, in the frame of ``Tracks``.
    ``forecasts`` may miss some of the tracks. ``detected_cameras`` are those that the detector looked at, None where it
    looked at all. ``ego_motions`` say how the cameras moved, as far as the run knew.
    """

    frame_index: int
    timestamp_ns: int
    track_ids: IntArray
    boxes_xyxy_px: FloatArray
    cameras: NDArray[np.str_]
    image_sizes_px: IntArray
    forecasts: Forecasts
    state_means: FloatArray | None = None
    detected_cameras: tuple[str, ...] | None = None
    ego_motions: EgoMotions = field(default_factory=dict)

    def __post_init__(self) -> None:
        count = len(self.track_ids)
        shapes = {"boxes_xyxy_px": (count, 4), "cameras": (count,), "image_sizes_px": (count, 2)}
        for name, shape in shapes.items():
            if getattr(self, name).shape != shape:
                raise ValueError(f"InstantForecasts.{name}: expected shape {shape}, got {getattr(self, name).shape}")
        if self.state_means is not None and self.state_means.shape != (count, 8):
            raise ValueError(f"InstantForecasts.state_means: expected shape ({count}, 8), got {self.state_means.shape}")
        if not np.isin(self.forecasts.track_ids, self.track_ids).all():
            raise ValueError("InstantForecasts.forecasts: expected forecasts of the record's tracks, got another id")

    @classmethod
    def from_tracks(
        cls,
        *,
        frame_index: int,
        timestamp_ns: int,
        tracks: Tracks,
        forecasts: Forecasts,
        detected_cameras: tuple[str, ...] | None = None,
        ego_motions: EgoMotions | None = None,
    ) -> InstantForecasts:
        """The record of one pipeline step."""
        return cls(
            frame_index=frame_index,
            timestamp_ns=timestamp_ns,
            track_ids=tracks.ids,
            boxes_xyxy_px=tracks.boxes_xyxy_px,
            cameras=tracks.cameras,
            image_sizes_px=tracks.image_sizes_px,
            forecasts=forecasts,
            state_means=tracks.means if tracks.means.shape[1] == 8 else None,
            detected_cameras=detected_cameras,
            ego_motions=ego_motions or {},
        )


@dataclass(frozen=True)
class ImageAdeFde:
    """Mean errors of the box centre, in pixels and as a share of the image's width."""

    ade_px: float
    fde_px: float
    ade_per_width: float
    fde_per_width: float


@dataclass(frozen=True)
class ErrorAtTime:
    """One point of the curves over the time ahead, at a step of the forecasts themselves.

    ``errors`` has the mean distance at that time by method, in pixels or metres; ``coverage_50`` and ``coverage_90``
    are the means over both axes, None where a forecast claims no spread.
    """

    time_s: float
    target_count: int
    errors: dict[str, float]
    coverage_50: float | None
    coverage_90: float | None


@dataclass(frozen=True)
class WorstForecast:
    """The forecast of a true object that ended farthest from it: of which track, made at which instant.

    ``error`` is the distance at ``horizon_s``, in pixels or metres. ``recording`` names one of several recordings.
    """

    instant: int
    track_id: int
    horizon_s: float
    error: float
    recording: str | None = None


@dataclass(frozen=True)
class ImageCoverage:
    """Shares of targets inside the central 50 % and 90 % of the forecast mixture, per image axis.

    Calibrated standard deviations give 0.5 and 0.9; less is overconfident, more is underconfident.
    """

    x_50: float
    x_90: float
    y_50: float
    y_90: float


@dataclass(frozen=True)
class HorizonScores:
    """All methods on the same ``target_count`` targets (track and instant) of ``object_count`` true objects.

    ``expected`` is the forecaster's one output. ``baselines`` are predictions that need no training, by name; the
    comparisons set ``expected`` and ``best_of_k`` against the best of them for that metric, ``ade_baseline`` and
    ``fde_baseline``. Differences are in pixels. Scores are None without targets.
    """

    horizon_s: float
    target_count: int
    object_count: int
    without_future_count: int
    expected: ImageAdeFde | None = None
    best_of_k: ImageAdeFde | None = None
    baselines: Mapping[str, ImageAdeFde] = field(default_factory=dict)
    ade_baseline: str | None = None
    fde_baseline: str | None = None
    ade_comparison: PairedComparison | None = None
    fde_comparison: PairedComparison | None = None
    best_ade_comparison: PairedComparison | None = None
    best_fde_comparison: PairedComparison | None = None
    coverage: ImageCoverage | None = None
    calibration: Calibration | None = None


@dataclass(frozen=True)
class ForecastingReport:
    """``horizons`` over all targets, ``moving_horizons`` and ``standing_horizons`` over those that truly moved or not.

    ``track_count`` tracks were seen over all instants, one count per instant. Those without a forecast, without a
    true object, and at first sight (where no velocity exists) are not scored; the others are candidates.

    ``truth_count`` true boxes stood at those instants, ``truth_matched_count`` of them had a track. ``over_time`` are
    the errors at the forecasts' own steps, ``worst`` the largest of different objects.
    """

    setting: Setting
    horizons: tuple[HorizonScores, ...]
    moving_horizons: tuple[HorizonScores, ...]
    standing_horizons: tuple[HorizonScores, ...]
    future_count: int
    instant_count: int
    track_count: int
    without_forecast_count: int
    unmatched_count: int
    first_sight_count: int
    candidate_count: int
    truth_count: int
    truth_matched_count: int
    unreached_horizons_s: tuple[float, ...]
    over_time: tuple[ErrorAtTime, ...] = ()
    worst: tuple[WorstForecast, ...] = ()
