"""Small labelled images whose objects can be seen: bright boxes on dark grey."""

from __future__ import annotations

from typing import Any

import numpy as np

from perception.taxonomy import CLASSES
from perception.training.detector.dataset import LabelledImage, object_ids


def bright_box_image(
    box: tuple[int, int, int, int], *, label: int = 0, size: tuple[int, int] = (160, 96), **changes: Any
) -> LabelledImage:
    """One object, drawn in white into a dark image of ``size`` (width, height)."""
    width, height = size
    image = np.full((height, width, 3), 30, np.uint8)
    x1, y1, x2, y2 = box
    image[y1:y2, x1:x2] = 255
    values: dict[str, Any] = {
        "name": f"box {box}",
        "image": image,
        "boxes_xyxy_px": np.array([box], np.float32),
        "labels": np.array([label]),
        "object_ids": object_ids(str(box), np.array([0])),
        "exhaustive": np.ones(len(CLASSES), bool),
    }
    return LabelledImage(**{**values, **changes})
