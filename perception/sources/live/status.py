"""How the live cameras are and what became of their frames: for the status line, the report and other programs."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from perception.arrays import FloatArray


@dataclass(frozen=True, kw_only=True)
class CameraStatus:
    """One camera now: its ``state`` for ``since_s`` seconds because of ``cause``, ``frames`` by what became of them.

    ``time_origin`` is what its times are from; ``losses`` and ``away_s`` count how often and how long it was lost,
    ``events`` are the last changes of its state.
    """

    name: str
    state: str
    since_s: float
    cause: str
    rate_fps: float
    time_origin: str
    frames: dict[str, int]
    losses: int
    away_s: float
    events: tuple[dict[str, Any], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """For ``report.json``."""
        return {
            "state": self.state,
            "cause": self.cause,
            "rate_fps": round(self.rate_fps, 3),
            "time_origin": self.time_origin,
            "frames": self.frames,
            "losses": self.losses,
            "away_s": round(self.away_s, 3),
            "events": list(self.events),
        }


@dataclass
class Measured:
    """Seconds of something at each instant; four bytes for each."""

    values: array[float] = field(default_factory=lambda: array("f"))

    def add(self, seconds: float) -> None:
        """One more instant."""
        self.values.append(seconds)

    def to_json(self) -> dict[str, float] | None:
        """Median, 95th percentile and maximum in milliseconds; None before the first."""
        return percentiles_ms(np.array(self.values, np.float64)) if self.values else None


def percentiles_ms(seconds: FloatArray) -> dict[str, float]:
    """Of (N > 0,) seconds."""
    median, high = np.percentile(seconds, (50, 95))
    return {"p50": round(1e3 * median, 2), "p95": round(1e3 * high, 2), "max": round(1e3 * float(seconds.max()), 2)}


@dataclass(frozen=True, kw_only=True)
class LiveStatus:
    """All cameras now. ``skew`` is from the first to the last frame of each instant, ``tolerance_s`` its limit."""

    cameras: tuple[CameraStatus, ...]
    tolerance_s: float
    skew: Measured

    def line(self) -> str:
        """ "5 of 6 live, rear lost 3 s, skew 34 ms" """
        there = [camera for camera in self.cameras if camera.state not in ("removed", "ended")]
        away = [f"{camera.name} {camera.state} {camera.since_s:.0f} s" for camera in there if camera.state != "live"]
        has_skew = len(self.cameras) > 1 and self.skew.values
        skew = [f"skew {1e3 * self.skew.values[-1]:.0f} ms"] if has_skew else []
        return ", ".join([f"{len(there) - len(away)} of {len(there)} live", *away, *skew])

    def to_json(self) -> dict[str, Any]:
        """For ``report.json``."""
        return {
            "tolerance_s": self.tolerance_s,
            "skew_ms": self.skew.to_json(),
            "cameras": {camera.name: camera.to_json() for camera in self.cameras},
        }
