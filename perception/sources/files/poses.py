"""The vehicle's own motion: ``poses.csv`` of a recording."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation, Slerp

from perception.arrays import FloatArray, IntArray
from perception.sources.files.csv_tables import increasing_timestamps_ns, read_csv

POSE_COLUMNS = ("timestamp_ns", "x", "y", "z", "qw", "qx", "qy", "qz")
# A car does nothing within half a second that a straight line between two poses hides; slower poses set their own pace.
SHORT_GAP_S = 0.5
USUAL_STEPS = 2.5


class Poses:
    """``world_from_vehicle`` over time: positions interpolated linearly, rotations along the shortest arc.

    A gap of more than half a second, and of more than two and a half usual steps, is not bridged.
    """

    def __init__(self, timestamps_ns: IntArray, positions_m: FloatArray, rotations: Rotation) -> None:
        self._timestamps_ns = timestamps_ns
        # Nanoseconds since 1970 do not fit a float; differences to the first pose do.
        self._seconds = (timestamps_ns - timestamps_ns[0]) / 1e9
        steps_s = np.diff(self._seconds)
        usual_s = float(np.median(steps_s)) if len(steps_s) else 0.0
        self._longest_step_s = max(SHORT_GAP_S, USUAL_STEPS * usual_s)
        self._positions_m = positions_m
        self._rotations = rotations
        self._slerp = Slerp(self._seconds, rotations) if len(timestamps_ns) > 1 else None

    @classmethod
    def read(cls, path: Path) -> Poses:
        """Read ``poses.csv``: columns timestamp_ns, x, y, z (metres, world frame) and the unit quaternion qw, qx, qy,
        qz that turns vehicle axes into world axes.

        Raises ``UsageError`` naming line and column for missing or bad numbers, times that do not increase, and
        quaternions whose length is not 1 (within 1 %).
        """
        table = read_csv(path, required=POSE_COLUMNS)
        timestamps_ns = increasing_timestamps_ns(table)
        positions_m = np.stack([table.numbers(column) for column in ("x", "y", "z")], axis=1)
        quaternions_wxyz = np.stack([table.numbers(column) for column in ("qw", "qx", "qy", "qz")], axis=1)
        lengths = np.linalg.norm(quaternions_wxyz, axis=1)
        table.reject(np.abs(lengths - 1) > 0.01, "qw", "the quaternion's length is not 1")
        return cls(timestamps_ns, positions_m, Rotation.from_quat(quaternions_wxyz[:, [1, 2, 3, 0]]))

    def at(self, timestamp_ns: int) -> FloatArray | None:
        """``world_from_vehicle`` (4, 4) at the instant; None outside their time and in a gap: nothing is guessed."""
        if not self._timestamps_ns[0] <= timestamp_ns <= self._timestamps_ns[-1]:
            return None
        seconds = (timestamp_ns - int(self._timestamps_ns[0])) / 1e9
        after = int(np.searchsorted(self._timestamps_ns, timestamp_ns))
        is_exact = int(self._timestamps_ns[after]) == timestamp_ns
        if not is_exact and self._seconds[after] - self._seconds[after - 1] > self._longest_step_s:
            return None
        rotation = self._rotations[0] if self._slerp is None else self._slerp(seconds)
        world_from_vehicle = np.eye(4)
        world_from_vehicle[:3, :3] = rotation.as_matrix()
        world_from_vehicle[:3, 3] = [np.interp(seconds, self._seconds, axis) for axis in self._positions_m.T]
        return world_from_vehicle
