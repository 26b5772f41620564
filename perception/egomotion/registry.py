"""From what the user names to an estimator of ego-motion."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

from perception.egomotion.estimator import FlowEgoMotion
from perception.egomotion.from_poses import PoseEgoMotion
from perception.errors import UsageError
from perception.geometry.cameras import Rig
from perception.protocols import EgoMotionEstimator
from perception.types import Detections, EgoMotions, FrameSet, ReferenceFrame

EgoMotionChoice = Literal["auto", "flow", "poses", "off"]


class OpenedEgoMotion(NamedTuple):
    """An estimator, or None for none, and one sentence on which was taken and why."""

    estimator: EgoMotionEstimator | None
    reason: str


def open_ego_motion(name: EgoMotionChoice, *, rig: Rig | None, reference_frame: ReferenceFrame) -> OpenedEgoMotion:
    """The estimator for cameras that ``rig`` calibrates, or uncalibrated ones, and tracks in ``reference_frame``.

    "auto" takes the recording's poses where there are some and a rig; else the pictures in the image frame, and nothing
    on the ground, where tracks do not move with the camera. Raises ``UsageError`` for "poses" without a rig.
    """
    if name == "off":
        return OpenedEgoMotion(None, "Ego-motion: off.")
    if name == "flow":
        return OpenedEgoMotion(FlowEgoMotion(rig), "Ego-motion: from the pictures (flow).")
    if rig is not None and (name == "poses" or reference_frame == "ground"):
        return OpenedEgoMotion(PoseEgoMotion(rig), "Ego-motion: from the recording's poses, where it has some.")
    if name == "poses":
        raise UsageError(
            "the cameras are not calibrated, so that poses of the car say nothing of them; give a rig, or use flow.",
            field="ego_motion",
            value=name,
        )
    if rig is None:
        return OpenedEgoMotion(FlowEgoMotion(), "Ego-motion: from the pictures (flow).")
    return OpenedEgoMotion(
        PosesElseFlow(rig), "Ego-motion: from the recording's poses, and from the pictures where it has none."
    )


class PosesElseFlow:
    """The poses of a recording where it has them, its pictures where not; an ``EgoMotionEstimator``."""

    def __init__(self, rig: Rig) -> None:
        self._poses, self._flow = PoseEgoMotion(rig), FlowEgoMotion(rig)

    def reset(self) -> None:
        """Forget the last poses and frames."""
        self._poses.reset()
        self._flow.reset()

    def update(self, frame_set: FrameSet, detections: Mapping[str, Detections]) -> EgoMotions:
        """The motion of each camera since its last frame, where it is known."""
        by_poses = self._poses.update(frame_set, detections)
        if frame_set.world_from_vehicle is None:
            return self._flow.update(frame_set, detections)
        self._flow.reset()
        return by_poses
