"""From SUMO's points to bodies that move as bodies do.

SUMO moves the middle of the front bumper, and its angles may jump. Here the front axle follows that point and the rear
axle is drawn after it, as in a car whose wheels do not slip sideways; walkers turn in the same way, more briskly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from perception.arrays import FloatArray, IntArray
from perception.geometry.rotation import unit_vectors, wrap_angle_rad
from perception.taxonomy import PEDESTRIAN_LABEL, VEHICLE_LABELS

_SUBSTEPS = 4
_LONGEST_STEP_M = 12.0
"""A point that moves further within a step was set to another position."""
_LONGEST_LEVER_M = 4.0
"""Long vehicles are steered so that their rear cuts corners less than a trailer's would."""
_WALKER_LEVER_M = 0.45
_WALKER_DELAY_S = 0.4
_FOOT_DOWN_S, _FOOT_UP_S = 0.2, 0.5
_HASTE = 1.25
_SHUFFLE_MPS = 0.4


@dataclass(frozen=True)
class Snapshot:
    """What SUMO reports after one step: ``rows`` (M,) of the fleet, sorted; ``fronts_m`` (M, 2) the middles of the
    front bumpers; ``yaws_rad`` (M,); ``speeds_mps`` (M,); ``is_braking`` (M,); ``indicators`` (M,) as in
    ``RoadUsers``."""

    rows: IntArray
    fronts_m: FloatArray
    yaws_rad: FloatArray
    speeds_mps: FloatArray
    is_braking: NDArray[np.bool_]
    indicators: IntArray


@dataclass(frozen=True)
class ActorPoses:
    """Bodies after one step: ``rows`` (M,) of the fleet, sorted, ``centres_m`` (M, 2) the middles of the footprints,
    ``rear_axles_m`` (M, 2), ``yaws_rad`` (M,), ``speeds_mps`` (M,), ``travelled_m`` (M,) and the lamps."""

    rows: IntArray
    centres_m: FloatArray
    rear_axles_m: FloatArray
    yaws_rad: FloatArray
    speeds_mps: FloatArray
    travelled_m: FloatArray
    is_braking: NDArray[np.bool_]
    indicators: IntArray

    def blended(self, later: ActorPoses, share: float) -> ActorPoses:
        """Between this instant (``share`` 0) and a later one (1); who is not in the later one stays as here."""
        if share == 0:
            return self
        column = np.minimum(np.searchsorted(later.rows, self.rows), len(later.rows) - 1)
        amount = np.where(later.rows[column] == self.rows, share, 0.0)
        turn_rad = wrap_angle_rad(later.yaws_rad[column] - self.yaws_rad)

        def between(here: FloatArray, there: FloatArray) -> FloatArray:
            weight = amount if here.ndim == 1 else amount[:, None]
            mixed: FloatArray = here + weight * (there[column] - here)
            return mixed

        return ActorPoses(
            rows=self.rows,
            centres_m=between(self.centres_m, later.centres_m),
            rear_axles_m=between(self.rear_axles_m, later.rear_axles_m),
            yaws_rad=wrap_angle_rad(self.yaws_rad + amount * turn_rad),
            speeds_mps=between(self.speeds_mps, later.speeds_mps),
            travelled_m=between(self.travelled_m, later.travelled_m),
            is_braking=self.is_braking,
            indicators=self.indicators,
        )


