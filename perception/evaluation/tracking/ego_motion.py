"""How well the turning and the speed of cameras were measured in their pictures, against the recording's poses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from perception.arrays import FloatArray, StructOfArrays
from perception.egomotion import motion_between
from perception.evaluation.core.records import InstantForecasts
from perception.evaluation.core.timeline import Timeline
from perception.geometry.cameras import Camera, Rig
from perception.geometry.rotation import rotation_vector
from perception.types import EgoMotion


@dataclass(frozen=True, kw_only=True)
class EgoMotionErrors(StructOfArrays):
    """Frames of which the poses know how the camera moved, M rows: ``cameras`` (M,), errors of the yaw rate
    ``yaw_rates_degps`` (M,) about the car's vertical axis and of the speed ``speeds_mps`` (M,), NaN where unknown."""

    cameras: NDArray[np.str_]
    yaw_rates_degps: FloatArray
    speeds_mps: FloatArray


@dataclass(frozen=True)
class EgoMotionScores:
    """Of ``frame_count`` frames. ``unknown_share`` have no estimate, ``speed_share`` have one of the speed.

    Medians and 90 % quantiles are of absolute errors where there is an estimate, None where there is none.
    """

    frame_count: int
    unknown_share: float
    yaw_rate_median_degps: float | None
    yaw_rate_p90_degps: float | None
    speed_share: float
    speed_median_mps: float | None
    speed_p90_mps: float | None


@dataclass(frozen=True)
class EgoMotionReport:
    """``per_camera`` by name, and ``overall`` of all frames together."""

    per_camera: Mapping[str, EgoMotionScores]
    overall: EgoMotionScores


def ego_motion_errors(
    records: Sequence[InstantForecasts], timeline: Timeline, rig: Rig | None
) -> EgoMotionErrors | None:
    """Of what was measured in the pictures at the instants of ``records``; None without a rig, poses or measurement."""
    is_measured = any(not motion.from_poses for record in records for motion in record.ego_motions.values())
    if rig is None or not timeline.vehicle_poses or not is_measured:
        return None
    rows = [row for name, camera in rig.cameras.items() for row in _errors(records, timeline, camera, name)]
    if not rows:
        return None
    names, yaw_rates, speeds = zip(*rows, strict=True)
    return EgoMotionErrors(
        cameras=np.array(names), yaw_rates_degps=np.rad2deg(yaw_rates), speeds_mps=np.array(speeds, np.float64)
    )


def _errors(
    records: Sequence[InstantForecasts], timeline: Timeline, camera: Camera, name: str
) -> Iterator[tuple[str, float, float]]:
    """Camera, errors of yaw rate (rad/s) and speed, for each frame of a camera that follows another one."""
    own = set(timeline.instant_of_frame.get(name, np.zeros(0, np.int64)).tolist())
    for before, now in pairwise(record for record in records if record.frame_index in own):
        poses = [timeline.vehicle_poses.get(record.frame_index) for record in (before, now)]
        dt_s = (now.timestamp_ns - before.timestamp_ns) * 1e-9
        if poses[0] is None or poses[1] is None:
            continue
        true = motion_between(poses[0], poses[1], camera, dt_s)
        if true is not None:
            yield name, *difference(now.ego_motions.get(name), true, camera)


def difference(found: EgoMotion | None, true: EgoMotion, camera: Camera) -> tuple[float, float]:
    """The errors of the yaw rate (rad/s) about the car's vertical axis and of the speed (m/s), NaN where unknown."""
    if found is None:
        return np.nan, np.nan
    upward = camera.camera_from_vehicle[:3, 2]
    yaw_rate = float(rotation_vector(found.now_from_before @ true.now_from_before.T) @ upward) / true.dt_s
    if found.speed_mps is None or true.speed_mps is None:
        return yaw_rate, np.nan
    return yaw_rate, found.speed_mps - true.speed_mps


def ego_motion_report(parts: Sequence[EgoMotionErrors]) -> EgoMotionReport | None:
    """Of one or several recordings; None without any."""
    if not parts:
        return None
    names = np.concatenate([part.cameras for part in parts])
    yaw_rates = np.abs(np.concatenate([part.yaw_rates_degps for part in parts]))
    speeds = np.abs(np.concatenate([part.speeds_mps for part in parts]))
    return EgoMotionReport(
        {str(name): _scores(yaw_rates[names == name], speeds[names == name]) for name in dict.fromkeys(names.tolist())},
        _scores(yaw_rates, speeds),
    )


def _scores(yaw_rates: FloatArray, speeds: FloatArray) -> EgoMotionScores:
    (yaw_median, yaw_p90), (speed_median, speed_p90) = (_quantiles(errors) for errors in (yaw_rates, speeds))
    return EgoMotionScores(
        frame_count=len(yaw_rates),
        unknown_share=float(np.isnan(yaw_rates).mean()),
        yaw_rate_median_degps=yaw_median,
        yaw_rate_p90_degps=yaw_p90,
        speed_share=float(1 - np.isnan(speeds).mean()),
        speed_median_mps=speed_median,
        speed_p90_mps=speed_p90,
    )


def _quantiles(errors: FloatArray) -> tuple[float | None, float | None]:
    known = errors[~np.isnan(errors)]
    if not len(known):
        return None, None
    median, p90 = np.quantile(known, [0.5, 0.9])
    return float(median), float(p90)
