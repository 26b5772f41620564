"""``perception evaluate``: how good it is, on recordings with ground truth, a finished run, or labelled images."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from functools import partial
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from perception.cli.options import DRAWING, TRACK_FILES, command
from perception.cli.terminal import Terminal
from perception.errors import PerceptionError, UsageError, counted
from perception.pipeline.config import EvaluateConfig
from perception.runtime.exports import check_exports, takes_stdout, write_exports

if TYPE_CHECKING:
    from perception.evaluation import EvalConfig, EvaluatedRun, Report, RunTables
    from perception.evaluation.export.page.pictures import ReportPictures
    from perception.evaluation.report.failure_analysis import FailureAnalysis
    from perception.evaluation.runs.truth import GroundTruth
    from perception.pipeline.build import BuiltPipeline
    from perception.runtime.fleet.counts_store import CountedRecording
    from perception.runtime.fleet.engine import Engine
    from perception.runtime.run_stats import RunResult

_TOGETHER = "all"
"""The folder, below ``--output``, of the report of several recordings."""

_OF_RECORDINGS = (
    "truth",
    "fps",
    "start_s",
    "end_s",
    "stride",
    "rig",
    "road_height",
    "frame",
    "detect_interval",
    "tracker_config",
    "ego_motion",
    "min_visible",
)
"""What has no meaning for single images."""

_OF_FLEETS = ("fleet", "shard", "resume", "workers")
"""What belongs to several recordings."""

_FINISHED = ("results", "predictions")
_OF_RUNS = (
    *("stride", "max_frames", "start_s", "end_s"),
    *("conf", "iou", "imgsz", "detect_interval", "class_map", "tracker_config", "ego_motion"),
)
"""What would change the figures, were it not found already."""

_MEASURED = ("source", "results", "predictions", "images", "benchmark")
"""What may be measured, one of them at a time."""

_SINGLE = ("results", "images", "benchmark")
"""What is measured in one piece."""

_BENCHMARKED = Path("forecaster")
"""What ``--benchmark`` measures; it may stand in the place of a recording."""


@command(EvaluateConfig, without=["show", *DRAWING, *TRACK_FILES])
def evaluate(
    config: EvaluateConfig,
    terminal: Terminal,
    recording: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Recordings with ground truth, measured together, or the folder of a finished run; "
            "with --benchmark the word forecaster.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Measure detection, tracking, forecasting and speed; prints the report, writes report.json and report.html."""
    recordings = recording or []
    if config.benchmark is not None and recordings == [_BENCHMARKED]:
        recordings = []  # it names what is measured, which --benchmark does already
    config = _with_recordings(config, recordings)
    _check(config, most_sources=max(1, len(recordings)))
    check_exports(config)
    if takes_stdout(config):
        terminal = replace(terminal, is_stdout_taken=True)
    if config.benchmark:
        _evaluate_benchmark(config, terminal)
    elif config.images:
        _evaluate_images(config, terminal)
    elif config.predictions is not None:
        _evaluate_predictions(config, config.predictions, terminal)
    elif config.results is not None:
        _evaluate_results(config, config.results, terminal)
    elif len(config.source) == 1 and not _first_given(config, _OF_FLEETS):
        _evaluate_recording(config, config.source[0], terminal)
    else:
        _evaluate_recordings(config, config.source, terminal)


def _need_limits(config: EvaluateConfig, report: Report) -> None:
    """Raise ``PerceptionError`` where the report, which has been written, does not keep the limits."""
    from perception.evaluation.comparison.gate import Gate

    shortfalls = Gate.parse(fail_under=config.fail_under, fail_over=config.fail_over).shortfalls(report)
    if shortfalls:
        raise PerceptionError(f"The limits are not kept: {'; '.join(shortfalls)}.")


def _evaluate_benchmark(config: EvaluateConfig, terminal: Terminal) -> None:
    from perception.cli.tables.benchmark import print_benchmark
    from perception.runtime.forecast_benchmark import run_benchmark

    with terminal.err.status("") as status:
        report = run_benchmark(config, on_fold=status.update)
    print_benchmark(report, terminal.out)
    terminal.result(report.write(config.output))


def _with_recordings(config: EvaluateConfig, recordings: Sequence[Path]) -> EvaluateConfig:
    """``recordings`` as ``source`` or, where they are one finished run's folder, as ``results``."""
    from perception.results.writer import FORECASTS_FILE

    if not recordings:
        return config
    field = "results" if any((folder / FORECASTS_FILE).is_file() for folder in recordings) else "source"
    if getattr(config, field):
        raise UsageError(f"{recordings[0]}: `{field}` is given too; leave one of them out.")
    if field == "results":
        if len(recordings) > 1:
            raise UsageError(f"{recordings[0]}: is one of several folders, some of finished runs; name one run alone.")
        return config.model_copy(update={field: recordings[0]})
    # A folder that is named by a number is no webcam.
    return config.model_copy(
        update={field: [f"./{folder}" if str(folder).isdigit() else str(folder) for folder in recordings]}
    )


