"""What a user may choose about live cameras."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Required = Literal["any", "all"]


@dataclass(frozen=True, kw_only=True)
class LiveSettings:
    """Limits of time, in seconds.

    Frames that were captured within ``tolerance_s`` of one another are one instant. For the frame of a further camera
    it is waited ``max_wait_s`` at most. A frame older than ``max_age_s`` is not used.

    A camera that sends nothing for ``stale_after_s`` is stale, after ``lost_after_s`` it is lost, and its connection is
    closed; one that is slow by itself gets five periods. One that sends the same picture for ``frozen_after_s`` is
    frozen. Between attempts to connect lie pauses that double from ``first_pause_s`` to ``longest_pause_s``; each is
    shortened by up to half, by chance. A connection that lasts ``stable_after_s`` begins with the shortest again.

    ``connect_timeout_s`` bounds the opening of a camera. ``require`` ends the run where no camera, or not each one, has
    been there for ``lost_after_s``. ``may_be_missing`` starts without cameras that do not answer.
    """

    tolerance_s: float = 0.12
    max_wait_s: float = 0.3
    max_age_s: float = 1.0
    stale_after_s: float = 2.0
    lost_after_s: float = 10.0
    frozen_after_s: float = 10.0
    first_pause_s: float = 1.0
    longest_pause_s: float = 30.0
    stable_after_s: float = 5.0
    connect_timeout_s: float = 10.0
    require: Required | None = None
    may_be_missing: bool = False
