"""Statistics of the stages' times; they are measured in ``pipeline/pipeline.py`` and ``profiling/stages.py``."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np
from numpy.typing import NDArray

WARMUP_INSTANT_COUNT = 5
"""Instants at the start of a run that load kernels and fill caches."""

_SLOWEST = 3
"""So many of the slowest instants are named."""

TOTAL = "total"
"""The stage name of the time per instant: a whole turn of the loop, stages that run side by side counted once."""

_ALIKE = 0.1
"""A mean within this share of the median tells nothing more."""


@dataclass(frozen=True)
class LatencyScores:
    """Milliseconds over ``instant_count`` instants."""

    mean_ms: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    instant_count: int

    def __str__(self) -> str:
        """The median, and the mean where that is another: work that is done at some instants only hides from one."""
        is_alike = abs(self.mean_ms - self.p50_ms) <= _ALIKE * self.p50_ms
        return f"{self.p50_ms:.0f} ms" if is_alike else f"{self.p50_ms:.0f} ms (median; mean {self.mean_ms:.0f} ms)"


@dataclass(frozen=True)
class LatencyReport:
    """``per_stage`` in the order of the pipeline; ``total`` is None when the run ended within the warm-up.
    ``slowest_instants`` are their numbers in the order of the run, from 0, the slowest first."""

    per_stage: dict[str, LatencyScores]
    total: LatencyScores | None
    instant_count: int
    warmup_instant_count: int
    slowest_instants: tuple[int, ...] = ()


class StageTimes(Sequence[Mapping[str, float]]):
    """The stage times of many instants, as ``evaluate_latency`` takes them, in few bytes: a stream never ends."""

    def __init__(self) -> None:
        self._kinds: dict[tuple[str, ...], int] = {}
        self._kind_of, self._starts, self._values = array("H"), array("Q"), array("d")

    def append(self, stage_ms: Mapping[str, float]) -> None:
        """One more instant."""
        self._kind_of.append(self._kinds.setdefault(tuple(stage_ms), len(self._kinds)))
        self._starts.append(len(self._values))
        self._values.extend(stage_ms.values())

    def __len__(self) -> int:
        return len(self._starts)

    @overload
    def __getitem__(self, index: int) -> Mapping[str, float]: ...
    @overload
    def __getitem__(self, index: slice) -> list[Mapping[str, float]]: ...
    def __getitem__(self, index: int | slice) -> Mapping[str, float] | list[Mapping[str, float]]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        names = list(self._kinds)[self._kind_of[index]]
        start = self._starts[index]
        return dict(zip(names, self._values[start : start + len(names)], strict=True))


def evaluate_latency(
    *, stage_ms: Sequence[Mapping[str, float]], warmup_instant_count: int = WARMUP_INSTANT_COUNT
) -> LatencyReport:
    """Percentiles of the stage times of each instant.

    The first ``warmup_instant_count`` instants are left out: they load kernels and fill caches. A stage that an instant
    did not run has fewer samples. The total is the entry ``total`` where there is one, else the sum of the stages.

    Raises ``ValueError`` for a negative warm-up, or a time that is negative or not finite.
    """
    if warmup_instant_count < 0:
        raise ValueError(f"warmup_instant_count: expected zero or more, got {warmup_instant_count}")
    measured = [dict(times) for times in stage_ms[warmup_instant_count:]]
    names = list(dict.fromkeys(name for times in measured for name in times if name != TOTAL))
    samples = {name: np.array([times[name] for times in measured if name in times], np.float64) for name in names}
    totals = np.array([times.get(TOTAL, sum(times.values())) for times in measured], np.float64)
    for name, values in {**samples, TOTAL: totals}.items():
        if not (np.isfinite(values) & (values >= 0)).all():
            raise ValueError(f"stage_ms[{name!r}]: expected finite times of zero or more, got {values.min()}")
    return LatencyReport(
        per_stage={name: _scores(values) for name, values in samples.items()},
        total=_scores(totals) if len(totals) else None,
        instant_count=len(measured),
        warmup_instant_count=min(warmup_instant_count, len(stage_ms)),
        slowest_instants=tuple((np.argsort(-totals, kind="stable")[:_SLOWEST] + warmup_instant_count).tolist()),
    )


def _scores(values_ms: NDArray[np.float64]) -> LatencyScores:
    p50, p95, p99 = np.percentile(values_ms, (50, 95, 99)).tolist()
    return LatencyScores(
        mean_ms=float(values_ms.mean()), p50_ms=p50, p95_ms=p95, p99_ms=p99, instant_count=len(values_ms)
    )
