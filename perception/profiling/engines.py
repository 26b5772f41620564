"""RoadNet's engines side by side, and other detectors beside them: latency of each stage, throughput, and the share of
the roofline that the network reaches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch

from perception.detection import RoadNetDetector
from perception.evaluation.core.latency_statistics import LatencyReport
from perception.profiling.roofline import Roofline, Work
from perception.profiling.scaling import measure_interleaved
from perception.profiling.stages import NETWORK, StagedDetector
from perception.protocols import Detector
from perception.types import FrameSet


@dataclass(frozen=True)
class Contender:
    """A detector and what it is called; ``work`` of a forward of all cameras, where it can be counted, ``roofline`` for
    the number format that it computes with."""

    title: str
    detector: Detector
    work: Work | None = None
    roofline: Roofline | None = None


@dataclass(frozen=True)
class EngineTiming:
    """``latency`` of an instant of ``images`` pictures; throughput and share of the roofline follow from it."""

    title: str
    latency: LatencyReport
    images: int
    work: Work | None
    roofline: Roofline | None

    @property
    def median_ms(self) -> float:
        """All stages together."""
        assert self.latency.total is not None, "measure_engines measures at least one instant"
        return self.latency.total.p50_ms

    @property
    def images_per_s(self) -> float:
        """Throughput at the median latency."""
        return 1e3 * self.images / self.median_ms

    @property
    def flops_per_s(self) -> float | None:
        """Throughput of the network alone, at its median latency; None where nobody counted the work."""
        if self.work is None:
            return None
        return 1e3 * self.work.flops / self.latency.per_stage[NETWORK].p50_ms

    @property
    def roofline_share(self) -> float | None:
        """The roofline's time for the work over the time that it took; None where nobody counted the work."""
        if self.work is None or self.roofline is None:
            return None
        return self.work.min_ms(self.roofline) / self.latency.per_stage[NETWORK].p50_ms

    def to_json(self) -> dict[str, Any]:
        """For ``report.json``."""
        return {
            "detector": self.title,
            "images": self.images,
            "images_per_s": self.images_per_s,
            "flops_per_s": self.flops_per_s,
            "work": None if self.work is None else asdict(self.work),
            "roofline": None if self.roofline is None else asdict(self.roofline),
            "roofline_share": self.roofline_share,
            "latency": asdict(self.latency),
        }


def measure_engines(
    contenders: Sequence[Contender],
    recorded: Sequence[FrameSet],
    *,
    instants: int,
    on_instant: Callable[[Mapping[str, float]], None] = lambda stage_ms: None,
) -> list[EngineTiming]:
    """All contenders on the same instants, interleaved. On a GPU each stage waits until the device is done.

    Raises ``ValueError`` where two have the same title.
    """
    by_title = {contender.title: contender for contender in contenders}
    if len(by_title) < len(contenders):
        raise ValueError("contenders: two have the same title")
    steps = {title: _step(contender, _endless(recorded)) for title, contender in by_title.items()}
    latencies = measure_interleaved(steps, instants=instants, on_instant=on_instant)
    images = len(recorded[0].frames)
    return [
        EngineTiming(title, latencies[title], images, contender.work, contender.roofline)
        for title, contender in by_title.items()
    ]


def _step(contender: Contender, frame_sets: Iterator[FrameSet]) -> Callable[[], dict[str, float]]:
    """One instant more, and milliseconds per stage."""
    ours = contender.detector
    device = ours.engine.device if isinstance(ours, RoadNetDetector) else torch.device("cpu")
    staged = StagedDetector(ours, device)

    def step() -> dict[str, float]:
        staged.detect(next(frame_sets).frames)
        return staged.stage_ms

    return step


def _endless(recorded: Sequence[FrameSet]) -> Iterator[FrameSet]:
    while True:
        yield from recorded
