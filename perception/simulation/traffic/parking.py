"""Cars that stand at the kerb for the whole drive."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from perception.arrays import FloatArray
from perception.geometry.rotation import left_normals, unit_vectors
from perception.simulation.traffic.fleet import Fleet, draw_fleet
from perception.simulation.world import Lane

_FREE_AT_START_M = 5.0
_FREE_AT_END_M = 9.0
_SHORTEST_CAR_M = 3.6


@dataclass(frozen=True)
class ParkedCars:
    """``cars`` (N rows), the middles of their footprints ``centres_m`` (N, 2) and ``yaws_rad`` (N,)."""

    cars: Fleet
    centres_m: FloatArray
    yaws_rad: FloatArray


def park(lanes: Sequence[Lane], random: np.random.Generator) -> ParkedCars:
    """Fill the "park" lanes among ``lanes``, some of them densely, some hardly."""
    strips = [lane.centre_line_m for lane in lanes if lane.use == "park"]
    lengths_m = [float(np.linalg.norm(np.diff(strip, axis=0), axis=1).sum()) for strip in strips]
    cars = draw_fleet({"car": int(sum(lengths_m) / _SHORTEST_CAR_M) + 1}, random)
    kept: list[int] = []
    spots: list[tuple[int, float]] = []
    following = 0
    for strip_index, length_m in enumerate(lengths_m):
        occupancy = random.uniform(0.25, 0.95)
        at_m = _FREE_AT_START_M + random.uniform(0, 2)
        while at_m + cars.sizes_lwh_m[following, 0] < length_m - _FREE_AT_END_M:
            car_length_m = cars.sizes_lwh_m[following, 0]
            if random.random() < occupancy:
                kept.append(following)
                spots.append((strip_index, at_m + car_length_m / 2))
                following += 1
            at_m += car_length_m + random.uniform(0.7, 1.4)
    rows = np.array(kept, dtype=np.int64)
    parked = Fleet(cars.labels[rows], cars.bodies[rows], cars.appearance_seeds[rows], cars.sizes_lwh_m[rows])
    centres_m, yaws_rad = _poses(strips, spots)
    aside_m = random.uniform(-0.05, 0.05, len(rows))
    centres_m += aside_m[:, None] * left_normals(unit_vectors(yaws_rad))
    return ParkedCars(parked, centres_m, yaws_rad + random.uniform(-0.015, 0.015, len(rows)))


def _poses(strips: list[FloatArray], spots: list[tuple[int, float]]) -> tuple[FloatArray, FloatArray]:
    """Centres (N, 2) and yaws (N,) of the spots (strip, metres from its start)."""
    centres_m, yaws_rad = np.zeros((len(spots), 2)), np.zeros(len(spots))
    which = np.array([strip for strip, _ in spots], dtype=np.int64)
    at_m = np.array([at for _, at in spots])
    for index, strip in enumerate(strips):
        here = which == index
        pieces = np.diff(strip, axis=0)
        passed_m = np.concatenate([[0.0], np.cumsum(np.linalg.norm(pieces, axis=1))])
        centres_m[here] = np.stack([np.interp(at_m[here], passed_m, strip[:, axis]) for axis in (0, 1)], axis=1)
        piece = np.clip(np.searchsorted(passed_m, at_m[here], side="right") - 1, 0, len(pieces) - 1)
        yaws_rad[here] = np.arctan2(pieces[piece, 1], pieces[piece, 0])
    return centres_m, yaws_rad
