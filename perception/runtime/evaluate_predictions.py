"""Evaluates the predictions of other programs against any truth; prints nothing."""

from __future__ import annotations

import glob
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from perception.errors import PerceptionError, UsageError, counted
from perception.evaluation.core.image_dataset import ImageDataset, read_image_dataset
from perception.evaluation.report.count import EvalConfig, count_run
from perception.evaluation.report.evaluate import report_of
from perception.evaluation.report.failure_analysis import FailureAnalysis, with_failures
from perception.evaluation.report.report import Report
from perception.evaluation.runs.label_folders import is_label_folder, pictures_of, read_label_folder
from perception.evaluation.runs.predicted_run import predicted_run, predicted_tables
from perception.evaluation.runs.submitted import evaluate_submission
from perception.evaluation.runs.truth import find_recordings, name_of, read_recording, spec_of
from perception.results.formats.pictures import PictureIndex
from perception.results.formats.predictions import Predictions
from perception.results.formats.registry import (
    PredictionFormat,
    SubmissionFormat,
    find_format,
    find_submission,
    known_format,
)
from perception.runtime.evaluate import report_on_images, study_failures, suited_to
from perception.runtime.fleet.counts_store import CountsStore
from perception.runtime.fleet.engine import Engine
from perception.runtime.fleet.factory import workers_for_files
from perception.runtime.fleet.local import LocalEngine
from perception.runtime.fleet.predictions import PredictionTask, measure_predictions
from perception.runtime.fleet.shards import Shard
from perception.sources.dataset_formats import DatasetFolder


@dataclass(frozen=True)
class Pair:
    """The predictions for one recording; ``recording`` is None for single pictures.

    ``camera_files`` are those of its cameras where ``path`` is a folder with a file for each.
    """

    path: Path
    format: PredictionFormat
    recording: DatasetFolder | None = None
    camera_files: tuple[Path, ...] = ()


@dataclass(frozen=True)
class EvaluatedPredictions:
    """The report, how it was measured, and what failed in the pictures where that was studied.

    ``failed`` are the recordings that could not be measured, by the names of their predictions.
    """

    report: Report
    eval_config: EvalConfig
    studies: tuple[FailureAnalysis, ...] = ()
    failed: Mapping[str, PerceptionError] = field(default_factory=dict)


def pair_predictions(predictions: str | Path, truth: str | Path, format_name: str | None = None) -> list[Pair]:
    """Which predictions belong to which truth: by the recordings' names where there are several.

    Raises ``UsageError`` where one has no predictions or their format is not known.
    """
    recordings = find_recordings(truth)
    if not recordings:
        return [Pair(Path(predictions), find_format(Path(predictions), format_name))]
    if len(recordings) == 1 and not _is_glob(predictions):
        return [_of_the_only(Path(predictions), recordings[0], format_name)]
    together = _of_all(Path(predictions), format_name)
    if together is not None:
        return [Pair(*together, recording) for recording in recordings]
    if not _is_glob(predictions) and not Path(predictions).is_dir():
        find_format(Path(predictions), format_name)
        raise UsageError(
            f"{predictions}: is one file, and the truth has {len(recordings)} recordings; give a folder with a file "
            f"for each, such as {name_of(recordings[0])}.txt, or one of the recordings as `truth`."
        )
    pairs = []
    for recording in recordings:
        pairs.append(_of_recording(predictions, recording, format_name))
    return pairs


