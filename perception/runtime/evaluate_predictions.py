"""Evaluates the predictions of other programs against any truth; prints nothing."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from perception.errors import UsageError, counted
from perception.evaluation.core.image_dataset import ImageDataset, read_image_dataset
from perception.evaluation.report.count import EvalConfig
from perception.evaluation.report.report import Report
from perception.evaluation.runs.evaluated_run import EvaluatedRun
from perception.evaluation.runs.label_folders import is_label_folder, pictures_of, read_label_folder
from perception.evaluation.runs.load_results import SAVED_VELOCITIES
from perception.evaluation.runs.predicted_run import predicted_run, predicted_tables
from perception.evaluation.runs.submitted import evaluate_submission
from perception.evaluation.runs.truth import find_recordings, name_of, read_recording, spec_of
from perception.results.formats.camera_files import read_camera_files
from perception.results.formats.pictures import PictureIndex
from perception.results.formats.predictions import Predictions
from perception.results.formats.registry import (
    PredictionFormat,
    SubmissionFormat,
    find_format,
    find_submission,
    known_format,
)
from perception.runtime.evaluate import report_on, report_on_images, suited_to
from perception.sources.dataset_formats import DatasetFolder


@dataclass(frozen=True)
class Pair:
    """The predictions for one recording; ``recording`` is None for single pictures."""

    path: Path
    format: PredictionFormat
    recording: DatasetFolder | None = None


@dataclass(frozen=True)
class EvaluatedPredictions:
    """The report and how it was measured, and of each recording its run and what ``open_source`` calls it."""

    report: Report
    eval_config: EvalConfig
    runs: tuple[EvaluatedRun, ...] = ()
    recordings: tuple[str, ...] = ()


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
) -> EvaluatedPredictions:
    """Measure what the files hold: detections, tracks, forecasts.

    ``truth`` is a recording, a folder of several or a pattern, or a data set of single pictures. ``format_name`` is
    one of ``FORMATS`` in place of the one that the content has. Only ``classes`` count, where these are given.

    A file for a challenge is measured by that challenge's figures alone.

    Raises ``UsageError`` naming the file that is wrong.
    """
    submission = find_submission(Path(predictions), format_name)
    if submission is not None:
        report = _report_on_submission(*submission, truth, seed=seed, classes=classes)
        return EvaluatedPredictions(report, eval_config)
    pairs = pair_predictions(predictions, truth, format_name)
    notes = [_recognised(pairs, format_name)]
    if pairs[0].recording is None:
        labelled = read_pictures(Path(truth)).of_classes(classes)
        found = pairs[0].format.read(pairs[0].path, pictures_of(labelled, str(truth)))
        config = _suited(eval_config, [found])
        report = _report_on_pictures(found, labelled, pairs[0].path, notes, config, classes)
        return EvaluatedPredictions(report, config)
    knowns = [read_recording(pair.recording, classes=classes) for pair in pairs if pair.recording is not None]
    read = _read(pairs, [known.pictures for known in knowns])
    for found in read:
        notes += found.notes
        if found.run is not None and found.run.objects is not None and SAVED_VELOCITIES not in notes:
            notes.append(SAVED_VELOCITIES)
    config = _suited(suited_to(eval_config, *(known.truth for known in knowns)), read)
    runs = tuple(predicted_run(found, known, classes) for found, known in zip(read, knowns, strict=True))
    title = str(predictions) if len(runs) == 1 else f"{predictions}, {counted(len(runs), 'recording')}"
    report = report_on(runs, title=title, eval_config=config, seed=seed, notes=notes)
    specs = tuple(spec_of(pair.recording) for pair in pairs if pair.recording is not None)
    return EvaluatedPredictions(report, config, runs, specs)


def _read(pairs: Sequence[Pair], pictures: Sequence[PictureIndex]) -> list[Predictions]:
    """What the files hold of each recording; one file of all of them is read once."""
    read_all = pairs[0].format.read_all
    if read_all is not None:
        return read_all(pairs[0].path, pictures)
    return [pair.format.read(pair.path, own) for pair, own in zip(pairs, pictures, strict=True)]


def _report_on_submission(
    found_as: SubmissionFormat, path: Path, truth: str | Path, *, seed: int, classes: Sequence[str] | None
) -> Report:
    if not path.exists():
        raise UsageError(f"{path}: no such file or folder; check the name.", field="predictions")
    found = evaluate_submission(found_as.read(path), path, truth, rng=np.random.default_rng(seed), classes=classes)
    return Report(
        title=str(path), challenges=found.reports, notes=(f"Recognised as {found_as.title}: {path}.", *found.notes)
    )


def _suited(eval_config: EvalConfig, read: Sequence[Predictions]) -> EvalConfig:
    """All classes as one where some of the predictions have none."""
    return eval_config if all(found.has_classes for found in read) else replace(eval_config, grouping="any")


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
        replace(
            formats[0],
            title=f"{formats[0].title}, a file for each camera",
            read=lambda _, pictures: read_camera_files(paths, pictures, read=formats[0].read),
        ),
        recording,
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


def _recognised(pairs: Sequence[Pair], format_name: str | None) -> str:
    titles = sorted({pair.format.title for pair in pairs})
    said = "Read as" if format_name else "Recognised as"
    return f"{said} {' and '.join(titles)}: {pairs[0].path}" + (f" and {len(pairs) - 1} more." if pairs[1:] else ".")