def _check(config: EvaluateConfig, *, most_sources: int) -> None:
    asked = [f"`{name}`" for name in _MEASURED if getattr(config, name)]
    if len(asked) != 1 or len(config.source) > most_sources:
        choices = "one recording, or `results`, or `images`, or `benchmark`, or `predictions`"
        raise UsageError(f"{' and '.join(asked) or 'evaluate'}: give {choices}.")
    finished = next((name for name in _FINISHED if getattr(config, name) is not None), None)
    if finished is not None and (field := _first_given(config, _OF_RUNS)):
        why = f"belongs to a run, and `{finished}` names what was found already; leave it out."
        raise UsageError(why, field=field, value=getattr(config, field))
    single = next((name for name in _SINGLE if getattr(config, name)), None)
    if single is not None and (field := _first_given(config, _OF_FLEETS)):
        raise UsageError(f"belongs to several recordings, and `{single}` is one piece; leave it out.", field=field)
    if config.predictions is not None and config.resume:
        raise UsageError("what was counted in predictions is used anyway; leave it out.", field="resume")
    if config.failures and not config.save:
        raise UsageError(
            "makes pictures, which need a folder; leave --no-save out.", field="failures", value=config.failures
        )
    if config.failures and config.benchmark:
        raise UsageError("a benchmark has no pictures; leave one of them out.", field="failures", value=config.failures)
    if config.fail_under or config.fail_over:
        _check_limits(config)
    if config.riders != "labelled" and not config.images:
        raise UsageError("belongs to `images`; leave it out.", field="riders", value=config.riders)
    if config.truth is not None and len(config.source) > 1:
        raise UsageError(
            f"belongs to one recording, {len(config.source)} are given; leave it out.",
            field="truth",
            value=config.truth,
        )


def _first_given(config: EvaluateConfig, fields: Sequence[str]) -> str | None:
    """The first of ``fields`` that does not have its default."""
    return next((one for one in fields if getattr(config, one) != EvaluateConfig.model_fields[one].default), None)


def _check_limits(config: EvaluateConfig) -> None:
    from perception.evaluation.comparison.gate import Gate

    Gate.parse(fail_under=config.fail_under, fail_over=config.fail_over)
    if config.benchmark:
        raise UsageError("a benchmark has no limits; leave one of them out.", field="benchmark", value=config.benchmark)


def _evaluate_recording(config: EvaluateConfig, recording: str, terminal: Terminal) -> None:
    from perception.runtime.shutdown import before_first_frame

    with before_first_frame():
        from perception.cli.session import exit_with, finish
        from perception.evaluation.runs.truth import need_ground_truth
        from perception.runtime.evaluate import eval_config_of, report_on
        from perception.runtime.run_metadata import report_content

    truth = need_ground_truth(recording, config.truth, classes=config.classes)
    built, result, tables = _run(config, terminal)
    if result.stats.failure is not None:
        finish(result, result.latency_report(), terminal)
        return
    eval_config = eval_config_of(config, truth)
    run, studies = _match_and_study(config, recording, truth, built, result, tables, eval_config)
    report = report_on(
        [run],
        title=result.name,
        eval_config=eval_config,
        seed=config.seed,
        studies=studies,
        notes=built.notes,
    )
    _print(report, terminal)
    _write_pictures(studies, result.folder)
    pictures = _pictures(config, report, [(run, recording)], studies)
    finish(result, report, terminal, has_table=False, pictures=pictures)
    write_exports(config, report_content(report, result.stats), report, stdout=sys.stdout)
    exit_with(result.exit_code)
    _need_limits(config, report)


@dataclass(frozen=True)
class _Task:
    """The run over one of several recordings, and how it is measured."""

    config: EvaluateConfig
    eval_config: EvalConfig

    @property
    def recording(self) -> str:
        return self.config.source[0]


@dataclass(frozen=True)
class _Measured:
    """What was counted in a run, and what failed in its pictures; ``notes`` are those of its pipeline."""

    counted: CountedRecording
    studies: tuple[FailureAnalysis, ...]
    folder: Path | None
    is_complete: bool = True
    exit_code: int = 0


