"""A street of two red boxes with known ways, and a detector that finds exactly them."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from support.media import write_video

from perception.forecasting.baselines import ConstantVelocityForecaster
from perception.pipeline.pipeline import Pipeline
from perception.plugins import DetectorRequest
from perception.tracking import ImageTracker
from perception.types import NO_FEATURE_SPACE, Detections, Frame

SIZE_PX = (160, 96)
FPS = 10


def true_boxes_xyxy_px(number: int) -> NDArray[np.float64]:
    """(2, 4): one box drives to the right, one below it to the left, 2 pixels a frame."""
    left, right = 10 + 2 * number, 120 - 2 * number
    return np.array([[left, 20, left + 24, 36], [right, 60, right + 20, 76]], np.float64)


def street_image(number: int) -> NDArray[np.uint8]:
    width, height = SIZE_PX
    image = np.full((height, width, 3), 90, np.uint8)
    for x1, y1, x2, y2 in true_boxes_xyxy_px(number).astype(int):
        image[y1:y2, x1:x2] = (230, 20, 20)
    return image


def write_street(path: Path, *, frames: int = 24) -> Path:
    return write_video(path, [street_image(number) for number in range(frames)], fps=FPS)


def write_street_recording(folder: Path, *, frames: int = 24) -> Path:
    """A recording with ground truth."""
    folder.mkdir(parents=True)
    write_street(folder / "drive.mp4", frames=frames)
    (folder / "recording.yaml").write_text("cameras: {front: {video: drive.mp4}}\n")
    with (folder / "objects.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["camera", "frame_index", "id", "class", "x1", "y1", "x2", "y2"])
        for number in range(frames):
            for track_id, box in enumerate(true_boxes_xyxy_px(number).tolist(), start=7):
                writer.writerow(["front", number, track_id, "car", *box])
    return folder


class BoxDetector:
    """Every red region is a car with score 0.9."""

    name = "boxes"
    feature_space = NO_FEATURE_SPACE
    feature_size = 0
    is_calibrated = False

    def detect(self, frames: Sequence[Frame]) -> list[Detections]:
        return [self._detect_one(frame) for frame in frames]

    def _detect_one(self, frame: Frame) -> Detections:
        image = frame.image.astype(int)
        regions, _ = ndimage.label(image[..., 0] - image[..., 1] > 80)
        boxes = [
            (columns.start, rows.start, columns.stop, rows.stop) for rows, columns in ndimage.find_objects(regions)
        ]
        count = len(boxes)
        return Detections(
            boxes_xyxy_px=np.array(boxes, np.float32).reshape(count, 4),
            scores=np.full(count, 0.9, np.float32),
            labels=np.zeros(count, np.int64),
            features=np.zeros((count, 0), np.float32),
            camera=frame.camera,
            image_size_px=frame.size_px,
        )


def open_box_detector(request: DetectorRequest) -> BoxDetector:
    """For ``--detector support.moving_boxes:open_box_detector``."""
    return BoxDetector()


def box_pipeline() -> Pipeline:
    return Pipeline(detector=BoxDetector(), tracker=ImageTracker(), forecaster=ConstantVelocityForecaster())
