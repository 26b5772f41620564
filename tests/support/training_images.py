"""Small labelled images whose objects can be seen: bright boxes on dark grey."""

from __future__ import annotations

from typing import Any

import numpy as np

from perception.taxonomy import CLASSES
from perception.training.detector.dataset import LabelledImage, object_ids
from perception.types import Detections


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


def found_objects(*objects: tuple[list[float], float, int]) -> Detections:
    """The detections of one image of 160x96 pixels: a box, a score and a label each."""
    boxes = np.array([box for box, _, _ in objects], np.float32).reshape(-1, 4)
    return Detections(
        boxes_xyxy_px=boxes,
        scores=np.array([score for _, score, _ in objects], np.float32),
        labels=np.array([label for _, _, label in objects], np.int64),
        features=np.zeros((len(boxes), 0), np.float32),
        camera="image",
        image_size_px=(160, 96),
    )
