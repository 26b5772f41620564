"""What quantization costs in accuracy and gains in latency: RoadNet with 8-bit integers or 16-bit numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from perception.detection import DetectionSettings, RoadNetDetector
from perception.detection.letterbox import letterbox
from perception.detection.roadnet.detector import input_size
from perception.detection.roadnet.engines import RoadNetOnnxEngine
from perception.detection.roadnet.quantization import quantise
from perception.evaluation.core.image_dataset import ImageDataset
from perception.evaluation.report.evaluate import evaluate_groupings
from perception.evaluation.runs.run_images import detect_images
from perception.profiling.detector import example_batches, median_ms

Bits = Literal[8, 16]

MOST_AP50_LOST: dict[Bits, float] = {8: 0.01, 16: 0.003}
MOST_TIME_SHARE = 0.9
"""Of 8 bits on a processor; 16 bits are for GPUs, which compute with them."""
_CALIBRATION_PICTURES = 100
_MIN_SCORE = 0.01

ReadImage = Callable[[Path], NDArray[np.uint8]]


@dataclass(frozen=True)
class Accuracy:
    """AP50 in 0..1: ``vehicles`` as one class, and the mean over ``classes``."""

    vehicles: float
    classes: float


@dataclass(frozen=True)
class Comparison:
    """The network with 32 bits (``full``) and quantized (``small``); latencies are medians for a batch of the bundled
    drive's cameras."""

    bits: Bits
    full: Accuracy
    small: Accuracy
    full_ms: float
    small_ms: float

    @property
    def ap50_lost(self) -> float:
        """The larger loss of the two accuracies."""
        return max(self.full.vehicles - self.small.vehicles, self.full.classes - self.small.classes)

    @property
    def time_share(self) -> float:
        """Latency of the quantized network over that with 32 bits."""
        return self.small_ms / self.full_ms

    @property
    def why_not(self) -> str | None:
        """Why the quantized network is refused, None where it is good enough."""
        if self.ap50_lost >= MOST_AP50_LOST[self.bits]:
            return f"AP50 falls by {100 * self.ap50_lost:.1f} points"
        if self.bits == 8 and self.time_share > MOST_TIME_SHARE:
            return f"it takes {self.time_share:.2f} of the time"
        return None


def calibrate_and_quantise(graph: bytes, labelled: ImageDataset, read_image: ReadImage) -> bytes:
    """``graph`` with 8 bits, calibrated on up to a hundred of the pictures, each at its usual size."""
    paths = [image.path for batch in labelled.batches for image in batch]
    pictures = []
    for path in paths[:: 1 + (len(paths) - 1) // _CALIBRATION_PICTURES]:
        image = read_image(path)
        width, height = input_size([(image.shape[1], image.shape[0])])
        pictures.append(letterbox([image], width=width, height=height).images)
    return quantise(graph, pictures)


def compare(full: bytes, small: bytes, bits: Bits, labelled: ImageDataset, read_image: ReadImage) -> Comparison:
    """Accuracy of both graphs on the labelled pictures, and their interleaved latency on the bundled drive's."""
    engines = RoadNetOnnxEngine(full), RoadNetOnnxEngine(small)
    accuracies = [_accuracy(engine, labelled, read_image) for engine in engines]
    full_ms, small_ms = median_ms(engines, example_batches()[-1])
    return Comparison(bits, accuracies[0], accuracies[1], full_ms=full_ms, small_ms=small_ms)


def _accuracy(engine: RoadNetOnnxEngine, labelled: ImageDataset, read_image: ReadImage) -> Accuracy:
    detector = RoadNetDetector(engine, DetectionSettings(confidence=_MIN_SCORE), name="roadnet", feature_space="")
    run = detect_images(detector, labelled.batches, read_image=read_image, on_scene=lambda scene: None)
    vehicles, classes = evaluate_groupings(
        truth=labelled.truth,
        detections=run.detections,
        images={image.key for batch in labelled.batches for image in batch},
        exhaustive_labels=labelled.exhaustive_labels,
        ignored=labelled.ignored,
        grouping="both",
        score_threshold=_MIN_SCORE,
        min_height_px=0.0,
    )
    return Accuracy(vehicles.overall.ap50 or 0.0, classes.overall.ap50 or 0.0)
