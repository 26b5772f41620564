"""How far a run is: one live line in a terminal, now and then a plain line anywhere else."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from time import monotonic
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.text import Text

from perception.errors import counted
from perception.evaluation.core.latency_statistics import TOTAL

WINDOW_FRAMES = 30
"""Rates and times are means over so many frames."""

PLAIN_INTERVAL_S = 5.0


class RunProgress:
    """Call ``update`` once for each instant; ``total`` is None where unknown."""

    def __init__(self, console: Console, *, total: int | None, unit: str = "frames") -> None:
        self.done = 0
        self._console = console
        self._total = total
        self._unit = unit
        self._arrivals_s: deque[float] = deque([monotonic()], maxlen=WINDOW_FRAMES + 1)
        self._stage_ms: deque[Mapping[str, float]] = deque(maxlen=WINDOW_FRAMES)
        self._said_s = monotonic()
        self._remark = ""
        self._live: Progress | None = None
        if console.is_terminal:
            columns = (*(() if total is None else (BarColumn(bar_width=20),)), TextColumn("{task.description}"))
            self._live = Progress(*columns, console=console, transient=True)
            self._task = self._live.add_task("starting", total=total)

    def __enter__(self) -> RunProgress:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()
        elif self.done:
            self._say(self.line(dropped=0, objects=None))

    @property
    def rate_fps(self) -> float:
        """Frames per second over the last frames; 0 before the first."""
        elapsed_s = self._arrivals_s[-1] - self._arrivals_s[0]
        return (len(self._arrivals_s) - 1) / elapsed_s if elapsed_s > 0 else 0.0

    def update(
        self, stage_ms: Mapping[str, float], *, objects: int | None = None, dropped: int = 0, remark: str = ""
    ) -> None:
        """One instant is done: its stages' milliseconds, the objects in it, all frames dropped so far, and more."""
        self._remark = remark
        self.done += 1
        self._arrivals_s.append(monotonic())
        self._stage_ms.append(stage_ms)
        if self._live is not None:
            self._live.update(self._task, completed=self.done, description=self.line(dropped=dropped, objects=objects))
        elif monotonic() - self._said_s >= PLAIN_INTERVAL_S:
            self._said_s = monotonic()
            self._say(self.line(dropped=dropped, objects=objects))

    def line(self, *, dropped: int, objects: int | None) -> str:
        """ "12/100 frames, 8.1 fps, 3 objects, 11 s left, decode 4 detect 90 track 1 ms" """
        parts = [f"{self.done}/{self._total} {self._unit}" if self._total else f"{self.done} {self._unit}"]
        parts.append(f"{self.rate_fps:.1f} fps")
        if objects is not None:
            parts.append(counted(objects, "object"))
        if dropped:
            parts.append(f"{dropped} dropped")
        if self._total and self.rate_fps > 0:
            minutes, seconds = divmod(round((self._total - self.done) / self.rate_fps), 60)
            parts.append(f"{minutes}:{seconds:02d} left")
        means = {
            stage: sum(times.get(stage, 0.0) for times in self._stage_ms) / len(self._stage_ms)
            for stage in dict.fromkeys(stage for times in self._stage_ms for stage in times if stage != TOTAL)
        }
        if self._remark:
            parts.append(self._remark)
        if means:
            parts.append(" ".join(f"{stage} {value:.0f}" for stage, value in means.items()) + " ms")
        return ", ".join(parts)

    def _say(self, line: str) -> None:
        self._console.print(Text(line), soft_wrap=True)
