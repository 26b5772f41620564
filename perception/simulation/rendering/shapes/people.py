"""People: walkers with limbs that swing, riders on bicycles, motorcycles and scooters. All look along x.

Clothes take the instance's colours: FIRST the top (for riders of machines: the machine), SECOND the trousers,
THIRD the skin, FOURTH the hair, helmet or bag.
"""

from __future__ import annotations

import numpy as np

from perception.simulation.rendering.shapes.materials import Angle, Slot
from perception.simulation.rendering.shapes.mesh import STILL, Joint, Patch, blob, box, lathe, tube

HIP_Z_M = 0.92
KNEE_Z_M = 0.50
SHOULDER_Z_M = 1.42
BRACKET = (-0.02, 0.30)
"""x, z of a bicycle's bottom bracket; its rider's feet turn around it."""
CRANK_M = 0.165
SADDLE_HIP = (-0.27, 0.99)
"""x, z of a cyclist's hip."""
THIGH_M = 0.43
SHIN_M = 0.45


def walker(*, child: bool = False, detail: bool = True) -> list[Patch]:
    """A standing person of 1.72 m; a child has a larger head and shorter legs (the instance's size shrinks it)."""
    sides = 8 if detail else 5
    torso = [
        (0.115, 0.90), (0.150, 0.94), (0.145, 1.06), (0.165, 1.25), (0.175, 1.38), (0.130, 1.455), (0.055, 1.475),
    ]  # fmt: skip
    if not detail:
        torso = torso[::2]
    body = lathe(torso, sides) * np.array([0.68, 1.12, 1.0])
    head_z, head = (1.585, 0.115) if not child else (1.56, 0.155)
    face, hair = (0.83 * head, 0.70 * head, head), (0.85 * head, 0.77 * head, 0.93 * head)
    rings = 6 if detail else 4
    patches = [
        Patch(body, Slot.FIRST, crease_deg=60),
        Patch(lathe([(0.15, 0.86), (0.160, 0.94), (0.150, 0.98)], sides) * np.array([0.7, 1.1, 1]), Slot.SECOND),
        Patch(tube((0, 0, 1.43), (0.005, 0, 1.52), 0.052, 0.05, sides), Slot.THIRD),
        Patch(blob((0.012, 0, head_z), face, rings, sides), Slot.THIRD, crease_deg=80),
        Patch(blob((-0.018, 0, head_z + 0.03), hair, rings, sides), Slot.FOURTH, crease_deg=80),
    ]  # fmt: skip
    left = [*_leg(Angle.LEFT_THIGH, Angle.LEFT_SHIN, sides), *_arm(Angle.LEFT_ARM, sides)]
    right = [*_leg(Angle.RIGHT_THIGH, Angle.RIGHT_SHIN, sides), *_arm(Angle.RIGHT_ARM, sides)]
    if detail and not child:
        patches.append(Patch(box((-0.16, 0, 1.22), (0.15, 0.28, 0.40), 0.06), Slot.FOURTH, crease_deg=60))
    return patches + left + [patch.mirrored() for patch in right]


def _leg(thigh: Angle, shin: Angle, sides: int) -> list[Patch]:
    hip, knee = Joint(thigh, 0.0, HIP_Z_M), Joint(shin, 0.0, KNEE_Z_M)
    return [
        Patch(tube((0, 0.09, 0.95), (0.005, 0.09, KNEE_Z_M - 0.03), 0.088, 0.060, sides), Slot.SECOND, (hip, STILL)),
        Patch(tube((0, 0.09, KNEE_Z_M + 0.03), (-0.01, 0.09, 0.07), 0.062, 0.045, sides), Slot.SECOND, (hip, knee)),
        Patch(box((0.045, 0.09, 0.045), (0.25, 0.09, 0.09), 0.03), Slot.BLACK, (hip, knee)),
    ]


