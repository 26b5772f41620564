"""The three things that can be measured: a recording with ground truth, a finished run, labelled images."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rich.console import Console

from perception.errors import UsageError
from perception.evaluation.core.image_dataset import read_image_dataset
from perception.evaluation.core.latency import evaluate_latency
from perception.evaluation.core.run_tables import RunRecorder, RunTables
from perception.evaluation.core.timeline import Timeline
from perception.evaluation.report.console import print_report
from perception.evaluation.report.evaluate import EvalConfig, evaluate_groupings, evaluate_run
from perception.evaluation.report.failure_analysis import (
    FailureAnalysis,
    analyse_image_failures,
    analyse_run_failures,
    with_failures,
)
from perception.evaluation.report.report import Report
from perception.evaluation.runs.evaluated_run import EvaluatedRun
from perception.evaluation.runs.load_results import SAVED_VELOCITIES, saved_tables
from perception.evaluation.runs.run_images import detect_images
from perception.pipeline.build import BuiltPipeline, choose_detector
from perception.pipeline.config import EvaluateConfig, RunConfig
from perception.results import read_results
from perception.results.writer import FORECASTS_FILE
from perception.runtime.forecast_benchmark import run_benchmark
from perception.runtime.progress import RunProgress
from perception.runtime.run_metadata import read_source
from perception.runtime.runner import COMPLETE, Finished, execute, make_folder, open_configured, say
from perception.runtime.summary import finish, latency_report, save_report
from perception.sources import open_source, read_objects, read_rig, read_truth
from perception.sources.files.images import read_rgb
from perception.tracking import TrackerSettings
from perception.types import BoxTable, ObjectTable

TOGETHER = "all"
"""The folder, below ``--output``, of the report of several recordings."""

_OF_RECORDINGS = ("truth", "stride", "rig", "road_height", "frame", "min_visible")
"""What has no meaning for single images."""

OPERATING_SCORE = TrackerSettings().spawn_score
"""Precision and recall are those of the detections that may start a track."""


def run_evaluation(config: EvaluateConfig, *, recordings: Sequence[Path] = ()) -> None:
    """Measure what ``config`` names; ``recordings`` may be some that are measured together, or a finished run's folder.

    Raises ``PerceptionError`` when an input is wrong or the run breaks off.
    """
    if recordings:
        kind = "results" if any((folder / FORECASTS_FILE).is_file() for folder in recordings) else "source"
        if getattr(config, kind):
            raise UsageError(f"{recordings[0]}: --{kind} is given too; leave one of them out.")
        if kind == "results" and len(recordings) > 1:
            raise UsageError(f"{recordings[0]}: is one of several folders, some of finished runs; name one run alone.")
        # A folder that is named by a number is no webcam.
        folders = [f"./{folder}" if str(folder).isdigit() else str(folder) for folder in recordings]
        named = recordings[0] if kind == "results" else folders
        config = config.model_copy(update={kind: named})
    asked = [f"--{name}" for name in ("source", "results", "images", "benchmark") if getattr(config, name)]
    if len(asked) != 1 or len(config.source) > max(1, len(recordings)):
        choices = "one recording, or --results, or --images, or --benchmark"
        raise UsageError(f"{' and '.join(asked) or 'evaluate'}: give {choices}.")
    if config.failures and not config.save:
        raise UsageError(f"--failures {config.failures}: makes pictures, which need a folder; leave --no-save out.")
    if config.failures and config.benchmark:
        raise UsageError(f"--failures {config.failures}: a benchmark has no pictures; leave one of them out.")
    if config.riders != "labelled" and not config.images:
        raise UsageError("belongs to `images`; leave it out.", field="riders", value=config.riders)
    if config.benchmark:
        run_benchmark(config)
        return
    if config.images:
        _evaluate_images(config)
    elif config.results is not None:
        _evaluate_results(config, config.results)
    elif len(config.source) == 1:
        _evaluate_recording(config, config.source[0])
    else:
        _evaluate_recordings(config, config.source)


class Truth(NamedTuple):
    """True ``boxes`` in the images and, where a recording knows them, true ``objects`` in the world."""

    boxes: BoxTable
    objects: ObjectTable | None


def truth_of(recording: str, elsewhere: Path | None = None) -> Truth | None:
    """The truth of a recording, its boxes from ``elsewhere`` where that is given; None where there are none.

    Read before a run, so that a fault is told then and not at its end: raises ``UsageError``.
    """
    boxes = read_truth(str(elsewhere or recording))
    return None if boxes is None else Truth(boxes, read_objects(recording))


def report_of(
    run: RunTables,
    truth: Truth,
    recording: str,
    *,
    title: str,
    config: RunConfig,
    assembly: BuiltPipeline | None = None,
    notes: Sequence[str] = (),
) -> Report:
    """The report of a run over ``recording``; with the ``assembly`` that ran also of its forecasts on true tracks."""
    measured = evaluated_run(run, truth, recording, title=title, config=config, assembly=assembly)
    said = (*notes, *(() if assembly is None else assembly.notes))
    return report_together([measured], title=title, config=config, notes=said)


def evaluated_run(
    run: RunTables,
    truth: Truth,
    recording: str,
    *,
    title: str,
    config: RunConfig,
    assembly: BuiltPipeline | None = None,
) -> EvaluatedRun:
    """A run with the truth of ``recording``, and with forecasts on ground-truth tracks by the ``assembly`` that ran."""
    measured = EvaluatedRun.of(
        title=title,
        run=run,
        truth=truth.boxes,
        timeline=Timeline.of(open_source([recording])),
        objects=truth.objects,
    )
    if assembly is None:
        return measured
    return measured.with_gt_tracks(assembly.pipeline.forecaster, _eval_config(config).scope)


def report_together(
    runs: Sequence[EvaluatedRun], *, title: str, config: RunConfig, notes: Sequence[str] = ()
) -> Report:
    """One report of all ``runs``."""
    rng = np.random.default_rng(config.seed)
    return evaluate_run(*runs, title=title, rng=rng, config=_eval_config(config), notes=notes)


def _eval_config(config: RunConfig) -> EvalConfig:
    """What was asked for; a demo counts what a person would expect to be found."""
    asked = config if isinstance(config, EvaluateConfig) else EvaluateConfig(min_height=12, min_visible=0.5)
    return EvalConfig(
        score_threshold=OPERATING_SCORE,
        grouping=asked.grouping,
        min_height_px=asked.min_height,
        min_visible_share=asked.min_visible,
    )


def _evaluate_recording(config: EvaluateConfig, recording: str) -> None:
    truth = _needed_truth_of(recording, config.truth)
    finished, run, name = _run_over(config)
    if finished.outcome.failure is not None:
        finish(finished, latency_report(name, finished.outcome))
        return
    measured = evaluated_run(run, truth, recording, title=name, config=config, assembly=finished.assembly)
    studies = _studies(config, measured, recording)
    report = report_together([measured], title=name, config=config, notes=finished.assembly.notes)
    report = with_failures(report, studies, _eval_config(config))
    print_report(report, Console(highlight=False))
    _write_pictures(studies, finished.folder)
    finish(finished, report, has_table=False)


def _evaluate_recordings(config: EvaluateConfig, recordings: Sequence[str]) -> None:
    """Each has its own folder with the tables; the report of all together comes last."""
    if config.truth is not None:
        raise UsageError(
            f"--truth {config.truth}: belongs to one recording, {len(recordings)} are given; leave it out."
        )
    truths = [_needed_truth_of(recording) for recording in recordings]
    measured: list[EvaluatedRun] = []
    studies: list[FailureAnalysis] = []
    notes: tuple[str, ...] = ()
    for recording, truth in zip(recordings, truths, strict=True):
        output = None if config.output is None else config.output / Path(recording).resolve().name
        part = config.model_copy(update={"source": [recording], "output": output})
        finished, run, name = _run_over(part)
        finish(finished, latency_report(name, finished.outcome), has_table=False)
        measured.append(evaluated_run(run, truth, recording, title=name, config=part, assembly=finished.assembly))
        of_part = _studies(part, measured[-1], recording)
        _write_pictures(of_part, finished.folder)
        studies += [study.in_folder(finished.folder.name) for study in of_part if finished.folder is not None]
        notes = tuple(finished.assembly.notes)
        if finished.outcome.ended != COMPLETE:
            break
    title = f"{len(measured)} of {len(recordings)} recordings"
    if len(measured) == len(recordings):
        title = f"{len(recordings)} recordings"
    report = report_together(measured, title=title, config=config, notes=notes)
    report = with_failures(report, studies, _eval_config(config))
    print_report(report, Console(highlight=False))
    together = config.model_copy(update={"output": None if config.output is None else config.output / TOGETHER})
    save_report("evaluate", together, report, name=f"{measured[0].title}-and-{len(measured) - 1}-more")


def _run_over(config: EvaluateConfig) -> tuple[Finished, RunTables, str]:
    """Run over the one source of ``config``: how it ended, what it found, and the source's name."""
    recorder = RunRecorder()
    with closing(open_configured(config)) as source:
        finished = execute("evaluate", config, source, video=False, on_scene=recorder.add)
    return finished, recorder.tables(), source.name


