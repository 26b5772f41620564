"""Houses as triangles: walls cut into storeys and windows by the shader, roofs with eaves, chimneys."""

from __future__ import annotations

from enum import IntEnum

import numpy as np

from perception.arrays import FloatArray
from perception.geometry.rotation import rotation_about_z
from perception.simulation.rendering.shapes.mesh import box, quads
from perception.simulation.rendering.town.scenery import House

STOREY_M = 3.0
_WINDOW_SPACING_M = 2.7
_EAVES_M = 0.35


class Surface(IntEnum):
    """What the shader draws on a wall or roof."""

    PLAIN = 0
    FRONT = 1
    SIDE = 2
    ROOF = 3
    SHOP = 4


HOUSE_VERTEX = np.dtype(
    [("position", "f4", 3), ("normal", "f4", 3), ("cell", "f4", 2), ("colour", "u1", 4), ("style", "u1", 4)]
)
"""``cell`` counts windows along the wall and storeys up; ``colour`` is R, G, B and the surface; ``style`` two seeds,
a brick flag and the trim's brightness."""

_WALLS = (
    (0.90, 0.86, 0.76), (0.86, 0.74, 0.58), (0.80, 0.60, 0.46), (0.92, 0.90, 0.86), (0.72, 0.76, 0.78),
    (0.64, 0.36, 0.28), (0.58, 0.33, 0.27), (0.86, 0.78, 0.50), (0.70, 0.74, 0.62), (0.78, 0.64, 0.62),
    (0.60, 0.64, 0.70), (0.88, 0.66, 0.50),
)  # fmt: skip
_BRICKS = (5, 6)
_ROOFS = ((0.56, 0.27, 0.20), (0.48, 0.25, 0.20), (0.33, 0.33, 0.36), (0.40, 0.30, 0.26), (0.28, 0.30, 0.33))


def wall_top_m(house: House) -> float:
    """Where the four walls end and the roof begins."""
    return house.storeys * STOREY_M + 0.4


def house_triangles(house: House) -> np.ndarray:
    """(T, 3) of ``HOUSE_VERTEX`` in the town's axes."""
    random = np.random.default_rng(house.seed)
    wall_index = int(random.integers(len(_WALLS)))
    wall = np.clip(np.array(_WALLS[wall_index]) * random.uniform(0.88, 1.08), 0, 1)
    roof = np.array(_ROOFS[int(random.integers(len(_ROOFS)))]) * random.uniform(0.85, 1.15)
    style = np.array(
        [random.integers(256), random.integers(256), 255 * (wall_index in _BRICKS), random.integers(150, 255)], np.uint8
    )
    top = wall_top_m(house)
    depth, width = house.depth_m / 2, house.width_m / 2
    parts = _walls(house, depth, width, top, wall, style)
    builders = {"gable": _gable, "hip": _hip, "flat": _flat_roof, "mansard": _mansard}
    parts += builders[house.roof](depth, width, top, wall, roof, style)
    if house.roof != "flat":
        for side in random.permutation([-0.5, 0.4])[: int(random.integers(1, 3))]:
            chimney = box((-0.15 * depth, side * width, top + 0.33 * depth + 0.7), (0.6, 0.8, 1.6))
            parts.append(_vertices(chimney, np.array([0.5, 0.3, 0.25]), Surface.PLAIN, style))
    table = np.concatenate(parts)
    turn = rotation_about_z(house.yaw_rad)
    table["position"] = table["position"] @ turn.T + np.array([*house.centre_m, 0.0])
    table["normal"] = table["normal"] @ turn.T
    return table


def _vertices(
    corners_m: FloatArray, colour: FloatArray, surface: Surface, style: np.ndarray, cell: FloatArray | None = None
) -> np.ndarray:
    table = np.zeros(corners_m.shape[:2], HOUSE_VERTEX)
    normals = np.cross(corners_m[:, 1] - corners_m[:, 0], corners_m[:, 2] - corners_m[:, 0])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
    table["position"], table["normal"] = corners_m, normals[:, None]
    table["colour"] = np.round(255 * np.clip([*colour, surface / 255], 0, 1))
    table["style"] = style
    if cell is not None:
        table["cell"] = cell
    return table


def _quad(
    corners_m: FloatArray, colour: FloatArray, surface: Surface, style: np.ndarray, cells: tuple[float, float]
) -> np.ndarray:
    """A quadrilateral (4, 3), counter-clockwise from its lower left corner, so many ``cells`` wide and high."""
    cell = np.array([[0, 0], [cells[0], 0], [cells[0], cells[1]], [0, cells[1]]], float)
    order = np.array([[0, 1, 2], [0, 2, 3]])
    return _vertices(corners_m[order], colour, surface, style, cell[order])


def _walls(
    house: House, depth: float, width: float, top: float, wall: FloatArray, style: np.ndarray
) -> list[np.ndarray]:
    corners = np.array([[depth, -width], [depth, width], [-depth, width], [-depth, -width]])
    parts = []
    for side in range(4):
        a, b = corners[side], corners[(side + 1) % 4]
        quad = np.array([[*a, -0.1], [*b, -0.1], [*b, top], [*a, top]])
        length = float(np.linalg.norm(b - a))
        surface = (Surface.SHOP if house.has_shop else Surface.FRONT) if side == 0 else Surface.SIDE
        cells = (max(1, round(length / _WINDOW_SPACING_M)), top / STOREY_M)
        parts.append(_quad(quad, wall, surface, style, (float(cells[0]), float(cells[1]))))
    return parts


