"""Any exported ONNX detector of the YOLOX kind (Ge et al. 2021), run by ONNX Runtime.

Such a network takes BGR values 0..255, letterboxed with grey 114. For each grid point of strides 8, 16, 32 it returns a
row (centre offset x, y, log width, height, objectness, class scores) that still has to be decoded.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray

from perception.arrays import FloatArray
from perception.detection.letterbox import letterbox
from perception.detection.nms import nms
from perception.detection.settings import DetectionSettings
from perception.errors import UsageError
from perception.taxonomy import CLASSES, COCO80_COLUMNS
from perception.types import NO_FEATURE_SPACE, Detections, Frame

_STRIDES = (8, 16, 32)


class OnnxDetector:
    """A YOLOX-type file with COCO's 80 classes or with exactly our ``CLASSES``, at the input size it was exported with.

    It gives no features. ``device`` is the CPU when None. Raises ``UsageError`` when the file is missing, not readable,
    or of another kind.
    """

    feature_space = NO_FEATURE_SPACE
    feature_size = 0
    is_calibrated = False

    def __init__(self, path: Path, settings: DetectionSettings, *, device: torch.device | None = None) -> None:
        self.name = path.stem
        self.settings = settings
        if not path.is_file():
            raise UsageError(f"{path}: there is no such file; check the path.")
        try:
            self._session = onnxruntime.InferenceSession(str(path), providers=_providers(device))
        except Exception as error:  # ONNX Runtime raises many types of its own; each means an unreadable file
            raise UsageError(f"{path}: not a readable ONNX file; export it again.") from error
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        shape = inputs[0].shape
        fixed_size = len(shape) == 4 and shape[1] == 3 and all(isinstance(s, int) for s in shape[2:])
        one_by_one_or_any = fixed_size and (shape[0] == 1 or not isinstance(shape[0], int))
        if len(inputs) != 1 or not one_by_one_or_any or inputs[0].type != "tensor(float)":
            got = ", ".join(f"{i.type} {i.shape}" for i in inputs)
            raise UsageError(
                f"{path}: expected one float input 1x3xHxW, got {got}; export it as YOLOX does, with a fixed size."
            )
        self._input_name = inputs[0].name
        self._height, self._width = shape[2], shape[3]
        self._batched = not isinstance(shape[0], int)
        rows = sum((self._height // s) * (self._width // s) for s in _STRIDES)
        out = outputs[0].shape
        self._columns = _columns(out[2]) if len(out) == 3 and out[1] == rows else None
        if self._columns is None:
            raise UsageError(
                f"{path}: expected an output 1x{rows}x85 (YOLOX with COCO's classes), got {out}; export it undecoded."
            )
        self._grid, self._strides = _grid(self._width, self._height)

    @property
    def runs_on_gpu(self) -> bool:
        return "CUDAExecutionProvider" in self._session.get_providers()

    @property
    def input_size_px(self) -> tuple[int, int]:
        """(width, height)."""
        return self._width, self._height

    def dense(self, images: NDArray[np.uint8]) -> tuple[FloatArray, FloatArray]:
        """The dense outputs, before suppression: scores (B, A, C) and boxes (B, A, 4) in pixels.

        ``images`` (B, H, W, 3) uint8 RGB of the network's input size. Grid points are ordered as RoadNet's.
        """
        blob = np.ascontiguousarray(images[..., ::-1].transpose(0, 3, 1, 2), dtype=np.float32)
        blobs = [blob] if self._batched else [blob[i : i + 1] for i in range(len(blob))]
        raw = np.concatenate([self._session.run(None, {self._input_name: part})[0] for part in blobs])
        centres = (raw[..., :2] + self._grid) * self._strides
        sizes = np.exp(np.clip(raw[..., 2:4], -10, 10)) * self._strides
        boxes = np.concatenate([centres - sizes / 2, centres + sizes / 2], axis=-1)
        return raw[..., 4:5] * raw[..., 5:][..., list(self._columns or ())], boxes

    def detect(self, frames: Sequence[Frame]) -> list[Detections]:
        if not frames:
            return []
        batch = letterbox([frame.image for frame in frames], width=self._width, height=self._height)
        scores, boxes = self.dense(batch.images)
        kept = nms(
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


def _providers(device: torch.device | None) -> list[str]:
    """ONNX Runtime's back ends, best first. A package without CUDA has only the CPU, whatever the device."""
    wants_gpu = device is not None and device.type == "cuda"
    on_gpu = wants_gpu and "CUDAExecutionProvider" in onnxruntime.get_available_providers()
    return ["CUDAExecutionProvider", "CPUExecutionProvider"] if on_gpu else ["CPUExecutionProvider"]


def _columns(row_size: int) -> tuple[int, ...] | None:
    """For each of ``CLASSES`` its column among the class scores of a row, None when the row is of other classes."""
    if row_size == 5 + 80:
        return COCO80_COLUMNS
    return tuple(range(len(CLASSES))) if row_size == 5 + len(CLASSES) else None


def _grid(width: int, height: int) -> tuple[FloatArray, FloatArray]:
    """(A, 2) cell indices x, y and (A, 1) strides, in the order of YOLOX's rows."""
    cells, strides = [], []
    for stride in _STRIDES:
        ys, xs = np.mgrid[: height // stride, : width // stride]
        cells.append(np.stack([xs, ys], axis=-1).reshape(-1, 2))
        strides.append(np.full((cells[-1].shape[0], 1), stride))
    return np.concatenate(cells).astype(np.float32), np.concatenate(strides).astype(np.float32)
