"""Finds the region of one colour: what ``--detector colour:red`` opens."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from perception import CLASSES, Detections, Frame, UsageError
from perception.plugins import DetectorRequest

CHANNELS = {"red": 0, "green": 1, "blue": 2}


class ColourDetector:
    """One car per image: the box around all pixels in which one of R, G, B is by 80 above the others."""

    name = "colour"
    feature_space = ""
    feature_size = 0
    is_calibrated = False

    def __init__(self, channel: int, confidence: float) -> None:
        self._channel, self._confidence = channel, confidence

    def detect(self, frames: Sequence[Frame]) -> list[Detections]:
        return [self._detect_one(frame) for frame in frames]

    def _detect_one(self, frame: Frame) -> Detections:
        image = frame.image.astype(np.int16)
        others = np.delete(image, self._channel, axis=2).max(axis=2)
        rows, columns = np.nonzero(image[..., self._channel] - others > 80)
        if not len(rows):
            return Detections.empty(frame.camera, frame.size_px)
        box = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        score = len(rows) / ((box[2] - box[0]) * (box[3] - box[1]))  # how well the region fills its box
        found = Detections(
            boxes_xyxy_px=np.array([box], np.float32),
            scores=np.array([score], np.float32),
            labels=np.array([CLASSES.index("car")]),
            features=np.zeros((1, 0), np.float32),
            camera=frame.camera,
            image_size_px=frame.size_px,
        )
        return found[found.scores >= self._confidence]


def open_detector(request: DetectorRequest) -> ColourDetector:
    """``colour`` or ``colour:red``, ``colour:green``, ``colour:blue``."""
    colour = request.argument or "red"
    if colour not in CHANNELS:
        raise UsageError(f"colour {colour}: choose from {', '.join(CHANNELS)}.")
    return ColourDetector(CHANNELS[colour], request.confidence)
