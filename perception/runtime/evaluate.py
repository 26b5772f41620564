"""Evaluates a pipeline over a recording with ground truth, a finished run, or labelled images; prints nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from rich.console import Console

from perception.errors import counted
from perception.evaluation.core.image_dataset import ImageDataset, read_image_dataset
from perception.evaluation.core.latency_statistics import evaluate_latency
from perception.evaluation.core.run_tables import RunRecorder, RunTables
from perception.evaluation.core.table_boxes import ImageKey
from perception.evaluation.core.timeline import Timeline
from perception.evaluation.detection.confusion import confusion_matrix, count_confusions, pair_classes
from perception.evaluation.export.page.pictures import ReportPictures
from perception.evaluation.failures.recall_breakdown import Conditions, RecallCounts, break_down_recall
from perception.evaluation.failures.scene_pictures import draw_scenes
from perception.evaluation.failures.scenes import SceneEntry, foremost, worst_and_best, wrong_classes
from perception.evaluation.report.count import EvalConfig, match_images
from perception.evaluation.report.evaluate import evaluate_groupings, evaluate_run
from perception.evaluation.report.failure_analysis import (
    FailureAnalysis,
    analyse_image_failures,
    analyse_run_failures,
    with_failures,
)
from perception.evaluation.report.report import Report
from perception.evaluation.runs.evaluated_run import EvaluatedRun
from perception.evaluation.runs.load_results import saved_tables
from perception.evaluation.runs.run_images import detect_images
from perception.evaluation.runs.truth import GroundTruth, need_ground_truth
from perception.geometry.cameras import Rig
from perception.pipeline.config import EvaluateConfig
from perception.pipeline.pipeline import Pipeline
from perception.protocols import Detector, Forecaster
from perception.results import read_results
from perception.runtime.progress import RunProgress
from perception.runtime.run_metadata import need_run_source, read_run_rate
from perception.runtime.runner import run_pipeline
from perception.sources import open_source, read_rig
from perception.sources.images import read_rgb
from perception.sources.truth.box_truth import doubts_on_places
from perception.tracking import TrackerSettings
from perception.types import BoxTable, Frame, Scene

OPERATING_SCORE = TrackerSettings().spawn_score
"""Precision and recall are those at the score from which the tracker, with its usual settings, starts a track."""

DEFAULT_EVAL_CONFIG = EvalConfig(score_threshold=OPERATING_SCORE)
"""Every labelled object counts."""

DEMO_EVAL_CONFIG = EvalConfig(score_threshold=OPERATING_SCORE, min_height_px=12, min_visible_share=0.5)
"""Objects count that a person would expect to be found."""


def suited_to(eval_config: EvalConfig, *truths: GroundTruth) -> EvalConfig:
    """``eval_config``; all classes as one where one of ``truths`` knows none."""
    return eval_config if all(truth.has_classes for truth in truths) else replace(eval_config, grouping="any")


def eval_config_of(config: EvaluateConfig, *truths: GroundTruth) -> EvalConfig:
    """What ``config`` asks to be measured with these ``truths``, and of what."""
    wanted = EvalConfig(
        score_threshold=OPERATING_SCORE,
        grouping=config.grouping,
        min_height_px=config.min_height,
        min_visible_share=config.min_visible,
    )
    return suited_to(wanted, *truths)


def evaluate_pipeline(
    pipeline: Pipeline,
    recording: str | Path,
    *,
    truth: str | Path | None = None,
    rig: Rig | None = None,
    stride: int = 1,
    max_frames: int | None = None,
    eval_config: EvalConfig = DEFAULT_EVAL_CONFIG,
    seed: int = 0,
    folder: Path | None = None,
    console: Console | None = None,
) -> Report:
    """Run ``pipeline``, new or reset, over a recording with ground truth, and measure what it finds.

    ``truth`` is another recording with the true boxes, where ``recording`` has none; ``rig`` states where the cameras
    sit, in place of the recording's own rig. Every ``stride``-th instant is processed, at most ``max_frames`` of them.
    The report's intervals are drawn with ``seed``. ``folder`` receives the run's tables, ``console`` the progress.

    Raises ``UsageError`` where the recording cannot be read or has no truth, ``PerceptionError`` where the run breaks
    off.
    """
    known = need_ground_truth(recording, truth)
    eval_config = suited_to(eval_config, known)
    recorder = RunRecorder()
    with closing(open_source([str(recording)], stride=stride, rig=rig)) as source:
        result = run_pipeline(
            pipeline,
            source,
            folder=folder,
            video=False,
            max_frames=max_frames,
            on_scene=recorder.add,
            console=console,
        )
    result.raise_failure()
    run = match_truth(
        recorder.tables(),
        known,
        recording,
        title=result.name,
        eval_config=eval_config,
        forecaster=pipeline.forecaster,
    )
    return report_on([run], title=result.name, eval_config=eval_config, seed=seed)


def match_truth(
    tables: RunTables,
    truth: GroundTruth,
    recording: str | Path,
    *,
    title: str,
    eval_config: EvalConfig,
    forecaster: Forecaster | None = None,
    rate_fps: float | None = None,
) -> EvaluatedRun:
    """What a run over ``recording`` found beside the truth of it; ``forecaster`` also forecasts the true tracks.

    ``rate_fps`` replaced the recording's clock in the run.
    """
    source = open_source([str(recording)], rate_fps=rate_fps)
    timeline = Timeline.of(source)
    run = EvaluatedRun.of(
        title=title,
        run=tables,
        truth=truth.boxes,
        timeline=timeline,
        objects=truth.objects,
        ignored=truth.ignored,
        rig=source.rig,
        notes=(
            *truth.notes,
            *doubts_on_places(truth.boxes, timeline.image_sizes_px),
            *_doubts_on_frames(truth.boxes, timeline),
        ),
    )
    return run if forecaster is None else run.with_gt_tracks(forecaster, eval_config.scope)


def _doubts_on_frames(boxes: BoxTable, timeline: Timeline) -> tuple[str, ...]:
    """A sentence on true boxes of frames or cameras that the recording does not have."""
    count = int((timeline.instants_of(boxes) < 0).sum())
    if not count:
        return ()
    return (f"{count:,} of {counted(len(boxes), 'true box')} lie in frames that the recording does not have.",)


class FinishedRun(NamedTuple):
    """A ``run`` that was saved, beside the truth of its ``recording``, and how it is to be measured."""

    run: EvaluatedRun
    recording: str
    eval_config: EvalConfig


def read_finished_run(
    folder: Path,
    *,
    eval_config: EvalConfig,
    truth: str | Path | None = None,
    classes: Sequence[str] | None = None,
    title: str | None = None,
) -> FinishedRun:
    """The run in ``folder`` beside the truth of its recording, which ``truth`` names where the run does not state it.

    Only ``classes`` count, where these are given; the ``title`` is by default the recording's name. Raises
    ``UsageError`` where something is missing or cannot be read.
    """
    results = read_results(folder)
    recording = need_run_source(folder, truth)
    known = need_ground_truth(recording, classes=classes)
    eval_config = suited_to(eval_config, known)
    run = match_truth(
        saved_tables(results).of_classes(classes),
        known,
        recording,
        title=title or Path(recording).name,
        eval_config=eval_config,
        rate_fps=read_run_rate(folder),
    )
    return FinishedRun(run, recording, eval_config)


def report_on(
    runs: Sequence[EvaluatedRun],
    *,
    title: str,
    eval_config: EvalConfig,
    seed: int = 0,
    studies: Sequence[FailureAnalysis] = (),
    notes: Sequence[str] = (),
) -> Report:
    """One report of all ``runs``, with what they failed on where that was studied."""
    report = evaluate_run(*runs, title=title, rng=np.random.default_rng(seed), config=eval_config, notes=notes)
    return with_failures(report, studies, eval_config)


def study_failures(
    run: EvaluatedRun, recording: str | Path, *, rig: str | None, eval_config: EvalConfig, count: int
) -> FailureAnalysis:
    """The ``count`` worst misses and false positives of a run over ``recording``, whose images are read again."""
    known = None if rig is None else read_rig(rig)
    with closing(open_source([str(recording)], rig=known)) as source:
        return analyse_run_failures(run, source, rig=source.rig, config=eval_config, count=count)


def picture_report(
    report: Report,
    runs: Iterable[tuple[EvaluatedRun, str]],
    *,
    studies: Sequence[FailureAnalysis] = (),
    score_threshold: float = OPERATING_SCORE,
) -> ReportPictures:
    """The pictures of the scenes and failures that ``report`` names; the images of the recordings are read again.

    ``runs`` has each run with its recording.
    """
    pictures: dict[SceneEntry, bytes] = {}
    for run, recording in runs:
        own = [scene for scene in report.scenes if scene.recording in (None, run.title)]
        with closing(open_source([recording])) as source:
            pictures |= draw_scenes(
                (frame for frame_set in source for frame in frame_set),
                own,
                truth=run.truth,
                detections=run.run.detections,
                score_threshold=score_threshold,
            )
    return ReportPictures(pictures, _failure_files(studies))


def _failure_files(studies: Sequence[FailureAnalysis]) -> dict[str, bytes]:
    return {name: content for study in studies for name, content in study.gallery.files.items()}


class ImagesEvaluation(NamedTuple):
    """The ``report`` of labelled images, what failed where that was studied, and pictures of both."""

    report: Report
    studies: list[FailureAnalysis]
    pictures: ReportPictures


def evaluate_images(
    detector: Detector,
    paths: Sequence[Path],
    *,
    eval_config: EvalConfig = DEFAULT_EVAL_CONFIG,
    max_batches: int | None = None,
    failures: int = 0,
    riders: Literal["labelled", "joined"] = "labelled",
    classes: Sequence[str] | None = None,
    notes: Sequence[str] = (),
    console: Console | None = None,
) -> ImagesEvaluation:
    """Measure ``detector`` on labelled images, COCO files or frames.json; the ``failures`` worst are studied.

    ``riders`` are as labelled, or joined with their machines to one box each. Only ``classes`` count, where these are
    given.

    Raises ``UsageError`` for a file that cannot be read or has no labelled image.
    """
    labelled = read_image_dataset(paths, riders=riders).of_classes(classes)
    batches = labelled.batches[:max_batches]
    sizes_px: dict[ImageKey, tuple[int, int]] = {}
    with RunProgress(console or Console(quiet=True), total=len(batches), unit="batches") as progress:

        def on_scene(scene: Scene) -> None:
            sizes_px.update({(frame.camera, frame.index): frame.size_px for frame in scene.frame_set})
            progress.update(scene.stage_ms, objects=sum(len(found) for found in scene.detections.values()))

        run = detect_images(detector, batches, read_image=read_rgb, on_scene=on_scene)
    report = report_on_images(
        labelled, run, sizes_px, title=", ".join(str(path) for path in paths), eval_config=eval_config, notes=notes
    )
    studies: list[FailureAnalysis] = []
    if failures:
        studies += [
            analyse_image_failures(labelled, batches, run, read_image=read_rgb, config=eval_config, count=failures)
        ]
    paths_of = {image.key: image.path for batch in batches for image in batch}
    shown = {scene.key: paths_of[scene.key] for scene in report.scenes}
    pictures = draw_scenes(
        (Frame(read_rgb(path), key[0], timestamp_ns=0, index=key[1]) for key, path in shown.items()),
        report.scenes,
        truth=labelled.truth,
        detections=run.detections,
        score_threshold=eval_config.score_threshold,
    )
    report = with_failures(report, studies, eval_config)
    return ImagesEvaluation(report, studies, ReportPictures(pictures, _failure_files(studies)))


def report_on_images(
    labelled: ImageDataset,
    run: RunTables,
    sizes_px: Mapping[ImageKey, tuple[int, int] | None],
    *,
    title: str,
    eval_config: EvalConfig,
    notes: Sequence[str] = (),
) -> Report:
    """What was detected in single pictures; ``sizes_px`` names those that were looked at, and their size if known."""
    matched = match_images(labelled, run, sizes_px.keys(), eval_config)
    pairs = pair_classes(
        truth=labelled.truth,
        detections=run.detections,
        images=sizes_px.keys(),
        score_threshold=eval_config.score_threshold,
        min_height_px=eval_config.min_height_px,
        exhaustive_labels=labelled.exhaustive_labels,
        ignored=labelled.ignored,
        grouping=eval_config.grouping,
    )
    names = {image.key: image.path.name for batch in labelled.batches for image in batch}
    scenes = foremost([*worst_and_best(matched, min_apart=1), *wrong_classes(pairs)])
    known = {key: size for key, size in sizes_px.items() if size is not None}
    return Report(
        title=title,
        detection=evaluate_groupings(
            truth=labelled.truth,
            detections=run.detections,
            images=sizes_px.keys(),
            exhaustive_labels=labelled.exhaustive_labels,
            ignored=labelled.ignored,
            grouping=eval_config.grouping,
            score_threshold=eval_config.score_threshold,
            min_height_px=eval_config.min_height_px,
        ),
        latency=evaluate_latency(stage_ms=run.stage_ms) if run.stage_ms else None,
        breakdown=break_down_recall(
            [RecallCounts.of(Conditions.of(matched, sizes_px=known))],
            grouping=eval_config.grouping,
            score_threshold=eval_config.score_threshold,
        ),
        confusion=confusion_matrix(
            [] if pairs is None else [count_confusions(pairs)], score_threshold=eval_config.score_threshold
        ),
        scenes=tuple(replace(scene, file=names[scene.key]) for scene in scenes),
        notes=(*notes, *labelled.notes, *labelled.doubts_on_places(known)),
    )
