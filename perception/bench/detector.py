"""RoadNet's engines on the same pictures, taken in turns: what each needs for a batch."""

from __future__ import annotations

import copy
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from perception.detection.letterbox import letterbox
from perception.detection.roadnet import RoadNet
from perception.detection.roadnet_engines import OnnxEngine, TorchEngine
from perception.files import bundled
from perception.sources import open_source

_SIZES_PX = ((416, 256), (640, 384))


class EnginesMs(NamedTuple):
    """Median milliseconds for a batch."""

    torch_ms: float
    onnx_ms: float


def example_batches() -> list[NDArray[np.uint8]]:
    """All cameras of the bundled drive at one instant, in two sizes of the input, each (B, H, W, 3) uint8 RGB."""
    frame_set = next(iter(open_source([str(bundled("data/recording"))])))
    images = [frame.image for frame in frame_set.frames]
    return [letterbox(images, width=width, height=height).images for width, height in _SIZES_PX]


def engines_ms(model: RoadNet, exported: Path, images: NDArray[np.uint8], *, repeats: int = 15) -> EnginesMs:
    """``model`` in PyTorch and its exported file in ONNX Runtime, on the CPU; the first two rounds do not count."""
    engines = (TorchEngine(copy.deepcopy(model), device=torch.device("cpu")), OnnxEngine(exported))
    taken: list[list[float]] = []
    for _ in range(repeats + 2):
        row = []
        for engine in engines:
            start = time.perf_counter()
            engine(images)
            row.append((time.perf_counter() - start) * 1e3)
        taken.append(row)
    return EnginesMs(*map(float, np.median(taken[2:], axis=0)))
