"""NanoDet-Plus networks in ncnn's format (``FILE.param`` with ``FILE.bin`` beside it), extra ``[ncnn]``.

NanoDet (RangiLyu) predicts at strides 8, 16, 32, 64 the class scores and, for each side of the box, a distribution
over 0..7 strides whose mean is the distance (Li et al. 2020, generalised focal loss).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from perception.arrays import FloatArray
from perception.detection.backends.layouts.distributions import BINS, STRIDES_PX, expected_distances
from perception.detection.letterbox import canvas_size, letterbox
from perception.detection.nms import nms
from perception.detection.settings import USUAL_IMAGE_SIZE_PX, DetectionSettings
from perception.errors import UsageError
from perception.safety.input_limits import MAX_WEIGHTS_BYTES
from perception.safety.regular_files import check_regular
from perception.safety.trial import trial
from perception.taxonomy import COCO80_COLUMNS
from perception.types import NO_FEATURE_SPACE, Detections, Frame

_MEAN_BGR = np.array([103.53, 116.28, 123.675], np.float32)
_TRIED_PX = 128
_SCALE_BGR = np.array([0.017429, 0.017507, 0.017125], np.float32)


_TRIAL = """
import ncnn
net = ncnn.Net()
if net.load_param(sys.argv[1]) or net.load_model(sys.argv[2]):
    sys.exit(1)
for width, height in ((128, 128), (int(sys.argv[3]), 64)):
    run = net.create_extractor()
    image = ncnn.Mat(width, height, 3)
    image.fill(0.0)
    run.input(net.input_names()[0], image)
    for name in net.output_names():
        run.extract(name)
"""


def _check_runs(param_path: Path, weights_path: Path, long_side_px: int) -> None:
    """Raise ``UsageError`` where the network does not load or run in a process of its own, which it may end."""
    for path in (param_path, weights_path):
        try:
            check_regular(path, max_bytes=MAX_WEIGHTS_BYTES)
        except OSError as error:
            raise UsageError(f"{path}: cannot be read ({error.strerror}); check the path.") from error
    if trial(_TRIAL, param_path, weights_path, long_side_px) != 0:
        raise UsageError(f"{param_path}: not a readable ncnn network; copy FILE.param and FILE.bin again.")


class NcnnDetector:
    """Runs on the CPU at ``image_size_px``, whatever size the network was trained with. It gives no features.

    Raises ``UsageError`` when a file is missing or not readable, or the package ``ncnn`` is not installed.
    """

    feature_space = NO_FEATURE_SPACE
    feature_size = 0
    is_calibrated = False
    input_size_px = None
    """Any size will do."""

    def __init__(self, param_path: Path, settings: DetectionSettings) -> None:
        try:
            import ncnn
        except ImportError as error:
            raise UsageError(f"{param_path}: needs a package more; run pip install ncnn.") from error
        self.name = param_path.stem
        self.settings = settings
        weights_path = param_path.with_suffix(".bin")
        for path in (param_path, weights_path):
            if not path.exists():
                raise UsageError(f"{path}: there is no such file; check the path.")
        self._long_side_px = settings.image_size_px or USUAL_IMAGE_SIZE_PX
        _check_runs(param_path, weights_path, self._long_side_px)
        self._ncnn = ncnn
        self._net = ncnn.Net()
        if self._net.load_param(str(param_path)) or self._net.load_model(str(weights_path)):
            raise UsageError(f"{param_path}: not a readable ncnn network; copy FILE.param and FILE.bin again.")
        expected = {f"{part}{stride}" for part in ("cls", "dis") for stride in STRIDES_PX}
        if not expected <= set(self._net.output_names()):
            raise UsageError(f"{param_path}: lacks the outputs cls8 to dis64; give a NanoDet-Plus network.")
        self._input = self._net.input_names()[0]
        try:
            self._run(np.zeros((_TRIED_PX, _TRIED_PX, 3), np.uint8))
        except (ValueError, IndexError) as error:
            raise UsageError(f"{param_path}: its outputs are not NanoDet-Plus's; give such a network.") from error

    def detect(self, frames: Sequence[Frame]) -> list[Detections]:
        return [self._detect_one(frame) for frame in frames]

    def _detect_one(self, frame: Frame) -> Detections:
        width, height = canvas_size([frame.size_px], long_side_px=self._long_side_px, multiple=STRIDES_PX[-1])
        batch = letterbox([frame.image], width=width, height=height)
        scores, boxes = self._run(batch.images[0])
        kept = nms(
            torch.from_numpy(scores[None]),
            torch.from_numpy(boxes[None]),
            score_threshold=self.settings.confidence,
            iou_threshold=self.settings.iou,
            allowed_labels=torch.from_numpy(self.settings.allowed_labels),
        )
        return Detections(
            boxes_xyxy_px=batch.boxes_to_images(kept.boxes_xyxy.numpy(), kept.image_indices.numpy()),
            scores=kept.scores.numpy(),
            labels=kept.labels.numpy(),
            features=np.zeros((len(kept.scores), 0), np.float32),
            camera=frame.camera,
            image_size_px=frame.size_px,
        )

    def dense(self, images: NDArray[np.uint8]) -> tuple[FloatArray, FloatArray]:
        """What the network says at every grid point of strides 8 to 64: scores (B, A, C) and boxes (B, A, 4) in pixels.

        ``images`` (B, H, W, 3) uint8 RGB, H and W multiples of 32. Grid points are ordered as RoadNet's.
        """
        scores, boxes = zip(*(self._run(image) for image in images), strict=True)
        return np.stack(scores), np.stack(boxes)

    def _run(self, image: NDArray[np.uint8]) -> tuple[FloatArray, FloatArray]:
        """Scores (A, C) and boxes (A, 4) of one image at all grid points."""
        blob = (image[..., ::-1] - _MEAN_BGR) * _SCALE_BGR
        channels = np.ascontiguousarray(blob.transpose(2, 0, 1), np.float32)
        # ncnn reads the array until the clone is made; a temporary array would be gone by then.
        mat = self._ncnn.Mat(channels).clone()
        extractor = self._net.create_extractor()
        extractor.input(self._input, mat)
        levels = [
            decode_level(*(self._extract(extractor, f"{part}{stride}") for part in ("cls", "dis")), stride=stride)
            for stride in STRIDES_PX
        ]
        scores, boxes = zip(*levels, strict=True)
        return np.concatenate(scores), np.concatenate(boxes)

    @staticmethod
    def _extract(extractor: Any, name: str) -> FloatArray:
        _, mat = extractor.extract(name)
        # The array is a view of memory that ncnn frees with ``mat``.
        return np.array(mat, copy=True).copy()


def decode_level(class_scores: FloatArray, ltrb_logits: FloatArray, *, stride: int) -> tuple[FloatArray, FloatArray]:
    """One level's (80, h, w) scores and (h, w, 4 * bins) logits to scores (h*w, C) over ``CLASSES`` and boxes (h*w, 4).

    Boxes are in pixels of the input. NanoDet's points lie on the corner of their cell, not on its centre.
    """
    height, width = class_scores.shape[1:]
    ys, xs = np.mgrid[:height, :width]
    points = np.stack([xs, ys], axis=-1).reshape(-1, 2).astype(np.float32) * stride
    ltrb = expected_distances(ltrb_logits.reshape(height * width, 4, BINS)) * stride
    boxes = np.concatenate([points - ltrb[:, :2], points + ltrb[:, 2:]], axis=-1)
    scores = class_scores.reshape(len(class_scores), -1).T[:, list(COCO80_COLUMNS)]
    return scores.astype(np.float32), boxes.astype(np.float32)