def _evaluate_results(config: EvaluateConfig, folder: Path) -> None:
    results = read_results(folder)
    recording = str(config.truth or "") or read_source(folder)
    if recording is None:
        raise UsageError(f"--results {folder}: does not say of which recording it is; name it with --truth.")
    notes = () if results.objects is None else (SAVED_VELOCITIES,)
    truth = _needed_truth_of(recording)
    measured = evaluated_run(saved_tables(results), truth, recording, title=str(folder), config=config)
    studies = _studies(config, measured, recording)
    report = report_together([measured], title=str(folder), config=config, notes=notes)
    report = with_failures(report, studies, _eval_config(config))
    print_report(report, Console(highlight=False))
    config = _with_folder(config, name=folder.resolve().name)
    save_report("evaluate", config, report, name=folder.resolve().name)
    _write_pictures(studies, config.output)


def _evaluate_images(config: EvaluateConfig) -> None:
    for key in _OF_RECORDINGS:
        if getattr(config, key) != EvaluateConfig.model_fields[key].default:
            option = key.replace("_", "-")
            raise UsageError(f"--{option}: belongs to a recording, and --images are single pictures; leave it out.")
    console = Console(stderr=True, highlight=False)
    labelled = read_image_dataset(config.images, riders=config.riders)
    choice = choose_detector(config)
    say(console, choice.reason)
    batches = labelled.batches[: config.max_frames]
    with RunProgress(console, total=len(batches), unit="batches") as progress:
        run = detect_images(
            choice.detector,
            batches,
            read_image=read_rgb,
            on_scene=lambda scene: progress.update(
                scene.stage_ms, objects=sum(len(found) for found in scene.detections.values())
            ),
        )
    run = replace(run, detections=labelled.without_ignored(run.detections))
    report = Report(
        title=", ".join(str(path) for path in config.images),
        detection=evaluate_groupings(
            truth=labelled.truth,
            detections=run.detections,
            images={image.key for batch in batches for image in batch},
            exhaustive_labels=labelled.exhaustive_labels,
            grouping=config.grouping,
            score_threshold=OPERATING_SCORE,
            min_height_px=config.min_height,
        ),
        latency=evaluate_latency(stage_ms=run.stage_ms),
        notes=(choice.reason, *labelled.notes),
    )
    studies: list[FailureAnalysis] = []
    if config.failures:
        eval_config = _eval_config(config)
        studies += [
            analyse_image_failures(
                labelled, batches, run, read_image=read_rgb, config=eval_config, count=config.failures
            )
        ]
    report = with_failures(report, studies, _eval_config(config))
    print_report(report, Console(highlight=False))
    name = config.images[0].resolve().parent.name
    config = _with_folder(config, name=name)
    save_report("evaluate", config, report, name=name, choice=choice)
    _write_pictures(studies, config.output)


def _studies(config: EvaluateConfig, measured: EvaluatedRun, recording: str) -> list[FailureAnalysis]:
    """What failed in a run over ``recording``, where that was asked for."""
    if not config.failures:
        return []
    rig = None if config.rig is None else read_rig(config.rig)
    with closing(open_source([recording], rig=rig)) as source:
        return [
            analyse_run_failures(measured, source, rig=source.rig, config=_eval_config(config), count=config.failures)
        ]


def _with_folder(config: EvaluateConfig, *, name: str) -> EvaluateConfig:
    """``config`` with the folder for the results made, where pictures are to follow the report into it."""
    return config.model_copy(update={"output": make_folder("evaluate", config, name)}) if config.failures else config


def _write_pictures(studies: Sequence[FailureAnalysis], folder: Path | None) -> None:
    for study in studies:
        if folder is not None:
            study.gallery.write(folder)


def _needed_truth_of(recording: str, elsewhere: Path | None = None) -> Truth:
    truth = truth_of(recording, elsewhere)
    if truth is None:
        place = elsewhere or recording
        raise UsageError(f"{place}: has no ground truth (gt.txt or objects.csv); run it with perception demo.")
    return truth