def evaluate_predictions(
    predictions: str | Path,
    truth: str | Path,
    *,
    eval_config: EvalConfig,
    seed: int = 0,
    format_name: str | None = None,
    classes: Sequence[str] | None = None,
    fleet: PredictionFleet | None = None,
) -> EvaluatedPredictions:
    """Measure what the files hold: detections, tracks, forecasts.

    ``truth`` is a recording, a folder of several or a pattern, or a data set of single pictures. ``format_name`` is
    one of ``FORMATS`` in place of the one that the content has. Only ``classes`` count, where these are given.
    ``fleet`` states how several recordings are measured.

    A file for a challenge is measured by that challenge's figures alone.

    Raises ``UsageError`` naming the file that is wrong; of several recordings one that is wrong fails alone.
    """
    submission = find_submission(Path(predictions), format_name)
    if submission is not None:
        report = _report_on_submission(*submission, truth, seed=seed, classes=classes)
        return EvaluatedPredictions(report, eval_config)
    pairs = pair_predictions(predictions, truth, format_name)
    if pairs[0].recording is None:
        labelled = read_pictures(Path(truth)).of_classes(classes)
        found = pairs[0].format.read(pairs[0].path, pictures_of(labelled, str(truth)))
        config = eval_config if found.has_classes else replace(eval_config, grouping="any")
        report = _report_on_pictures(found, labelled, pairs[0].path, [_recognised(pairs, format_name)], config, classes)
        return EvaluatedPredictions(report, config)
    how = fleet or PredictionFleet()
    part = how.shard.of(pairs)
    if not part:
        raise UsageError(f"there are only {counted(len(pairs), 'recording')}; use fewer parts.", field="shard")
    if (read_all := part[0].format.read_all) is not None:
        return _evaluate_together(part, read_all, predictions, eval_config, seed, format_name, classes, how)
    tasks = [
        PredictionTask(
            path=pair.path,
            format_name=pair.format.name,
            recording=spec_of(pair.recording),
            eval_config=eval_config,
            camera_files=pair.camera_files,
            classes=None if classes is None else tuple(classes),
            failures=how.failures,
            rig=how.rig,
        )
        for pair in part
        if pair.recording is not None
    ]
    engine = how.engine or LocalEngine(workers_for_files([task.files for task in tasks]))
    with CountsStore(how.folder) as store:
        measured = measure_predictions(tasks, engine=engine, store=store, on_done=how.on_done)
        if not measured.measured:
            raise next(iter(measured.failed.values()))
        report = report_of(
            [one.counted.counts for one in measured.measured],
            title=_title(predictions, len(measured.measured), is_one=len(pairs) == 1),
            config=measured.eval_config,
            rng=np.random.default_rng(seed),
            notes=_notes(part, format_name, [one.counted.notes for one in measured.measured]),
        )
    studies = tuple(one.study for one in measured.measured if one.study is not None)
    return EvaluatedPredictions(
        with_failures(report, studies, measured.eval_config), measured.eval_config, studies, measured.failed
    )


@dataclass(frozen=True)
class PredictionFleet:
    """How the predictions of several recordings are measured: by which ``engine``, by default as many processes as pay;
    which part of them; in which ``folder`` the counts of each are kept, None for no other time; and what is drawn.

    ``on_done`` hears how many recordings are done.
    """

    engine: Engine | None = None
    shard: Shard = field(default_factory=Shard)
    folder: Path | None = None
    failures: int = 0
    rig: str | None = None
    on_done: Callable[[int], None] = lambda count: None


def _evaluate_together(
    pairs: Sequence[Pair],
    read_all: Callable[[Path, Sequence[PictureIndex]], list[Predictions]],
    predictions: str | Path,
    eval_config: EvalConfig,
    seed: int,
    format_name: str | None,
    classes: Sequence[str] | None,
    how: PredictionFleet,
) -> EvaluatedPredictions:
    """Of recordings whose predictions are in one file, which is read once."""
    if how.shard.is_part:
        raise UsageError("one file holds the predictions of all recordings; leave it out.", field="shard")
    knowns = [read_recording(pair.recording, classes=classes) for pair in pairs if pair.recording is not None]
    read = read_all(pairs[0].path, [known.pictures for known in knowns])
    config = suited_to(eval_config, *(known.truth for known in knowns))
    if not all(found.has_classes for found in read):
        config = replace(config, grouping="any")
    counts, studies = [], []
    for pair, found, known in zip(pairs, read, knowns, strict=True):
        run = predicted_run(found, known, classes)
        counts.append(count_run(run, config))
        if how.failures and pair.recording is not None:
            recording = spec_of(pair.recording)
            studies.append(study_failures(run, recording, rig=how.rig, eval_config=config, count=how.failures))
    report = report_of(
        counts,
        title=_title(predictions, len(pairs), is_one=len(pairs) == 1),
        config=config,
        rng=np.random.default_rng(seed),
        notes=_notes(pairs, format_name, [found.notes for found in read]),
    )
    return EvaluatedPredictions(with_failures(report, studies, config), config, tuple(studies))


def _report_on_submission(
    found_as: SubmissionFormat, path: Path, truth: str | Path, *, seed: int, classes: Sequence[str] | None
) -> Report:
    if not path.exists():
        raise UsageError(f"{path}: no such file or folder; check the name.", field="predictions")
    found = evaluate_submission(found_as.read(path), path, truth, rng=np.random.default_rng(seed), classes=classes)
    return Report(
        title=str(path), challenges=found.reports, notes=(f"Recognised as {found_as.title}: {path}.", *found.notes)
    )


def _report_on_pictures(
    found: Predictions,
    labelled: ImageDataset,
    path: Path,
    notes: Sequence[str],
    eval_config: EvalConfig,
    classes: Sequence[str] | None,
) -> Report:
    if found.detections is None:
        raise UsageError(f"{path}: has no detections, and single pictures have no tracks; give detections.")
    tables = predicted_tables(found, None).of_classes(classes)
    sizes_px = {image.key: image.size_px for batch in labelled.batches for image in batch}
    return report_on_images(
        labelled, tables, sizes_px, title=str(path), eval_config=eval_config, notes=(*notes, *found.notes)
    )


