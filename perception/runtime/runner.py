"""What demo, stream and evaluate have in common: one run of the pipeline, watched and written down."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass, field, replace
from itertools import chain
from pathlib import Path
from time import monotonic
from typing import Any

from rich.console import Console
from rich.text import Text

from perception.errors import PerceptionError, UsageError
from perception.evaluation.core.latency import TOTAL, StageTimes
from perception.evaluation.forecasting.online_error import OnlineError
from perception.geometry.cameras import Rig
from perception.pipeline.build import BuiltPipeline, build_pipeline
from perception.pipeline.config import RunConfig
from perception.pipeline.prefetch import Ahead
from perception.plugins import find_writer_plugin
from perception.protocols import Source
from perception.results import next_run_folder, output_folder
from perception.runtime.memory import MemoryWatch
from perception.runtime.progress import RunProgress
from perception.runtime.run_metadata import write_run_file
from perception.runtime.scene_writer import SceneRecorder
from perception.runtime.shutdown import StopRequest
from perception.sources import open_source, read_rig
from perception.sources.calibration.fields import above_road
from perception.types import Scene, TrackerCounts
from perception.visualization import Window

RUNS = Path("runs")
COMPLETE = "complete"


@dataclass
class Outcome:
    """What happened: ``ended`` says why the run ended, ``failure`` what broke it off."""

    instants: int = 0
    detections: int = 0
    track_ids: set[int] = field(default_factory=set)
    elapsed_s: float = 0.0
    dropped: int = 0
    warnings: list[str] = field(default_factory=list)
    ended: str = COMPLETE
    failure: PerceptionError | None = None
    left_out: dict[str, int] = field(default_factory=dict)
    stage_ms: StageTimes = field(default_factory=StageTimes)
    memory: MemoryWatch = field(default_factory=MemoryWatch)
    online_error: OnlineError = field(default_factory=OnlineError)

    @property
    def rate_fps(self) -> float:
        return self.instants / self.elapsed_s if self.elapsed_s > 0 else 0.0

    def to_json(self) -> dict[str, Any]:
        """The counts, for ``report.json``."""
        return {
            "ended": self.ended,
            "instants": self.instants,
            "detections": self.detections,
            "tracks": len(self.track_ids),
            "elapsed_s": round(self.elapsed_s, 3),
            "rate_fps": round(self.rate_fps, 3),
            "dropped_frames": self.dropped,
            "left_out_by_tracker": self.left_out,
            "warnings": self.warnings,
            "online_error": self.online_error.to_json(),
            "memory": self.memory.to_json(),
        }


@dataclass(frozen=True)
class Finished:
    """A run that has ended, ``folder`` None when nothing was saved."""

    assembly: BuiltPipeline
    folder: Path | None
    outcome: Outcome


def open_configured(config: RunConfig) -> Source:
    """The source that ``config`` names, with its rig; raises as ``open_source`` and ``read_rig`` do."""
    rig = None if config.rig is None else read_rig(config.rig)
    if config.road_height is not None:
        rig = above_road(
            replace(rig or _own_rig(config), road_height_m=config.road_height), f"--road-height {config.road_height}"
        )
    return open_source(config.source, stride=config.stride, newest_only=True, rig=rig)


def _own_rig(config: RunConfig) -> Rig:
    """The calibration that the recording brings."""
    with closing(open_source(config.source)) as source:
        if source.rig is None:
            raise UsageError(f"--road-height {config.road_height}: the cameras are not calibrated; give --rig too.")
        return source.rig


def execute(
    command: str,
    config: RunConfig,
    source: Source,
    *,
    duration_s: float | None = None,
    video: bool = True,
    on_scene: Callable[[Scene], None] | None = None,
    side_by_side: bool = False,
) -> Finished:
    """Run the pipeline over ``source`` as ``config`` says; Ctrl-C, q, Esc and ``duration_s`` end it early.

    ``side_by_side`` decodes the next instant of a recording and draws the last one while the networks work; what is
    written is the same, but a stage that shares the processor takes longer than alone, and an instant takes less than
    the sum: its total is the time since the last one.

    Raises ``PerceptionError`` for what goes wrong before the first frame; later it is the outcome's ``failure``.
    """
    console = Console(stderr=True, highlight=False)
    assembly = build_pipeline(config, rig=source.rig, frame_counts=source.frame_counts)
    writers = [find_writer_plugin(spec) for spec in config.writer]
    for note in assembly.notes:
        say(console, note)
    outcome = Outcome()
    total = source.length if config.max_frames is None else min(source.length or config.max_frames, config.max_frames)
    progress = RunProgress(console, total=total)
    # A camera is waited for: its instants are no work that could be done ahead.
    side_by_side = side_by_side and not source.is_live
    computed = assembly.pipeline.run(source, most=config.max_frames, side_by_side=side_by_side)
    with StopRequest(on_stop=source.close, after_s=duration_s) as stop, ExitStack() as threads:
        started_s = monotonic()
        ended_with = Ahead(computed) if side_by_side else closing(computed)
        scenes = _started(threads.enter_context(ended_with), source, stop)
        folder = _prepared_folder(command, config, source, assembly) if config.save else None
        window = open_window(console) if config.show else None
        last_s = started_s
        with SceneRecorder(source, folder=folder, window=window, video=video, writers=writers) as recorder, progress:
            try:
                for scene in scenes:
                    outcome.online_error.add(scene)
                    rate_fps = progress.rate_fps if progress.done else None
                    drawn, goes_on = recorder.write(scene, rate_fps=rate_fps, remark=outcome.online_error.remark())
                    if side_by_side:
                        drawn = replace(drawn, stage_ms={**drawn.stage_ms, TOTAL: 1e3 * (monotonic() - last_s)})
                        last_s = monotonic()
                    _count(outcome, drawn)
                    outcome.memory.look(monotonic() - started_s)
                    if on_scene is not None:
                        on_scene(drawn)
                    progress.update(drawn.stage_ms, objects=len(drawn.tracks), dropped=source.dropped)
                    if not goes_on:
                        stop.ask("the window was closed")
                    if stop.reason is not None:
                        break
            except PerceptionError as error:
                # A camera that is being closed may complain; the user has asked for the end.
                if stop.reason is None:
                    outcome.ended, outcome.failure = "failed", error
        outcome.elapsed_s = monotonic() - started_s
        outcome.ended = stop.reason or outcome.ended
    source.close()
    outcome.dropped, outcome.warnings = source.dropped, list(source.warnings)
    tracker = assembly.pipeline.tracker
    outcome.left_out = asdict(tracker.counts)
    outcome.warnings += _pose_warnings(tracker.counts, source.name, outcome.instants)
    return Finished(assembly, folder, outcome)


def _started(scenes: Iterator[Scene], source: Source, stop: StopRequest) -> Iterator[Scene]:
    """``scenes`` once the first one is there, so that a run that never starts leaves no folder."""
    first = next(scenes, None)
    if first is not None:
        return chain([first], scenes)
    if stop.is_interrupt:
        raise KeyboardInterrupt
    raise PerceptionError(f"{source.name}: gave no picture; check the camera or the file.")


def _prepared_folder(command: str, config: RunConfig, source: Source, assembly: BuiltPipeline) -> Path:
    folder = make_folder(command, config, source.name)
    write_run_file(
        folder,
        command=command,
        config=config,
        device=str(assembly.device),
        notes=assembly.notes,
        weights=assembly.weights,
    )
    return folder


def _pose_warnings(counts: TrackerCounts, name: str, instants: int) -> list[str]:
    """What was wrong with the vehicle's poses; that some are missing the source tells."""
    warnings = []
    if counts.wrong_poses:
        warnings.append(
            f"{name}: at {counts.wrong_poses} of {instants} instants the vehicle's pose cannot be true; the car "
            "was taken to go on as before."
        )
    if counts.pose_restarts:
        warnings.append(
            f"{name}: the vehicle's poses went on somewhere else; all tracks ended {counts.pose_restarts} x."
        )
    return warnings


def say(console: Console, text: str) -> None:
    """Print ``text`` as it is: no markup in it, no line breaks added."""
    console.print(Text(text), soft_wrap=True)


def open_window(console: Console) -> Window | None:
    """A window; without a screen a sentence on why there is none."""
    window, reason = Window.open("perception")
    if window is None:
        say(console, f"--show: no window, because {reason}; the run goes on without.")
    return window


def make_folder(command: str, config: RunConfig, name: str) -> Path:
    """The new folder for the results."""
    return next_run_folder(RUNS, command, name) if config.output is None else output_folder(config.output)


def _count(outcome: Outcome, scene: Scene) -> None:
    outcome.instants += 1
    outcome.detections += sum(len(found) for found in scene.detections.values())
    outcome.track_ids.update(scene.tracks.ids.tolist())
    outcome.stage_ms.append(scene.stage_ms)
