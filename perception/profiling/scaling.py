"""Latency per instant for several sizes of the same work, and the exponent with which it scales."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

import numpy as np

from perception.evaluation.core.latency_statistics import LatencyReport, evaluate_latency

Name = TypeVar("Name")

WARM_UP_INSTANTS = 8
"""In these kernels are loaded, caches filled and the first tracks spawned."""

_REST_S = 0.05
"""The threads of one runtime spin for a while after their work, on the cores that the next one wants."""


@dataclass(frozen=True)
class Load:
    """Work of ``size`` cameras or objects; ``step`` does one more instant of it and returns milliseconds per stage."""

    size: int
    step: Callable[[], Mapping[str, float]]


@dataclass(frozen=True)
class Scaling:
    """Latency over the size of the work: ``latencies`` by size, ``what`` the thing that is counted."""

    what: str
    latencies: dict[int, LatencyReport]

    def median_ms(self, size: int) -> float:
        """Median latency of an instant in milliseconds, all stages together."""
        total = self.latencies[size].total
        assert total is not None, "measure_scaling measures at least one instant"
        return total.p50_ms

    @property
    def exponent(self) -> float | None:
        """The scaling exponent k of ``latency ~ size ** k``, by least squares over the logarithms; 1 is linear.

        None for a single size.
        """
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


def measure_scaling(
    what: str,
    loads: Sequence[Load],
    *,
    instants: int,
    on_instant: Callable[[Mapping[str, float]], None] = lambda stage_ms: None,
) -> Scaling:
    """``instants`` of each load, interleaved; ``on_instant`` is called with the stage latencies of each."""
    steps = {load.size: load.step for load in loads}
    return Scaling(what, measure_interleaved(steps, instants=instants, on_instant=on_instant))


def measure_interleaved(
    steps: Mapping[Name, Callable[[], Mapping[str, float]]],
    *,
    instants: int,
    rounds: int = 5,
    on_instant: Callable[[Mapping[str, float]], None] = lambda stage_ms: None,
) -> dict[Name, LatencyReport]:
    """``instants`` of each step, after a warm-up, interleaved over ``rounds``.

    Other load on the machine then meets all steps alike, and a rest before each turn keeps what one left running from
    the next. A step returns milliseconds per stage, with which ``on_instant`` is called.
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
