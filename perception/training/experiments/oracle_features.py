"""Oracle features: what the simulator knows of an object that a picture shows and a track does not, lamps and heading.

In place of a CNN's features they show how much any feature could help at most.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

from perception.arrays import FloatArray
from perception.errors import UsageError
from perception.forecasting.features.ground_motion import CAR_XY, XY
from perception.forecasting.track_dataset import TrackSet
from perception.geometry.rotation import unit_vectors
from perception.sources.files.csv_tables import read_csv

ORACLE_FEATURES = ("brake", "left", "right", "facing_cos", "facing_sin")
"""Lamps that are lit are 1; the angle from the line of sight to the heading is 0 where one looks at the back."""

_NEEDED = ("timestamp_ns", "x", "y", "yaw", "brake", "indicator")
_METRES_PER_S = 100.0
"""Times count in distances, so that the nearest row of the truth is one of the same instant."""
_SAME_M = 0.3


def oracle_features(tracks: TrackSet, drive: Path) -> FloatArray:
    """(M, 5): ``ORACLE_FEATURES`` of the true object of each row of ``tracks``, zeros where there is none.

    Raises ``UsageError`` where the drive does not record what lamps are lit.
    """
    table = read_csv(drive / "objects3d.csv", required=_NEEDED)
    nanoseconds = table.integers("timestamp_ns")
    times_s = (nanoseconds - nanoseconds.min(initial=np.iinfo(np.int64).max)) * 1e-9
    positions = np.stack([times_s * _METRES_PER_S, table.numbers("x"), table.numbers("y")], axis=1)
    features = np.zeros((len(tracks.observations), len(ORACLE_FEATURES)), np.float32)
    matched = np.flatnonzero(tracks.truth_rows >= 0)
    if not len(matched) or not len(positions):
        return features
    truth = tracks.truth[tracks.truth_rows[matched]]
    away_m, rows = cKDTree(positions).query(np.column_stack([tracks.times_s[matched] * _METRES_PER_S, truth]))
    if np.median(away_m) > _SAME_M:
        raise UsageError(f"{drive}: objects3d.csv does not hold the objects that were tracked.")
    same = away_m < _SAME_M
    matched, rows = matched[same], rows[same]
    now = tracks.observations[matched]
    sight = now[:, XY] - now[:, CAR_XY]
    facing_rad = table.numbers("yaw")[rows] - np.arctan2(sight[:, 1], sight[:, 0])
    indicators = np.array(table.columns["indicator"])[rows]
    lamps = [table.numbers("brake")[rows], indicators == "left", indicators == "right"]
    features[matched] = np.column_stack([*lamps, unit_vectors(facing_rad)])
    return features