def read_pictures(truth: Path) -> ImageDataset:
    """The single pictures of a COCO file, ``frames.json``, or a folder of YOLO or KITTI; they may be missing.

    Raises ``UsageError`` naming what is missing or wrong.
    """
    if not truth.exists():
        raise UsageError(f"{truth}: no such file or folder; check the name.")
    if is_label_folder(truth):
        return read_label_folder(truth)
    if truth.is_dir():
        raise UsageError(f"{truth}: is no recording and no data set with labels; give another one.")
    return read_image_dataset([truth], needs_images=False)


def _is_glob(predictions: str | Path) -> bool:
    return any(sign in str(predictions) for sign in "*?[") and not Path(predictions).exists()


def _named(folder: Path, name: str) -> Path | None:
    """What the folder, or ``data/`` in it as TrackEval has it, holds of a recording; None where there is nothing."""
    if not folder.is_dir():
        return None
    for place in (folder, folder / "data"):
        if (place / name).is_dir():
            return place / name
        files = sorted(path for path in place.glob(f"{glob.escape(name)}.*") if path.is_file())
        known = [path for path in files if known_format(path) is not None]
        if known:
            return known[0]
    return None


def _of_the_only(predictions: Path, recording: DatasetFolder, format_name: str | None) -> Pair:
    """Of one recording: what a folder holds under its name, else all that it holds, else ``predictions`` itself."""
    named = _named(predictions, name_of(recording))
    if named is None and predictions.is_dir() and known_format(predictions) is None:
        known = [path for path in sorted(predictions.iterdir()) if path.is_file() and known_format(path) is not None]
        if len(known) > 1 and (pair := _of_cameras(predictions, known, recording, format_name)) is not None:
            return pair
        named = known[0] if len(known) == 1 else None
    path = named or predictions
    return Pair(path, find_format(path, format_name), recording)


def _of_all(predictions: Path, format_name: str | None) -> tuple[Path, PredictionFormat] | None:
    """The one file that holds the predictions of all recordings, and its format; None for others."""
    files = [path for path in predictions.iterdir() if path.is_file()] if predictions.is_dir() else [predictions]
    if len(files) != 1 or not files[0].is_file():
        return None
    found = find_format(files[0], format_name) if format_name else known_format(files[0])
    return None if found is None or found.read_all is None else (files[0], found)


def _of_cameras(folder: Path, paths: Sequence[Path], recording: DatasetFolder, format_name: str | None) -> Pair | None:
    """A file for each camera; None where they have several formats, but for lists that belong to them."""
    formats = [find_format(path, format_name) for path in paths]
    if len({one.name for one in formats}) != 1:
        return None
    return Pair(
        folder,
        replace(formats[0], title=f"{formats[0].title}, a file for each camera"),
        recording,
        tuple(paths),
    )


def _of_recording(predictions: str | Path, recording: DatasetFolder, format_name: str | None) -> Pair:
    name = name_of(recording)
    if _is_glob(predictions):
        paths = map(Path, glob.glob(str(predictions)))  # noqa: PTH207 - Path.glob takes no absolute pattern
        found = next((path for path in sorted(paths) if name in (path.name, path.stem, path.parent.name)), None)
    else:
        folder = Path(predictions)
        found = _named(folder, name)
        of_cameras = sorted(path for path in folder.glob(f"{glob.escape(name)}_*") if known_format(path) is not None)
        if found is None and len(of_cameras) > 1:
            pair = _of_cameras(folder, of_cameras, recording, format_name)
            if pair is not None:
                return pair
    if found is None:
        raise UsageError(
            f"{predictions}: holds no predictions of the recording {name}; add a file {name}.txt, empty where nothing "
            "was found, or name fewer recordings as `truth`."
        )
    return Pair(found, find_format(found, format_name), recording)


def _title(predictions: str | Path, count: int, *, is_one: bool) -> str:
    return str(predictions) if is_one else f"{predictions}, {counted(count, 'recording')}"


def _notes(pairs: Sequence[Pair], format_name: str | None, of_recordings: Sequence[Sequence[str]]) -> list[str]:
    """Each sentence once, beginning with what the files were taken for."""
    return list(dict.fromkeys([_recognised(pairs, format_name), *(note for own in of_recordings for note in own)]))


def _recognised(pairs: Sequence[Pair], format_name: str | None) -> str:
    titles = sorted({pair.format.title for pair in pairs})
    said = "Read as" if format_name else "Recognised as"
    return f"{said} {' and '.join(titles)}: {pairs[0].path}" + (f" and {len(pairs) - 1} more." if pairs[1:] else ".")
