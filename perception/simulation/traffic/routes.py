"""Where everyone goes: walks through the street plan, drawn from a seed; nobody enters or leaves the town.

Vehicles and people start inside the town and their ways are longer than the drive, so that none of them appears or
vanishes before the cameras. Most of them keep to one busy quarter.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from perception.arrays import FloatArray, IntArray
from perception.simulation.traffic.fleet import Fleet, temper
from perception.simulation.traffic.road_network import edge_name
from perception.simulation.traffic.streets import StreetPlan
from perception.taxonomy import CLASSES

_QUARTER_M = 170.0
_QUARTER_GAIN = 5.0
_LAST_DEPARTURE_S = 8.0
_LARGEST_SPEED_MPS = {"pedestrian": 3.0, "bicycle": 7.0}
_LARGEST_ROAD_SPEED_MPS = 15.5
_OFTEN_STRAIGHT = 2.0
_LONG_M = 9.0

Way = tuple[int, int]
"""A street in one direction: from junction, to junction."""


class StreetGraph:
    """The ways of a plan, which follow which, and how attractive each is."""

    def __init__(self, plan: StreetPlan, turns: Collection[tuple[str, str]]) -> None:
        """``turns`` are the pairs of edge names between which vehicles can drive."""
        streets = {}
        for street in plan.streets:
            streets[street.start, street.end] = street
            streets[street.end, street.start] = street
        self.ways: list[Way] = sorted(streets)
        self.row = {way: row for row, way in enumerate(self.ways)}
        self.lengths_m = np.array(
            [np.linalg.norm(np.diff(streets[way].middle_m, axis=0), axis=1).sum() for way in self.ways]
        )
        self.middles_m = np.array([plan.junctions_m[list(way)].mean(axis=0) for way in self.ways])
        self.attractions = np.array([streets[way].kind.attraction for way in self.ways])
        ends_m = plan.junctions_m
        along = np.array([ends_m[end] - ends_m[start] for start, end in self.ways])
        self.directions = along / np.linalg.norm(along, axis=1, keepdims=True)
        self._arriving = np.array([end for _, end in self.ways])
        self._is_lit = plan.is_lit[self._arriving]
        self._junctions_m = plan.junctions_m
        self._after = _endless(
            {way: [other for other in self.ways if (edge_name(*way), edge_name(*other)) in turns] for way in self.ways}
        )
        self.drivable = [way for way in self.ways if self._after[way]]

    def next_ways(self, way: Way) -> list[Way]:
        """The ways on which a vehicle can go on and on, without turning round."""
        return self._after[way]

    def _is_turn(self, way: Way, rows: IntArray) -> NDArray[np.bool_]:
        """(rows,): which of the ways in ``rows`` go on in another direction than ``way``."""
        turns: NDArray[np.bool_] = self.directions[rows] @ self.directions[self.row[way]] < 0.7
        return turns

    def walk(
        self, start: Way, length_m: float, weights: FloatArray, random: np.random.Generator, *, is_long: bool = False
    ) -> list[Way]:
        """Ways from ``start`` on, at least ``length_m`` long, each chosen in proportion to ``weights`` (ways,), but
        rather straight on; long vehicles do not turn right where they need not, for they would cut the corner."""
        ways, passed_m = [start], float(self.lengths_m[self.row[start]])
        while passed_m < length_m:
            options = self.next_ways(ways[-1])
            rows = np.array([self.row[way] for way in options])
            preference = weights[rows] * np.where(self._is_turn(ways[-1], rows), 1.0, _OFTEN_STRAIGHT)
            if is_long:
                ahead = self.directions[self.row[ways[-1]]]
                to_the_right = ahead[1] * self.directions[rows, 0] - ahead[0] * self.directions[rows, 1]
                preference *= np.where(to_the_right > 0.5, 1e-6, 1.0)
            chosen = int(random.choice(len(options), p=preference / preference.sum()))
            ways.append(options[chosen])
            passed_m += float(self.lengths_m[rows[chosen]])
        return ways

    def stroll(self, start: Way, length_m: float, weights: FloatArray, random: np.random.Generator) -> list[Way]:
        """A walker's ways: pavements may be walked in both directions, streets crossed at junctions."""
        ways = [start]
        at = start[int(random.integers(2))]
        passed_m = 0.0
        while passed_m < length_m:
            last = set(ways[-1])
            options = [way for way in self.ways if at in way and set(way) != last]
            rows = np.array([self.row[way] for way in options])
            chosen = int(random.choice(len(options), p=weights[rows] / weights[rows].sum()))
            ways.append(options[chosen])
            at = ways[-1][0] if ways[-1][1] == at else ways[-1][1]
            passed_m += float(self.lengths_m[rows[chosen]])
        return ways

    def any_way(self, weights: FloatArray, random: np.random.Generator) -> Way:
        """One way that can be driven, chosen in proportion to ``weights`` (ways,)."""
        rows = np.array([self.row[way] for way in self.drivable])
        return self.drivable[int(random.choice(len(rows), p=weights[rows] / weights[rows].sum()))]

    def busy_quarter(self, random: np.random.Generator) -> FloatArray:
        """(ways,): a weight for each way, large around one of the junctions with lights."""
        lit = np.unique(self._arriving[self._is_lit]) if self._is_lit.any() else np.unique(self._arriving)
        # Junctions near the middle of the town leave room for traffic on all sides.
        distances_m = np.linalg.norm(self._junctions_m[lit], axis=1)
        middle_m = self._junctions_m[lit[int(random.choice(np.argsort(distances_m)[:3]))]]
        from_there_m = np.linalg.norm(self.middles_m - middle_m, axis=1)
        weights: FloatArray = self.attractions * (1 + _QUARTER_GAIN * np.exp(-((from_there_m / _QUARTER_M) ** 2)))
        return weights


