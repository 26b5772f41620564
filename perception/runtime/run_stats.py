"""What is counted while a pipeline runs, and what a run leaves."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from perception.errors import PerceptionError, counted
from perception.evaluation.core.latency_statistics import StageTimes, evaluate_latency
from perception.evaluation.forecasting.online_error import OnlineError
from perception.evaluation.report.report import Report
from perception.protocols import Tracker
from perception.results.reserved_room import ReservedRoom
from perception.runtime.live.monitor import LiveMonitor
from perception.runtime.memory import MemoryMonitor
from perception.runtime.shutdown import exit_code_of
from perception.types import Scene

COMPLETE = "complete"
"""A run that went to the end of its source, or to the number of frames that was asked for."""

FAILED = "failed"


@dataclass
class RunStats:
    """The counts of a run; ``ended`` states why it ended, ``failure`` what broke it off.

    ``signal`` is the number of the signal that asked for the end, None where none did.
    ``elapsed_s`` is from before the first frame to the end, ``dropped_frames`` were captured but not processed,
    ``left_out_by_tracker`` counts what the tracker could not use, and ``online_error`` compares the forecasts with what
    the tracks did later. ``live`` watches the cameras of a live source.
    """

    instants: int = 0
    detections: int = 0
    track_ids: set[int] = field(default_factory=set)
    elapsed_s: float = 0.0
    dropped_frames: int = 0
    warnings: list[str] = field(default_factory=list)
    ended: str = COMPLETE
    signal: int | None = None
    failure: PerceptionError | None = None
    left_out_by_tracker: dict[str, int] = field(default_factory=dict)
    stage_ms: StageTimes = field(default_factory=StageTimes)
    memory: MemoryMonitor = field(default_factory=MemoryMonitor)
    online_error: OnlineError = field(default_factory=OnlineError)
    live: LiveMonitor | None = None

    @property
    def rate_fps(self) -> float:
        """Instants per second; 0 before the first."""
        return self.instants / self.elapsed_s if self.elapsed_s > 0 else 0.0

    def add(self, scene: Scene) -> None:
        """Count one instant whose stages have all been timed."""
        self.instants += 1
        self.detections += sum(len(found) for found in scene.detections.values())
        self.track_ids.update(scene.tracks.ids.tolist())
        self.stage_ms.append(scene.stage_ms)

    def add_tracker(self, tracker: Tracker, source_name: str) -> None:
        """Take over what ``tracker`` left out, and warn of implausible poses of the vehicle."""
        counts = tracker.counts
        self.left_out_by_tracker = asdict(counts)
        if counts.wrong_poses:
            self.warnings.append(
                f"{source_name}: at {counts.wrong_poses} of {counted(self.instants, 'instant')} the "
                "vehicle's pose cannot be "
                "true; ego motion was extrapolated."
            )
        if counts.pose_restarts:
            self.warnings.append(f"{source_name}: pose discontinuity; all tracks ended {counts.pose_restarts} x.")

    def to_json(self) -> dict[str, Any]:
        """The counts, for ``report.json``."""
        return {
            "ended": self.ended,
            **({} if self.failure is None else {"failure": str(self.failure)}),
            "instants": self.instants,
            "detections": self.detections,
            "tracks": len(self.track_ids),
            "elapsed_s": round(self.elapsed_s, 3),
            "rate_fps": round(self.rate_fps, 3),
            "dropped_frames": self.dropped_frames,
            "left_out_by_tracker": self.left_out_by_tracker,
            "warnings": self.warnings,
            "online_error": self.online_error.to_json(),
            "memory": self.memory.to_json(),
            **({} if self.live is None else {"live": self.live.to_json()}),
        }


@dataclass(frozen=True)
class RunResult:
    """A run that has ended over the source ``name``; ``folder`` holds its files, None where none were asked for.

    ``room`` is kept on the folder's disk for the report; release it before that is written.
    """

    name: str
    stats: RunStats
    folder: Path | None
    room: ReservedRoom | None = field(default=None, compare=False, repr=False)

    @property
    def is_complete(self) -> bool:
        """Whether the run went to its end."""
        return self.stats.ended == COMPLETE

    @property
    def exit_code(self) -> int:
        """What a command returns after this run: 0, or for a signal what shells expect, such as 130 for Ctrl-C."""
        return 0 if self.stats.signal is None else exit_code_of(self.stats.signal)

    def latency_report(self) -> Report:
        """What is known without ground truth."""
        latency = evaluate_latency(stage_ms=self.stats.stage_ms)
        return Report(title=self.name, latency=latency, notes=tuple(self.stats.warnings))

    def raise_failure(self) -> None:
        """Raise the ``PerceptionError`` that broke the run off, if one did."""
        if self.stats.failure is not None:
            raise self.stats.failure
