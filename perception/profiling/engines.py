"""RoadNet's engines side by side, and other detectors beside them: the stages of detection, and the share of what the
machine could do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch

from perception.detection import RoadNetDetector
from perception.evaluation.core.latency import LatencyReport
from perception.profiling.roofline import Ceiling, Work
from perception.profiling.scaling import measure_in_turns
from perception.profiling.stages import NETWORK, StagedDetector
from perception.protocols import Detector
from perception.types import FrameSet


@dataclass(frozen=True)
class Contender:
    """A detector and what it is called; ``work`` of a forward of all cameras, where it can be counted, ``ceiling`` of
    the arithmetic that it uses."""

    title: str
    detector: Detector
    work: Work | None = None
    ceiling: Ceiling | None = None


@dataclass(frozen=True)
class Measured:
    """``latency`` of an instant of ``images`` pictures; ``share`` of the ceiling that the network reaches."""

    title: str
    latency: LatencyReport
    images: int
    work: Work | None
    ceiling: Ceiling | None

    @property
    def median_ms(self) -> float:
        """All stages together."""
        assert self.latency.total is not None, "measure_engines measures at least one instant"
        return self.latency.total.p50_ms

    @property
    def images_per_s(self) -> float:
        """At the median."""
        return 1e3 * self.images / self.median_ms

    @property
    def flops_per_s(self) -> float | None:
        """Of the network alone, at its median."""
        if self.work is None:
            return None
        return 1e3 * self.work.flops / self.latency.per_stage[NETWORK].p50_ms

    @property
    def share(self) -> float | None:
        """The least time that the work needs over the time that it took; None where nobody counted the work."""
        if self.work is None or self.ceiling is None:
            return None
        return self.work.least_ms(self.ceiling) / self.latency.per_stage[NETWORK].p50_ms

    def to_json(self) -> dict[str, Any]:
        """For ``report.json``."""
        return {
            "detector": self.title,
            "images": self.images,
            "images_per_s": self.images_per_s,
            "flops_per_s": self.flops_per_s,
            "work": None if self.work is None else asdict(self.work),
            "ceiling": None if self.ceiling is None else asdict(self.ceiling),
            "share_of_ceiling": self.share,
            "latency": asdict(self.latency),
        }


def measure_engines(
    contenders: Sequence[Contender],
    recorded: Sequence[FrameSet],
    *,
    instants: int,
    on_instant: Callable[[Mapping[str, float]], None] = lambda stage_ms: None,
) -> list[Measured]:
    """All contenders on the same instants, in turns. On a GPU each stage waits until the device is done."""
    by_title = {contender.title: contender for contender in contenders}
    if len(by_title) < len(contenders):
        raise ValueError("contenders: two have the same title")
    steps = {title: _step(contender, _endless(recorded)) for title, contender in by_title.items()}
    latencies = measure_in_turns(steps, instants=instants, on_instant=on_instant)
    images = len(recorded[0].frames)
    return [
        Measured(title, latencies[title], images, contender.work, contender.ceiling)
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
