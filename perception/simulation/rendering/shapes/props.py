"""What stands at the roadside: trees, hedges, street lamps, traffic lights, speed limits, bins, benches."""

from __future__ import annotations

import numpy as np

from perception.simulation.rendering.shapes.materials import Slot
from perception.simulation.rendering.shapes.mesh import Patch, blob, box, lathe, tube

TREES: tuple[str, ...] = ("oak", "linden", "poplar", "spruce", "birch", "bush")
LIGHT_HEIGHT_M = 3.1


def tree(kind: str, *, detail: bool = True) -> list[Patch]:
    """A tree 8 m high (a bush 1.2 m): FIRST and SECOND colour its leaves."""
    if kind == "bush":
        return _crown([(0, 0, 0.55, 0.75), (0.45, 0.25, 0.42, 0.55), (-0.4, -0.2, 0.45, 0.55)], "bush", detail)
    if kind == "spruce":
        skirts = [(2.1, 1.0, 4.0), (1.75, 2.8, 5.6), (1.3, 4.5, 7.0), (0.8, 6.1, 8.0)]
        sides = 11 if detail else 6
        cones = [
            lathe([(0.25 * r, low + 0.25), (r, low), (r * 0.45, low + 0.55 * (top - low)), (0.02, top)], sides)
            for r, low, top in skirts
        ]
        trunk = Patch(lathe([(0.18, 0.0), (0.14, 1.6)], 6), Slot.BARK)
        return [trunk, *[Patch(_rough(cone, 0.18, i), Slot.FIRST, crease_deg=50) for i, cone in enumerate(cones)]]
    if kind == "poplar":
        crown = [(0, 0, 3.0, 0.95), (0.1, 0, 4.4, 1.1), (0, 0.1, 5.7, 0.9), (0, 0, 6.9, 0.6)]
        return _trunk(0.16, 2.6) + _crown(crown, kind, detail, stretch=1.35)
    if kind == "linden":
        crown = [
            (0, 0, 4.6, 1.9),
            (0.6, 0.3, 3.7, 1.4),
            (-0.7, -0.2, 3.9, 1.4),
            (0.1, -0.2, 6.2, 1.4),
            (0.1, 0.6, 5.4, 1.3),
        ]
        return _trunk(0.20, 3.2) + _crown(crown, kind, detail, stretch=1.1)
    if kind == "birch":
        crown = [
            (0, 0, 4.4, 1.2),
            (0.5, 0.3, 5.4, 1.0),
            (-0.4, 0.2, 5.8, 1.0),
            (0, -0.3, 6.9, 0.9),
            (0.3, -0.5, 3.6, 0.9),
        ]
        white = [Patch(tube((0, 0, 0), (0.15, 0, 4.5), 0.13, 0.07, 7), Slot.WHITE)]
        return white + _crown(crown, kind, detail)
    crown = [
        (0.0, 0.0, 5.3, 2.1), (1.4, 0.4, 4.6, 1.6), (-1.3, 0.6, 4.8, 1.6), (0.2, -1.4, 4.7, 1.6), (-0.3, 1.4, 4.4, 1.4),
        (0.4, 0.2, 6.7, 1.4),
    ]  # fmt: skip
    return _trunk(0.27, 3.6) + _crown(crown, "oak", detail)


def _trunk(radius: float, height: float) -> list[Patch]:
    return [
        Patch(lathe([(radius * 1.5, 0), (radius, 0.4), (radius * 0.7, height)], 7), Slot.BARK, crease_deg=60),
        Patch(tube((0, 0, height * 0.75), (0.8, 0.3, height * 1.2), radius * 0.45, radius * 0.2, 5), Slot.BARK),
        Patch(tube((0, 0, height * 0.8), (-0.7, 0.4, height * 1.25), radius * 0.4, radius * 0.2, 5), Slot.BARK),
    ]


def _crown(
    balls: list[tuple[float, float, float, float]], kind: str, detail: bool, stretch: float = 0.92
) -> list[Patch]:
    """Leafy balls (x, y, z, radius), lumpy, in two greens."""
    rings, sides = (8, 12) if detail else (4, 6)
    patches = []
    for i, (x, y, z, radius) in enumerate(balls):
        ball = _rough(blob((0, 0, 0), (radius, radius, radius * stretch), rings, sides), 0.20, i + len(kind))
        slot = Slot.FIRST if i % 2 == 0 else Slot.SECOND
        patches.append(Patch(ball + np.array([x, y, z]), slot, crease_deg=58))
    return patches


def _rough(corners: np.ndarray, amount: float, seed: int) -> np.ndarray:
    """Corners pushed in and out; equal corners move equally."""
    wave = np.array([[3.1, 1.7, 2.3], [-2.2, 3.7, 1.1], [1.3, -2.9, 3.3]]) * 1.9
    lift = np.sin(corners @ wave.T + seed * 1.7).sum(axis=-1, keepdims=True) / 3
    rough: np.ndarray = corners * (1 + amount * lift)
    return rough


