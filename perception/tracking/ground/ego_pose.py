"""The ego pose, extrapolated where it is unknown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from perception.arrays import FloatArray
from perception.geometry.cameras import yaw_rad
from perception.geometry.rotation import rotation_2d, wrap_angle_rad
from perception.state_layout import POSITION
from perception.tracking.ground.settings import PoseSettings

PoseStatus = Literal["fine", "missing", "wrong", "elsewhere"]

_MIN_RATE_INTERVAL_S = 0.02
"""Poses that lie nearer in time measure little of the motion between them."""


@dataclass(frozen=True)
class PlanarPose:
    """``world_from_vehicle`` seen from above: ``position_m`` (2,) and ``yaw_rad``. Roads are taken to be nearly level,
    so that a position on the road has the same distance in both frames."""

    position_m: FloatArray
    yaw_rad: float

    @classmethod
    def of(cls, world_from_vehicle: FloatArray) -> PlanarPose:
        return cls(world_from_vehicle[:2, 3].astype(np.float64), yaw_rad(world_from_vehicle))

    @property
    def rotation(self) -> FloatArray:
        """(2, 2): world axes from vehicle axes."""
        return rotation_2d(self.yaw_rad)

    def to_vehicle(self, positions_m: FloatArray) -> FloatArray:
        """Positions (..., 2) in the world, in the vehicle's axes."""
        positions: FloatArray = (positions_m - self.position_m) @ self.rotation
        return positions

    def to_world(
        self, measured: FloatArray, jitters: FloatArray, lasting: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Measurements (N, 4: x, y, width, height) in the vehicle's axes and their errors (N, 4, 4), (N, 4, 2), in the
        world."""
        turn = np.eye(4)
        turn[POSITION, POSITION] = self.rotation
        moved = measured @ turn.T
        moved[:, POSITION] += self.position_m
        return moved, turn @ jitters @ turn.T, turn @ lasting


class EgoMotion:
    """The car's planar pose at each instant; extrapolates the last motion where poses are missing or cannot be true."""

    def __init__(self, settings: PoseSettings) -> None:
        self._settings = settings
        self.reset()

    def reset(self) -> None:
        """Forget where the car was."""
        self._pose = PlanarPose(np.zeros(2), 0.0)
        self._velocity_mps: FloatArray | None = None
        self._turn_radps = 0.0
        self._now_s: float | None = None
        self._known_s: float | None = None
        self._known_pose = self._pose

    def update(self, world_from_vehicle: FloatArray | None, timestamp_ns: int) -> tuple[PlanarPose, PoseStatus]:
        """The pose now, and what to think of it.

        Where it is "missing" or "wrong", the motion of the last two is carried on for ``max_gap_s``; then, and where
        there never was one, the car counts as standing. "elsewhere" means that what was measured before has no meaning
        any more: the poses begin late, or go on where the car cannot be.
        """
        now_s = timestamp_ns / 1e9
        dt_s = 0.0 if self._now_s is None else now_s - self._now_s
        is_first = self._now_s is None
        gap_s = np.inf if self._known_s is None else now_s - self._known_s
        self._now_s = now_s
        carried = self._carried(dt_s if gap_s <= self._settings.max_gap_s else 0.0)
        if world_from_vehicle is None:
            self._pose = carried
            return carried, "fine" if self._known_s is None else "missing"
        given = PlanarPose.of(world_from_vehicle)
        if not np.isfinite([*given.position_m, given.yaw_rad]).all():
            self._pose = carried
            return carried, "wrong"
        news: PoseStatus = "fine"
        if self._known_s is None:
            news = "fine" if is_first else "elsewhere"
        elif not self._can_be(given, carried, gap_s):
            if gap_s <= self._settings.max_gap_s:
                self._pose = carried
                return carried, "wrong"
            news = "elsewhere"
        self._accept(given, now_s, is_continued=news == "fine" and self._known_s is not None)
        return given, news

    def _carried(self, dt_s: float) -> PlanarPose:
        if self._velocity_mps is None or dt_s == 0.0:
            return self._pose
        # Half of the turn on the way, so that a curve is followed; the velocity turns with the car.
        turn = PlanarPose(np.zeros(2), self._turn_radps * dt_s / 2).rotation
        self._velocity_mps = turn @ self._velocity_mps
        position_m = self._pose.position_m + dt_s * self._velocity_mps
        self._velocity_mps = turn @ self._velocity_mps
        return PlanarPose(position_m, self._pose.yaw_rad + self._turn_radps * dt_s)

    def _can_be(self, given: PlanarPose, carried: PlanarPose, gap_s: float) -> bool:
        """Whether the car can have come to ``given`` within ``gap_s`` since the last known pose."""
        settings = self._settings
        moved_m = float(np.linalg.norm(given.position_m - self._known_pose.position_m))
        strayed_m = float(np.linalg.norm(given.position_m - carried.position_m))
        strayed_rad = abs(wrap_angle_rad(given.yaw_rad - carried.yaw_rad))
        can_be = moved_m <= settings.pose_noise_margin_m + settings.max_speed_mps * gap_s
        if self._velocity_mps is not None and gap_s <= settings.max_gap_s:
            # Rates are known to the slack over one interval, here taken as long as the gap.
            can_be &= strayed_m <= 3 * settings.pose_noise_margin_m + settings.max_acceleration_mps2 * gap_s**2
        return can_be and strayed_rad <= 0.1 + settings.max_yaw_rate_change_radps * gap_s

    def _accept(self, given: PlanarPose, now_s: float, *, is_continued: bool) -> None:
        interval_s = now_s - self._known_s if self._known_s is not None else 0.0
        if not is_continued:
            self._velocity_mps, self._turn_radps = None, 0.0
        elif interval_s >= _MIN_RATE_INTERVAL_S:
            self._velocity_mps = (given.position_m - self._known_pose.position_m) / interval_s
            self._turn_radps = wrap_angle_rad(given.yaw_rad - self._known_pose.yaw_rad) / interval_s
        if not is_continued or interval_s >= _MIN_RATE_INTERVAL_S:
            self._known_s, self._known_pose = now_s, given
        self._pose = given