def _evaluate_recordings(config: EvaluateConfig, recordings: Sequence[str], terminal: Terminal) -> None:
    """Each has its own folder with the tables; the report of all together comes last."""
    from perception.runtime.shutdown import before_first_frame

    with before_first_frame():
        from numpy.random import default_rng

        from perception.cli.session import exit_with
        from perception.evaluation.report.evaluate import report_of
        from perception.evaluation.report.failure_analysis import with_failures
        from perception.evaluation.runs.truth import need_ground_truth
        from perception.runtime.evaluate import eval_config_of, suited_to
        from perception.runtime.fleet.factory import open_engine
        from perception.runtime.fleet.shards import Shard

    engine, shard = open_engine(config), Shard.parse(config.shard)
    part = shard.of(recordings)
    if not part:
        raise UsageError(f"there are only {counted(len(recordings), 'recording')}; use fewer parts.", field="shard")
    eval_config = eval_config_of(config)
    failed: dict[str, PerceptionError] = {}
    # One after the other: no two truths are held at a time.
    for recording in recordings:
        try:
            eval_config = suited_to(eval_config, need_ground_truth(recording, classes=config.classes))
        except PerceptionError as error:
            failed[recording] = error
    tasks = [_Task(_part_of(config, recording), eval_config) for recording in part if recording not in failed]
    measured, failed_later = _measure_recordings(tasks, engine, config, terminal)
    failed = {name: error for name, error in failed.items() if name in part} | failed_later
    if not measured:
        raise next(iter(failed.values()))
    runs = [measured[index] for index in sorted(measured)]
    count = counted(len(part), "recording")
    report = report_of(
        [one.counted.counts for one in runs],
        title=count if len(runs) == len(part) else f"{len(runs)} of {len(part)}",
        config=eval_config,
        rng=default_rng(config.seed),
        notes=list(dict.fromkeys(note for one in runs for note in one.counted.notes)),
    )
    studies = [study for one in runs for study in one.studies]
    report = with_failures(report, studies, eval_config)
    _print(report, terminal)
    name = f"shard-{shard.number}-of-{shard.count}" if shard.is_part else _TOGETHER
    together = config.model_copy(
        update={
            "output": None if config.output is None else config.output / name,
            "exist_ok": config.exist_ok or config.resume,
        }
    )
    pictures = _pictures(config, report, _saved_runs(report, runs, eval_config), studies)
    first = runs[0].counted.counts.title
    _save(together, report, (), terminal, name=f"{first}-and-{len(runs) - 1}-more", pictures=pictures)
    _report_failed(failed, terminal)
    exit_with(max(one.exit_code for one in runs))
    _need_limits(config, report)


def _part_of(config: EvaluateConfig, recording: str) -> EvaluateConfig:
    output = None if config.output is None else config.output / Path(recording).resolve().name
    return config.model_copy(update={"source": [recording], "output": output})


def _measure_recordings(
    tasks: Sequence[_Task], engine: Engine, config: EvaluateConfig, terminal: Terminal
) -> tuple[dict[int, _Measured], dict[str, PerceptionError]]:
    """What was measured by the tasks' numbers, and what failed by the recordings; Ctrl-C ends it early."""
    measured = _measured_before(tasks, terminal) if config.resume else {}
    failed: dict[str, PerceptionError] = {}
    left = [index for index in range(len(tasks)) if index not in measured]
    is_here = config.fleet == "local" and config.workers in (None, 1)
    again = {"exist_ok": True} if config.resume else {}
    todo = [replace(tasks[index], config=tasks[index].config.model_copy(update=again)) for index in left]
    for outcome in engine.run(partial(_measure_recording, terminal) if is_here else _measure_silently, todo):
        task, value = todo[outcome.index], outcome.value
        if value is None:
            failed[task.recording] = outcome.failure or PerceptionError("it failed.")
            continue
        measured[left[outcome.index]] = value
        if not is_here:
            terminal.note(f"{task.recording}: {len(measured)} of {counted(len(tasks), 'recording')}")
            if value.folder is not None:
                terminal.result(value.folder)
        if not value.is_complete:
            break
    return measured, failed


def _measured_before(tasks: Sequence[_Task], terminal: Terminal) -> dict[int, _Measured]:
    from perception.results.run_folder import COUNTS_FILE
    from perception.runtime.fleet.counts_store import load_counted
    from perception.runtime.fleet.finished import finished_runs, run_key
    from perception.runtime.run_metadata import wanted_folder

    parents = {wanted_folder("evaluate", task.config, name="run").parent for task in tasks}
    finished = {key: folder for parent in parents for key, folder in finished_runs(parent).items()}
    found = {}
    for index, task in enumerate(tasks):
        folder = finished.get(run_key(task.config))
        # Pictures of failures are not kept with the counts.
        if folder is None or task.config.failures or not (folder / COUNTS_FILE).is_file():
            continue
        try:
            counts = load_counted(folder / COUNTS_FILE)
        except UsageError as error:
            terminal.note(str(error))
            continue
        found[index] = _Measured(counts, (), folder)
        terminal.note(f"Finished before: {task.recording}")
    return found


