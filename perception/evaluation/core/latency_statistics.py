"""Statistics of the stages' times; they are measured in ``pipeline/pipeline.py`` and ``profiling/stages.py``."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np
from numpy.typing import NDArray

from perception.arrays import Column

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


@dataclass(frozen=True)
class StageSamples:
    """The stage times of one run: ``times_ms`` (I, S) of its instants by ``names``, NaN where a stage did not run."""

    names: tuple[str, ...]
    times_ms: Column

    @classmethod
    def of(cls, stage_ms: Sequence[Mapping[str, float]]) -> StageSamples:
        """Raises ``ValueError`` for a time that is negative or not finite."""
        names = tuple(dict.fromkeys(name for times in stage_ms for name in times))
        times_ms = np.full((len(stage_ms), len(names)), np.nan)
        for row, times in enumerate(stage_ms):
            for name, value in times.items():
                if not 0 <= value < np.inf:
                    raise ValueError(f"stage_ms[{name!r}]: expected finite times of zero or more, got {value}")
                times_ms[row, names.index(name)] = value
        return cls(names, times_ms)


def evaluate_latency(
    *, stage_ms: Sequence[Mapping[str, float]], warmup_instant_count: int = WARMUP_INSTANT_COUNT
) -> LatencyReport:
    """Percentiles of the stage times of each instant.

    The first ``warmup_instant_count`` instants are left out: they load kernels and fill caches. A stage that an instant
    did not run has fewer samples; of one that no later instant ran, the first ones count. The total is the entry
    ``total`` where there is one, else the sum of the stages.

    Raises ``ValueError`` for a negative warm-up, or a time that is negative or not finite.
    """
    return latency_report([StageSamples.of(stage_ms)], warmup_instant_count=warmup_instant_count)


def latency_report(runs: Sequence[StageSamples], *, warmup_instant_count: int = WARMUP_INSTANT_COUNT) -> LatencyReport:
    """The same of several ``runs``, each of which warms up; instants are numbered as if they were one run."""
    if warmup_instant_count < 0:
        raise ValueError(f"warmup_instant_count: expected zero or more, got {warmup_instant_count}")
    names = tuple(dict.fromkeys(name for run in runs for name in run.names))
    measured = np.concatenate([_columns(run, names)[warmup_instant_count:] for run in runs])
    stages = [index for index, name in enumerate(names) if name != TOTAL]
    totals = np.nansum(measured[:, stages], axis=1)
    if TOTAL in names:
        own = measured[:, names.index(TOTAL)]
        totals = np.where(np.isnan(own), totals, own)
    samples = {names[index]: _samples(measured[:, index]) for index in stages} if len(measured) else {}
    for name in [name for name, values in samples.items() if not len(values)]:
        samples[name] = np.concatenate([_samples(_columns(run, names)[:, names.index(name)]) for run in runs])
    return LatencyReport(
        per_stage={name: _scores(values) for name, values in samples.items() if len(values)},
        total=_scores(totals) if len(totals) else None,
        instant_count=len(measured),
        warmup_instant_count=min(warmup_instant_count, len(runs[0].times_ms)),
        slowest_instants=tuple((np.argsort(-totals, kind="stable")[:_SLOWEST] + warmup_instant_count).tolist()),
    )


def _samples(column: NDArray[np.float64]) -> NDArray[np.float64]:
    return column[~np.isnan(column)]


def _columns(run: StageSamples, names: Sequence[str]) -> NDArray[np.float64]:
    """(I, S) by ``names``."""
    times_ms = np.full((len(run.times_ms), len(names)), np.nan)
    times_ms[:, [names.index(name) for name in run.names]] = run.times_ms[:]
    return times_ms


def _scores(values_ms: NDArray[np.float64]) -> LatencyScores:
    p50, p95, p99 = np.percentile(values_ms, (50, 95, 99)).tolist()
    return LatencyScores(
        mean_ms=float(values_ms.mean()), p50_ms=p50, p95_ms=p95, p99_ms=p99, instant_count=len(values_ms)
    )
