"""One run of a pipeline over a source, watched and written down: what all commands and users run."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from time import monotonic

from rich.console import Console

from perception.errors import PerceptionError
from perception.pipeline.pipeline import Pipeline
from perception.pipeline.prefetch import Prefetcher
from perception.plugins import WriterOpener
from perception.protocols import Source
from perception.results import output_folder
from perception.results.reserved_room import ReservedRoom
from perception.runtime.live.monitor import LiveMonitor
from perception.runtime.progress import RunProgress
from perception.runtime.run_stats import COMPLETE, FAILED, RunResult, RunStats
from perception.runtime.scene_writer import Display, Drawing, SceneWriter
from perception.runtime.shutdown import BEFORE_FIRST_FRAME, Interrupted, ShutdownRequest
from perception.types import Scene

_LOG = logging.getLogger(__name__)


def run_pipeline(
    pipeline: Pipeline,
    source: Source,
    *,
    folder: Path | Callable[[], Path] | None = None,
    video: bool = True,
    window: Display | None = None,
    writers: Sequence[WriterOpener] = (),
    max_frames: int | None = None,
    duration_s: float | None = None,
    prefetch: bool = False,
    on_scene: Callable[[Scene], None] | None = None,
    console: Console | None = None,
    drawing: Drawing | None = None,
    live: LiveMonitor | None = None,
) -> RunResult:
    """Run ``pipeline`` over ``source``, which is closed at the end, and write what it finds into ``folder``.

    The pipeline must be new or reset. Ctrl-C, the user closing ``window`` (q, Esc), ``duration_s`` and ``max_frames``
    end the run early, with every file whole. ``folder`` is made once the first scene is there, by the call where it is
    one; a run that never starts leaves none. ``video`` False writes tables only; ``writers`` open further outputs,
    with the folder and the source. ``on_scene`` is called with each scene, all its stages timed. ``console`` shows the
    progress. ``drawing`` is how the scenes are drawn. ``live`` is the monitor of a live source that others read;
    without it one is made.

    ``prefetch`` decodes the next instant of a recording and draws the last one while the networks work; what is
    written is the same, but a stage that shares the processor takes longer than alone, and an instant takes less than
    the sum of its stages.

    SIGTERM and the end of the terminal count as Ctrl-C. Raises ``PerceptionError`` for what goes wrong before the first
    frame; later it is the ``failure`` of the result's stats, and the first error counts. Raises ``KeyboardInterrupt``
    for Ctrl-C before the first frame, or a second Ctrl-C.
    """
    stats = RunStats(live=live or LiveMonitor.of(source))
    total = source.length if max_frames is None else min(source.length or max_frames, max_frames)
    progress = RunProgress(console or Console(quiet=True), total=total)
    # A camera is waited for: its instants are no work that could be done ahead.
    prefetch = prefetch and not source.is_live
    computed = pipeline.run(source, max_frames=max_frames, prefetch=prefetch)
    with ShutdownRequest(on_stop=source.close, after_s=duration_s) as shutdown, ExitStack() as opened:
        if window is not None:
            opened.callback(window.close)
        started_s = monotonic()
        ended_with = Prefetcher(computed) if prefetch else closing(computed)
        scenes = _started(opened.enter_context(ended_with), source, shutdown)
        made = _made(folder)
        room = None if made is None else ReservedRoom(made)
        _LOG.info("running over %s; results in %s", source.name, made or "no folder")
        try:
            with (
                SceneWriter(
                    source, folder=made, window=window, video=video, writers=writers, drawing=drawing
                ) as writer,
                progress,
            ):
                _take_all(scenes, _SceneSink(writer, progress, stats, source, on_scene, started_s), shutdown)
        except PerceptionError as error:
            stats.failure = error
        stats.elapsed_s = monotonic() - started_s
        stats.ended = FAILED if stats.failure is not None else shutdown.reason or COMPLETE
        stats.signal = shutdown.signal
    source.close()
    stats.dropped_frames, stats.warnings = source.dropped, list(source.warnings)
    stats.add_tracker(pipeline.tracker, source.name)
    _LOG.info("%s: %s after %d instants in %.1f s", source.name, stats.ended, stats.instants, stats.elapsed_s)
    return RunResult(source.name, stats, made, room)


@dataclass
class _SceneSink:
    """Takes the scenes of a run one after the other: draws and writes, counts, hands on."""

    writer: SceneWriter
    progress: RunProgress
    stats: RunStats
    source: Source
    on_scene: Callable[[Scene], None] | None
    started_s: float

    def take(self, scene: Scene) -> bool:
        """False when the user closed the window."""
        error = self.stats.online_error
        error.add(scene)
        rate_fps = self.progress.rate_fps if self.progress.done else None
        scene, goes_on = self.writer.write(scene, rate_fps=rate_fps, remark=error.remark())
        self.stats.add(scene)
        self.stats.memory.sample(monotonic() - self.started_s)
        if self.on_scene is not None:
            self.on_scene(scene)
        remark = ""
        if self.stats.live is not None:
            self.stats.live.add(scene)
            remark = self.stats.live.line()
        self.progress.update(scene.stage_ms, objects=len(scene.tracks), dropped=self.source.dropped, remark=remark)
        return goes_on


def _take_all(scenes: Iterator[Scene], sink: _SceneSink, shutdown: ShutdownRequest) -> None:
    """Hand over the scenes until the end that is asked for. Raises what breaks the run off."""
    while True:
        try:
            scene = next(scenes, None)
        except PerceptionError:
            # A camera that is being closed may complain; the user has asked for the end.
            if shutdown.reason is None:
                raise
            return
        if scene is None:
            return
        if not sink.take(scene):
            shutdown.ask("the window was closed")
        if shutdown.reason is not None:
            return


def _started(scenes: Iterator[Scene], source: Source, shutdown: ShutdownRequest) -> Iterator[Scene]:
    """``scenes`` once the first one is there, so that a run that never starts leaves no folder."""
    first = next(scenes, None)
    if first is not None:
        return chain([first], scenes)
    if shutdown.signal is not None:
        raise Interrupted(shutdown.signal, BEFORE_FIRST_FRAME)
    raise PerceptionError(f"{source.name}: gave no picture; check the camera or the file.")


def _made(folder: Path | Callable[[], Path] | None) -> Path | None:
    if folder is None:
        return None
    return folder() if callable(folder) else output_folder(folder)
