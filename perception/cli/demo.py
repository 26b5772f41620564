"""``perception demo``: from recorded videos to boxes, identities and futures."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from perception.cli.options import command
from perception.cli.terminal import Terminal
from perception.errors import counted
from perception.pipeline.config import RunConfig

if TYPE_CHECKING:
    from perception.runtime.run_stats import RunResult

_NAMED = 3
"""So many failures are repeated in the last sentence."""


@command(RunConfig, positional={"sources": "source"})
def demo(
    config: RunConfig,
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
        from perception.cli.session import exit_as
        from perception.pipeline.inputs import separate_runs, with_bundled_source
        from perception.runtime.run_metadata import together_in

        # Several --source are the cameras of one run.
        are_separate = bool(sources) or len(config.source) == 1
        runs = separate_runs(config, partial(together_in, "demo")) if are_separate else [with_bundled_source(config)]
    if len(runs) == 1:
        exit_as(_run(runs[0], terminal))
    else:
        _run_each(runs, terminal)


def _run_each(runs: list[RunConfig], terminal: Terminal) -> None:
    """One run after the other; one that fails is reported and does not keep the others back, Ctrl-C does."""
    from perception.cli.session import exit_as
    from perception.errors import PerceptionError

    result: RunResult | None = None
    failed: list[str] = []
    for number, config in enumerate(runs, 1):
        (spec,) = config.source
        terminal.note(f"{number}/{len(runs)}: {spec}")
        try:
            result = _run(config, terminal)
        except PerceptionError as error:
            terminal.note(f"Failed: {error}")
            failed.append(str(error))
            continue
        if not result.is_complete:
            if number < len(runs):
                terminal.note(f"Not run: {', '.join(part.source[0] for part in runs[number:])}.")
            break
    if failed:
        more = f" And {len(failed) - _NAMED} more." if len(failed) > _NAMED else ""
        raise PerceptionError(
            f"{len(failed)} of {counted(len(runs), 'source')} failed. {' '.join(failed[:_NAMED])}{more}"
        )
    if result is not None:
        exit_as(result)


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
