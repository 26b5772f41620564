"""Any detector of torchvision, with its COCO weights, behind the ``Detector`` protocol."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torchvision.models import get_model
from torchvision.ops import batched_nms

from perception.detection.nms import SUPPRESSION_GROUPS
from perception.detection.settings import DetectionSettings
from perception.taxonomy import LABEL_OF_COCO91
from perception.types import NO_FEATURE_SPACE, Detections, Frame
from perception.weights import load_into, read_plain_state

_ZERO_EPS_MODELS = ("fasterrcnn_resnet50_fpn", "retinanet_resnet50_fpn")
_NOT_A_ROAD_USER = -1


class TorchvisionDetector:
    """A model of torchvision's detection zoo, at the input size it was made for. It gives no features.

    ``half`` computes in bfloat16 on a CPU and float16 on a GPU. Raises ``UsageError`` when the weights are missing,
    damaged, hold more than tensors, or belong to another model.
    """

    feature_space = NO_FEATURE_SPACE
    feature_size = 0
    is_calibrated = False

    def __init__(
        self, name: str, weights_path: Path, settings: DetectionSettings, *, device: torch.device, half: bool = False
    ) -> None:
        self.name = name
        self.settings = settings
        self._device = device
        self._half_dtype = (torch.float16 if device.type == "cuda" else torch.bfloat16) if half else None
        self._model = build_torchvision(name, weights_path).eval().to(device)
        _set_thresholds(self._model, confidence=settings.confidence, iou=settings.iou)
        self._allowed = torch.from_numpy(settings.allowed_labels).to(device)
        self._label_of_category = torch.full((max(LABEL_OF_COCO91) + 1,), _NOT_A_ROAD_USER, device=device)
        for category, label in LABEL_OF_COCO91.items():
            self._label_of_category[category] = label
        self._groups = torch.tensor(SUPPRESSION_GROUPS, device=device)

    @torch.inference_mode()
    def detect(self, frames: Sequence[Frame]) -> list[Detections]:
        images = [
            torch.from_numpy(np.ascontiguousarray(frame.image)).to(self._device).permute(2, 0, 1).float() / 255
            for frame in frames
        ]
        if not images:
            return []
        with torch.autocast(self._device.type, dtype=self._half_dtype, enabled=self._half_dtype is not None):
            outputs = self._model(images)
        return [self._to_detections(frame, output) for frame, output in zip(frames, outputs, strict=True)]

    def _to_detections(self, frame: Frame, output: Mapping[str, Tensor]) -> Detections:
        categories = output["labels"].clamp(max=len(self._label_of_category) - 1)
        # A category beyond the last road user is not one, and neither is what the clamp turned into one.
        labels = torch.where(categories == output["labels"], self._label_of_category[categories], _NOT_A_ROAD_USER)
        scores = output["scores"].float()
        wanted = (labels >= 0) & (scores > self.settings.confidence) & self._allowed[labels.clamp(min=0)]
        labels, scores, boxes = labels[wanted], scores[wanted], output["boxes"].float()[wanted]
        # torchvision suppresses within a class only: a van would stay a car and a truck.
        kept = batched_nms(boxes, scores, self._groups[labels], self.settings.iou)
        width, height = frame.size_px
        return Detections(
            boxes_xyxy_px=np.clip(boxes[kept].cpu().numpy(), 0, np.array([width, height, width, height], np.float32)),
            scores=scores[kept].cpu().numpy(),
            labels=labels[kept].cpu().numpy(),
            features=np.zeros((len(kept), 0), np.float32),
            camera=frame.camera,
            image_size_px=frame.size_px,
        )


def build_torchvision(name: str, weights_path: Path) -> nn.Module:
    """The model on the CPU with the file's tensors; nothing is fetched. Raises ``UsageError`` for a bad file."""
    state = read_plain_state(weights_path)
    model: nn.Module = get_model(name, weights=None, weights_backbone=None)
    load_into(model, state, weights_path)
    # torchvision froze the batch norms of these two and evaluates them with eps 0 (its overwrite_eps); weights that a
    # user trained on have batch norms that count their batches.
    frozen = not any(key.endswith("num_batches_tracked") for key in state)
    if name in _ZERO_EPS_MODELS and frozen:
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eps = 0.0
    return model


def _set_thresholds(model: nn.Module, *, confidence: float, iou: float) -> None:
    """The model's own threshold would hide weak detections that the tracker's second stage needs."""
    owner = getattr(model, "roi_heads", model)
    if not hasattr(owner, "score_thresh") or not hasattr(owner, "nms_thresh"):
        raise TypeError(f"{type(model).__name__}: expected score_thresh and nms_thresh")
    owner.score_thresh = confidence
    owner.nms_thresh = iou
