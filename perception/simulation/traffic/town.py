"""SUMO's network as a ``Town``: lanes, crossings, stop lines, lights and signs in their places."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from perception.arrays import FloatArray
from perception.simulation.traffic.road_network import sumo_module
from perception.simulation.world import Lane, LaneUse, Town, TrafficLight

_STOP_LINE_BEFORE_END_M = 0.5
_POST_FROM_KERB_M = 0.45
_SIGN_FROM_START_M = 13.0
_STRAIGHT_FIRST = {"s": 0, "R": 1, "r": 2, "L": 3, "l": 4}
"""Of the lamps for several directions the approach shows one: straight on where that is possible."""


@dataclass(frozen=True)
class SumoTown:
    """``town``, and how SUMO names its parts: ``signal_links`` (traffic light, link) per signal, and ``turns``, the
    pairs of edges between which vehicles can drive."""

    town: Town
    signal_links: tuple[tuple[str, int], ...]
    turns: frozenset[tuple[str, str]]


def read_town(network: Path) -> SumoTown:
    """Read a network that ``build_network`` made; raises ``UsageError`` when SUMO is not installed."""
    net = sumo_module("sumolib").net.readNet(str(network), withInternal=True)
    edges = sorted(net.getEdges(), key=lambda edge: str(edge.getID()))
    roads = [edge for edge in edges if not edge.getFunction()]
    lanes = [lane for road in roads for lane in _lanes_of(road)]
    nodes = [node for node in net.getNodes() if not node.getID().startswith(":")]
    lights, links = _lights(roads)
    corners = np.concatenate([lane.centre_line_m for lane in lanes])
    reach_m = max(lane.width_m for lane in lanes) / 2
    low, high = corners.min(axis=0) - reach_m, corners.max(axis=0) + reach_m
    town = Town(
        lanes=lanes,
        junctions_m=[_points(node.getShape()) for node in sorted(nodes, key=lambda node: str(node.getID()))],
        crossings_m=[_crossing(edge.getLanes()[0]) for edge in edges if edge.getFunction() == "crossing"],
        stop_lines_m=_stop_lines(roads),
        lights=lights,
        speed_limits=_signs(roads),
        extent_m=(float(low[0]), float(low[1]), float(high[0]), float(high[1])),
        pavements_m=[_points(edge.getLanes()[0].getShape()) for edge in edges if edge.getFunction() == "walkingarea"],
    )
    return SumoTown(
        town, links, frozenset((str(road.getID()), str(way.getTo().getID())) for road in roads for way in _ways(road))
    )


def lane_use(lane: Any) -> LaneUse:
    """What a lane of SUMO's is for."""
    if lane.allows("passenger"):
        return "drive"
    if lane.allows("pedestrian"):
        return "walk"
    return "cycle" if lane.allows("bicycle") else "park"


def offset_line(line_m: FloatArray, left_m: float) -> FloatArray:
    """(P, 2): the line (P, 2) moved to its left by ``left_m`` (to its right where that is negative)."""
    along = np.diff(line_m, axis=0)
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
    # At a bend, the mean of both directions; lengthened so that the distance to both parts stays the same.
    mean = np.concatenate([along[:1], (along[:-1] + along[1:]) / 2, along[-1:]])
    mean /= np.maximum((mean**2).sum(axis=1, keepdims=True), 0.25)
    moved: FloatArray = line_m + left_m * np.stack([-mean[:, 1], mean[:, 0]], axis=1)
    return moved


def _points(shape: Any) -> FloatArray:
    """(P, 2) of a shape of sumolib's, which may carry heights."""
    return np.array([point[:2] for point in shape], dtype=np.float64)


def _lanes_of(road: Any) -> Iterator[Lane]:
    lanes = road.getLanes()
    uses = [lane_use(lane) for lane in lanes]
    for index, (lane, use) in enumerate(zip(lanes, uses, strict=True)):
        is_inner = use != "walk" and index + 1 < len(lanes)
        yield Lane(use, _points(lane.getShape()), float(lane.getWidth()), is_inner)