def hedge(*, detail: bool = True) -> list[Patch]:
    """A clipped hedge 2 m long and 1.1 m high."""
    return [Patch(box((0, 0, 0.55), (2.04, 0.6, 1.1), 0.12 if detail else 0.0), Slot.FIRST, crease_deg=30)]


def street_lamp(*, detail: bool = True) -> list[Patch]:
    """A mast of 7.5 m whose arm reaches 1.6 m along x."""
    sides = 8 if detail else 5
    return [
        Patch(lathe([(0.13, 0.0), (0.12, 0.9), (0.075, 1.0), (0.05, 7.3)], sides), Slot.METAL, crease_deg=60),
        Patch(tube((0, 0, 7.25), (1.3, 0, 7.55), 0.045, 0.04, sides), Slot.METAL),
        Patch(box((1.55, 0, 7.56), (0.75, 0.26, 0.10), 0.04), Slot.METAL),
        Patch(box((1.58, 0, 7.50), (0.55, 0.18, 0.06)), Slot.STREET),
    ]


def traffic_light(*, detail: bool = True) -> list[Patch]:
    """A mast with three lamps that look along x, with hoods and a pale border."""
    sides = 8 if detail else 5
    patches = [
        Patch(lathe([(0.10, 0.0), (0.07, 0.25), (0.06, 3.45)], sides), Slot.METAL),
        Patch(box((0.10, 0, LIGHT_HEIGHT_M), (0.06, 0.46, 1.12), 0.02), Slot.WHITE),
        Patch(box((0.17, 0, LIGHT_HEIGHT_M), (0.20, 0.36, 1.02), 0.05), Slot.BLACK),
        Patch(box((0.0, 0.0, 1.1), (0.16, 0.16, 0.24), 0.03), Slot.YELLOW),
    ]
    for offset, slot in ((0.32, Slot.STOP), (0.0, Slot.WAIT), (-0.32, Slot.GO)):
        z = LIGHT_HEIGHT_M + offset
        patches.append(Patch(tube((0.24, 0, z), (0.295, 0, z), 0.125, 0.115, 10), slot))
        patches.append(Patch(box((0.37, 0, z + 0.135), (0.20, 0.27, 0.02)), Slot.BLACK))
    return patches


_SEGMENTS = {"0": "abcdef", "1": "bc", "2": "abged", "3": "abgcd", "4": "fgbc", "5": "afgcd", "6": "afgcde", "7": "abc",
             "8": "abcdefg", "9": "abcdfg"}  # fmt: skip
_SEGMENT_AT = {"a": (0, 1, True), "b": (0.5, 0.5, False), "c": (0.5, -0.5, False), "d": (0, -1, True),
               "e": (-0.5, -0.5, False), "f": (-0.5, 0.5, False), "g": (0, 0, True)}  # fmt: skip


def speed_sign(limit_kmh: int) -> list[Patch]:
    """A round speed limit on a post, looking along x; the digits are strokes."""
    z = 2.35
    patches = [
        Patch(tube((0, 0, 0), (0, 0, 2.7), 0.03, 0.03, 6), Slot.METAL),
        Patch(tube((0.03, 0, z), (0.06, 0, z), 0.34, 0.34, 18), Slot.RED),
        Patch(tube((0.05, 0, z), (0.07, 0, z), 0.26, 0.26, 18), Slot.WHITE),
        Patch(tube((0.0, 0, z), (0.025, 0, z), 0.34, 0.34, 18), Slot.METAL),
    ]
    text = str(limit_kmh)
    for index, digit in enumerate(text):
        middle = (index - 0.5 * (len(text) - 1)) * 0.19
        for segment in _SEGMENTS[digit]:
            right, up, flat = _SEGMENT_AT[segment]
            size = (0.02, 0.13, 0.035) if flat else (0.02, 0.035, 0.14)
            centre = (0.075, middle + right * 0.11, z + up * 0.12)
            patches.append(Patch(box(centre, size), Slot.BLACK))
    return patches


def bench() -> list[Patch]:
    """A wooden bench that looks along x."""
    legs = [box((0, side * 0.7, 0.22), (0.4, 0.06, 0.44)) for side in (-1, 1)]
    return [
        Patch(box((0, 0, 0.46), (0.42, 1.7, 0.05)), Slot.BARK),
        Patch(box((-0.2, 0, 0.72), (0.05, 1.7, 0.34)), Slot.BARK),
        Patch(np.concatenate(legs), Slot.TRIM),
    ]


def bin_() -> list[Patch]:
    """A litter bin; FIRST is its colour."""
    return [
        Patch(lathe([(0.2, 0.15), (0.24, 0.8), (0.25, 0.9), (0.05, 1.0)], 9), Slot.FIRST),
        Patch(tube((0, 0, 0), (0, 0, 0.2), 0.05, 0.05, 6), Slot.METAL),
    ]


def parcel_box() -> list[Patch]:
    """A grey cabinet as stands at many corners."""
    return [
        Patch(box((0, 0, 0.6), (0.4, 1.1, 1.2), 0.03), Slot.METAL),
        Patch(box((0, 0, 0.05), (0.45, 1.15, 0.1)), Slot.TRIM),
    ]
