"""The ground of a town: roads with their markings, kerbs, pavements, grass."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import cv2
import numpy as np

from perception.arrays import FloatArray
from perception.simulation.rendering.town.polygons import leftwards, piece, resampled, strip, triangulated
from perception.simulation.world import Lane, Town

PAVEMENT_HEIGHT_M = 0.05
_MARKING_HEIGHT_M = 0.008
_LINE_WIDTH_M = 0.13
_STOP_LINE_M = 0.40
_MAP_PX_PER_M = 4.0
_BEYOND_M = 900.0
_BED_MARGIN_M = 0.35
_STRAIGHT_COSINE = 0.9998


class Ground(IntEnum):
    """What a piece of ground is covered with."""

    GRASS = 0
    ASPHALT = 1
    PAVEMENT = 2
    KERB = 3
    MARKING = 4
    CYCLEWAY = 5
    PARKING = 6


GROUND_VERTEX = np.dtype([("position", "f4", 3), ("across", "f4"), ("normal_z", "f4"), ("kind", "f4")])
"""``across`` runs from -1 to 1 over a lane and is 2 where there is none."""


@dataclass(frozen=True)
class SurfaceMap:
    """A plan of the town, 4 pixels a metre: 0 free, 1 road, 2 pavement."""

    cover: np.ndarray
    origin_m: FloatArray

    def at(self, points_m: FloatArray) -> np.ndarray:
        """(...) cover at points (..., 2); free outside of the plan."""
        column_row = np.floor((points_m - self.origin_m) * _MAP_PX_PER_M).astype(int)
        height, width = self.cover.shape
        inside = np.all((column_row >= 0) & (column_row < [width, height]), axis=-1)
        column_row = np.where(inside[..., None], column_row, 0)
        return np.where(inside, self.cover[column_row[..., 1], column_row[..., 0]], 0)

    def fill(self, polygon_m: FloatArray, value: int) -> None:
        """Draw a polygon (P, 2)."""
        corners = np.round((polygon_m - self.origin_m) * _MAP_PX_PER_M * 16 - 8).astype(np.int32)
        cv2.fillPoly(self.cover, [corners], value, shift=4)


def surface_map(town: Town, *, margin_m: float = 60.0) -> SurfaceMap:
    """The plan of a town's roads and pavements."""
    low = np.array(town.extent_m[:2]) - margin_m
    size = np.ceil((np.array(town.extent_m[2:]) + margin_m - low) * _MAP_PX_PER_M).astype(int)
    plan = SurfaceMap(np.zeros((size[1], size[0]), np.uint8), low)
    for polygon in town.junctions_m:
        if len(polygon) >= 3:
            plan.fill(polygon, 1)
    for is_walk in (False, True):
        for lane in town.lanes:
            if (lane.use == "walk") == is_walk:
                left, right = _edges(lane)
                plan.fill(np.concatenate([left, right[::-1]]), 2 if is_walk else 1)
    for polygon in town.pavements_m:
        if len(polygon) >= 3:
            plan.fill(polygon, 2)
    return plan


def ground_triangles(town: Town) -> np.ndarray:
    """(T, 3) of ``GROUND_VERTEX``: what the ground of the town is covered with."""
    parts = [_grass(town)]
    parts += [_flat(triangulated(p), 0.0, Ground.ASPHALT) for p in town.junctions_m if len(p) >= 3]
    parts += [_flat(triangulated(p), PAVEMENT_HEIGHT_M, Ground.PAVEMENT) for p in town.pavements_m if len(p) >= 3]
    parts += [_lane(lane) for lane in town.lanes]
    parts += [_bed(lane) for lane in town.lanes if lane.use != "walk"]
    return np.concatenate(parts)


def detail_triangles(town: Town, plan: SurfaceMap) -> np.ndarray:
    """(T, 3) of ``GROUND_VERTEX``: kerbs and markings, which are only seen from near."""
    parts = [_kerbs(outline, plan) for outline in _pavement_outlines(town)]
    parts += [_marking(corners) for corners in _all_markings(town)]
    return np.concatenate([part for part in parts if len(part)]) if parts else np.zeros((0, 3), GROUND_VERTEX)


def _edges(lane: Lane) -> tuple[FloatArray, FloatArray]:
    """The left and right border of a lane."""
    line = lane.centre_line_m
    return leftwards(line, lane.width_m / 2), leftwards(line, -lane.width_m / 2)


