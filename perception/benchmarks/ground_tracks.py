"""Tracks in metres, without a camera: benchmarks that give positions only, as the ground frame observes them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perception.arrays import FloatArray, IntArray
from perception.benchmarks.split import Errors, Predicted
from perception.forecasting.features.ground_motion import (
    AXIS,
    CAR_IS_KNOWN,
    CAR_XY,
    CAR_YAW,
    OBSERVATION_SIZE,
    SIZE,
    VARIANCE,
    VELOCITY,
    XY,
)
from perception.forecasting.track_dataset import Grid, TrackSet

_POSITION_STD_M = 0.05
_STEADY_S = 0.8
"""Without a labelled heading, it is that of the path travelled, averaged over about this time."""


@dataclass(frozen=True)
class GroundRows:
    """M rows of objects in metres: ``objects`` and ``steps`` (M,) of ``rate_fps``, ``instants`` (M,) seen together.

    ``yaws_rad`` (M,) is None where headings are unknown, ``sizes_m`` (M, 2) are width and height or the like,
    ``cars`` (M, 3) the recording car's x, y and yaw, NaN where unknown.
    """

    objects: IntArray
    steps: IntArray
    instants: IntArray
    positions_m: FloatArray
    labels: IntArray
    sizes_m: FloatArray
    rate_fps: float
    yaws_rad: FloatArray | None = None
    cars: FloatArray | None = None

    def __getitem__(self, part: IntArray) -> GroundRows:
        """Some of the rows."""
        arrays: dict[str, Any] = {
            name: column[part] for name, column in vars(self).items() if isinstance(column, np.ndarray)
        }
        return replace(self, **arrays)


def track_set(rows: GroundRows, horizon: int) -> tuple[TrackSet, IntArray]:
    """The tracks, cut where a step is missing, and for each of their rows the one (M,) of ``rows`` that it was.

    Velocities are backward differences: no observation knows of a later one.
    """
    order = np.lexsort((rows.steps, rows.objects))
    objects, steps, positions_m = rows.objects[order], rows.steps[order], rows.positions_m[order]
    is_first = np.ones(len(order), bool)
    is_first[1:] = (np.diff(objects) != 0) | (np.diff(steps) != 1)
    starts = np.append(np.flatnonzero(is_first), len(order))
    velocities_mps = np.zeros_like(positions_m)
    velocities_mps[1:] = np.diff(positions_m, axis=0) * rows.rate_fps
    velocities_mps[is_first] = 0
    observations = np.zeros((len(order), OBSERVATION_SIZE))
    observations[:, XY], observations[:, VELOCITY] = positions_m, velocities_mps
    observations[:, SIZE] = rows.sizes_m[order]
    observations[:, VARIANCE] = _POSITION_STD_M**2
    steady = _headings_rad(velocities_mps, is_first, rows.rate_fps)
    observations[:, AXIS] = steady if rows.yaws_rad is None else rows.yaws_rad[order]
    if rows.cars is not None:
        is_known = np.isfinite(rows.cars[order]).all(axis=1)
        observations[is_known, CAR_XY] = rows.cars[order][is_known, :2]
        observations[is_known, CAR_YAW] = rows.cars[order][is_known, 2]
        observations[is_known, CAR_IS_KNOWN] = 1
    count = len(order)
    tracks = TrackSet(
        observations=observations,
        times_s=steps / rows.rate_fps,
        unseen_s=np.zeros(count),
        features=np.zeros((count, 0), np.float32),
        starts=starts,
        labels=rows.labels[order][starts[:-1]],
        instants=rows.instants[order],
        truth=positions_m,
        known=np.ones(count, bool),
        truth_rows=np.arange(count),
        truth_ends=np.repeat(starts[1:], np.diff(starts)),
        grid=Grid(rows.rate_fps, tuple(range(1, horizon + 1))),
    )
    return tracks, order


def _headings_rad(velocities_mps: FloatArray, is_first: NDArray[np.bool_], rate_fps: float) -> FloatArray:
    """(M,): where the way gone points; its discounted sum, for the last step alone of somebody who stands is noise."""
    kept = np.exp(-1 / (rate_fps * _STEADY_S))
    ways = np.zeros_like(velocities_mps)
    total = np.zeros(2)
    for row, (velocity, first) in enumerate(zip(velocities_mps, is_first, strict=True)):
        total = np.zeros(2) if first else total * kept + velocity
        ways[row] = total
    headings_rad: FloatArray = np.arctan2(ways[:, 1], ways[:, 0])
    return headings_rad


def distances_m(predicted: Predicted, actual: FloatArray) -> FloatArray:
    """(w, K, T): how far each future is from the true one (w, T, 2)."""
    distances: FloatArray = np.linalg.norm(predicted.means - actual[:, None], axis=-1)
    return distances


def one_output_m(predicted: Predicted, actual: FloatArray) -> FloatArray:
    """(w, T): how far the mean over the futures is."""
    distances: FloatArray = np.linalg.norm(predicted.expected - actual, axis=-1)
    return distances


def best_of(distances: FloatArray, name: str) -> Errors:
    """minADE and minFDE over the futures (w, K, T), each minimum taken for itself."""
    return {f"ADE {name}": distances.mean(axis=2).min(axis=1), f"FDE {name}": distances[..., -1].min(axis=1)}
