"""The predictions of many recordings: each is read and counted by itself, and all are reported together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from perception.errors import PerceptionError, UsageError
from perception.evaluation.report.count import EvalConfig, count_run
from perception.evaluation.report.failure_analysis import FailureAnalysis
from perception.evaluation.runs.load_results import SAVED_VELOCITIES
from perception.evaluation.runs.predicted_run import predicted_run
from perception.evaluation.runs.truth import read_recording
from perception.results.formats.camera_files import read_camera_files
from perception.results.formats.pictures import PictureIndex
from perception.results.formats.predictions import Predictions
from perception.results.formats.registry import find_format
from perception.runtime.evaluate import study_failures, suited_to
from perception.runtime.fleet.counts_store import ContentKeys, CountedRecording, CountsStore
from perception.runtime.fleet.engine import Engine, Outcome
from perception.sources.dataset_formats import find_dataset
from perception.tables.prediction_files import LABELS_FILE


@dataclass(frozen=True)
class PredictionTask:
    """The predictions at ``path`` for what ``open_source`` calls ``recording``, and how to measure them.

    With ``camera_files``, ``path`` is a folder that has one for each camera. The ``failures`` worst misses and false
    positives are drawn; ``rig`` is as in the configuration.
    """

    path: Path
    format_name: str
    recording: str
    eval_config: EvalConfig
    camera_files: tuple[Path, ...] = ()
    classes: tuple[str, ...] | None = None
    failures: int = 0
    rig: str | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        """All that is read."""
        return self.camera_files or (self.path,)

    @property
    def name(self) -> str:
        """What a sentence calls the files: a folder may have those of several recordings."""
        first, *others = self.files
        return f"{first} and {len(others)} more" if others else str(first)


@dataclass(frozen=True)
class MeasuredRecording:
    """What was counted, and what failed where that was studied."""

    counted: CountedRecording
    study: FailureAnalysis | None = None


@dataclass(frozen=True)
class MeasuredFleet:
    """The recordings that could be measured, in the order of the tasks; ``failed`` are the others, by their files.

    ``eval_config`` is that of all.
    """

    measured: tuple[MeasuredRecording, ...]
    failed: dict[str, PerceptionError]
    eval_config: EvalConfig


def measure_predictions(
    tasks: Sequence[PredictionTask],
    *,
    engine: Engine,
    store: CountsStore,
    on_done: Callable[[int], None] = lambda count: None,
) -> MeasuredFleet:
    """Count each of ``tasks``, of one at least, which are alike but for their files; what ``store`` has is not counted
    again.

    All classes are one where some recording or its predictions know none. ``on_done`` hears how many are done.
    """
    found = _measure(tasks, engine, store, on_done)
    groupings = {outcome.value.counted.grouping for outcome in found if outcome.value is not None}
    if len(groupings) > 1:
        as_one = [replace(task, eval_config=replace(task.eval_config, grouping="any")) for task in tasks]
        found = _measure(as_one, engine, store, on_done)
        groupings = {"any"}
    grouping = next(iter(groupings), tasks[0].eval_config.grouping)
    return MeasuredFleet(
        measured=tuple(outcome.value for outcome in found if outcome.value is not None),
        failed={tasks[outcome.index].name: outcome.failure for outcome in found if outcome.failure is not None},
        eval_config=replace(tasks[0].eval_config, grouping=grouping),
    )


def _measure(
    tasks: Sequence[PredictionTask], engine: Engine, store: CountsStore, on_done: Callable[[int], None]
) -> list[Outcome[MeasuredRecording]]:
    """One outcome for each task, in their order."""
    contents = ContentKeys()
    keys = [_key(task, contents) for task in tasks]
    found: dict[int, Outcome[MeasuredRecording]] = {}
    for index, (task, key) in enumerate(zip(tasks, keys, strict=True)):
        # Pictures of failures are not kept.
        known = None if task.failures else store.load(key)
        if known is not None:
            found[index] = Outcome(index, MeasuredRecording(known))
    on_done(len(found))
    missing = [index for index in range(len(tasks)) if index not in found]
    for outcome in engine.run(measure_prediction, [tasks[index] for index in missing]):
        index, value = missing[outcome.index], outcome.value
        if value is not None:
            value = replace(value, counted=store.keep(keys[index], value.counted))
        found[index] = replace(outcome, index=index, value=value)
        on_done(len(found))
    return [found[index] for index in range(len(tasks))]


def _key(task: PredictionTask, contents: ContentKeys) -> str:
    dataset = find_dataset(task.recording)
    truth = Path(task.recording) if dataset is None else dataset.folder
    return contents.of([*task.files, task.files[0].parent / LABELS_FILE, truth], task)


def measure_prediction(task: PredictionTask) -> MeasuredRecording:
    """Read the files of one recording and count what is in them. Raises ``UsageError`` naming what is wrong."""
    dataset = find_dataset(task.recording)
    if dataset is None:
        raise UsageError(f"{task.recording}: is no recording; check the name.", field="truth")
    known = read_recording(dataset, classes=task.classes)
    read = _read(task, known.pictures)
    notes = list(read.notes)
    if read.run is not None and read.run.objects is not None:
        notes.append(SAVED_VELOCITIES)
    config = suited_to(task.eval_config, known.truth)
    if not read.has_classes:
        config = replace(config, grouping="any")
    run = predicted_run(read, known, task.classes)
    study = None
    if task.failures:
        study = study_failures(run, task.recording, rig=task.rig, eval_config=config, count=task.failures)
    return MeasuredRecording(CountedRecording(count_run(run, config), config.grouping, tuple(notes)), study)


def _read(task: PredictionTask, pictures: PictureIndex) -> Predictions:
    if not task.camera_files:
        return find_format(task.path, task.format_name).read(task.path, pictures)
    of_one = find_format(task.camera_files[0], task.format_name)
    return read_camera_files(task.camera_files, pictures, read=of_one.read)