class Bodies:
    """The bodies of a fleet of N, drawn along by SUMO's points step by step."""

    def __init__(self, labels: IntArray, lengths_m: FloatArray, step_s: float) -> None:
        is_car = np.isin(labels, VEHICLE_LABELS)
        is_walker = labels == PEDESTRIAN_LABEL
        self._is_walker = is_walker
        self._step_s = step_s
        self._half_m = lengths_m / 2
        front = np.where(is_car, 0.2, 0.15) * lengths_m
        self._front_axle_m = np.where(is_walker, self._half_m, front)
        lever_m = np.minimum(np.where(is_car, 0.6, 0.7) * lengths_m, _LONGEST_LEVER_M)
        self._lever_m = np.where(is_walker, _WALKER_LEVER_M, lever_m)
        self._is_known = np.zeros(len(labels), dtype=bool)
        self._axles_m = np.zeros((len(labels), 2))
        self._trailing_m = np.zeros((len(labels), 2))
        self._travelled_m = np.zeros(len(labels))
        self._braking = np.zeros(len(labels))
        self._is_braking = np.zeros(len(labels), dtype=bool)

    def advance(self, seen: Snapshot) -> ActorPoses:
        """Draw the bodies to where SUMO has moved their fronts."""
        rows = seen.rows
        directions = unit_vectors(seen.yaws_rad)
        axles_m = seen.fronts_m - self._front_axle_m[rows, None] * directions
        lever_m = self._lever_m[rows, None]
        moves_m = np.where(self._is_known[rows, None], axles_m - self._axles_m[rows], np.inf)
        is_set = ~(np.linalg.norm(moves_m, axis=1) < _LONGEST_STEP_M)
        moves_m[is_set] = 0.0
        speeds_mps = self._calmed(rows, moves_m, seen.speeds_mps)
        axles_m = np.where(is_set[:, None], axles_m, self._axles_m[rows] + moves_m)
        trailing_m = np.where(is_set[:, None], axles_m - lever_m * directions, self._trailing_m[rows])
        for remaining in np.arange(_SUBSTEPS - 1, -1, -1) / _SUBSTEPS:
            ahead_m = axles_m - remaining * moves_m - trailing_m
            distance_m = np.maximum(np.linalg.norm(ahead_m, axis=1, keepdims=True), 1e-6)
            headings = ahead_m / distance_m
            trailing_m = trailing_m + (distance_m - lever_m) * headings
        self._is_known[rows] = True
        self._axles_m[rows], self._trailing_m[rows] = axles_m, trailing_m
        self._travelled_m[rows] += np.linalg.norm(moves_m, axis=1)
        to_centre_m = (self._front_axle_m[rows] - self._half_m[rows])[:, None]
        return ActorPoses(
            rows=rows,
            centres_m=axles_m + to_centre_m * headings,
            rear_axles_m=trailing_m,
            yaws_rad=np.arctan2(headings[:, 1], headings[:, 0]),
            speeds_mps=speeds_mps,
            travelled_m=self._travelled_m[rows].copy(),
            is_braking=self._lamps(rows, seen.is_braking),
            indicators=seen.indicators,
        )

    def _lamps(self, rows: IntArray, wanted: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """(M,): the brake lamps; like a driver's foot they need a moment to go on, and a longer one to go off."""
        change = np.where(wanted, self._step_s / _FOOT_DOWN_S, -self._step_s / _FOOT_UP_S)
        self._braking[rows] = np.clip(self._braking[rows] + change, 0.0, 1.0)
        level = self._braking[rows]
        self._is_braking[rows] = np.where(self._is_braking[rows], level > 0.01, level > 0.99)
        return self._is_braking[rows].copy()

    def _calmed(self, rows: IntArray, moves_m: FloatArray, speeds_mps: FloatArray) -> FloatArray:
        """Shorten steps in ``moves_m`` (M, 2) that nobody makes, for SUMO now and then shifts someone at once.

        Everyone comes after SUMO's point hardly faster than SUMO's speed, and walkers softly. Returns the speeds (M,),
        for walkers those of their shortened steps.
        """
        is_walker = self._is_walker[rows]
        moves_m[is_walker] *= 1 - np.exp(-self._step_s / _WALKER_DELAY_S)
        lengths_m = np.linalg.norm(moves_m, axis=1)
        longest_m = self._step_s * (_HASTE * speeds_mps + _SHUFFLE_MPS)
        shares = np.minimum(1.0, longest_m / np.maximum(lengths_m, 1e-9))
        moves_m *= shares[:, None]
        return np.where(is_walker, lengths_m * shares / self._step_s, speeds_mps)
