"""What a user may choose about tracking in both reference frames."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

from perception.protocols import Detector

SettingsT = TypeVar("SettingsT", bound="LifeSettings")


class LifeSettings(BaseModel):
    """What both frames share: thresholds of association and the life of a track.

    Times are seconds, so that any frame rate works. The defaults were chosen by HOTA and IDF1 on recordings of 1.25, 5
    and 10 frames per second with YOLOX-nano's boxes; the scores belong to a detector whose operating point is about
    0.25. An unknown name or a value out of range raises ``pydantic.ValidationError`` (a ``ValueError``).
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    for_calibrated_scores: ClassVar[dict[str, float]] = {}
    """What differs for a detector whose scores are probabilities of being right."""

    @classmethod
    def for_detector(
        cls: type[SettingsT], detector: Detector, *, detect_interval: int = 1, changed: Mapping[str, Any] | None = None
    ) -> SettingsT:
        """The scores to rely on. Where they are probabilities of being right (``is_calibrated``), as RoadNet's are, a
        low one is a true probability. ``changed`` are the user's, by name: they win."""
        scores = cls.for_calibrated_scores if detector.is_calibrated else {}
        return cls.model_validate({**scores, **(changed or {}), "detect_interval": detect_interval})

    detect_interval: int = Field(
        default=1,
        ge=1,
        description="the detector looks at every n-th frame of each camera; what it saw counts as seen until the next",
    )
    strong_score: float = Field(default=0.25, ge=0, le=1, description="detections from here on are matched first")
    weak_score: float = Field(default=0.1, ge=0, le=1, description="detections below this are ignored")
    spawn_score: float = Field(default=0.25, ge=0, le=1, description="unmatched detections from here on start a track")
    min_iou: float = Field(default=0.2, gt=0, le=1, description="overlap from which a strong detection may match")
    weak_min_iou: float = Field(default=0.3, gt=0, le=1, description="overlap from which a weak detection may match")
    appearance_weight: float = Field(
        default=0.0, ge=0, description="weight of the appearance similarity (cosine) beside the IoU; 0 is off"
    )
    min_hits: int = Field(default=2, ge=1, description="detections that confirm a track")
    min_score_sum: float = Field(
        default=0.0,
        ge=0,
        description="sum of the scores that confirms a track, together with min_hits; where scores are probabilities, "
        "the expected number of detections that were right",
    )
    confirm_s: float = Field(default=0.1, ge=0, description="age that confirms a track, together with min_hits")
    confirm_at_once_interval_s: float = Field(
        default=0.5, gt=0, description="where frames lie at least this far apart, a track does not wait for its second"
    )
    tentative_unseen_s: float = Field(
        default=0.07, ge=0, description="unconfirmed tracks unseen for longer are dropped"
    )
    max_unseen_s: float = Field(default=1.0, ge=0, description="tracks unseen for longer are forgotten")
    coast_s: float = Field(default=0.3, ge=0, description="tracks unseen for up to this long are still returned")
    max_gap_s: float = Field(
        default=2.0,
        ge=0,
        description="tracks are remembered while their camera sends nothing for up to this long; in the image they are "
        "also shown, predicted",
    )
    spawn_max_iou: float = Field(
        default=0.4, ge=0, le=1, description="a detection that overlaps a track seen now by more starts no track"
    )

    @model_validator(mode="after")
    def _ordered(self) -> LifeSettings:
        if not self.weak_score <= self.strong_score:
            raise ValueError(f"weak_score ({self.weak_score}) must not exceed strong_score ({self.strong_score})")
        if not self.weak_score <= self.spawn_score:
            raise ValueError(f"weak_score ({self.weak_score}) must not exceed spawn_score ({self.spawn_score})")
        if not self.coast_s <= self.max_unseen_s:
            raise ValueError(f"coast_s ({self.coast_s}) must not exceed max_unseen_s ({self.max_unseen_s})")
        return self
