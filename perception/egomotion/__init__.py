"""How the cameras move: by the recording's poses, or from the pictures themselves."""

from perception.egomotion.estimator import ASSUMED_FIELD_OF_VIEW_RAD, FlowEgoMotion, assumed_camera_matrix
from perception.egomotion.from_poses import PoseEgoMotion, motion_between
from perception.egomotion.registry import EgoMotionChoice, OpenedEgoMotion, open_ego_motion

__all__ = [
    "ASSUMED_FIELD_OF_VIEW_RAD",
    "EgoMotionChoice",
    "FlowEgoMotion",
    "OpenedEgoMotion",
    "PoseEgoMotion",
    "assumed_camera_matrix",
    "motion_between",
    "open_ego_motion",
]
