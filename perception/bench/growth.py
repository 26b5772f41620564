"""Time per instant for several sizes of the same work, measured side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from perception.evaluation.latency import LatencyReport, evaluate_latency

WARM_UP_INSTANTS = 8
"""In these kernels are loaded, caches filled and the first tracks born."""


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
    rounds: int = 5,
    on_instant: Callable[[Mapping[str, float]], None] = lambda stage_ms: None,
) -> Growth:
    """``instants`` of each load, after a warm-up, taken in turns over ``rounds``: what else the machine does in the
    meantime then meets all sizes alike. ``on_instant`` is told each one's times."""
    stage_ms: dict[int, list[Mapping[str, float]]] = {load.size: [] for load in loads}
    turns = [WARM_UP_INSTANTS, *np.bincount(np.arange(instants) % rounds, minlength=rounds).tolist()]
    for turn in turns:
        for load in loads:
            for _ in range(turn):
                times = load.step()
                stage_ms[load.size].append(times)
                on_instant(times)
    return Growth(
        what,
        {
            size: evaluate_latency(stage_ms=times, warmup_instant_count=WARM_UP_INSTANTS)
            for size, times in stage_ms.items()
        },
    )
