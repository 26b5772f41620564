"""YOLOX-nano (Ge et al. 2021, COCO weights, Apache-2.0) as an independent source of detections for tests."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from torchvision.ops import nms

from perception.taxonomy import VEHICLE_LABELS
from perception.types import Detections

INPUT_SIZE_PX = 416
STRIDES_PX = (8, 16, 32)
LABEL_OF_COCO = {0: 5, 1: 4, 2: 0, 3: 3, 5: 2, 7: 1}


class YoloxTeacher:
    """Road users in one RGB image; suppression takes the vehicles as one class, so a car-truck pair cannot double."""

    def __init__(self, model_path: Path, *, score_threshold: float = 0.1, nms_iou: float = 0.45) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(str(model_path), options, providers=["CPUExecutionProvider"])
        self._score_threshold = score_threshold
        self._nms_iou = nms_iou
        self._cells, self._cell_strides_px = _grid()

    def detect(self, image: NDArray[np.uint8], *, camera: str = "camera") -> Detections:
        """Detections of one uint8 RGB image (H, W, 3)."""
        height_px, width_px = image.shape[:2]
        scale = INPUT_SIZE_PX / max(height_px, width_px)
        resized = cv2.resize(image, (round(width_px * scale), round(height_px * scale)))
        padded = np.full((INPUT_SIZE_PX, INPUT_SIZE_PX, 3), 114, np.float32)
        padded[: resized.shape[0], : resized.shape[1]] = resized[..., ::-1]  # the network was trained on BGR
        (raw,) = self._session.run(None, {"images": padded.transpose(2, 0, 1)[None]})
        boxes_xyxy_px, scores, labels = self._decode(raw[0], scale)
        limits_px = np.array([width_px, height_px, width_px, height_px], np.float32)
        boxes_xyxy_px = np.clip(boxes_xyxy_px, 0, limits_px)
        return Detections(
            boxes_xyxy_px=boxes_xyxy_px,
            scores=scores,
            labels=labels,
            features=np.zeros((len(scores), 0), np.float32),
            camera=camera,
            image_size_px=(width_px, height_px),
        )

    def _decode(
        self, raw: NDArray[np.float32], scale: float
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]:
        """Raw outputs (P, 85) as boxes (N, 4) in pixels of the original image, scores (N,) and labels (N,)."""
        classes = np.array(list(LABEL_OF_COCO))
        class_scores = raw[:, 4:5] * raw[:, 5 + classes]
        scores = class_scores.max(axis=1)
        labels = np.array(list(LABEL_OF_COCO.values()))[class_scores.argmax(axis=1)]
        keep = scores >= self._score_threshold
        centres = (raw[keep, :2] + self._cells[keep]) * self._cell_strides_px[keep]
        half_sizes = np.exp(raw[keep, 2:4]) * self._cell_strides_px[keep] / 2
        boxes = np.concatenate([centres - half_sizes, centres + half_sizes], axis=1).astype(np.float32) / scale
        scores, labels = scores[keep].astype(np.float32), labels[keep].astype(np.int64)
        groups = np.where(np.isin(labels, VEHICLE_LABELS), 0, labels)
        shifted = boxes + groups[:, None].astype(np.float32) * 1e4  # boxes of different groups never overlap
        kept = nms(torch.from_numpy(shifted), torch.from_numpy(scores), self._nms_iou).numpy()
        return boxes[kept], scores[kept], labels[kept]


def _grid() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The grid points' cells (P, 2) and strides (P, 1)."""
    cells, strides = [], []
    for stride in STRIDES_PX:
        side = INPUT_SIZE_PX // stride
        rows, columns = np.mgrid[:side, :side]
        cells.append(np.stack([columns.ravel(), rows.ravel()], axis=1))
        strides.append(np.full((side * side, 1), stride))
    return np.concatenate(cells).astype(np.float32), np.concatenate(strides).astype(np.float32)