def _vertices(
    corners_m: FloatArray, kind: Ground, across: FloatArray | float = 2.0, normal_z: float = 1.0
) -> np.ndarray:
    table = np.zeros(corners_m.shape[:2], GROUND_VERTEX)
    table["position"], table["across"], table["normal_z"], table["kind"] = corners_m, across, normal_z, float(kind)
    return table


def _flat(triangles_m: FloatArray, height_m: float, kind: Ground) -> np.ndarray:
    heights = np.full((*triangles_m.shape[:2], 1), height_m)
    return _vertices(np.concatenate([triangles_m, heights], axis=-1), kind)


def _grass(town: Town) -> np.ndarray:
    """Tiles, so that those behind a camera can be left out."""
    x0, y0, x1, y1 = town.extent_m
    xs, ys = (np.linspace(a - _BEYOND_M, b + _BEYOND_M, 13) for a, b in ((x0, x1), (y0, y1)))
    a = np.stack(np.meshgrid(xs[:-1], ys[:-1]), axis=-1).reshape(-1, 2)
    step = np.array([xs[1] - xs[0], ys[1] - ys[0]])
    b, c, d = a + step * [1, 0], a + step, a + step * [0, 1]
    return _flat(np.concatenate([np.stack([a, b, c], axis=1), np.stack([a, c, d], axis=1)]), -0.05, Ground.GRASS)


def _lane(lane: Lane) -> np.ndarray:
    left, right = _edges(lane)
    across = strip(np.ones((len(left), 1)), -np.ones((len(left), 1)))[..., 0]
    triangles = strip(left, right)
    height = PAVEMENT_HEIGHT_M if lane.use == "walk" else 0.002
    kinds = {"walk": Ground.PAVEMENT, "cycle": Ground.CYCLEWAY, "park": Ground.PARKING, "drive": Ground.ASPHALT}
    table = _flat(triangles, height, kinds[lane.use])
    table["across"] = across if lane.use == "drive" else 2.0
    return table


def _bed(lane: Lane) -> np.ndarray:
    """Asphalt a little wider and deeper than a lane, so that no grass shows where lanes do not quite meet."""
    half_m = lane.width_m / 2 + _BED_MARGIN_M
    line = lane.centre_line_m
    return _flat(strip(leftwards(line, half_m), leftwards(line, -half_m)), -0.012, Ground.ASPHALT)


def _pavement_outlines(town: Town) -> list[FloatArray]:
    """Closed outlines, counter-clockwise, with a point about every metre."""
    polygons = [np.concatenate([right, left[::-1]]) for left, right in map(_edges, _walks(town))]
    polygons += [polygon for polygon in town.pavements_m if len(polygon) >= 3]
    outlines = []
    for polygon in polygons:
        x, y = polygon.T
        if np.sum(x * np.roll(y, -1) - y * np.roll(x, -1)) < 0:
            polygon = polygon[::-1]
        outlines.append(_divided(np.concatenate([polygon, polygon[:1]])))
    return outlines


def _divided(line_m: FloatArray) -> FloatArray:
    """A line's own points and others between them, so that no piece is longer than about a metre."""
    counts = np.maximum(1, np.round(np.linalg.norm(np.diff(line_m, axis=0), axis=1)).astype(int))
    at = np.repeat(np.arange(len(counts)), counts) + np.concatenate([np.arange(n) / n for n in counts])
    at = np.append(at, len(counts))
    return np.stack([np.interp(at, np.arange(len(line_m)), line_m[:, k]) for k in (0, 1)], axis=1)


def _walks(town: Town) -> list[Lane]:
    return [lane for lane in town.lanes if lane.use == "walk"]


def _kerbs(outline_m: FloatArray, plan: SurfaceMap) -> np.ndarray:
    """Kerb stones where a pavement borders a road, a slope of earth where it borders grass."""
    pieces = np.diff(outline_m, axis=0)
    along = pieces / np.maximum(np.linalg.norm(pieces, axis=1, keepdims=True), 1e-9)
    outside = np.stack([along[:, 1], -along[:, 0]], axis=1)
    beyond = plan.at(outline_m[:-1] + 0.5 * pieces + outside * 0.5)
    starts, ends = _runs(beyond, along)
    parts = []
    for cover, low in ((1, 0.0), (0, -0.06)):
        rows = np.flatnonzero(beyond[starts] == cover)
        if not len(rows):
            continue
        start, end, out = outline_m[starts[rows]], outline_m[ends[rows]], outside[starts[rows]]
        levels = ((-0.16, PAVEMENT_HEIGHT_M + 0.004), (0.0, PAVEMENT_HEIGHT_M + 0.004), (0.05, low))
        rails = [
            np.concatenate([np.stack([start + out * o, end + out * o], axis=1), np.full((len(rows), 2, 1), z)], axis=-1)
            for o, z in levels
        ]
        for inner, outer, normal_z in ((rails[0], rails[1], 1.0), (rails[1], rails[2], 0.55)):
            corners = np.stack([outer[:, 0], outer[:, 1], inner[:, 1], inner[:, 0]], axis=1)
            triangles = np.concatenate([corners[:, [0, 1, 2]], corners[:, [0, 2, 3]]])
            parts.append(_vertices(triangles, Ground.KERB, normal_z=normal_z))
    return np.concatenate(parts) if parts else np.zeros((0, 3), GROUND_VERTEX)


