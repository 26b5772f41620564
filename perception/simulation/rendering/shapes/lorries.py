"""Bodies of lorries and buses: cabs and boxes with soft edges, bands of windows, several axles."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from perception.simulation.rendering.shapes.cars import wheel_pair
from perception.simulation.rendering.shapes.materials import Slot
from perception.simulation.rendering.shapes.mesh import Patch, box


def _both_sides(patches: list[Patch]) -> list[Patch]:
    """The patches of the left side and their mirror images, whose indicators blink on the right."""
    right = [Patch(p.mirrored().corners_m, Slot.RIGHT if p.slot == Slot.LEFT else p.slot, p.joints) for p in patches]
    return patches + right


def _cab(front: float, width: float, low: float, top: float, length: float) -> list[Patch]:
    """A cab whose nose lies at x = ``front``: paint, windscreen, side windows, grille, mirrors, lamps."""
    y, middle, high = 0.5 * width, front - 0.5 * length, top - low
    glass_z, glass_high = low + 0.68 * high, 0.36 * high
    patches = [
        Patch(box((middle, 0, low + 0.5 * high), (length, width, high), 0.14), Slot.FIRST, crease_deg=50),
        Patch(box((front - 0.03, 0, glass_z), (0.10, width - 0.24, glass_high), 0.04), Slot.GLASS),
        Patch(box((front - 0.02, 0, low + 0.30 * high), (0.08, 0.62 * width, 0.22 * high), 0.02), Slot.TRIM),
        Patch(box((front - 0.08, 0, low + 0.06), (0.22, width - 0.06, 0.26), 0.05), Slot.TRIM),
        Patch(box((front + 0.03, 0, low + 0.06), (0.04, 0.52, 0.115)), Slot.PLATE),
        Patch(box((front + 0.10, 0, top - 0.10), (0.30, 0.9 * width, 0.07), 0.02), Slot.TRIM),
    ]
    left = [
        Patch(box((middle + 0.06 * length, y - 0.02, glass_z - 0.02), (0.62 * length, 0.06, 0.9 * glass_high)), 4),
        Patch(box((front - 0.03, y - 0.32, low + 0.16), (0.10, 0.36, 0.17), 0.03), Slot.HEAD),
        Patch(box((front - 0.06, y - 0.06, low + 0.16), (0.14, 0.14, 0.15), 0.03), Slot.LEFT),
        Patch(box((front - 0.10, y + 0.10, glass_z + 0.05), (0.10, 0.16, 0.44), 0.03), Slot.BLACK),
    ]
    return patches + _both_sides(left)


def _tail(rear: float, width: float, height: float) -> list[Patch]:
    """Lamps, plate and bumper at the rear."""
    y = 0.5 * width
    left = [
        Patch(box((rear, y - 0.36, height), (0.08, 0.40, 0.20), 0.02), Slot.BRAKE),
        Patch(box((rear, y - 0.09, height), (0.08, 0.15, 0.20), 0.02), Slot.LEFT),
    ]
    middle = [
        Patch(box((rear + 0.08, 0, height - 0.24), (0.14, width - 0.1, 0.16), 0.02), Slot.TRIM),
        Patch(box((rear - 0.01, 0, height), (0.05, 0.52, 0.13)), Slot.PLATE),
    ]
    return _both_sides(left) + middle


def box_truck(*, detail: bool = True) -> list[Patch]:
    """A lorry of 7.5 m with a box body in the second colour."""
    patches = [
        *_cab(3.75, 2.35, 0.45, 2.55, 1.75),
        Patch(box((-1.0, 0, 2.02), (5.4, 2.45, 2.2), 0.05), Slot.SECOND),
        Patch(box((-0.9, 0, 0.80), (5.4, 0.9, 0.26)), Slot.BLACK),
        Patch(box((-1.0, 0, 0.90), (5.42, 2.47, 0.09)), Slot.TRIM),
        *_both_sides([Patch(box((-0.6, 1.0, 0.62), (2.0, 0.3, 0.42), 0.05), Slot.METAL)]),
        *_both_sides([Patch(box((-1.0, 1.228, 2.25), (3.6, 0.01, 0.75)), Slot.FIRST)]),
        Patch(box((-3.705, 0, 2.05), (0.02, 0.03, 2.0)), Slot.TRIM),
        *_tail(-3.71, 2.35, 0.74),
    ]
    for x in (2.75, -2.35):
        patches += wheel_pair(x, 1.0, 0.45, 0.30, detail=detail)
    return patches


def semi_truck(*, detail: bool = True) -> list[Patch]:
    """A tractor with a trailer, 14 m in one piece."""
    patches = [
        *_cab(7.0, 2.45, 0.55, 3.35, 2.2),
        Patch(box((6.0, 0, 3.55), (1.5, 2.1, 0.55), 0.22), Slot.FIRST),
        Patch(box((-1.45, 0, 2.55), (11.1, 2.5, 2.75), 0.05), Slot.SECOND),
        Patch(box((-1.45, 0, 1.12), (11.1, 2.52, 0.14)), Slot.TRIM),
        Patch(box((0.2, 0, 0.95), (13.0, 0.9, 0.24)), Slot.BLACK),
        *_both_sides([Patch(box((-0.2, 1.14, 0.78), (5.2, 0.05, 0.55)), Slot.METAL)]),
        *_both_sides([Patch(box((3.9, 1.0, 0.75), (1.2, 0.4, 0.55), 0.08), Slot.METAL)]),
        *_both_sides([Patch(box((-1.45, 1.253, 2.75), (6.4, 0.01, 0.9)), Slot.FIRST)]),
        Patch(box((-7.005, 0, 2.55), (0.02, 0.03, 2.6)), Slot.TRIM),
        *_tail(-7.0, 2.45, 0.92),
    ]
    for x in (5.9, 2.9, -3.6, -4.7, -5.8):
        patches += wheel_pair(x, 1.03, 0.50, 0.34, detail=detail)
    return patches


def bus(*, detail: bool = True) -> list[Patch]:
    """A city bus of 12 m: low floor, doors on the right, a band of windows, a destination sign."""
    long, wide, top = 12.0, 2.55, 3.1
    patches = [
        Patch(box((0, 0, 0.5 * (top + 0.30)), (long, wide, top - 0.30), 0.16), Slot.FIRST, crease_deg=50),
        Patch(box((0, 0, 0.42), (long - 0.1, wide + 0.02, 0.26), 0.03), Slot.TRIM),
        Patch(box((0, 0, top + 0.02), (6.5, 1.7, 0.22), 0.08), Slot.FIRST),
        Patch(box((0.5 * long - 0.02, 0, 1.85), (0.10, wide - 0.22, 1.25), 0.05), Slot.GLASS),
        Patch(box((0.5 * long, 0, 2.68), (0.06, 1.8, 0.26)), Slot.BLACK),
        Patch(box((0.5 * long + 0.01, 0, 2.68), (0.06, 1.3, 0.15)), Slot.YELLOW),
        Patch(box((0.02 - 0.5 * long, 0, 2.2), (0.10, wide - 0.5, 0.85), 0.05), Slot.GLASS),
        Patch(box((0.5 * long + 0.02, 0, 0.62), (0.04, 0.52, 0.115)), Slot.PLATE),
        *_tail(-0.5 * long, wide - 0.1, 0.95),
        Patch(box((0, 0.5 * wide - 0.01, 1.18), (long - 0.5, 0.04, 0.16)), Slot.SECOND),
        Patch(box((0, -0.5 * wide + 0.01, 1.18), (long - 0.5, 0.04, 0.16)), Slot.SECOND),
    ]
    edges = np.linspace(0.5 * long - 0.4, 0.35 - 0.5 * long, 8)
    for start, end in pairwise(edges):
        size = (start - end - 0.10, 0.05, 1.05)
        pane = Patch(box((0.5 * (start + end), 0.5 * wide - 0.015, 1.90), size), Slot.GLASS)
        patches += [pane, pane.mirrored()]
    for x in (4.75, 0.6):
        patches.append(Patch(box((x, 0.01 - 0.5 * wide, 1.38), (1.15, 0.06, 2.05)), Slot.GLASS))
        patches.append(Patch(box((x, -0.5 * wide, 1.38), (0.05, 0.07, 2.05)), Slot.TRIM))
    left = [
        Patch(box((0.5 * long - 0.01, 0.95, 0.78), (0.10, 0.36, 0.17), 0.03), Slot.HEAD),
        Patch(box((0.5 * long - 0.05, 1.20, 0.78), (0.14, 0.12, 0.16), 0.03), Slot.LEFT),
        Patch(box((0.5 * long + 0.10, 1.32, 2.25), (0.14, 0.12, 0.42), 0.03), Slot.BLACK),
        Patch(box((0.3 - 0.5 * long, 1.2, 2.75), (0.62, 0.06, 0.12)), Slot.LEFT),
    ]
    patches += _both_sides(left)
    for x in (3.3, -3.1):
        patches += wheel_pair(x, 1.13, 0.48, 0.30, detail=detail)
    return patches
