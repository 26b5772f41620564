"""What a user may choose about tracking on the ground."""

from __future__ import annotations

from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat

from perception.tracking.common.settings import LifeSettings
from perception.tracking.ground.lifting import LiftingNoise
from perception.tracking.ground.road_plane import RoadSettings

PerGroup = tuple[PositiveFloat, PositiveFloat, PositiveFloat]
"""Of cars, trucks and buses; of motorcycles and bicycles; of pedestrians."""


class GroundMotionNoise(BaseModel):
    """Process noise of the constant velocity model, in metres and seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    acceleration_densities: PerGroup = Field(
        default=(1.2, 1.0, 0.5), description="white noise driving the speed of what moves, in m / s^1.5"
    )
    initial_speed_stds_mps: PerGroup = Field(
        default=(6.0, 4.0, 1.5), description="initial standard deviation of a new track's speed"
    )
    size_acceleration_density: PositiveFloat = Field(
        default=0.5, description="white noise driving the rates of the apparent width and height, in m / s^1.5"
    )
    initial_size_rate_std_mps: PositiveFloat = Field(
        default=0.3, description="initial standard deviation of these rates"
    )
    standing_shares: PerGroup = Field(default=(0.6, 0.3, 0.2), description="share of new tracks that stand")
    starting_speed_stds_mps: PerGroup = Field(
        default=(1.5, 1.5, 1.0), description="spread of the speed of what has just started to move"
    )
    stands_s: PositiveFloat = Field(default=20.0, description="how long road users stand on average")
    moves_s: PositiveFloat = Field(default=10.0, description="how long they move on average before they stand")
    bias_lasts_s: PositiveFloat = Field(
        default=12.0, description="time in which the errors of lifting that last fade to about a third"
    )
    moving_speeds_mps: PerGroup = Field(
        default=(1.5, 1.5, 0.5), description="from this speed on the direction of motion determines the heading"
    )
    heading_settle_s: PositiveFloat = Field(default=0.3, description="time in which a heading follows the motion")


class PoseSettings(BaseModel):
    """Limits of plausible ego motion, and how long it is extrapolated."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    max_gap_s: float = Field(
        default=2.0, ge=0, description="without poses, the last motion is extrapolated for so long"
    )
    max_speed_mps: PositiveFloat = Field(default=100.0, description="maximum ego speed")
    max_acceleration_mps2: PositiveFloat = Field(default=15.0, description="maximum ego acceleration")
    max_yaw_rate_change_radps: PositiveFloat = Field(default=2.0, description="maximum change of the ego yaw rate")
    pose_noise_margin_m: PositiveFloat = Field(default=0.5, description="pose noise margin")


class GroundSettings(LifeSettings):
    """Thresholds of the ground frame; those that it shares with the image frame are the same where not named here."""

    # Chosen by HOTA on four of the forecaster's simulated training drives.
    for_calibrated_scores: ClassVar[dict[str, float]] = {
        "strong_score": 0.4,
        "weak_score": 0.35,
        "spawn_score": 0.4,
        "min_hits": 2,
        "min_score_sum": 1.2,
    }

    min_hits: int = Field(
        default=4, ge=1, description="detections that confirm a track; more than in an image, as with spawn_score"
    )
    weak_score: float = Field(
        default=0.2,
        ge=0,
        le=1,
        description="detections below this are ignored; their edges are too imprecise to determine a distance",
    )
    spawn_score: float = Field(
        default=0.45,
        ge=0,
        le=1,
        description="unmatched detections from here on start a track; higher than in an image, for a false "
        "positive stays in the world for seconds, and most objects come near enough to be confidently detected",
    )
    spawn_max_iou: float = Field(
        default=0.25,
        ge=0,
        le=1,
        description="a detection that overlaps a track seen now by more starts no track; less than in an image, where "
        "two may well stand behind one another",
    )
    gate: float = Field(
        default=5.99,
        ge=0,
        description="squared Mahalanobis distance on the ground up to which a strong detection may match without "
        "overlap; 5.99 holds 95% of the true pairs (chi-square, 2 degrees of freedom)",
    )
    overlap_gate: float = Field(default=25.0, ge=0, description="the same for detections that overlap the prediction")
    outlier_gate: PositiveFloat = Field(
        default=2.0, description="the same distance from which on a detection counts as less precise than usual"
    )
    second_min_iou: float = Field(
        default=0.35,
        ge=0,
        le=1,
        description="the least overlap in a second camera that sees the track at the same time",
    )
    max_unseen_s: float = Field(default=3.0, ge=0, description="tracks unseen for longer are forgotten")
    max_missed_s: float = Field(
        default=1.0, ge=0, description="tracks that a camera should have seen for longer are forgotten"
    )
    coast_s: float = Field(
        default=0.2, ge=0, description="tracks that a camera should have seen for up to this long are still returned"
    )
    blind_coast_s: float = Field(
        default=0.3,
        ge=0,
        description="tracks that no camera can see are returned for up to this long; remembered they are for "
        "max_unseen_s, so that another camera finds them again, but their position is uncertain then",
    )
    inside_share: float = Field(
        default=0.8, gt=0, le=1, description="a track with this share of its box in the image should be seen"
    )
    min_seen_height_px: float = Field(default=14.0, ge=0, description="boxes of less height need not be seen")
    covered_share: float = Field(
        default=0.4, gt=0, le=1, description="a track with this share of its box behind another one need not be seen"
    )
    merge_iou: float = Field(default=0.35, gt=0, le=1, description="tracks that overlap by less are not one object")
    lifting: LiftingNoise = LiftingNoise()
    road: RoadSettings = RoadSettings()
    motion: GroundMotionNoise = GroundMotionNoise()
    poses: PoseSettings = PoseSettings()