def _arm(angle: Angle, sides: int) -> list[Patch]:
    shoulder = (Joint(angle, 0.0, SHOULDER_Z_M), STILL)
    return [
        Patch(tube((0, 0.205, 1.43), (-0.01, 0.235, 1.14), 0.056, 0.044, sides), Slot.FIRST, shoulder),
        Patch(tube((-0.01, 0.235, 1.17), (0.06, 0.235, 0.93), 0.044, 0.036, sides), Slot.FIRST, shoulder),
        Patch(blob((0.075, 0.235, 0.88), (0.035, 0.03, 0.06), 3, sides), Slot.THIRD, shoulder),
    ]


def _rider(
    hip: tuple[float, float], shoulder: tuple[float, float], hands: tuple[float, float, float], *, top: Slot, sides: int
) -> list[Patch]:
    """Torso, arms and a helmeted head; positions are x, z (hands x, y, z)."""
    (hx, hz), (sx, sz) = hip, shoulder
    lean = np.arctan2(sx - hx, sz - hz)
    body = lathe(
        [(0.12, -0.05), (0.15, 0.02), (0.14, 0.15), (0.165, 0.34), (0.17, 0.44), (0.12, 0.52), (0.05, 0.54)], sides
    )
    head = (sx + 0.07, 0.0, sz + 0.20)
    patches = [
        Patch(body * np.array([0.7, 1.1, 1.0]) + np.array([hx, 0, hz]), top, crease_deg=60).pitched(lean, (hx, 0, hz)),
        Patch(tube((sx, 0, sz), head, 0.05, 0.05, sides), Slot.THIRD),
        Patch(blob(head, (0.092, 0.078, 0.112), 5, sides), Slot.THIRD, crease_deg=80),
        Patch(blob((head[0] - 0.015, 0, head[2] + 0.055), (0.125, 0.098, 0.085), 5, sides), Slot.FOURTH, crease_deg=80),
    ]
    elbow = (0.5 * (sx + hands[0]) - 0.02, hands[1] * 0.5 + 0.14, 0.5 * (sz + hands[2]) - 0.06)
    arm = [
        Patch(tube((sx, 0.18, sz - 0.03), elbow, 0.055, 0.045, sides), top),
        Patch(tube(elbow, hands, 0.044, 0.036, sides), top),
        Patch(blob(hands, (0.045, 0.04, 0.04), 3, 6), Slot.THIRD),
    ]
    return patches + arm + [patch.mirrored() for patch in arm]


def bicycle(*, detail: bool = True) -> list[Patch]:
    """A bicycle of 1.75 m with its rider, whose feet turn with the pedals (see ``instances.pedalling``)."""
    sides = 6 if detail else 4
    radius, rear, front = 0.335, -0.53, 0.53
    bx, bz = BRACKET
    frame_tubes = [
        ((bx, bz), (-0.17, 0.83)), ((bx, bz), (0.36, 0.74)), ((-0.13, 0.74), (0.35, 0.82)), ((bx, bz), (rear, radius)),
        ((-0.14, 0.74), (rear, radius)), ((0.34, 0.90), (front, radius)),
    ]  # fmt: skip
    tubes = [tube((a[0], 0, a[1]), (b[0], 0, b[1]), 0.02, 0.02, 5) for a, b in frame_tubes]
    patches = [
        Patch(np.concatenate(tubes), Slot.FOURTH),
        Patch(box((-0.22, 0, 0.92), (0.26, 0.14, 0.06), 0.02), Slot.BLACK),
        Patch(tube((0.38, -0.28, 1.02), (0.38, 0.28, 1.02), 0.016, 0.016, 5), Slot.BLACK),
        Patch(box((0.46, 0, 0.86), (0.06, 0.07, 0.07), 0.02), Slot.HEAD),
        Patch(box((rear - 0.12, 0, 0.68), (0.04, 0.08, 0.09), 0.01), Slot.BRAKE),
    ]
    for x in (rear, front):
        patches += _spoked_wheel(x, radius, detail)
    for thigh, shin, crank_sign in ((Angle.LEFT_THIGH, Angle.LEFT_SHIN, 1), (Angle.RIGHT_THIGH, Angle.RIGHT_SHIN, -1)):
        leg = _cyclist_leg(thigh, shin, sides)
        crank = Patch(box((bx + 0.5 * CRANK_M * crank_sign, 0.07, bz), (CRANK_M, 0.02, 0.03)), Slot.METAL,
                      (Joint(Angle.CRANK, bx, bz), STILL))  # fmt: skip
        patches += [*leg, crank] if crank_sign > 0 else [patch.mirrored() for patch in [*leg, crank]]
    return patches + _rider(SADDLE_HIP, (0.02, 1.42), (0.38, 0.24, 1.05), top=Slot.FIRST, sides=sides)


