"""RoadNet's engines on the same pictures, interleaved: the latency of each for a batch."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from perception.detection.letterbox import letterbox
from perception.detection.roadnet.engines import RoadNetEngine
from perception.files import bundled
from perception.sources import open_source

_SIZES_PX = ((416, 256), (640, 384))


def example_batches() -> list[NDArray[np.uint8]]:
    """All cameras of the bundled drive at one instant, in two sizes of the input, each (B, H, W, 3) uint8 RGB."""
    frame_set = next(iter(open_source([str(bundled("data/recording"))])))
    images = [frame.image for frame in frame_set.frames]
    return [letterbox(images, width=width, height=height).images for width, height in _SIZES_PX]


def median_ms(engines: Sequence[RoadNetEngine], images: NDArray[np.uint8], *, repeats: int = 15) -> list[float]:
    """Median latency of each engine for a batch in milliseconds, interleaved; the first two rounds are warm-up."""
    taken: list[list[float]] = []
    for _ in range(repeats + 2):
        row = []
        for engine in engines:
            start = time.perf_counter()
            engine(images)
            row.append((time.perf_counter() - start) * 1e3)
        taken.append(row)
    return [float(value) for value in np.median(taken[2:], axis=0)]
