"""What stands beside a town's roads and never moves: houses, trees, hedges, lamps, benches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from perception.arrays import FloatArray
from perception.geometry.rotation import rotation_2d
from perception.simulation.rendering.town.ground import SurfaceMap
from perception.simulation.rendering.town.polygons import headings, leftwards, resampled
from perception.simulation.world import Lane, Town

_LAMP_SPACING_M = 27.0
_BUILT = 3
_MIN_STREET_M = 16.0
_ROOFS = ("gable", "hip", "flat", "mansard")


@dataclass(frozen=True)
class House:
    """A rectangle whose front looks along ``yaw_rad``: ``centre_m`` (2,), width along the street, depth, storeys,
    roof ("gable", "hip", "flat" or "mansard"), seed of its colours; ``has_shop`` on the ground floor."""

    centre_m: FloatArray
    yaw_rad: float
    width_m: float
    depth_m: float
    storeys: int
    roof: str
    seed: int
    has_shop: bool


@dataclass(frozen=True)
class Prop:
    """Something small that exists many times: the name of its model, position (2,), heading, size factor, seed."""

    model: str
    position_m: FloatArray
    yaw_rad: float
    scale: float
    seed: int


@dataclass(frozen=True)
class Scenery:
    """All houses and props of a town."""

    houses: tuple[House, ...]
    props: tuple[Prop, ...]


def furnish(town: Town, plan: SurfaceMap, seed: int) -> Scenery:
    """Build houses along the pavements and put up trees and lamps; the same seed builds the same town.

    ``plan`` is the town's map; what is built is drawn into it, so that nothing stands on a road or in a house.
    """
    random = np.random.default_rng([seed, 0x5CE7E])
    houses: list[House] = []
    props: list[Prop] = []
    walks = [lane for lane in town.lanes if lane.use == "walk" and _length_m(lane) >= _MIN_STREET_M]
    lamps = [prop for lane in walks for prop in _lamps(lane, random)]
    districts = _Districts(random)
    for lane in walks:
        houses += _row_of_houses(lane, plan, districts, random)
    for lane in walks:
        props += _front_gardens(lane, plan, districts, random)
    props += _woods(town, plan, random)
    return Scenery(tuple(houses), tuple(lamps + props))


class _Districts:
    """How urban a position is: 0 gardens, 1 closed rows of houses; changes slowly over the town."""

    def __init__(self, random: np.random.Generator) -> None:
        self._waves = random.normal(0, 1 / 110.0, (4, 2))
        self._phases = random.uniform(0, 2 * np.pi, 4)

    def urban(self, point_m: FloatArray) -> float:
        value = np.sin(self._waves @ point_m + self._phases).sum() * 0.6
        return float(1 / (1 + np.exp(-2.2 * value)))


def _length_m(lane: Lane) -> float:
    return float(np.linalg.norm(np.diff(lane.centre_line_m, axis=0), axis=1).sum())


def _row_of_houses(lane: Lane, plan: SurfaceMap, districts: _Districts, random: np.random.Generator) -> list[House]:
    """Houses along the right border of a pavement, until its end."""
    line, at = resampled(lane.centre_line_m, 1.0)
    border, along = leftwards(line, -lane.width_m / 2), headings(line)
    houses: list[House] = []
    position_m = 1.0
    while position_m < at[-1] - 6:
        index = int(np.searchsorted(at, position_m))
        is_urban = random.random() < districts.urban(border[index])
        width = float(random.uniform(8, 17) if is_urban else random.uniform(8, 13))
        middle = min(len(at) - 1, int(np.searchsorted(at, position_m + width / 2)))
        away = np.array([along[middle, 1], -along[middle, 0]])
        depth = float(random.uniform(9, 12))
        setback = float(random.uniform(0.4, 1.0) if is_urban else random.uniform(4, 8))
        storeys = int(random.integers(2, 6) if is_urban else random.integers(1, 3))
        roof = str(random.choice(_ROOFS, p=(0.35, 0.1, 0.35, 0.2) if is_urban else (0.6, 0.35, 0.05, 0.0)))
        shop, seed = bool(is_urban and random.random() < 0.5), int(random.integers(1 << 31))
        house = House(
            centre_m=border[middle] + away * (setback + depth / 2),
            yaw_rad=float(np.arctan2(-away[1], -away[0])),
            width_m=width, depth_m=depth, storeys=storeys, roof=roof, seed=seed, has_shop=shop,
        )  # fmt: skip
        if _claim(house, plan):
            houses.append(house)
            position_m += width + (0.0 if is_urban else float(random.uniform(3, 8)))
        else:
            position_m += 3.0
    return houses


def footprint_m(house: House, grow_m: float = 0.0) -> FloatArray:
    """(4, 2) corners of a house: front right, front left, back left, back right as seen by the house."""
    forward, left = rotation_2d(house.yaw_rad).T
    depth, width = house.depth_m / 2 + grow_m, house.width_m / 2 + grow_m
    signs = ((1, -1), (1, 1), (-1, 1), (-1, -1))
    return np.stack([house.centre_m + forward * depth * f + left * width * s for f, s in signs])


def _claim(house: House, plan: SurfaceMap) -> bool:
    """Whether the ground was free; then it is taken."""
    corners = footprint_m(house, grow_m=-0.15)
    a, b = np.meshgrid(np.linspace(0, 1, 13), np.linspace(0, 1, 13))
    a, b = a[..., None], b[..., None]
    inside = (corners[0] * (1 - a) + corners[1] * a) * (1 - b) + (corners[3] * (1 - a) + corners[2] * a) * b
    if plan.at(inside).any():
        return False
    plan.fill(corners, _BUILT)
    return True


def _lamps(lane: Lane, random: np.random.Generator) -> list[Prop]:
    """Street lamps at the kerb; their arms reach over the road."""
    line, at = resampled(lane.centre_line_m, 1.0)
    kerb, along = leftwards(line, lane.width_m / 2 - 0.35), headings(line)
    starts = np.arange(float(random.uniform(7, 13)), at[-1] - 5, _LAMP_SPACING_M)
    rows = np.searchsorted(at, starts)
    yaws = np.arctan2(along[rows, 0], -along[rows, 1])
    return [Prop("lamp", kerb[row], float(yaw), 1.0, 0) for row, yaw in zip(rows, yaws, strict=True)]


def _front_gardens(lane: Lane, plan: SurfaceMap, districts: _Districts, random: np.random.Generator) -> list[Prop]:
    """Hedges, trees, bushes, benches and bins along a pavement's back."""
    line, at = resampled(lane.centre_line_m, 2.0)
    along = headings(line)
    yaws = np.arctan2(along[:, 1], along[:, 0])
    props: list[Prop] = []
    has_hedge, kind = (
        random.random() < 0.7,
        str(random.choice(["oak", "linden", "birch", "poplar"], p=(0.3, 0.45, 0.15, 0.1))),
    )
    next_tree_m = float(random.uniform(4, 10))
    for index in range(1, len(at) - 1):
        away = np.array([along[index, 1], -along[index, 0]])
        border = line[index] + away * lane.width_m / 2
        seed = int(random.integers(1 << 31))
        gate = random.random() < 0.14
        if has_hedge and not gate and not plan.at(border + away * np.array([[0.7], [1.6], [2.6]])).any():
            props.append(Prop("hedge", border + away * 0.75, float(yaws[index]), 1.0, seed))
        if at[index] >= next_tree_m:
            spot = border + away * random.uniform(2.0, 3.4)
            next_tree_m = float(at[index]) + float(random.uniform(8, 15))
            if not plan.at(spot + np.array([[0, 0], [1.2, 0], [-1.2, 0], [0, 1.2], [0, -1.2]])).any():
                props.append(Prop(kind, spot, float(random.uniform(0, 6.28)), float(random.uniform(0.75, 1.25)), seed))
        elif random.random() < 0.05:
            model = str(random.choice(["bench", "bin", "cabinet"]))
            spot = border - away * 0.45
            if plan.at(spot) == 2 and districts.urban(spot) > 0.3:
                props.append(Prop(model, spot, float(np.arctan2(-away[1], -away[0])), 1.0, seed))
    return props


def _woods(town: Town, plan: SurfaceMap, random: np.random.Generator) -> list[Prop]:
    """Trees and bushes on free ground, in groups."""
    x0, y0, x1, y1 = town.extent_m
    area_ha = (x1 - x0 + 60) * (y1 - y0 + 60) / 1e4
    centres = random.uniform([x0 - 30, y0 - 30], [x1 + 30, y1 + 30], (int(area_ha * 11), 2))
    props = []
    for centre in centres:
        kind = str(
            random.choice(["oak", "linden", "spruce", "birch", "poplar", "bush"], p=(0.28, 0.2, 0.14, 0.14, 0.06, 0.18))
        )
        spots = centre + random.normal(0, 5.0, (int(random.integers(1, 5)), 2))
        free = ~plan.at(spots[:, None] + 1.8 * np.array([[0, 0], [1, 0], [-1, 0], [0, 1], [0, -1.0]])).any(axis=1)
        for spot in spots[free]:
            scale = float(random.uniform(0.8, 1.5))
            props.append(Prop(kind, spot, float(random.uniform(0, 6.28)), scale, int(random.integers(1 << 31))))
    return props
