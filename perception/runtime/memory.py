"""How much memory a run holds while it goes on: what grows would one day end it."""

from __future__ import annotations

import resource
from dataclasses import dataclass
from pathlib import Path

SETTLES_AFTER_S = 30.0
"""By then kernels are loaded, buffers allocated and the first tracks started."""

_EVERY_S = 1.0


@dataclass
class MemoryMonitor:
    """Bytes that this process has in memory: once it has settled, now, and at most since it settled; None before.

    Call ``sample`` while the run goes on.
    """

    settled_bytes: int | None = None
    last_bytes: int | None = None
    peak_bytes: int | None = None
    _next_s: float = 0.0

    def sample(self, elapsed_s: float) -> None:
        """Measure, at most once a second; ``elapsed_s`` since the run began."""
        if elapsed_s < self._next_s:
            return
        self._next_s = elapsed_s + _EVERY_S
        self.last_bytes = resident_bytes()
        if elapsed_s >= SETTLES_AFTER_S:
            self.settled_bytes = self.settled_bytes or self.last_bytes
            self.peak_bytes = max(self.peak_bytes or 0, self.last_bytes)

    @property
    def growth(self) -> float | None:
        """The end over the settled beginning, less 1; None for a run too short for it."""
        if self.settled_bytes is None or self.last_bytes is None:
            return None
        return self.last_bytes / self.settled_bytes - 1

    def line(self) -> str:
        """For the terminal, empty for a run too short for it."""
        if self.growth is None or self.settled_bytes is None or self.last_bytes is None:
            return ""
        return (
            f"Memory: {self.settled_bytes / 2**20:,.0f} MiB after {SETTLES_AFTER_S:.0f} s, "
            f"{self.last_bytes / 2**20:,.0f} MiB at the end ({self.growth:+.1%})."
        )

    def to_json(self) -> dict[str, float | None]:
        """For ``report.json``."""
        return {
            "settled_bytes": self.settled_bytes,
            "last_bytes": self.last_bytes,
            "peak_bytes": self.peak_bytes,
            "growth": self.growth,
        }


def resident_bytes(statm: Path = Path("/proc/self/statm")) -> int:
    """What this process has in memory; where the system does not report it, the most that it ever had."""
    try:
        return int(statm.read_text(encoding="ascii").split()[1]) * resource.getpagesize()
    except (OSError, ValueError, IndexError):
        return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
