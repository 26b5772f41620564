"""What a user may choose about tracking in the image."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from perception.tracking.common.settings import LifeSettings
from perception.tracking.image.box_filter import MotionNoise


class TrackerSettings(LifeSettings):
    """Thresholds of the image frame."""

    # Chosen by HOTA and IDF1 on val_morning and the motorway's training recordings.
    for_calibrated_scores: ClassVar[dict[str, float]] = {"strong_score": 0.35, "weak_score": 0.2, "spawn_score": 0.4}

    gate: float = Field(
        default=7.78,
        ge=0,
        description="squared Mahalanobis distance up to which a strong detection may match without overlap, for long "
        "intervals between frames; 7.78 holds 90% of the true pairs (chi-square, 4 degrees of freedom)",
    )
    duplicate_iou: float = Field(
        default=0.85, gt=0, le=1, description="two tracks that overlap by more and move alike are one object"
    )
    noise: MotionNoise = MotionNoise()
