"""Settings that all detectors share."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from perception.class_names import ClassMap
from perception.errors import UsageError
from perception.taxonomy import CLASSES

USUAL_IMAGE_SIZE_PX = 640
"""Long side of the input of networks that take any size, where none is asked for."""


@dataclass(frozen=True, kw_only=True)
class DetectionSettings:
    """``confidence`` 0..1 below which nothing is reported; ``iou`` 0..1 above which two boxes are one object;
    ``image_size_px`` the long side of the network's input, None for the network's usual one; ``classes`` to report, all
    when None; ``class_map`` names the classes of a network of others, or says what they stand for."""

    confidence: float = 0.1
    iou: float = 0.5
    image_size_px: int | None = None
    classes: tuple[str, ...] | None = None
    class_map: ClassMap = field(default_factory=ClassMap)

    def __post_init__(self) -> None:
        for name, value in (("confidence", self.confidence), ("iou", self.iou)):
            if not 0 <= value <= 1:
                raise UsageError("give a number from 0 to 1.", field=name, value=value)
        if self.image_size_px is not None and not 32 <= self.image_size_px <= 4096:
            raise UsageError(
                "give a number of pixels from 32 to 4096.", field="image_size_px", value=self.image_size_px
            )
        unknown = [name for name in self.classes or () if name not in CLASSES]
        if unknown:
            raise UsageError(f"not among {', '.join(CLASSES)}.", field="classes", value=unknown)

    @property
    def allowed_labels(self) -> NDArray[np.bool_]:
        """(C,) over ``CLASSES``."""
        return np.array([self.classes is None or name in self.classes for name in CLASSES])