def _measure_silently(task: _Task) -> _Measured:
    """In another process, whose streams nobody reads."""
    with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
        return _measure_recording(Terminal("quiet"), task)


def _measure_recording(terminal: Terminal, task: _Task) -> _Measured:
    from perception.cli.session import finish
    from perception.evaluation.report.count import count_run
    from perception.evaluation.runs.truth import need_ground_truth
    from perception.runtime.fleet.archive import save_tree
    from perception.runtime.fleet.counts_store import CountedRecording, load_counted

    truth = need_ground_truth(task.recording, classes=task.config.classes)
    built, result, tables = _run(task.config, terminal)
    finish(result, result.latency_report(), terminal, has_table=False)
    run, studies = _match_and_study(task.config, task.recording, truth, built, result, tables, task.eval_config)
    found = CountedRecording(count_run(run, task.eval_config), task.eval_config.grouping, tuple(built.notes))
    if result.folder is not None:
        _write_pictures(studies, result.folder)
        studies = [study.in_folder(result.folder.name) for study in studies]
        from perception.results.run_folder import COUNTS_FILE

        save_tree(result.folder / COUNTS_FILE, found)
        found = load_counted(result.folder / COUNTS_FILE)
    return _Measured(found, tuple(studies), result.folder, result.is_complete, result.exit_code)


def _saved_runs(
    report: Report, runs: Sequence[_Measured], eval_config: EvalConfig
) -> Iterator[tuple[EvaluatedRun, str]]:
    """The runs that the report shows scenes of, read again from their folders, with their recordings."""
    from perception.runtime.evaluate import read_finished_run

    shown = {scene.recording for scene in report.scenes}
    for one in runs:
        title = one.counted.counts.title
        if one.folder is not None and ({None, title} & shown):
            finished = read_finished_run(one.folder, eval_config=eval_config, title=title)
            yield finished.run, finished.recording


def _run(config: EvaluateConfig, terminal: Terminal) -> tuple[BuiltPipeline, RunResult, RunTables]:
    """Run over the one source of ``config``."""
    from perception.runtime.shutdown import before_first_frame

    with before_first_frame():
        from perception.cli.session import opened_source, run_configured
        from perception.evaluation import RunRecorder

    recorder = RunRecorder()
    with opened_source(config) as source:
        built, result = run_configured("evaluate", config, source, terminal, video=False, on_scene=recorder.add)
    return built, result, recorder.tables()


def _match_and_study(
    config: EvaluateConfig,
    recording: str,
    truth: GroundTruth,
    built: BuiltPipeline,
    result: RunResult,
    tables: RunTables,
    eval_config: EvalConfig,
) -> tuple[EvaluatedRun, list[FailureAnalysis]]:
    from perception.runtime.evaluate import match_truth

    run = match_truth(
        tables,
        truth,
        recording,
        title=result.name,
        eval_config=eval_config,
        forecaster=built.pipeline.forecaster,
        rate_fps=config.fps,
    )
    return run, _studies(config, run, recording, eval_config)


def _evaluate_results(config: EvaluateConfig, folder: Path, terminal: Terminal) -> None:
    from perception.evaluation.runs.load_results import SAVED_VELOCITIES
    from perception.results.formats.run_folder import is_run_folder, is_whole_run
    from perception.runtime.evaluate import eval_config_of, read_finished_run, report_on

    if not is_run_folder(folder):
        raise UsageError(
            f"{folder}: has no forecasts.jsonl and no tracks.txt; name the folder of a run that was saved."
        )
    if not is_whole_run(folder):
        _evaluate_predictions(config, str(folder), terminal)
        return
    run, recording, eval_config = read_finished_run(
        folder, eval_config=eval_config_of(config), truth=config.truth, classes=config.classes, title=str(folder)
    )
    studies = _studies(config, run, recording, eval_config)
    notes = () if run.run.objects is None else (SAVED_VELOCITIES,)
    report = report_on(
        [run], title=str(folder), eval_config=eval_config, seed=config.seed, studies=studies, notes=notes
    )
    _print(report, terminal)
    pictures = _pictures(config, report, [(run, recording)], studies)
    _save(config, report, studies, terminal, name=folder.resolve().name, pictures=pictures)
    _need_limits(config, report)


