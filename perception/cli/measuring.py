"""The three things that can be measured: a recording with ground truth, a finished run, labelled images."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import numpy as np
from rich.console import Console

from perception.assembly import Assembly, choose_detector
from perception.cli.benchmarking import run_benchmark
from perception.cli.ending import finish, latency_report, save_report
from perception.cli.progress import RunProgress
from perception.cli.provenance import read_source
from perception.cli.running import execute, say
from perception.config import EvaluateConfig, RunConfig
from perception.errors import UsageError
from perception.evaluation import (
    ForecastRecord,
    Report,
    RunRecorder,
    RunTables,
    Timeline,
    detect_images,
    evaluate_groupings,
    evaluate_latency,
    evaluate_run,
    join_tables,
    print_report,
    read_labelled_images,
)
from perception.outputs import Results, read_results
from perception.outputs.results import FORECASTS_FILE
from perception.sources import open_source, read_truth
from perception.sources.images import read_rgb
from perception.tracking import TrackerSettings
from perception.types import BoxTable

OPERATING_SCORE = TrackerSettings().birth_score
"""Precision and recall are those of the detections that may start a track."""


def run_evaluation(config: EvaluateConfig, *, recording: Path | None = None) -> None:
    """Measure what ``config`` names; ``recording`` may be a recording or the folder of a finished run.

    Raises ``PerceptionError`` when an input is wrong or the run breaks off.
    """
    if recording is not None:
        kind = "results" if (recording / FORECASTS_FILE).is_file() else "source"
        if getattr(config, kind):
            raise UsageError(f"{recording}: --{kind} is given too; leave one of them out.")
        config = config.model_copy(update={kind: recording if kind == "results" else [str(recording)]})
    asked = [f"--{name}" for name in ("source", "results", "images", "benchmark") if getattr(config, name)]
    if len(asked) != 1 or len(config.source) > 1:
        choices = "one recording, or --results, or --images, or --benchmark"
        raise UsageError(f"{' and '.join(asked) or 'evaluate'}: give {choices}.")
    if config.benchmark:
        run_benchmark(config)
        return
    if config.images:
        _evaluate_images(config)
    elif config.results is not None:
        _evaluate_results(config, config.results)
    else:
        _evaluate_recording(config, config.source[0])


def report_of(
    run: RunTables,
    truth: BoxTable,
    recording: str,
    *,
    title: str,
    config: RunConfig,
    assembly: Assembly | None = None,
) -> Report:
    """The report of a run over ``recording``; with the ``assembly`` that ran also of its forecasts on true tracks."""
    measured = config if isinstance(config, EvaluateConfig) else EvaluateConfig()
    return evaluate_run(
        run=run,
        truth=truth,
        timeline=Timeline.of(open_source([recording])),
        title=title,
        rng=np.random.default_rng(config.seed),
        score_threshold=OPERATING_SCORE,
        grouping=measured.grouping,
        min_height_px=measured.min_height,
        forecaster=None if assembly is None else assembly.pipeline.forecaster,
        notes=() if assembly is None else assembly.notes,
    )


def _evaluate_recording(config: EvaluateConfig, recording: str) -> None:
    recorder = RunRecorder()
    with closing(open_source([recording], stride=config.stride)) as source:
        truth = _truth_of(str(config.truth or recording))
        finished = execute("evaluate", config, source, video=False, on_scene=recorder.add)
    if finished.outcome.failure is not None:
        finish(finished, latency_report(source.name, finished.outcome))
        return
    report = report_of(
        recorder.tables(), truth, recording, title=source.name, config=config, assembly=finished.assembly
    )
    print_report(report, Console(highlight=False))
    finish(finished, report, has_table=False)


def _evaluate_results(config: EvaluateConfig, folder: Path) -> None:
    results = read_results(folder)
    recording = str(config.truth or "") or read_source(folder)
    if recording is None:
        raise UsageError(f"--results {folder}: does not say of which recording it is; name it with --truth.")
    report = report_of(_tables_of(results), _truth_of(recording), recording, title=str(folder), config=config)
    print_report(report, Console(highlight=False))
    save_report("evaluate", config, report, name=folder.resolve().name)


def _evaluate_images(config: EvaluateConfig) -> None:
    console = Console(stderr=True, highlight=False)
    labelled = read_labelled_images(config.images)
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
    print_report(report, Console(highlight=False))
    save_report("evaluate", config, report, name=config.images[0].resolve().parent.name, choice=choice)


def _truth_of(recording: str) -> BoxTable:
    truth = read_truth(recording)
    if truth is None:
        raise UsageError(f"{recording}: has no ground truth (gt.txt or objects.csv); run it with perception demo.")
    return truth


def _tables_of(results: Results) -> RunTables:
    """A finished run's tables; the tracker's inner state was not saved."""
    records = tuple(
        ForecastRecord(
            frame_index=record.index,
            timestamp_ns=record.timestamp_ns,
            track_ids=record.forecasts.track_ids,
            boxes_xyxy_px=record.boxes_xyxy_px,
            cameras=record.cameras,
            image_sizes_px=record.image_sizes_px,
            forecasts=record.forecasts,
        )
        for record in results.forecasts
    )
    rows = zip(*(values.tolist() for values in results.stage_ms.values()), strict=True)
    return RunTables(
        detections=join_tables(list(results.detections.values())),
        tracks=results.tracks,
        records=records,
        stage_ms=tuple(dict(zip(results.stage_ms, row, strict=True)) for row in rows),
    )