def _crossing(lane: Any) -> FloatArray:
    middle_m = _points(lane.getShape())
    half_m = lane.getWidth() / 2
    return np.concatenate([offset_line(middle_m, half_m), offset_line(middle_m, -half_m)[::-1]])


def _stop_lines(roads: list[Any]) -> FloatArray:
    """(L, 2, 2): across the lanes that end at lights or must give way to a larger street."""
    segments = []
    for road in roads:
        node = road.getToNode()
        largest = max(other.getPriority() for other in node.getIncoming() if not other.getFunction())
        if node.getType() != "traffic_light" and not (node.getType() == "priority" and road.getPriority() < largest):
            continue
        for lane in road.getLanes():
            if lane_use(lane) in ("drive", "cycle"):
                position_m, along = _end(_points(lane.getShape()), _STOP_LINE_BEFORE_END_M)
                across = np.array([-along[1], along[0]]) * (lane.getWidth() / 2)
                segments.append([position_m + across, position_m - across])
    return np.array(segments, dtype=np.float64).reshape(-1, 2, 2)


def _lights(roads: list[Any]) -> tuple[list[TrafficLight], tuple[tuple[str, int], ...]]:
    """One lamp per approach, at the right kerb beside the stop line."""
    lights: list[TrafficLight] = []
    links: list[tuple[str, int]] = []
    for road in roads:
        ways = [way for way in _ways(road) if way.getTLSID()]
        if not ways:
            continue
        shown = min(ways, key=lambda way: (_STRAIGHT_FIRST.get(way.getDirection(), 9), way.getTLLinkIndex()))
        position_m, along = _end(_kerb(road), _STOP_LINE_BEFORE_END_M)
        lights.append(TrafficLight(position_m, _facing(along), len(links)))
        links.append((str(shown.getTLSID()), int(shown.getTLLinkIndex())))
    return lights, tuple(links)


def _ways(road: Any) -> list[Any]:
    """The connections on which cars leave a road."""
    return [
        way
        for several in road.getOutgoing().values()
        for way in several
        if lane_use(way.getFromLane()) == lane_use(way.getToLane()) == "drive"
    ]


def _signs(roads: list[Any]) -> list[tuple[FloatArray, float, int]]:
    """Speed limits at the beginning of roads that are entered from roads with another limit."""
    signs = []
    for road in roads:
        limit_kmh = round(road.getSpeed() * 3.6)
        before = [other for other in road.getFromNode().getIncoming() if not other.getFunction()]
        if any(round(other.getSpeed() * 3.6) != limit_kmh for other in before):
            position_m, along = _end(_kerb(road)[::-1], _SIGN_FROM_START_M)
            signs.append((position_m, _facing(-along), limit_kmh))
    return signs


def _kerb(road: Any) -> FloatArray:
    """(P, 2): the line on the pavement where posts stand, in the direction of travel."""
    pavement = road.getLanes()[0]
    return offset_line(_points(pavement.getShape()), pavement.getWidth() / 2 - _POST_FROM_KERB_M)


def _end(line_m: FloatArray, before_m: float) -> tuple[FloatArray, FloatArray]:
    """The point ``before_m`` ahead of a line's end, and the unit direction there."""
    pieces = np.diff(line_m, axis=0)
    lengths_m = np.linalg.norm(pieces, axis=1)
    passed_m = np.concatenate([[0.0], np.cumsum(lengths_m)])
    at_m = max(passed_m[-1] - before_m, 0.0)
    piece = int(np.clip(np.searchsorted(passed_m, at_m, side="right") - 1, 0, len(pieces) - 1))
    along = pieces[piece] / max(lengths_m[piece], 1e-9)
    point: FloatArray = line_m[piece] + (at_m - passed_m[piece]) * along
    return point, along


def _facing(along: FloatArray) -> float:
    """The direction against the traffic that moves ``along``."""
    return float(np.arctan2(-along[1], -along[0]))