def _gable(
    depth: float, width: float, top: float, wall: FloatArray, roof: FloatArray, style: np.ndarray
) -> list[np.ndarray]:
    ridge, out = top + 0.72 * depth, depth + _EAVES_M
    low, wide = top - 0.72 * _EAVES_M, width + 0.25
    parts = []
    for sign in (1, -1):
        eaves, top_edge = (sign * out, low), (0.0, ridge)
        line = [[eaves[0], -sign * wide, eaves[1]], [eaves[0], sign * wide, eaves[1]]]
        upper = [[top_edge[0], sign * wide, top_edge[1]], [top_edge[0], -sign * wide, top_edge[1]]]
        slope = np.array(line + upper)
        parts.append(_quad(slope, roof, Surface.ROOF, style, (2 * wide, 1.25 * out)))
        parts.append(_vertices(_underside(slope), wall * 0.8, Surface.PLAIN, style))
        gable = np.array(
            [[[sign * -depth, sign * width, top], [0, sign * width, ridge], [sign * depth, sign * width, top]]]
        )
        parts.append(_vertices(gable, wall, Surface.PLAIN, style))
    return parts


def _underside(quad: FloatArray) -> FloatArray:
    lower = quad - np.array([0, 0, 0.14])
    rim = quads(np.stack([np.concatenate([quad, quad[:1]]), np.concatenate([lower, lower[:1]])]))
    below = lower[::-1]
    return np.concatenate([rim[:, ::-1], below[None, [0, 1, 2]], below[None, [0, 2, 3]]])


def _hip(
    depth: float, width: float, top: float, wall: FloatArray, roof: FloatArray, style: np.ndarray
) -> list[np.ndarray]:
    out, wide, ridge = depth + _EAVES_M, width + _EAVES_M, top + 0.62 * depth
    half = max(0.0, wide - out)
    base = np.array([[out, -wide, top], [out, wide, top], [-out, wide, top], [-out, -wide, top]])
    a, b = np.array([0, -half, ridge]), np.array([0, half, ridge])
    parts = [
        _quad(np.array([base[0], base[1], b, a]), roof, Surface.ROOF, style, (2 * wide, 1.2 * out)),
        _quad(np.array([base[2], base[3], a, b]), roof, Surface.ROOF, style, (2 * wide, 1.2 * out)),
    ]
    for first, second, tip in ((base[1], base[2], b), (base[3], base[0], a)):
        cell = np.array([[[0, 0], [2 * out, 0], [out, 1.2 * out]]], float)
        parts.append(_vertices(np.array([[first, second, tip]]), roof, Surface.ROOF, style, cell))
    parts.append(_vertices(_underside(base), wall * 0.8, Surface.PLAIN, style))
    return parts


def _flat_roof(
    depth: float, width: float, top: float, wall: FloatArray, roof: FloatArray, style: np.ndarray
) -> list[np.ndarray]:
    rim = box((0, 0, top + 0.12), (2 * depth + 0.3, 2 * width + 0.1, 0.45))
    hut = box((-0.3 * depth, 0.2 * width, top + 1.1), (2.6, 3.0, 1.8))
    return [_vertices(rim, wall * 0.9, Surface.PLAIN, style), _vertices(hut, wall * 0.8, Surface.PLAIN, style)]


def _mansard(
    depth: float, width: float, top: float, wall: FloatArray, roof: FloatArray, style: np.ndarray
) -> list[np.ndarray]:
    parts = [_vertices(box((0, 0, top), (2 * depth + 0.5, 2 * width + 0.06, 0.22)), wall, Surface.PLAIN, style)]
    low, high = top + 0.1, top + 2.5
    base = np.array([[depth, -width], [depth, width], [-depth, width], [-depth, -width]])
    inner = base * np.array([(depth - 1.1) / depth, 1.0])
    for side in (0, 2):
        a, b = base[side], base[(side + 1) % 4]
        c, d = inner[(side + 1) % 4], inner[side]
        quad = np.array([[*a, low], [*b, low], [*c, high], [*d, high]])
        parts.append(_quad(quad, roof, Surface.ROOF, style, (2 * width, 2.6)))
        count = max(1, int(width / 2.2))
        for y in np.linspace(-width, width, 2 * count + 1)[1::2]:
            sign = 1 if side == 0 else -1
            dormer = box((sign * (depth - 0.75), y, low + 1.0), (1.3, 1.3, 1.7))
            parts.append(_vertices(dormer, np.minimum(wall * 1.05, 1), Surface.PLAIN, style))
            x = sign * (depth - 0.09)
            pane = np.array(
                [
                    [x, -sign * 0.45 + y, low + 0.35],
                    [x, sign * 0.45 + y, low + 0.35],
                    [x, sign * 0.45 + y, low + 1.65],
                    [x, -sign * 0.45 + y, low + 1.65],
                ]
            )
            parts.append(_quad(pane, wall, Surface.SIDE, style, (1.0, 1.0)))
    cap = np.array([[*p, high] for p in inner])
    parts.append(_quad(cap, roof, Surface.ROOF, style, (2 * width, 2 * depth)))
    for side in (1, 3):
        a, b = base[side], base[(side + 1) % 4]
        c, d = inner[(side + 1) % 4], inner[side]
        end = np.array([[*a, low], [*b, low], [*c, high], [*d, high]])
        parts.append(_vertices(end[[[0, 1, 2], [0, 2, 3]]], wall, Surface.PLAIN, style))
    return parts