def _runs(beyond: np.ndarray, along: FloatArray) -> tuple[np.ndarray, np.ndarray]:
    """First and last point of each straight run of pieces that border the same."""
    bends = np.einsum("nk,nk->n", along[1:], along[:-1]) < _STRAIGHT_COSINE
    breaks = np.flatnonzero((beyond[1:] != beyond[:-1]) | bends) + 1
    return np.concatenate([[0], breaks]), np.concatenate([breaks, [len(beyond)]])


def _marking(triangles_m: FloatArray) -> np.ndarray:
    return _flat(triangles_m, _MARKING_HEIGHT_M, Ground.MARKING)


def _all_markings(town: Town) -> list[FloatArray]:
    """Triangles (T, 3, 2) of the white paint."""
    found = [corners for lane in town.lanes for corners in _lane_lines(lane)]
    found += [corners for crossing in town.crossings_m for corners in _zebra(crossing)]
    for first, second in town.stop_lines_m:
        along = (second - first) / max(float(np.linalg.norm(second - first)), 1e-9)
        thick = 0.5 * _STOP_LINE_M * np.array([-along[1], along[0]])
        corners = np.array([first - thick, second - thick, second + thick, first + thick])
        found.append(triangulated(corners))
    return found


def _lane_lines(lane: Lane) -> list[FloatArray]:
    """The line on the left of a lane: dashed between lanes, a thin one beside parked cars, else along the middle."""
    if lane.use == "walk":
        return []
    line, at = resampled(lane.centre_line_m, 1.5)
    edge, length_m = leftwards(line, lane.width_m / 2), float(at[-1])
    if lane.use in ("park", "cycle"):
        return [_painted(edge, 0.10)]
    if lane.is_inner_edge:
        return [_painted(part, _LINE_WIDTH_M) for part in _dashes(edge, length_m, 3.0, 3.5, solid_m=18.0)]
    if tuple(edge[0]) > tuple(edge[-1]):
        return []
    return [_painted(part, _LINE_WIDTH_M) for part in _dashes(edge, length_m, 3.0, 4.5, solid_m=0.0)]


def _dashes(line_m: FloatArray, length_m: float, dash_m: float, gap_m: float, *, solid_m: float) -> list[FloatArray]:
    """Pieces of a line: dashes, and a solid line over the last ``solid_m``."""
    last = max(0.0, length_m - solid_m)
    starts = np.arange(0.5 * gap_m, last - dash_m, dash_m + gap_m)
    parts = [piece(line_m, start, start + dash_m) for start in starts]
    return parts + ([piece(line_m, last, length_m)] if solid_m and length_m > solid_m else [])


def _painted(line_m: FloatArray, width_m: float) -> FloatArray:
    return strip(leftwards(line_m, width_m / 2), leftwards(line_m, -width_m / 2))


def _zebra(crossing_m: FloatArray) -> list[FloatArray]:
    """Bars of half a metre along the way of the cars."""
    half = len(crossing_m) // 2
    left, right = crossing_m[:half], crossing_m[half:][::-1]
    if half < 2 or len(left) != len(right):
        return []
    length_m = float(np.linalg.norm(np.diff(left, axis=0), axis=1).sum())
    stretch = float(np.linalg.norm(np.diff(right, axis=0), axis=1).sum()) / max(length_m, 1e-9)
    bars = []
    for start in np.arange(0.35, length_m - 0.55, 1.0):
        first = piece(left, start, start + 0.5)[[0, -1]]
        second = piece(right, start * stretch, (start + 0.5) * stretch)[[0, -1]]
        bars.append(triangulated(np.concatenate([first, second[::-1]])))
    return bars
