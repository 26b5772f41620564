"""Any detector of torchvision, with its COCO weights, behind the ``Detector`` protocol."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torchvision.models import detection as torchvision_detection
from torchvision.models import get_model, list_models

from perception.detection.coco import LABEL_OF_COCO91
from perception.detection.settings import DetectionSettings
from perception.errors import UsageError
from perception.types import NO_FEATURE_SPACE, Detections, Frame


def torchvision_names() -> list[str]:
    """The detectors that torchvision can build (boxes; not key points, not masks)."""
    names = list_models(module=torchvision_detection)
    return [name for name in names if not name.startswith(("keypoint", "mask"))]


class TorchvisionDetector:
    """A model of torchvision's detection zoo. It resizes images itself and gives no features."""

    feature_space = NO_FEATURE_SPACE
    feature_size = 0

    def __init__(self, name: str, weights_path: Path, settings: DetectionSettings, *, device: torch.device) -> None:
        self.name = name
        self.settings = settings
        self._device = device
        # The model's own thresholds would hide weak detections that the tracker's second stage needs.
        model = get_model(name, weights=None, weights_backbone=None)
        try:
            state = torch.load(weights_path, map_location="cpu", weights_only=True)
            model.load_state_dict(state)
        except Exception as error:  # torch raises many types for a damaged file; all mean the same to the user
            raise UsageError(f"--weights {weights_path}: not readable as plain weights of {name}.") from error
        self._model = model.eval().to(device)
        self._allowed = settings.allowed_labels

    @torch.inference_mode()
    def detect(self, frames: Sequence[Frame]) -> list[Detections]:
        images = [
            torch.from_numpy(np.ascontiguousarray(frame.image)).to(self._device).permute(2, 0, 1).float() / 255
            for frame in frames
        ]
        outputs = self._model(images) if images else []
        return [self._to_detections(frame, output) for frame, output in zip(frames, outputs, strict=True)]

    def _to_detections(self, frame: Frame, output: dict[str, torch.Tensor]) -> Detections:
        labels = np.array([LABEL_OF_COCO91.get(int(label), -1) for label in output["labels"].cpu()], dtype=np.int64)
        scores = output["scores"].float().cpu().numpy()
        keep = (labels >= 0) & (scores >= self.settings.confidence)
        keep[keep] = self._allowed[labels[keep]]
        return Detections(
            boxes_xyxy_px=output["boxes"].float().cpu().numpy()[keep],
            scores=scores[keep],
            labels=labels[keep],
            features=np.zeros((int(keep.sum()), 0), np.float32),
            camera=frame.camera,
            image_size_px=frame.size_px,
        )
