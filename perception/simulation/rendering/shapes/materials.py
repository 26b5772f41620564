"""What surfaces are made of: the slots that meshes name, their colours, and which bit lights which lamp."""

from __future__ import annotations

from enum import IntEnum

import numpy as np


class Slot(IntEnum):
    """Material of a vertex. The first four take the instance's own colours, those from ``BRAKE`` on are lamps."""

    FIRST = 0
    SECOND = 1
    THIRD = 2
    FOURTH = 3
    GLASS = 4
    TYRE = 5
    RIM = 6
    TRIM = 7
    PLATE = 8
    METAL = 9
    BARK = 10
    WHITE = 11
    BLACK = 12
    RED = 13
    YELLOW = 14
    BLUE = 15
    BRAKE = 16
    LEFT = 17
    RIGHT = 18
    HEAD = 19
    STOP = 20
    WAIT = 21
    GO = 22
    STREET = 23
    REVERSE = 24


class Angle(IntEnum):
    """The angles that an instance turns its joints by."""

    STILL = 0
    LEFT_THIGH = 1
    LEFT_SHIN = 2
    RIGHT_THIGH = 3
    RIGHT_SHIN = 4
    LEFT_ARM = 5
    RIGHT_ARM = 6
    CRANK = 7
    WHEEL = 8


LAMPS = (Slot.BRAKE, Slot.LEFT, Slot.RIGHT, Slot.HEAD, Slot.STOP, Slot.WAIT, Slot.GO, Slot.STREET, Slot.REVERSE)


def lamp_bit(slot: Slot) -> int:
    """The bit of an instance's flags that lights the lamps of this slot."""
    return 1 << (slot - Slot.BRAKE)


PAINTED_BIT = 1 << 12
"""Flag of instances whose own colours are lacquer: they mirror the sky."""

LEAFY_BIT = 1 << 13
"""Flag of plants: their leaves are mottled, and light shines through."""

_COLOURS: dict[Slot, tuple[float, float, float, float]] = {
    Slot.GLASS: (0.06, 0.075, 0.09, 0.9),
    Slot.TYRE: (0.10, 0.10, 0.105, 0.05),
    Slot.RIM: (0.62, 0.63, 0.65, 0.45),
    Slot.TRIM: (0.13, 0.13, 0.14, 0.12),
    Slot.PLATE: (0.93, 0.93, 0.90, 0.05),
    Slot.METAL: (0.45, 0.47, 0.49, 0.3),
    Slot.BARK: (0.36, 0.28, 0.22, 0.0),
    Slot.WHITE: (0.92, 0.92, 0.91, 0.05),
    Slot.BLACK: (0.07, 0.07, 0.075, 0.1),
    Slot.RED: (0.80, 0.10, 0.10, 0.05),
    Slot.YELLOW: (0.95, 0.72, 0.10, 0.05),
    Slot.BLUE: (0.10, 0.30, 0.70, 0.05),
    Slot.BRAKE: (0.90, 0.10, 0.08, 0.3),
    Slot.LEFT: (1.0, 0.60, 0.10, 0.3),
    Slot.RIGHT: (1.0, 0.60, 0.10, 0.3),
    Slot.HEAD: (0.96, 0.95, 0.90, 0.4),
    Slot.STOP: (1.0, 0.12, 0.08, 0.2),
    Slot.WAIT: (1.0, 0.72, 0.10, 0.2),
    Slot.GO: (0.15, 1.0, 0.45, 0.2),
    Slot.STREET: (1.0, 0.84, 0.58, 0.1),
    Slot.REVERSE: (0.9, 0.9, 0.9, 0.3),
}


def palette() -> np.ndarray:
    """(32, 4) float32: linear colour and gloss of each slot; the instance's own colours keep zero."""
    table = np.zeros((32, 4), np.float32)
    for slot, (red, green, blue, gloss) in _COLOURS.items():
        table[slot] = red**2, green**2, blue**2, gloss
    return table
