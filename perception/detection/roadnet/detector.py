"""RoadNet behind the ``Detector`` protocol."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from perception.arrays import FloatArray
from perception.detection.device_letterbox import letterbox_on
from perception.detection.letterbox import Letterbox, canvas_size, letterbox
from perception.detection.nms import nms
from perception.detection.own_vehicle import is_own_bonnet
from perception.detection.roadnet.engines import DenseOutputs, RoadNetEngine
from perception.detection.roadnet.network import SIDE_MULTIPLE_PX
from perception.detection.settings import DetectionSettings
from perception.types import Detections, Frame

BLEND_IOU = 0.65
"""Boxes of neighbouring grid points that overlap more are averaged: on simulated drives the lower edge, from which a
distance is read, errs less, and nothing is lost on real validation pictures."""

MIN_USUAL_SIZE_PX, MAX_USUAL_SIZE_PX = 640, 896
"""Smaller images are magnified and larger ones reduced to these where no size is asked for. A larger input finds more:
on street val, 512 pixels, the mean AP50 is 0.60 at 640 instead of 0.53; on BDD100K val, 640 pixels, the vehicles' is
0.577 at 896 instead of 0.522, in twice the time."""


def input_size(sizes_px: Sequence[tuple[int, int]], long_side_px: int | None = None) -> tuple[int, int]:
    """Width and height of RoadNet's input for images of these sizes, in pixels.

    Unasked, the long side is that of the largest image, at least 640 and at most 896.
    """
    usual_px = min(MAX_USUAL_SIZE_PX, max(MIN_USUAL_SIZE_PX, *(max(size) for size in sizes_px)))
    return canvas_size(sizes_px, long_side_px=long_side_px or usual_px, multiple=SIDE_MULTIPLE_PX)


class RoadNetDetector:
    """All cameras in one batched forward, one batched suppression, features read where the objects are.

    ``feature_space`` names the weights: a forecaster trained with features of other weights must not use them. The
    car's own bonnet is left out (``detection.own_vehicle``).
    """

    is_calibrated = True
    """Training ends with their calibration."""

    def __init__(self, engine: RoadNetEngine, settings: DetectionSettings, *, name: str, feature_space: str) -> None:
        self.name = name
        self.feature_space = feature_space
        self.feature_size = engine.embedding_size
        self.settings = settings
        self.engine = engine
        self._allowed = torch.from_numpy(settings.allowed_labels).to(engine.device)

    def detect(self, frames: Sequence[Frame]) -> list[Detections]:
        if not frames:
            return []
        batch = self.prepare(frames)
        return self.finish(self.engine(batch.images), batch, frames)

    @property
    def input_size_px(self) -> None:
        """Any size whose sides are multiples of 32 will do."""

    def dense(self, images: NDArray[np.uint8]) -> tuple[FloatArray, FloatArray]:
        """The network's outputs at every grid point: scores (B, A, C) and boxes (B, A, 4) in pixels of ``images``.

        ``images`` (B, H, W, 3) uint8 RGB, H and W multiples of 32.
        """
        outputs = self.engine(images)
        return outputs.scores.float().cpu().numpy(), outputs.boxes_xyxy.float().cpu().numpy()

    def prepare(self, frames: Sequence[Frame]) -> Letterbox[NDArray[np.uint8]] | Letterbox[Tensor]:
        """The frames as one batch of the network's input size, on a GPU made there."""
        width, height = input_size([frame.size_px for frame in frames], self.settings.image_size_px)
        images = [frame.image for frame in frames]
        if self.engine.device.type == "cuda":
            return letterbox_on(self.engine.device, images, width=width, height=height)
        return letterbox(images, width=width, height=height)

    @torch.inference_mode()
    def finish(self, outputs: DenseOutputs, batch: Letterbox[Any], frames: Sequence[Frame]) -> list[Detections]:
        """From the dense outputs to the objects of each frame."""
        kept = nms(
            outputs.scores,
            outputs.boxes_xyxy,
            score_threshold=self.settings.confidence,
            iou_threshold=self.settings.iou,
            blend_iou=BLEND_IOU,
            allowed_labels=self._allowed,
        )
        image_indices = kept.image_indices.cpu().numpy()
        boxes = batch.boxes_to_images(kept.boxes_xyxy.cpu().numpy(), image_indices)
        scores = kept.scores.float().cpu().numpy()
        labels = kept.labels.cpu().numpy()
        features = outputs.embeddings[kept.image_indices, kept.point_indices].float().cpu().numpy()
        others = ~is_own_bonnet(boxes, batch.sizes_px[image_indices])
        image_indices, boxes, scores = image_indices[others], boxes[others], scores[others]
        labels, features = labels[others], features[others]
        ends = np.searchsorted(image_indices, np.arange(len(frames) + 1))
        return [
            Detections(
                boxes_xyxy_px=boxes[start:end],
                scores=scores[start:end],
                labels=labels[start:end],
                features=features[start:end],
                camera=frame.camera,
                image_size_px=frame.size_px,
                feature_space=self.feature_space,
            )
            for frame, start, end in zip(frames, ends[:-1], ends[1:], strict=True)
        ]
