"""Which of COCO's 80 classes are road users."""

from __future__ import annotations

from perception.types import CLASSES

_COCO80 = {"pedestrian": 0, "bicycle": 1, "car": 2, "motorcycle": 3, "bus": 5, "truck": 7}
_COCO91 = {"pedestrian": 1, "bicycle": 2, "car": 3, "motorcycle": 4, "bus": 6, "truck": 8}

COCO80_COLUMNS: tuple[int, ...] = tuple(_COCO80[name] for name in CLASSES)
"""For each of ``CLASSES`` its column among the 80 contiguous classes."""

LABEL_OF_COCO91: dict[int, int] = {_COCO91[name]: label for label, name in enumerate(CLASSES)}
"""From the category ids of the COCO files (and torchvision's detectors) to ``CLASSES``."""
