"""A detector run over labelled images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from perception.evaluation.core.image_dataset import DatasetImage
from perception.evaluation.core.run_tables import RunRecorder, RunTables
from perception.protocols import Detector
from perception.types import Forecasts, Frame, FrameSet, Scene, Tracks


def detect_images(
    detector: Detector,
    batches: Sequence[Sequence[DatasetImage]],
    *,
    read_image: Callable[[Path], NDArray[np.uint8]],
    on_scene: Callable[[Scene], None],
) -> RunTables:
    """Detect in each batch at once; ``read_image`` gives RGB (H, W, 3), ``on_scene`` is called with each batch."""
    recorder = RunRecorder()
    for index, batch in enumerate(batches):
        started_s = perf_counter()
        frames = tuple(
            Frame(image=read_image(image.path), camera=image.key[0], timestamp_ns=index, index=image.key[1])
            for image in batch
        )
        decoded_s = perf_counter()
        found = detector.detect(frames)
        detected_s = perf_counter()
        scene = Scene(
            frame_set=FrameSet(frames, timestamp_ns=index, index=index),
            detections={detections.camera: detections for detections in found},
            tracks=Tracks.empty(),
            forecasts=Forecasts.empty(),
            stage_ms={"decode": 1e3 * (decoded_s - started_s), "detect": 1e3 * (detected_s - decoded_s)},
        )
        recorder.add(scene)
        on_scene(scene)
    return recorder.tables()
