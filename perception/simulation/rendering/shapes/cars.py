"""Car bodies lofted from their profiles: sedan, hatchback, estate, SUV, van, pickup."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from perception.simulation.rendering.shapes.materials import Angle, Slot
from perception.simulation.rendering.shapes.mesh import Joint, Patch, box, fan, outward, quads, tube


@dataclass(frozen=True, kw_only=True)
class CarShape:
    """A car's profile in metres: x forward from the middle, z up from the road, x falling from nose to tail.

    ``hood`` and ``tail`` are heights at the nose and the tail, ``belt`` where the side windows begin; the roof spans
    ``screen`` (foot of the windscreen), ``roof`` (its front and rear edge) and ``rear`` (foot of the rear window).
    ``pillars`` split the side windows; behind ``blind`` there is sheet metal instead of glass.
    """

    length: float
    width: float
    height: float
    hood: float
    belt: float
    tail: float
    screen: float
    roof: tuple[float, float]
    rear: float
    wheel_radius: float
    axles: tuple[float, float]
    clearance: float = 0.19
    pillars: tuple[float, ...] = ()
    blind: float = -9.0
    cladding: bool = False
    bed: bool = False


SHAPES: dict[str, CarShape] = {
    "sedan": CarShape(
        length=4.7,
        width=1.83,
        height=1.45,
        hood=0.80,
        belt=0.93,
        tail=0.99,
        screen=0.92,
        roof=(0.18, -0.98),
        rear=-1.72,
        wheel_radius=0.33,
        axles=(1.42, -1.38),
        pillars=(-0.32,),
    ),
    "hatchback": CarShape(
        length=4.0,
        width=1.76,
        height=1.48,
        hood=0.82,
        belt=0.93,
        tail=1.00,
        screen=0.95,
        roof=(0.25, -1.42),
        rear=-1.93,
        wheel_radius=0.31,
        axles=(1.24, -1.26),
        pillars=(-0.28, -1.12),
    ),
    "estate": CarShape(
        length=4.75,
        width=1.83,
        height=1.50,
        hood=0.80,
        belt=0.94,
        tail=1.02,
        screen=0.95,
        roof=(0.20, -1.92),
        rear=-2.30,
        wheel_radius=0.33,
        axles=(1.43, -1.38),
        pillars=(-0.3, -1.25),
    ),
    "suv": CarShape(
        length=4.6,
        width=1.90,
        height=1.70,
        hood=0.98,
        belt=1.10,
        tail=1.16,
        screen=0.90,
        roof=(0.28, -1.75),
        rear=-2.20,
        wheel_radius=0.37,
        axles=(1.38, -1.36),
        clearance=0.25,
        pillars=(-0.3, -1.22),
        cladding=True,
    ),
    "van": CarShape(
        length=5.4,
        width=1.98,
        height=2.15,
        hood=1.08,
        belt=1.22,
        tail=1.30,
        screen=1.92,
        roof=(1.05, -2.58),
        rear=-2.68,
        wheel_radius=0.35,
        axles=(1.72, -1.62),
        clearance=0.24,
        pillars=(0.35,),
        blind=0.2,
    ),
    "pickup": CarShape(
        length=5.2,
        width=1.90,
        height=1.80,
        hood=1.06,
        belt=1.16,
        tail=1.14,
        screen=1.05,
        roof=(0.42, -0.62),
        rear=-0.92,
        wheel_radius=0.40,
        axles=(1.62, -1.55),
        clearance=0.30,
        pillars=(-0.15,),
        cladding=True,
        bed=True,
    ),
}


def car(shape: CarShape, *, detail: bool = True) -> list[Patch]:
    """The patches of a car; ``detail`` adds gaps, handles, mirrors and spokes, and more stations."""
    patches = [*_shell(shape, detail), *_cabin(shape), *_lights(shape, detail)]
    for x in shape.axles:
        patches += wheel_pair(x, 0.5 * shape.width - 0.11, shape.wheel_radius, 0.22, detail=detail)
        patches += _arches(shape, x, detail)
    if detail:
        patches += _details(shape)
    return patches


def _half_section(shape: CarShape, x: float) -> np.ndarray:
    """(6, 2): y, z of the lower body at x, from the floor up over the flank to the middle of the bonnet."""
    half = 0.5 * shape.length
    to_end = half - abs(x)
    rounding = np.sqrt(np.clip(1 - ((0.62 - to_end) / 0.62) ** 2, 0, 1)) if to_end < 0.62 else 1.0
    wide = 0.5 * shape.width * (0.82 + 0.18 * rounding)
    low = shape.clearance + 0.10 * (1 - rounding)
    front, rear = shape.screen, shape.rear
    if x > front:
        share = (x - front) / (half - front)
        top = shape.belt + 0.05 - (shape.belt + 0.05 - shape.hood) * share**1.6 - 0.16 * (1 - rounding)
    elif x < rear:
        top = shape.tail - 0.07 * (1 - rounding)
    else:
        top = shape.belt + 0.03 + (shape.tail - shape.belt - 0.03) * np.clip((front - x) / (front - rear), 0, 1)
    high = top - low
    return np.array(
        [
            [0.55 * wide, low],
            [0.95 * wide, low + 0.03],
            [wide, low + 0.40 * high],
            [0.985 * wide, top - 0.14],
            [0.93 * wide, top - 0.03],
            [0.55 * wide, top + 0.015],
        ]
    )


def _ring(half: np.ndarray, x: float) -> np.ndarray:
    """(2R, 3): a half section and its mirror image as a closed ring at x."""
    both = np.concatenate([half, half[::-1] * np.array([-1.0, 1.0])])
    return np.column_stack([np.full(len(both), x), both])


def _shell(shape: CarShape, detail: bool) -> list[Patch]:
    half = 0.5 * shape.length
    ends = (0.0, 0.04, 0.14, 0.34, 0.62) if detail else (0.0, 0.10, 0.45)
    inner = [shape.screen, *np.linspace(shape.roof[0], shape.roof[1], 3 if detail else 2), shape.rear]
    stations = {round(v, 3) for v in [*(half - e for e in ends), *(e - half for e in ends), *inner]}
    rings = np.stack([_ring(_half_section(shape, x), x) for x in sorted(stations)])
    closed = np.concatenate([rings, rings[:, :1]], axis=1)
    lower = [0, 10, 11] if shape.cladding else [11]
    sides = [band for band in range(12) if band not in lower]
    whole = np.concatenate([quads(closed), fan(rings[0]), fan(rings[-1])[:, ::-1]])
    flip = -1 if outward(whole) is not whole else 1
    paint = np.concatenate([quads(closed[:, band : band + 2]) for band in sides])
    trim = np.concatenate([quads(closed[:, band : band + 2]) for band in lower])
    caps = np.concatenate([fan(rings[0]), fan(rings[-1])[:, ::-1]])
    return [
        Patch(np.concatenate([paint, caps])[:, ::flip], Slot.FIRST, crease_deg=42),
        Patch(trim[:, ::flip], Slot.TRIM),
    ]


def _cabin(shape: CarShape) -> list[Patch]:
    """The greenhouse: glass bands between painted pillars, a painted roof."""
    wide, roof_y, top = 0.5 * shape.width * 0.93, 0.5 * shape.width * 0.74, shape.height
    marks = [shape.screen, shape.roof[0]]
    for pillar in shape.pillars:
        marks += [pillar + 0.05, pillar - 0.05]
    if shape.blind > -8 and shape.blind not in marks:
        marks.append(shape.blind)
    marks += [shape.roof[1], shape.rear]
    rings = []
    for position, x in enumerate(marks):
        edge = position in (0, len(marks) - 1)
        foot = _half_section(shape, x)[4, 1] - 0.02
        bow = 0.035 * (1 - ((x - np.mean(shape.roof)) / (0.55 * np.ptp(shape.roof) + 0.2)) ** 2)
        high = foot + 0.03 if edge else top - 0.03 + min(bow, 0.03)
        narrow = wide * 0.97 if edge else roof_y + 0.055
        half = [[wide, foot], [narrow, high - (0.005 if edge else 0.07)], [narrow - 0.09, high], [0.0, high + 0.012]]
        rings.append(_ring(np.array(half), x)[[0, 1, 2, 3, 5, 6, 7]])
    grid = np.stack(rings)
    glass: list[np.ndarray] = []
    paint: list[np.ndarray] = []
    for s in range(len(marks) - 1):
        ends = s in (0, len(marks) - 2)
        is_pillar = any(abs(0.5 * (marks[s] + marks[s + 1]) - pillar) < 0.02 for pillar in shape.pillars)
        is_blind = 0.5 * (marks[s] + marks[s + 1]) < shape.blind
        for band in range(6):
            corners = quads(grid[s : s + 2, band : band + 2])
            side, edge_band = band in (0, 5), band in (1, 4)
            clear = (side and not is_pillar and not is_blind) or (ends and not side and not edge_band)
            (glass if clear else paint).append(corners)
    flip = -1 if _faces_down(grid) else 1
    return [
        Patch(np.concatenate(glass)[:, ::flip], Slot.GLASS, crease_deg=25),
        Patch(np.concatenate(paint)[:, ::flip], Slot.FIRST, crease_deg=38),
    ]


def _faces_down(grid: np.ndarray) -> bool:
    middle = grid.shape[0] // 2 - 1
    a, b, c = quads(grid[middle : middle + 2, 2:4])[0]
    return bool(np.cross(b - a, c - a)[2] < 0)


def wheel_pair(x: float, y: float, radius: float, width: float, *, detail: bool) -> list[Patch]:
    """Both wheels of an axle: tyres, rims with dark gaps between the spokes."""
    joints = (Joint(Angle.WHEEL, x, radius), Joint())
    sides = 18 if detail else 9
    tyre = tube((x, y - 0.5 * width, radius), (x, y + 0.5 * width, radius), radius, radius, sides)
    turn = np.linspace(0, 2 * np.pi, 10, endpoint=False)
    face = y + 0.5 * width + 0.008
    ring = np.column_stack([x + 0.66 * radius * np.cos(turn), np.full(10, face), radius + 0.66 * radius * np.sin(turn)])
    spokes = fan(ring)[:, ::-1]
    if detail:
        rim = [Patch(spokes[::2], Slot.RIM, joints), Patch(spokes[1::2], Slot.TRIM, joints)]
    else:
        rim = [Patch(spokes, Slot.RIM, joints)]
    left = [Patch(tyre, Slot.TYRE, joints), *rim]
    return left + [patch.mirrored() for patch in left]


def _arches(shape: CarShape, x: float, detail: bool) -> list[Patch]:
    """A dark opening around each wheel, drawn on the flank."""
    turn = np.linspace(0, np.pi, 11 if detail else 6)
    radius, middle = shape.wheel_radius * 1.20, shape.wheel_radius
    arc = np.column_stack([x + radius * np.cos(turn), np.zeros(len(turn)), middle + radius * np.sin(turn)])
    low = np.array([[x - 0.9 * radius, 0, shape.clearance + 0.03], [x + 0.9 * radius, 0, shape.clearance + 0.03]])
    ring = np.concatenate([arc, low])
    ring[:, 1] = 0.5 * shape.width + 0.004
    inner = ring * np.array([1.0, 0.0, 1.0]) + np.array([0, 0.5 * shape.width - 0.14, 0])
    rim = quads(np.stack([np.concatenate([ring, ring[:1]]), np.concatenate([inner, inner[:1]])]))
    dark = np.concatenate([fan(ring)[:, ::-1], rim])
    left = Patch(dark, Slot.BLACK)
    return [left, left.mirrored()]


def _lights(shape: CarShape, detail: bool) -> list[Patch]:
    half, y = 0.5 * shape.length, 0.5 * shape.width
    nose, tail = shape.hood - 0.17, shape.tail - 0.17
    tall = 0.30 if shape.height > 1.6 else 0.19
    one_side = [
        Patch(box((half - 0.10, 0.64 * y, nose), (0.24, 0.36, 0.14), 0.03), Slot.HEAD),
        Patch(box((half - 0.17, 0.86 * y, nose), (0.30, 0.13, 0.12), 0.02), Slot.LEFT),
        Patch(box((0.08 - half, 0.68 * y, tail), (0.18, 0.40, tall), 0.03), Slot.BRAKE),
        Patch(box((0.14 - half, 0.88 * y, tail), (0.28, 0.14, tall), 0.02), Slot.LEFT),
    ]
    other = [Patch(p.mirrored().corners_m, Slot.RIGHT if p.slot == Slot.LEFT else p.slot, p.joints) for p in one_side]
    front = [
        Patch(box((half - 0.02, 0, nose - 0.06), (0.09, 0.78 * y, 0.15), 0.02), Slot.TRIM),
        Patch(box((half, 0, shape.clearance + 0.24), (0.06, 0.52, 0.115)), Slot.PLATE),
        Patch(box((-half + 0.015, 0, tail - 0.13), (0.06, 0.52, 0.115)), Slot.PLATE),
    ]
    if detail:
        rise = shape.height - 0.05
        front += [
            Patch(box((half - 0.01, 0, shape.clearance + 0.08), (0.10, 1.3 * y, 0.12), 0.02), Slot.TRIM),
            Patch(box((0.01 - half, 0, shape.clearance + 0.10), (0.10, 1.4 * y, 0.16), 0.02), Slot.TRIM),
            Patch(box((shape.roof[1] - 0.03, 0, rise), (0.07, 0.34, 0.035)), Slot.BRAKE),
        ]
    return one_side + other + front


def _details(shape: CarShape) -> list[Patch]:
    """Door gaps, handles, mirrors, a load bed's cover."""
    y = 0.5 * shape.width
    doors = [shape.screen - 0.12, *shape.pillars, (shape.pillars[-1] if shape.pillars else 0.0) - 0.95]
    gaps = []
    for x in doors:
        if min(abs(x - axle) for axle in shape.axles) < shape.wheel_radius * 0.6:
            continue
        rows = [np.column_stack([np.full(4, at), _half_section(shape, x)[1:5]]) for at in (x - 0.009, x + 0.009)]
        gaps.append(quads(np.stack(rows) * np.array([1, 1.004, 1.0]))[:, ::-1])
    left = [Patch(np.concatenate(gaps), Slot.BLACK)] if gaps else []
    for x in doors[1:]:
        if x > shape.blind - 0.5:
            left.append(Patch(box((x + 0.16, y * 0.992, shape.belt - 0.09), (0.17, 0.03, 0.03), 0.01), Slot.TRIM))
    left += [
        Patch(box((shape.screen - 0.32, y + 0.05, shape.belt + 0.09), (0.16, 0.17, 0.13), 0.03), Slot.FIRST),
        Patch(box((shape.screen - 0.26, y + 0.07, shape.belt + 0.07), (0.08, 0.13, 0.035)), Slot.LEFT),
    ]
    right = [Patch(p.mirrored().corners_m, Slot.RIGHT if p.slot == Slot.LEFT else p.slot) for p in left]
    patches = left + right
    if shape.bed:
        span = (shape.rear - 0.12, 0.16 - 0.5 * shape.length)
        size = (span[0] - span[1], 1.62 * y, 0.05)
        patches.append(Patch(box((0.5 * sum(span), 0, shape.tail + 0.02), size, 0.015), Slot.BLACK))
    return patches
