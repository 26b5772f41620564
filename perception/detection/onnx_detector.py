"""Any exported ONNX detector of the YOLOX kind (Ge et al. 2021), run by ONNX Runtime.

Such a network takes BGR values 0..255, letterboxed with grey 114, and returns for each place of strides 8, 16, 32 a
row (centre offset x, y, log width, height, objectness, class scores) that still has to be decoded.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
import torch

from perception.detection.coco import COCO80_COLUMNS
from perception.detection.letterbox import letterbox
from perception.detection.settings import DetectionSettings
from perception.detection.suppression import suppress
from perception.errors import UsageError
from perception.types import CLASSES, NO_FEATURE_SPACE, Detections, FloatArray, Frame

_STRIDES = (8, 16, 32)


class OnnxDetector:
    """A YOLOX-type file with COCO's 80 classes or with exactly our ``CLASSES``. It gives no features."""

    feature_space = NO_FEATURE_SPACE
    feature_size = 0

    def __init__(self, path: Path, settings: DetectionSettings) -> None:
        self.name = path.stem
        self.settings = settings
        if not path.is_file():
            raise UsageError(f"--detector {path}: there is no such file.")
        try:
            self._session = onnxruntime.InferenceSession(str(path), providers=onnxruntime.get_available_providers())
        except Exception as error:  # ONNX Runtime raises many types of its own; each means an unreadable file
            raise UsageError(f"--detector {path}: not a readable ONNX file; export it again.") from error
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        shape = inputs[0].shape
        if len(inputs) != 1 or len(shape) != 4 or shape[1] != 3 or not all(isinstance(s, int) for s in shape[2:]):
            raise UsageError(
                f"--detector {path}: expected one input 1x3xHxW as YOLOX exports it, got {[i.shape for i in inputs]}."
            )
        self._input_name = inputs[0].name
        self._height, self._width = shape[2], shape[3]
        self._batched = not isinstance(shape[0], int)
        rows = sum((self._height // s) * (self._width // s) for s in _STRIDES)
        out = outputs[0].shape
        self._columns = {85: COCO80_COLUMNS, 5 + len(CLASSES): tuple(range(len(CLASSES)))}.get(out[-1])
        if len(out) != 3 or out[1] != rows or self._columns is None:
            raise UsageError(
                f"--detector {path}: expected an output 1x{rows}x85 (undecoded YOLOX with COCO's classes), got {out}."
            )
        self._grid, self._strides = _grid(self._width, self._height)

    def detect(self, frames: Sequence[Frame]) -> list[Detections]:
        if not frames:
            return []
        batch = letterbox([frame.image for frame in frames], width=self._width, height=self._height)
        blob = np.ascontiguousarray(batch.images[..., ::-1].transpose(0, 3, 1, 2), dtype=np.float32)
        blobs = [blob] if self._batched else [blob[i : i + 1] for i in range(len(blob))]
        raw = np.concatenate([self._session.run(None, {self._input_name: part})[0] for part in blobs])

        centres = (raw[..., :2] + self._grid) * self._strides
        sizes = np.exp(np.clip(raw[..., 2:4], -10, 10)) * self._strides
        boxes = np.concatenate([centres - sizes / 2, centres + sizes / 2], axis=-1)
        scores = raw[..., 4:5] * raw[..., 5:][..., list(self._columns or ())]
        kept = suppress(
            torch.from_numpy(scores),
            torch.from_numpy(boxes),
            score_threshold=self.settings.confidence,
            iou_threshold=self.settings.iou,
            allowed_labels=torch.from_numpy(self.settings.allowed_labels),
        )
        rows = kept.image_indices.numpy()
        boxes_px = batch.boxes_to_images(kept.boxes_xyxy.numpy(), rows)
        return [
            Detections(
                boxes_xyxy_px=boxes_px[rows == index],
                scores=kept.scores.numpy()[rows == index],
                labels=kept.labels.numpy()[rows == index],
                features=np.zeros((int((rows == index).sum()), 0), np.float32),
                camera=frame.camera,
                image_size_px=frame.size_px,
            )
            for index, frame in enumerate(frames)
        ]


def _grid(width: int, height: int) -> tuple[FloatArray, FloatArray]:
    """(A, 2) cell indices x, y and (A, 1) strides, in the order of YOLOX's rows."""
    cells, strides = [], []
    for stride in _STRIDES:
        ys, xs = np.mgrid[: height // stride, : width // stride]
        cells.append(np.stack([xs, ys], axis=-1).reshape(-1, 2))
        strides.append(np.full((cells[-1].shape[0], 1), stride))
    return np.concatenate(cells).astype(np.float32), np.concatenate(strides).astype(np.float32)
