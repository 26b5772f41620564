"""Time per instant for several sizes of the same work, measured side by side."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

import numpy as np

from perception.evaluation.core.latency import LatencyReport, evaluate_latency

Name = TypeVar("Name")

WARM_UP_INSTANTS = 8
"""In these kernels are loaded, caches filled and the first tracks born."""

_REST_S = 0.05
"""The threads of one runtime spin for a while after their work, on the cores that the next one wants."""


@dataclass(frozen=True)
class Load:
    """Work of ``size`` cameras or objects; ``step`` does one more instant of it and returns milliseconds per stage."""

    size: int
    step: Callable[[], Mapping[str, float]]


@dataclass(frozen=True)
class Growth:
    """``latencies`` by the size of the work, of which ``what`` says what was counted."""

    what: str
    latencies: dict[int, LatencyReport]

    def median_ms(self, size: int) -> float:
        """The time of an instant, all stages together."""
        total = self.latencies[size].total
        assert total is not None, "measure_growth measures at least one instant"
        return total.p50_ms

    @property
    def exponent(self) -> float | None:
        """k of ``time ~ size ** k``, by least squares over the logarithms: 1 is linear growth; None for one size."""
        sizes = list(self.latencies)
        if len(sizes) < 2:
            return None
        times_ms = [max(self.median_ms(size), 1e-6) for size in sizes]
        return float(np.polyfit(np.log(sizes), np.log(times_ms), 1)[0])

    def to_json(self) -> dict[str, Any]:
        """For ``report.json``."""
        return {
            "what": self.what,
            "exponent": self.exponent,
            "latency": {str(size): asdict(latency) for size, latency in self.latencies.items()},
        }


def measure_growth(
    what: str,
    loads: Sequence[Load],
    *,
    instants: int,
    on_instant: Callable[[Mapping[str, float]], None] = lambda stage_ms: None,
) -> Growth:
    """``instants`` of each load, taken in turns; ``on_instant`` is told each one's times."""
    steps = {load.size: load.step for load in loads}
    return Growth(what, measure_in_turns(steps, instants=instants, on_instant=on_instant))


def measure_in_turns(
    steps: Mapping[Name, Callable[[], Mapping[str, float]]],
    *,
    instants: int,
    rounds: int = 5,
    on_instant: Callable[[Mapping[str, float]], None] = lambda stage_ms: None,
) -> dict[Name, LatencyReport]:
    """``instants`` of each step, after a warm-up, taken in turns over ``rounds``: what else the machine does in the
    meantime then meets all alike, and a rest before each turn keeps what one left running from the next.

    A step returns milliseconds per stage, which ``on_instant`` is told.
    """
    stage_ms: dict[Name, list[Mapping[str, float]]] = {name: [] for name in steps}
    turns = [WARM_UP_INSTANTS, *np.bincount(np.arange(instants) % rounds, minlength=rounds).tolist()]
    for turn in turns:
        for name, step in steps.items():
            time.sleep(_REST_S)
            for _ in range(turn):
                times = step()
                stage_ms[name].append(times)
                on_instant(times)
    return {
        name: evaluate_latency(stage_ms=times, warmup_instant_count=WARM_UP_INSTANTS)
        for name, times in stage_ms.items()
    }