def _evaluate_predictions(config: EvaluateConfig, predictions: str, terminal: Terminal) -> None:
    from perception.runtime.evaluate import eval_config_of
    from perception.runtime.evaluate_predictions import PredictionFleet, evaluate_predictions
    from perception.runtime.fleet.factory import open_engine
    from perception.runtime.fleet.shards import Shard
    from perception.runtime.run_metadata import RUNS, need_run_source

    # Without results nothing else is to be left, either.
    keeps = config.cache and config.save
    is_asked = config.workers is not None or config.fleet != "local"
    with terminal.err.status("") as status:
        found = evaluate_predictions(
            predictions,
            need_run_source(Path(predictions), config.truth),
            eval_config=eval_config_of(config),
            seed=config.seed,
            format_name=config.predictions_format,
            classes=config.classes,
            fleet=PredictionFleet(
                engine=open_engine(config) if is_asked else None,
                shard=Shard.parse(config.shard),
                folder=(config.cache_folder or RUNS / "cache") if keeps else None,
                failures=config.failures,
                rig=config.rig,
                on_done=lambda count: status.update(f"{counted(count, 'recording')} done"),
            ),
        )
    _print(found.report, terminal)
    _save(config, found.report, found.studies, terminal, name=Path(predictions).resolve().stem)
    _report_failed(found.failed, terminal)
    _need_limits(config, found.report)


def _report_failed(failed: Mapping[str, PerceptionError], terminal: Terminal) -> None:
    """Raise ``PerceptionError`` where recordings failed, after all others were reported."""
    for error in failed.values():
        terminal.note(f"Failed: {error}")
    if failed:
        names = ", ".join(failed)
        raise PerceptionError(f"{counted(len(failed), 'recording')} failed, and the report is without: {names}.")


def _evaluate_images(config: EvaluateConfig, terminal: Terminal) -> None:
    from perception.pipeline.build import choose_detector
    from perception.runtime.evaluate import eval_config_of, evaluate_images

    if field := _first_given(config, _OF_RECORDINGS):
        raise UsageError("belongs to a recording, and `images` are single pictures; leave it out.", field=field)
    choice = choose_detector(config)
    terminal.note(choice.reason)
    report, studies, pictures = evaluate_images(
        choice.detector,
        config.images,
        eval_config=eval_config_of(config),
        max_batches=config.max_frames,
        failures=config.failures,
        riders=config.riders,
        classes=config.classes,
        notes=[choice.reason],
        console=terminal.err,
    )
    _print(report, terminal)
    _save(
        config,
        report,
        studies,
        terminal,
        name=config.images[0].resolve().parent.name,
        pictures=pictures,
        device=str(choice.device),
        notes=[choice.reason],
        weights=choice.weights,
    )
    _need_limits(config, report)


def _studies(
    config: EvaluateConfig, run: EvaluatedRun, recording: str, eval_config: EvalConfig
) -> list[FailureAnalysis]:
    """What failed in a run over ``recording``, where that was asked for."""
    from perception.runtime.evaluate import study_failures

    if not config.failures:
        return []
    return [study_failures(run, recording, rig=config.rig, eval_config=eval_config, count=config.failures)]


def _print(report: Report, terminal: Terminal) -> None:
    from perception.evaluation import print_report

    print_report(report, terminal.out)


def _save(
    config: EvaluateConfig,
    report: Report,
    studies: Sequence[FailureAnalysis],
    terminal: Terminal,
    *,
    name: str,
    pictures: ReportPictures | None = None,
    **pipeline: Any,
) -> None:
    """Write what was measured without a run into a folder of its own, and print that; no folder with ``--no-save``."""
    from perception.runtime.run_metadata import make_run_folder, report_content, write_report

    if config.save:
        folder = make_run_folder("evaluate", config, name=name, **pipeline)
        write_report(folder, report, pictures=pictures, measured=config.results)
        _write_pictures(studies, folder)
        terminal.result(folder)
    write_exports(config, report_content(report), report, stdout=sys.stdout)


def _pictures(
    config: EvaluateConfig,
    report: Report,
    runs: Iterable[tuple[EvaluatedRun, str]],
    studies: Sequence[FailureAnalysis],
) -> ReportPictures | None:
    """What the page shows; None where none is written."""
    from perception.runtime.evaluate import picture_report

    return picture_report(report, runs, studies=studies) if config.save else None


def _write_pictures(studies: Sequence[FailureAnalysis], folder: Path | None) -> None:
    for study in studies:
        if folder is not None:
            study.gallery.write(folder)
