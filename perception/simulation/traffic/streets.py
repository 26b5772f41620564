"""The plan of a town: a bent grid of avenues, main streets and side streets, drawn from a seed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from perception.arrays import FloatArray
from perception.geometry.rotation import rotation_2d
from perception.simulation.world import LaneUse

_LINES = 6
"""Streets of the grid in each direction."""


@dataclass(frozen=True)
class StreetKind:
    """How a kind of street is built, the same in both directions: its lanes from the kerb side to the middle.

    ``lanes`` are (use, width in metres); ``priority`` as SUMO compares it at junctions without lights;
    ``attraction`` is how much more traffic chooses it than a side street.
    """

    name: str
    speed_limit_kmh: int
    priority: int
    attraction: float
    lanes: tuple[tuple[LaneUse, float], ...]


AVENUE = StreetKind(
    "avenue", 50, 9, 3.0, (("walk", 3.2), ("cycle", 1.8), ("drive", 3.3), ("drive", 3.2), ("drive", 3.2))
)
BOULEVARD = StreetKind("boulevard", 50, 8, 2.5, (("walk", 3.0), ("park", 2.2), ("drive", 3.3), ("drive", 3.2)))
MAIN_STREET = StreetKind("main-street", 50, 7, 2.0, (("walk", 2.8), ("cycle", 1.7), ("drive", 3.3)))
SHOPPING_STREET = StreetKind("shopping-street", 30, 6, 1.8, (("walk", 3.0), ("park", 2.2), ("drive", 3.2)))
SIDE_STREET = StreetKind("side-street", 30, 3, 1.0, (("walk", 2.2), ("park", 2.1), ("drive", 3.0)))
LANE = StreetKind("lane", 30, 2, 0.8, (("walk", 2.2), ("drive", 3.1)))

_LARGE = (AVENUE, BOULEVARD, MAIN_STREET)
_SMALL = (SHOPPING_STREET, SIDE_STREET, LANE)


@dataclass(frozen=True)
class Street:
    """A street from junction ``start`` to ``end``, used in both directions; ``middle_m`` (P, 2) is its middle line."""

    start: int
    end: int
    kind: StreetKind
    middle_m: FloatArray


@dataclass(frozen=True)
class StreetPlan:
    """``junctions_m`` (J, 2) positions, ``is_lit`` (J,) whether lights stand there, and the streets between them."""

    junctions_m: FloatArray
    is_lit: NDArray[np.bool_]
    streets: tuple[Street, ...]

    def streets_at(self, junction: int) -> list[Street]:
        """The streets that meet at a junction."""
        return [street for street in self.streets if junction in (street.start, street.end)]


def draw_plan(random: np.random.Generator) -> StreetPlan:
    """Draw a town of about 600 m by 600 m: two or three large streets each way, the rest smaller ones."""
    kinds = [_kinds_of_lines(random), _kinds_of_lines(random)]
    junctions_m = _junctions(random)
    index = np.arange(_LINES * _LINES).reshape(_LINES, _LINES)
    # Rows run along x, columns along y; index[row, column].
    pairs = [(index[r, c], index[r, c + 1], kinds[0][r]) for r in range(_LINES) for c in range(_LINES - 1)]
    pairs += [(index[r, c], index[r + 1, c], kinds[1][c]) for r in range(_LINES - 1) for c in range(_LINES)]
    pairs = _thinned(pairs, random)
    streets = tuple(
        Street(int(start), int(end), kind, _middle_line(junctions_m[start], junctions_m[end], random))
        for start, end, kind in pairs
    )
    return StreetPlan(junctions_m, _lit_junctions(streets, len(junctions_m), random), streets)


def _kinds_of_lines(random: np.random.Generator) -> list[StreetKind]:
    """A kind for each parallel street: one or two large ones inside, seldom side by side."""
    kinds = [_SMALL[i] for i in random.choice(len(_SMALL), _LINES, p=[0.3, 0.5, 0.2])]
    first = int(random.integers(1, 3))
    kinds[first] = _LARGE[random.choice(len(_LARGE), p=[0.35, 0.35, 0.3])]
    kinds[first + 2] = _LARGE[random.choice(len(_LARGE), p=[0.15, 0.35, 0.5])]
    return kinds


def _junctions(random: np.random.Generator) -> FloatArray:
    """(J, 2) positions: uneven blocks, shifted corners, the whole town turned by a random angle."""
    x_m, y_m = (np.cumsum(random.uniform(92, 132, _LINES)) for _ in range(2))
    grid = np.stack(np.meshgrid(x_m, y_m), axis=-1).reshape(-1, 2)
    grid += random.uniform(-8, 8, grid.shape)
    grid -= grid.mean(axis=0)
    turn_rad = random.uniform(-np.pi, np.pi)
    turned: FloatArray = grid @ rotation_2d(turn_rad).T
    return turned


def _thinned(
    pairs: list[tuple[int, int, StreetKind]], random: np.random.Generator
) -> list[tuple[int, int, StreetKind]]:
    """Leave out some small streets between junctions that keep three others: not every block is the same."""
    arms = Counter(int(junction) for start, end, _ in pairs for junction in (start, end))
    kept = []
    for start, end, kind in pairs:
        may_go = kind in _SMALL and arms[int(start)] > 3 and arms[int(end)] > 3
        if may_go and random.random() < 0.2:
            arms.subtract((int(start), int(end)))
        else:
            kept.append((start, end, kind))
    return kept


def _middle_line(start_m: FloatArray, end_m: FloatArray, random: np.random.Generator) -> FloatArray:
    """(P, 2): straight or softly bowed, but straight where it meets the junctions."""
    if random.random() < 0.4:
        return np.stack([start_m, end_m])
    share = np.linspace(0, 1, 13)[:, None]
    along = end_m - start_m
    side = np.array([-along[1], along[0]]) / np.linalg.norm(along)
    bow_m = random.uniform(-7, 7)
    line: FloatArray = start_m + share * along + bow_m * np.sin(np.pi * share) ** 2 * side
    return line


def _lit_junctions(streets: tuple[Street, ...], count: int, random: np.random.Generator) -> NDArray[np.bool_]:
    """(J,) bool: lights where two large streets cross, and at some junctions of a large with a small one."""
    kinds: list[list[StreetKind]] = [[] for _ in range(count)]
    for street in streets:
        kinds[street.start].append(street.kind)
        kinds[street.end].append(street.kind)
    large = np.array([sum(kind in _LARGE for kind in at) for at in kinds])
    arms = np.array([len(at) for at in kinds])
    lit: NDArray[np.bool_] = (arms >= 3) & ((large >= 3) | ((large == 2) & (random.random(count) < 0.85)))
    return lit
