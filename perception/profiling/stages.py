"""Latency of the stages: a stopwatch that waits for the device, and a detector that is timed stage by stage."""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter

import torch

from perception.detection import RoadNetDetector
from perception.protocols import Detector
from perception.types import Detections, Frame

PREPARE, NETWORK, NMS = "prepare", "network", "nms"


class Stopwatch:
    """Milliseconds between calls of ``lap``; on a GPU by events in its stream, so that nothing has to wait."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._marks: list[tuple[str, float, torch.cuda.Event | None]] = []
        self.lap("start")

    def lap(self, name: str) -> None:
        """What was done since the last one is called ``name``."""
        event = None
        if self._device.type == "cuda":
            event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
            event.record(torch.cuda.current_stream(self._device))  # type: ignore[no-untyped-call]
        self._marks.append((name, perf_counter(), event))

    def times_ms(self) -> dict[str, float]:
        """Each lap's time, once the device is done."""
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        times = {}
        for (_, before_s, first), (name, after_s, second) in zip(self._marks[:-1], self._marks[1:], strict=True):
            on_device = None if first is None or second is None else first.elapsed_time(second)  # type: ignore[no-untyped-call]
            times[name] = 1e3 * (after_s - before_s) if on_device is None else float(on_device)
        return times


class StagedDetector:
    """``detector``, and in ``stage_ms`` what its last call took: of RoadNet each stage, of others the whole."""

    def __init__(self, detector: Detector, device: torch.device) -> None:
        self._detector, self._device = detector, device
        self.name, self.is_calibrated = detector.name, detector.is_calibrated
        self.feature_space, self.feature_size = detector.feature_space, detector.feature_size
        self.stage_ms: dict[str, float] = {}

    def detect(self, frames: Sequence[Frame]) -> list[Detections]:
        watch = Stopwatch(self._device)
        if isinstance(self._detector, RoadNetDetector):
            batch = self._detector.prepare(frames)
            watch.lap(PREPARE)
            answers = self._detector.engine(batch.images)
            watch.lap(NETWORK)
            found = self._detector.finish(answers, batch, frames)
            watch.lap(NMS)
        else:
            found = self._detector.detect(frames)
            watch.lap(NETWORK)
        self.stage_ms = watch.times_ms()
        return found
