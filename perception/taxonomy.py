"""The classes of road users: names, labels, groups, usual sizes, and what other data sets call them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

CLASSES: tuple[str, ...] = ("car", "truck", "bus", "motorcycle", "bicycle", "pedestrian")
"""Road users, in the order of the integer labels. Vehicles with four wheels or more come first."""

VEHICLE_LABELS: tuple[int, ...] = (0, 1, 2)
"""Labels of car, truck and bus, which several benchmarks count as one class."""

TWO_WHEELED_LABELS: tuple[int, ...] = (3, 4)
"""Labels of motorcycle and bicycle; their riders belong to them."""

PEDESTRIAN_LABEL = 5

USUAL_SIZES_LWH_M: tuple[tuple[float, float, float], ...] = (
    (4.5, 1.85, 1.55),
    (7.5, 2.5, 3.0),
    (11.5, 2.55, 3.1),
    (2.1, 0.8, 1.5),
    (1.75, 0.6, 1.65),
    (0.6, 0.6, 1.72),
)
"""Length, width and height of a usual member of each class, riders included; what a single camera cannot measure."""

_COCO80 = {"pedestrian": 0, "bicycle": 1, "car": 2, "motorcycle": 3, "bus": 5, "truck": 7}
_COCO91 = {"pedestrian": 1, "bicycle": 2, "car": 3, "motorcycle": 4, "bus": 6, "truck": 8}

COCO80_COLUMNS: tuple[int, ...] = tuple(_COCO80[name] for name in CLASSES)
"""For each of ``CLASSES`` its column among COCO's 80 contiguous classes."""

COCO91_IDS: tuple[int, ...] = tuple(_COCO91[name] for name in CLASSES)
"""For each of ``CLASSES`` its category id in COCO's files, which our own results have, too."""

LABEL_OF_COCO80: Mapping[int, int] = {_COCO80[name]: label for label, name in enumerate(CLASSES)}
"""From the numbers of COCO's 80 contiguous classes, which detectors without background count by, to labels."""

LABEL_OF_COCO91: dict[int, int] = {_COCO91[name]: label for label, name in enumerate(CLASSES)}
"""From the category ids of COCO's files (and torchvision's detectors) to ``CLASSES``."""

_SYNONYMS = {
    "person": "pedestrian",  # COCO
    "motorbike": "motorcycle",  # Pascal VOC, MOTChallenge
    "bike": "bicycle",
}

CLASS_ALIASES: Mapping[str, str] = {
    **_SYNONYMS,
    "van": "car",  # KITTI
    "automobile": "car",
    "minivan": "car",
    "pickup": "car",
    "suv": "car",
    "taxi": "car",
    "lorry": "truck",
    "coach": "bus",
    "minibus": "bus",
    "vehicle.car": "car",  # nuScenes has the names with dots
    "vehicle.truck": "truck",
    "vehicle.bus.bendy": "bus",
    "vehicle.bus.rigid": "bus",
    "bus/rv/caravan": "bus",  # DDAD
    "vehicle.motorcycle": "motorcycle",
    "motor": "motorcycle",  # BDD100K
    "moped": "motorcycle",
    "vehicle.bicycle": "bicycle",
    "cyclist": "bicycle",  # KITTI: machine and rider
    "people": "pedestrian",  # VisDrone
    "person_sitting": "pedestrian",  # KITTI
    "person (sitting)": "pedestrian",
    "human.pedestrian.adult": "pedestrian",
    "human.pedestrian.child": "pedestrian",
    "human.pedestrian.construction_worker": "pedestrian",
    "human.pedestrian.police_officer": "pedestrian",
}
"""What other data sets call ``CLASSES``, in lower case.

A ``rider`` alone is none of them: riders belong to their machines, and are no pedestrians.
"""

MOTCHALLENGE_NAMES: Mapping[int, str] = {
    1: "pedestrian",
    2: "person on vehicle",
    3: "car",
    4: "bicycle",
    5: "motorbike",
    6: "non motorised vehicle",
    7: "static person",
    8: "distractor",
    9: "occluder",
    10: "occluder on the ground",
    11: "occluder full",
    12: "reflection",
    13: "crowd",
}
"""The class numbers of MOTChallenge's ground truth (Dendorfer et al., "MOTChallenge", IJCV 2021)."""

_UNEVALUATED_OBJECTS = frozenset(MOTCHALLENGE_NAMES.values()) - {"pedestrian", "car", "bicycle", "motorbike", "crowd"}
_REGIONS = frozenset({"crowd", "dontcare", "ignore", "ignored", "ignored region", "ignored regions", "ignore region"})

IgnoredKind = Literal["object", "region"]
"""One thing that is not evaluated, or a region with any number of things; see ``types.IgnoredRegions``."""


def ignored_kind_of(name: str) -> IgnoredKind | None:
    """What the name of a class says of boxes that are there to be ignored; None for the name of anything else."""
    spelling = name.strip().lower().replace("_", " ").replace("-", " ")
    if spelling in _REGIONS:
        return "region"
    return "object" if spelling in _UNEVALUATED_OBJECTS else None


def label_of(name: str) -> int | None:
    """The label of a class by any of its names, upper or lower case; None for what is none of ``CLASSES``."""
    spelling = name.strip().lower()
    spelling = CLASS_ALIASES.get(spelling, spelling)
    return CLASSES.index(spelling) if spelling in CLASSES else None


def same_class(name: str) -> int | None:
    """The label of the class that ``name`` is just another word or COCO's number for; None for a part of one, too.

    A van is counted as a car, but who asks for vans does not ask for cars.
    """
    spelling = name.strip().lower()
    if spelling.isdigit():
        return LABEL_OF_COCO80.get(int(spelling))
    spelling = _SYNONYMS.get(spelling, spelling)
    return CLASSES.index(spelling) if spelling in CLASSES else None
