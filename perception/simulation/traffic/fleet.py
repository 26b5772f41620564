"""Who is on the road: bodies, sizes and tempers of all road users of a drive, drawn from a seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from perception.arrays import FloatArray, IntArray
from perception.simulation.world import BODIES
from perception.taxonomy import CLASSES

RECORDING_BODIES: tuple[str, ...] = ("sedan", "hatchback", "estate", "suv")
"""Cars that may carry the cameras."""


@dataclass(frozen=True)
class Body:
    """A shape of world.BODIES: its class, how common it is within that class, and the least and greatest size."""

    label: str
    share: float
    length_m: tuple[float, float]
    width_m: tuple[float, float]
    height_m: tuple[float, float]


BODY_KINDS: dict[str, Body] = {
    "sedan": Body("car", 0.25, (4.4, 5.0), (1.78, 1.9), (1.42, 1.5)),
    "hatchback": Body("car", 0.28, (3.6, 4.4), (1.65, 1.82), (1.44, 1.56)),
    "estate": Body("car", 0.17, (4.5, 5.0), (1.8, 1.9), (1.45, 1.54)),
    "suv": Body("car", 0.2, (4.3, 4.95), (1.82, 1.98), (1.62, 1.78)),
    "van": Body("car", 0.07, (4.7, 5.1), (1.9, 2.0), (1.85, 2.0)),
    "pickup": Body("car", 0.03, (5.0, 5.1), (1.85, 1.95), (1.75, 1.85)),
    "box-truck": Body("truck", 0.8, (6.2, 8.6), (2.3, 2.5), (2.8, 3.4)),
    "semi-truck": Body("truck", 0.2, (11.0, 13.0), (2.5, 2.55), (3.6, 3.9)),
    "bus": Body("bus", 1.0, (10.6, 12.1), (2.5, 2.55), (3.0, 3.2)),
    "motorcycle": Body("motorcycle", 0.55, (2.05, 2.25), (0.75, 0.85), (1.5, 1.7)),
    "scooter": Body("motorcycle", 0.45, (1.75, 1.95), (0.65, 0.75), (1.55, 1.7)),
    "bicycle": Body("bicycle", 1.0, (1.65, 1.85), (0.55, 0.65), (1.6, 1.8)),
    "adult": Body("pedestrian", 0.85, (0.42, 0.56), (0.48, 0.62), (1.52, 1.95)),
    "child": Body("pedestrian", 0.15, (0.34, 0.42), (0.36, 0.46), (1.0, 1.45)),
}


@dataclass(frozen=True)
class Fleet:
    """N road users that may appear in a drive; the columns are those of ``world.RoadUsers``.

    The row is the road user's id for the whole drive and its name in SUMO.
    """

    labels: IntArray
    bodies: IntArray
    appearance_seeds: NDArray[np.uint32]
    sizes_lwh_m: FloatArray

    def __len__(self) -> int:
        return len(self.labels)


def draw_fleet(counts: dict[str, int], random: np.random.Generator) -> Fleet:
    """Draw ``counts[class]`` road users of each class, class by class in the order of ``counts``."""
    bodies = np.concatenate([_bodies_of(name, count, random) for name, count in counts.items()]).astype(np.int64)
    kinds = [BODY_KINDS[name] for name in BODIES]
    labels = np.array([CLASSES.index(kind.label) for kind in kinds])[bodies]
    ranges = np.array([(kind.length_m, kind.width_m, kind.height_m) for kind in kinds])[bodies]
    share = random.random((len(bodies), 3))
    # Long cars tend to be wide: the width follows the length, the height is its own.
    share[:, 1] = 0.6 * share[:, 0] + 0.4 * share[:, 1]
    sizes = ranges[:, :, 0] + share * (ranges[:, :, 1] - ranges[:, :, 0])
    appearance_seeds = random.integers(0, 2**32, len(bodies), dtype=np.uint32)
    return Fleet(labels, bodies, appearance_seeds, np.round(sizes, 2))


def _bodies_of(label: str, count: int, random: np.random.Generator) -> IntArray:
    candidates = [index for index, name in enumerate(BODIES) if BODY_KINDS[name].label == label]
    shares = np.array([BODY_KINDS[BODIES[index]].share for index in candidates])
    chosen: IntArray = random.choice(np.array(candidates), count, p=shares / shares.sum())
    return chosen


def temper(label: int, body: int, random: np.random.Generator) -> dict[str, str]:
    """How this road user drives or walks: attributes of a SUMO vehicle type."""
    name = CLASSES[label]
    if name == "pedestrian":
        fastest_mps = random.uniform(1.3, 2.4) if BODIES[body] == "child" else random.normal(1.35, 0.15)
        if BODIES[body] == "adult" and random.random() < 0.04:
            fastest_mps = random.uniform(2.4, 2.9)  # a jogger
        return {"vClass": "pedestrian", "maxSpeed": f"{max(fastest_mps, 0.8):.2f}"}
    common = {
        "carFollowModel": "IDM",
        "speedDev": "0",
        "speedFactor": f"{random.uniform(0.85, 1.1):.3f}",
        "tau": f"{random.uniform(0.9, 1.6):.2f}",
        "minGap": f"{random.uniform(1.5, 2.6):.2f}",
        "maxSpeedLatStanding": "0",
        "maxSpeedLatFactor": "0.18",
        "maxSpeedLat": f"{random.uniform(0.7, 1.1):.2f}",
        "jmTimegapMinor": f"{random.uniform(0.7, 1.2):.2f}",
        "jmCrossingGap": f"{random.uniform(3.0, 5.0):.1f}",
        "impatience": f"{random.uniform(0.1, 0.5):.2f}",
    }
    return common | _TEMPERS[name](random)


def _car(random: np.random.Generator) -> dict[str, str]:
    return {
        "vClass": "passenger",
        "emergencyDecel": "5",
        "accel": f"{random.uniform(1.7, 2.9):.2f}",
        "decel": f"{random.uniform(2.4, 3.8):.2f}",
        "minGapLat": f"{random.uniform(0.45, 0.8):.2f}",
        "lcSpeedGain": f"{random.uniform(0.5, 2.0):.2f}",
        "latAlignment": "center",
    }


def _heavy(vehicle_class: str, random: np.random.Generator) -> dict[str, str]:
    return {
        "vClass": vehicle_class,
        "accel": f"{random.uniform(0.9, 1.4):.2f}",
        "decel": f"{random.uniform(2.0, 2.8):.2f}",
        "minGapLat": "0.4",
        "lcSpeedGain": "0.3",
        "latAlignment": "center",
    }


def _motorcycle(random: np.random.Generator) -> dict[str, str]:
    return {
        "vClass": "motorcycle",
        "accel": f"{random.uniform(2.5, 4.0):.2f}",
        "decel": f"{random.uniform(3.0, 4.5):.2f}",
        "minGapLat": "0.5",
        "latAlignment": f"{random.uniform(-0.5, 0.5):.2f}",
    }


def _bicycle(random: np.random.Generator) -> dict[str, str]:
    return {
        "vClass": "bicycle",
        "accel": f"{random.uniform(0.8, 1.3):.2f}",
        "decel": f"{random.uniform(2.0, 3.0):.2f}",
        "maxSpeed": f"{random.uniform(3.6, 6.6):.2f}",
        "minGap": "0.6",
        "minGapLat": "0.3",
        "latAlignment": "right",
    }


_TEMPERS = {
    "car": _car,
    "truck": lambda random: _heavy("truck", random),
    "bus": lambda random: _heavy("bus", random),
    "motorcycle": _motorcycle,
    "bicycle": _bicycle,
}