def _cyclist_leg(thigh: Angle, shin: Angle, sides: int) -> list[Patch]:
    """A leg that hangs straight down; the instance's angles bend it to the pedal."""
    x, z = SADDLE_HIP
    hip, knee = Joint(thigh, x, z), Joint(shin, x, z - THIGH_M)
    return [
        Patch(tube((x, 0.09, z), (x, 0.10, z - THIGH_M - 0.02), 0.085, 0.058, sides), Slot.SECOND, (hip, STILL)),
        Patch(tube((x, 0.10, z - THIGH_M + 0.03), (x, 0.10, z - THIGH_M - SHIN_M), 0.058, 0.042, sides), Slot.SECOND,
              (hip, knee)),
        Patch(box((x + 0.05, 0.10, z - THIGH_M - SHIN_M), (0.24, 0.085, 0.08), 0.02), Slot.BLACK, (hip, knee)),
    ]  # fmt: skip


def _spoked_wheel(x: float, radius: float, detail: bool) -> list[Patch]:
    joints = (Joint(Angle.WHEEL, x, radius), STILL)
    count = 16 if detail else 9
    turn = np.linspace(0, 2 * np.pi, count, endpoint=False)
    rim = np.column_stack([x + 0.965 * radius * np.cos(turn), np.zeros(count), radius + 0.965 * radius * np.sin(turn)])
    tyre = np.concatenate([tube(a, b, 0.020, 0.020, 4) for a, b in zip(rim, np.roll(rim, -1, axis=0), strict=True)])
    spokes = np.concatenate(
        [box((x, 0, radius), (1.9 * radius, 0.008, 0.012)), box((x, 0, radius), (0.012, 0.008, 1.9 * radius))]
    )
    patches = [Patch(tyre, Slot.TYRE, joints)]
    return [*patches, Patch(spokes, Slot.METAL, joints)] if detail else patches


