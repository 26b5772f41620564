"""``perception demo``: from recorded videos to boxes, identities and futures."""

from __future__ import annotations

import signal
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import partial
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from perception.cli.options import command
from perception.cli.terminal import Terminal
from perception.errors import counted
from perception.pipeline.config import FleetConfig, RunConfig

if TYPE_CHECKING:
    from perception.runtime.run_stats import RunResult

_NAMED = 3
"""So many failures are repeated in the last sentence."""


@command(FleetConfig, positional={"sources": "source"})
def demo(
    config: FleetConfig,
    terminal: Terminal,
    sources: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[SOURCE]...",
            help="Videos, images, folders, globs, or list.txt with one in each line; each recording is a run of its "
            "own. See --source for several cameras of one run.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Detect, track and forecast the road users in a recording; writes video, tables and a report."""
    from perception.runtime.shutdown import before_first_frame

    with before_first_frame():
        from perception.cli.session import exit_with
        from perception.pipeline.inputs import separate_runs, with_bundled_source
        from perception.runtime.run_metadata import together_in

        # Several --source are the cameras of one run.
        are_separate = bool(sources) or len(config.source) == 1
        runs = separate_runs(config, partial(together_in, "demo")) if are_separate else [with_bundled_source(config)]
    if len(runs) > 1 or config.fleet == "ray" or config.shard is not None or config.resume:
        _run_each(runs, config, terminal)
    else:
        exit_with(_run(runs[0], terminal).exit_code)


@dataclass(frozen=True)
class _Task:
    """One of several runs, and what is said of it."""

    name: str
    config: FleetConfig


@dataclass(frozen=True)
class _End:
    """What several runs need to know of one that has ended."""

    folder: Path | None
    instants: int
    is_complete: bool
    exit_code: int


def _run_each(runs: list[FleetConfig], config: FleetConfig, terminal: Terminal) -> None:
    """Run all; one that fails is reported and does not keep the others back, Ctrl-C does."""
    from perception.cli.session import exit_with
    from perception.errors import PerceptionError
    from perception.runtime.fleet.factory import open_engine
    from perception.runtime.fleet.shards import Shard
    from perception.runtime.shutdown import exit_code_of

    engine = open_engine(config)
    part = Shard.parse(config.shard).of(runs)
    left = _unfinished(part, terminal) if config.resume else part
    tasks = [_Task(f"{number}/{len(left)}: {run.source[0]}", run) for number, run in enumerate(left, 1)]
    is_here = config.fleet == "local" and config.workers in (None, 1)
    failed: list[str] = []
    done: set[int] = set()
    exit_code = 0
    try:
        for outcome in engine.run(partial(_run_here, terminal) if is_here else _run_silently, tasks):
            task, end = tasks[outcome.index], outcome.value
            if end is None:
                terminal.note(f"Failed: {outcome.failure}" if is_here else f"{task.name}: failed: {outcome.failure}")
                failed.append(str(outcome.failure))
            elif not is_here:
                terminal.note(f"{task.name}: {counted(end.instants, 'frame')}")
                if end.folder is not None:
                    terminal.result(end.folder)
            done.add(outcome.index)
            if end is not None and not end.is_complete:
                exit_code = end.exit_code
                break
    except KeyboardInterrupt as error:
        if is_here or not done:
            raise
        exit_code = exit_code_of(getattr(error, "number", signal.SIGINT))
    missing = [", ".join(task.config.source) for index, task in enumerate(tasks) if index not in done]
    if missing:
        terminal.note(f"Not run: {', '.join(missing)}.")
    if failed:
        more = f" And {len(failed) - _NAMED} more." if len(failed) > _NAMED else ""
        raise PerceptionError(
            f"{len(failed)} of {counted(len(tasks), 'source')} failed. {' '.join(failed[:_NAMED])}{more}"
        )
    exit_with(exit_code)


def _unfinished(runs: list[FleetConfig], terminal: Terminal) -> list[FleetConfig]:
    """Those of ``runs`` that were not finished before; what they left is replaced."""
    from perception.runtime.fleet.finished import finished_runs, run_key
    from perception.runtime.run_metadata import wanted_folder

    parents = {wanted_folder("demo", run, name="run").parent for run in runs}
    finished = {key: folder for parent in parents for key, folder in finished_runs(parent).items()}
    left = []
    for run in runs:
        folder = finished.get(run_key(run))
        if folder is None:
            left.append(run.model_copy(update={"exist_ok": True}))
        else:
            terminal.note(f"Finished before: {', '.join(run.source)}")
            terminal.result(folder)
    return left


def _run_here(terminal: Terminal, task: _Task) -> _End:
    terminal.note(task.name)
    return _end_of(_run(task.config, terminal))


def _run_silently(task: _Task) -> _End:
    """In another process, whose streams nobody reads."""
    with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
        return _end_of(_run(task.config, Terminal("quiet")))


def _end_of(result: RunResult) -> _End:
    return _End(result.folder, result.stats.instants, result.is_complete, result.exit_code)


def _run(config: RunConfig, terminal: Terminal) -> RunResult:
    """Run over the source of ``config``, as one camera or several. Raises what broke the run off."""
    from perception.cli.session import finish, opened_source, run_configured
    from perception.evaluation import RunRecorder
    from perception.evaluation.runs.truth import read_ground_truth
    from perception.runtime.evaluate import (
        DEMO_EVAL_CONFIG,
        match_truth,
        picture_report,
        report_on,
        suited_to,
    )

    recorder = RunRecorder()
    with opened_source(config) as source:
        recording = config.source[0] if len(config.source) == 1 and not source.is_live else None
        truth = None if recording is None else read_ground_truth(recording, classes=config.classes)
        on_scene = None if truth is None else recorder.add
        built, result = run_configured("demo", config, source, terminal, prefetch=True, on_scene=on_scene)
    report, pictures = result.latency_report(), None
    if truth is not None and recording is not None and result.stats.failure is None:
        eval_config = suited_to(DEMO_EVAL_CONFIG, truth)
        run = match_truth(
            recorder.tables(),
            truth,
            recording,
            title=result.name,
            eval_config=eval_config,
            forecaster=built.pipeline.forecaster,
            rate_fps=config.fps,
        )
        report = report_on([run], title=result.name, eval_config=eval_config, seed=config.seed, notes=built.notes)
        pictures = None if result.folder is None else picture_report(report, [(run, recording)])
    finish(result, report, terminal, pictures=pictures)
    return result