def _endless(after: dict[Way, list[Way]]) -> dict[Way, list[Way]]:
    """Without the ways from which one cannot go on and on: a route must not end before the drive does."""
    while ends := {way for way, options in after.items() if not options}:
        kept = {way: [other for other in options if other not in ends] for way, options in after.items()}
        if kept == after:
            break
        after = kept
    return after


def write_routes(fleet: Fleet, graph: StreetGraph, path: Path, *, end_s: float, random: np.random.Generator) -> None:
    """Write SUMO's routes of all of ``fleet``, long enough for ``end_s`` seconds from its start."""
    weights = graph.busy_quarter(random)
    departures_s = np.sort(random.uniform(0.3, _LAST_DEPARTURE_S, len(fleet)))
    root = ElementTree.Element("routes")
    types = [_type(root, row, fleet, random) for row in range(len(fleet))]
    for row, depart_s in enumerate(departures_s):
        start = graph.any_way(weights, random)
        name = CLASSES[int(fleet.labels[row])]
        length_m = end_s * _LARGEST_SPEED_MPS.get(name, _LARGEST_ROAD_SPEED_MPS)
        common = {"id": str(row), "type": types[row], "depart": f"{depart_s:.2f}"}
        if name == "pedestrian":
            ways = graph.stroll(start, length_m, weights, random)
            person = ElementTree.SubElement(root, "person", common | {"departPos": "random"})
            ElementTree.SubElement(person, "walk", {"edges": _edges(ways)})
            continue
        ways = graph.walk(start, length_m, weights, random, is_long=fleet.sizes_lwh_m[row, 0] > _LONG_M)
        departure = {"departPos": "random_free", "departLane": "best", "departSpeed": "0"}
        vehicle = ElementTree.SubElement(root, "vehicle", common | departure)
        ElementTree.SubElement(vehicle, "route", {"edges": _edges(ways)})
    ElementTree.ElementTree(root).write(path, encoding="utf-8")


def _type(root: ElementTree.Element, row: int, fleet: Fleet, random: np.random.Generator) -> str:
    """Each road user is a type of its own: SUMO then keeps the sizes that the cameras see."""
    length_m, width_m, height_m = (f"{size_m:.2f}" for size_m in fleet.sizes_lwh_m[row])
    size = {"id": f"type-{row}", "length": length_m, "width": width_m, "height": height_m}
    ElementTree.SubElement(root, "vType", size | temper(int(fleet.labels[row]), int(fleet.bodies[row]), random))
    return size["id"]


def _edges(ways: list[Way]) -> str:
    return " ".join(edge_name(start, end) for start, end in ways)
