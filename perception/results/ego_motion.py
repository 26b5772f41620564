"""The motion of a camera as an object of ``forecasts.jsonl``."""

from __future__ import annotations

from typing import Any

import numpy as np

from perception.geometry.rotation import rotation_matrix, rotation_vector
from perception.types import EgoMotion

_ANGLE_DECIMALS = 7
_DECIMALS = 4


def plain_ego_motion(motion: EgoMotion) -> dict[str, Any]:
    """Lists and numbers; the rotation is a vector about the camera's axes, as long as its angle in radians."""
    return {
        "dt_s": round(motion.dt_s, 9),
        "now_from_before_rad": _rounded(rotation_vector(motion.now_from_before), _ANGLE_DECIMALS),
        "rotation_stds_rad": _rounded(motion.rotation_stds_rad, _ANGLE_DECIMALS),
        "camera_matrix": _rounded(motion.camera_matrix, _DECIMALS),
        "image_size_px": list(motion.image_size_px),
        "direction": None if motion.direction is None else _rounded(motion.direction, _DECIMALS),
        "speed_mps": None if motion.speed_mps is None else round(motion.speed_mps, _DECIMALS),
        "from_poses": motion.from_poses,
    }


def ego_motion_of(value: dict[str, Any]) -> EgoMotion:
    """The same read back. Raises ``KeyError``, ``TypeError`` or ``ValueError`` for what is no ego-motion."""
    width, height = value["image_size_px"]
    direction, speed_mps = value["direction"], value["speed_mps"]
    return EgoMotion(
        dt_s=float(value["dt_s"]),
        now_from_before=rotation_matrix(np.array(value["now_from_before_rad"], np.float64).reshape(3)),
        rotation_stds_rad=np.array(value["rotation_stds_rad"], np.float64),
        camera_matrix=np.array(value["camera_matrix"], np.float64),
        image_size_px=(int(width), int(height)),
        direction=None if direction is None else np.array(direction, np.float64),
        speed_mps=None if speed_mps is None else float(speed_mps),
        from_poses=bool(value["from_poses"]),
    )


def _rounded(values: Any, decimals: int) -> Any:
    # Adding zero turns the -0.0 that rounding leaves into 0.0.
    return (np.round(np.asarray(values, np.float64), decimals) + 0.0).tolist()
