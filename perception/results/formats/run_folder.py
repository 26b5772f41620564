"""The folder of a run of ours, or as much of one as is there: ``tracks.txt`` alone is enough."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from perception.results.formats.coco import read_coco_results
from perception.results.formats.mot import read_mot
from perception.results.formats.pictures import PictureIndex
from perception.results.formats.predictions import Predictions, joined_predictions
from perception.results.formats.text_rows import json_start
from perception.results.reader import read_forecasts, read_results
from perception.results.writer import FORECASTS_FILE
from perception.tables.prediction_files import table_paths

_TABLES = (("tracks", ".txt"), ("detections", ".json"))


def is_run_folder(folder: Path) -> bool:
    """Whether the folder holds tables with the names of ours."""
    return (folder / FORECASTS_FILE).is_file() or any(
        path.is_file() for stem, suffix in _TABLES for path in folder.glob(f"{stem}*{suffix}")
    )


def read_run_folder(folder: Path, pictures: PictureIndex) -> Predictions:
    """What the folder holds; a whole run with all that belongs to it. Raises ``UsageError`` naming the file."""
    if is_whole_run(folder):
        results = read_results(folder)
        return Predictions(run=results)
    parts = []
    for camera in pictures.frame_counts:
        of_camera = pictures.of_camera(camera)
        for stem, suffix in _TABLES:
            path = table_paths(folder, stem, suffix, tuple(pictures.frame_counts))[camera]
            if path.is_file():
                read = read_mot if suffix == ".txt" else read_coco_results
                parts.append(read(path, of_camera))
    found = joined_predictions(parts)
    if (folder / FORECASTS_FILE).is_file():
        found = replace(found, forecasts=read_forecasts(folder / FORECASTS_FILE))
    return found


def is_forecasts(path: Path) -> bool:
    """Whether a file begins as ``forecasts.jsonl``."""
    start = json_start(path)
    return start.startswith("{") and all(f'"{key}":' in start for key in ("timestamp_ns", "dt_s", "tracks"))


def read_forecasts_file(path: Path, pictures: PictureIndex) -> Predictions:
    """The forecasts alone. Raises ``UsageError`` naming the line."""
    return Predictions(forecasts=read_forecasts(path))


def is_whole_run(folder: Path) -> bool:
    """Whether the folder holds all tables of a run of ours."""
    return (folder / FORECASTS_FILE).is_file() and all(any(folder.glob(f"{stem}*{end}")) for stem, end in _TABLES)
