"""What houses hide: it need not be drawn at all, and in a town that is about half of everything.

Seen from above, the walls that look towards the eye cover directions around it. A table holds for each narrow sector of
directions and each distance how steeply one must look up to see over all walls that stand nearer.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from perception.arrays import FloatArray
from perception.geometry.rotation import rotation_2d, unit_vectors
from perception.simulation.rendering.town.buildings import wall_top_m
from perception.simulation.rendering.town.scenery import House

_SECTORS = 1024
_RING_M = 8.0
_RINGS = 34
_SECTOR_RAD = 2 * np.pi / _SECTORS


class Walls:
    """The outer walls of ``houses``: ``starts_m`` and ``ends_m`` (W, 2), counter-clockwise, and ``tops_m`` (W,)."""

    def __init__(self, houses: Sequence[House]) -> None:
        corners = np.zeros((len(houses), 4, 2))
        tops = np.zeros((len(houses), 4))
        for row, house in enumerate(houses):
            half = 0.5 * np.array([house.depth_m, house.width_m])
            signs = np.array([[1, -1], [1, 1], [-1, 1], [-1, -1]])
            corners[row] = signs * half @ rotation_2d(house.yaw_rad).T + house.centre_m
            tops[row] = wall_top_m(house)
        self.starts_m = corners.reshape(-1, 2)
        self.ends_m = np.roll(corners, -1, axis=1).reshape(-1, 2)
        self.tops_m = tops.ravel()

    def skyline(self, eye_m: FloatArray) -> Skyline:
        """What they hide from an eye (3,)."""
        start, end = self.starts_m - eye_m[:2], self.ends_m - eye_m[:2]
        # A wall is closed from its outside only, where the eye has it on its right hand.
        is_closed = (start[:, 0] * end[:, 1] - start[:, 1] * end[:, 0] < 0) & (self.tops_m > eye_m[2])
        start, end, rise_m = start[is_closed], end[is_closed], self.tops_m[is_closed] - eye_m[2]
        first_rad, last_rad = np.arctan2(end[:, 1], end[:, 0]), np.arctan2(start[:, 1], start[:, 0])
        last_rad += 2 * np.pi * (last_rad < first_rad)
        wall, sector = _spread(np.ceil(first_rad / _SECTOR_RAD), np.floor(last_rad / _SECTOR_RAD) - 1)
        along = end - start
        distance_m = np.zeros(len(wall))
        for edge in (sector, sector + 1):
            ray = unit_vectors(edge * _SECTOR_RAD)
            across = ray[:, 0] * along[wall, 1] - ray[:, 1] * along[wall, 0]
            to_wall_m = (start[wall, 0] * along[wall, 1] - start[wall, 1] * along[wall, 0]) / across
            distance_m = np.maximum(distance_m, to_wall_m)
        ring = np.ceil(distance_m / _RING_M).astype(int)
        near = ring < _RINGS
        slopes = np.zeros((_SECTORS, _RINGS))
        steepest = rise_m[wall[near]] / distance_m[near]
        np.maximum.at(slopes, (sector[near] % _SECTORS, ring[near]), steepest)
        return Skyline(eye_m, np.maximum.accumulate(slopes, axis=1))


class Skyline:
    """``slopes`` (sectors, rings): rise over run of the line of sight over all walls that stand nearer than a ring."""

    def __init__(self, eye_m: FloatArray, slopes: FloatArray) -> None:
        self._eye_m, self._slopes = eye_m, slopes

    def hides(self, centres_m: FloatArray, radii_m: FloatArray, tops_m: FloatArray) -> np.ndarray:
        """(N,) bool: which upright cylinders, ``centres_m`` (N, 2) or (N, 3), are certainly hidden."""
        offset = centres_m[:, :2] - self._eye_m[:2]
        distance_m = np.linalg.norm(offset, axis=1)
        nearest_m = distance_m - radii_m
        is_far = nearest_m > _RING_M
        hidden = np.zeros(len(centres_m), bool)
        if not is_far.any():
            return hidden
        middle_rad = np.arctan2(offset[is_far, 1], offset[is_far, 0])
        half_rad = np.arcsin(radii_m[is_far] / distance_m[is_far])
        one, sector = _spread(
            np.floor((middle_rad - half_rad) / _SECTOR_RAD), np.floor((middle_rad + half_rad) / _SECTOR_RAD)
        )
        slope = np.maximum(tops_m[is_far] - self._eye_m[2], 0.0) / nearest_m[is_far]
        ring = np.minimum(nearest_m[is_far] / _RING_M, _RINGS - 1).astype(int)
        is_behind = self._slopes[sector % _SECTORS, ring[one]] > slope[one]
        hidden[is_far] = np.bincount(one, weights=~is_behind, minlength=len(middle_rad)) == 0
        return hidden


def _spread(firsts: FloatArray, lasts: FloatArray) -> tuple[np.ndarray, np.ndarray]:
    """Every whole number from ``firsts`` (N,) to ``lasts`` (N,), with the row (M,) that it belongs to."""
    counts = np.maximum(lasts - firsts + 1, 0).astype(int)
    rows = np.repeat(np.arange(len(counts)), counts)
    within = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    return rows, firsts[rows].astype(int) + within
