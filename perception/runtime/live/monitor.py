"""What is measured of a live run: its cameras, their frames, and the time from the lens to the result."""

from __future__ import annotations

from typing import Any

import numpy as np

from perception.protocols import Source
from perception.sources.live.source import LiveSource
from perception.sources.live.status import LiveStatus, Measured, percentiles_ms
from perception.types import Scene


class LiveMonitor:
    """Watches ``source``; call ``add`` with each scene once its results are written. Reading is safe in any thread."""

    def __init__(self, source: LiveSource) -> None:
        self._source = source
        self.latency = Measured()

    @classmethod
    def of(cls, source: Source) -> LiveMonitor | None:
        """None for a source that has no cameras of ours."""
        return cls(source) if isinstance(source, LiveSource) else None

    def add(self, scene: Scene) -> None:
        """One instant is done."""
        self.latency.add((self._source.now_ns() - scene.timestamp_ns) / 1e9)

    @property
    def status(self) -> LiveStatus:
        """The cameras now."""
        return self._source.status()

    @property
    def instants(self) -> int:
        """How many were done."""
        return len(self.latency.values)

    def line(self) -> str:
        """For the status line: what is not as it should be, the skew, and the last time from lens to result."""
        latency = [f"{1e3 * self.latency.values[-1]:.0f} ms old"] if self.instants else []
        return ", ".join([self.status.line(), *latency])

    def to_json(self) -> dict[str, Any]:
        """For ``report.json``. ``by_third`` shows whether results come later and later."""
        latency = self.latency.to_json()
        if latency is None:
            return {**self.status.to_json(), "glass_to_result_ms": None}
        thirds = [part for part in np.array_split(np.array(self.latency.values, np.float64), 3) if len(part)]
        by_third = [percentiles_ms(part)["p95"] for part in thirds]
        return {**self.status.to_json(), "glass_to_result_ms": {**latency, "p95_by_third": by_third}}