def motorcycle(*, scooter: bool = False, detail: bool = True) -> list[Patch]:
    """A machine of about 2.1 m (a scooter 1.8 m) with its rider; FIRST colours the machine, SECOND the rider."""
    sides = 8 if detail else 5
    radius, rear, front = (0.31, -0.68, 0.72) if not scooter else (0.24, -0.60, 0.62)
    patches = []
    for x in (rear, front):
        joints = (Joint(Angle.WHEEL, x, radius), STILL)
        patches.append(
            Patch(tube((x, -0.07, radius), (x, 0.07, radius), radius, radius, 14 if detail else 8), Slot.TYRE, joints)
        )
        patches.append(
            Patch(tube((x, -0.075, radius), (x, 0.075, radius), radius * 0.62, radius * 0.62, 10), Slot.RIM, joints)
        )
        patches.append(Patch(box((x, 0, radius), (0.9 * radius, 0.155, 0.05)), Slot.TRIM, joints))
    seat = 0.78 if not scooter else 0.75
    if scooter:
        patches += [
            Patch(box((-0.42, 0, 0.55), (0.75, 0.34, 0.34), 0.10), Slot.FIRST, crease_deg=60),
            Patch(box((0.02, 0, 0.30), (0.55, 0.34, 0.10), 0.04), Slot.FIRST),
            Patch(box((0.36, 0, 0.62), (0.10, 0.40, 0.66), 0.04), Slot.FIRST).pitched(-0.25, (0.36, 0, 0.62)),
            Patch(box((-0.36, 0, 0.76), (0.62, 0.28, 0.08), 0.03), Slot.BLACK),
        ]
    else:
        patches += [
            Patch(box((0.0, 0, 0.48), (0.62, 0.30, 0.34), 0.08), Slot.METAL),
            Patch(blob((0.20, 0, 0.83), (0.32, 0.17, 0.14), 5, 8), Slot.FIRST, crease_deg=80),
            Patch(box((-0.34, 0, 0.80), (0.66, 0.26, 0.10), 0.04), Slot.BLACK),
            Patch(box((-0.66, 0, 0.84), (0.26, 0.20, 0.14), 0.05), Slot.FIRST),
            Patch(tube((-0.85, 0.16, 0.36), (0.1, 0.16, 0.30), 0.05, 0.035, sides), Slot.METAL),
            Patch(blob((0.60, 0, 0.90), (0.16, 0.17, 0.16), 5, 8), Slot.FIRST, crease_deg=80),
        ]
    fork = [Patch(tube((0.50, 0.09, 0.95), (front, 0.09, radius), 0.025, 0.025, 5), Slot.METAL)]
    nose = 0.76 if not scooter else 0.46
    patches += [
        *fork, *[patch.mirrored() for patch in fork],
        Patch(box((nose - 0.02, 0, 0.88), (0.10, 0.18, 0.15), 0.04), Slot.HEAD),
        Patch(tube((0.42, -0.36, 1.02), (0.42, 0.36, 1.02), 0.018, 0.018, 5), Slot.BLACK),
        Patch(box((rear - 0.16, 0, 0.80), (0.08, 0.24, 0.12), 0.02), Slot.BRAKE),
        Patch(box((rear - 0.22, 0, 0.60), (0.03, 0.20, 0.16)), Slot.PLATE),
    ]  # fmt: skip
    blinkers = [Patch(box((nose - 0.06, 0.24, 0.88), (0.09, 0.11, 0.09), 0.02), Slot.LEFT),
                Patch(box((rear - 0.12, 0.20, 0.76), (0.09, 0.13, 0.09), 0.02), Slot.LEFT)]  # fmt: skip
    patches += blinkers + [Patch(p.mirrored().corners_m, Slot.RIGHT) for p in blinkers]
    knee = (0.16, 0.19, seat - 0.04) if not scooter else (0.12, 0.14, seat - 0.02)
    foot = (-0.12, 0.19, 0.36) if not scooter else (0.10, 0.14, 0.42)
    leg = [
        Patch(tube((-0.26, 0.10, seat + 0.08), knee, 0.092, 0.068, sides), Slot.THIRD),
        Patch(tube(knee, foot, 0.068, 0.05, sides), Slot.THIRD),
        Patch(box((foot[0] + 0.06, foot[1], foot[2] - 0.04), (0.26, 0.09, 0.10), 0.03), Slot.BLACK),
    ]
    rider = _rider(
        (-0.28, seat + 0.10), (-0.02 if not scooter else -0.2, 1.34), (0.40, 0.32, 1.03), top=Slot.SECOND, sides=sides
    )
    rider = [p for p in rider if p.slot not in (Slot.FOURTH, Slot.THIRD)]
    head = (0.06 if not scooter else -0.14, 0.0, 1.54)
    rider += [
        Patch(blob(head, (0.145, 0.125, 0.145), 6, 9), Slot.FOURTH, crease_deg=80),
        Patch(box((head[0] + 0.10, 0, head[2] + 0.01), (0.09, 0.17, 0.085), 0.03), Slot.GLASS),
    ]
    return patches + leg + [patch.mirrored() for patch in leg] + rider
