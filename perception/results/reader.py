"""Reads what ``ResultWriter`` wrote."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perception.arrays import FloatArray, IntArray
from perception.errors import UsageError
from perception.files import parse_json
from perception.results.ego_motion import ego_motion_of
from perception.results.tracks3d import TRACKS3D_FILE, read_world_rows
from perception.results.writer import FORECASTS_FILE, TIMING_FILE
from perception.safety.regular_files import open_regular_text
from perception.tables.prediction_files import read_detections, read_text, read_tracks, table_paths
from perception.taxonomy import CLASSES
from perception.types import BoxTable, EgoMotions, Forecasts, ObjectTable


@dataclass(frozen=True, kw_only=True)
class ForecastRecord:
    """The forecasts of one instant, and of the tracks they belong to (row by row): the box at that time
    ``boxes_xyxy_px`` (N, 4) in images of ``image_sizes_px`` (N, 2) width and height, ``labels``, ``cameras`` and
    ``unseen_s`` (N,). ``index`` is that of the instant. Only in the ground frame: ``positions_m`` (N, 2) of the
    tracks' centres and ``headings_rad`` (N,), both in the world. ``detected_cameras`` are those that the detector
    looked at, None where it looked at all. ``ego_motions`` say how cameras moved, where the run knew it."""

    index: int
    timestamp_ns: int
    forecasts: Forecasts
    boxes_xyxy_px: FloatArray
    image_sizes_px: IntArray
    labels: IntArray
    cameras: NDArray[np.str_]
    unseen_s: FloatArray
    positions_m: FloatArray | None = None
    headings_rad: FloatArray | None = None
    detected_cameras: tuple[str, ...] | None = None
    ego_motions: EgoMotions = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Results:
    """The tables of a run.

    ``tracks`` hold all cameras, ``detections`` one table per camera (ids are -1), ``forecasts`` one record per
    instant in the order of time. ``stage_ms`` gives the milliseconds of each stage at each instant, empty for a run
    that was killed. ``half_lines`` counts last lines that a killed run did not finish, which are left out.
    ``objects`` are the tracks in the world, None for a run in the image frame.
    """

    cameras: tuple[str, ...]
    tracks: BoxTable
    detections: dict[str, BoxTable]
    forecasts: tuple[ForecastRecord, ...]
    stage_ms: dict[str, FloatArray]
    half_lines: int
    objects: ObjectTable | None = None


def read_results(folder: Path) -> Results:
    """Read the tables in ``folder``.

    Raises ``UsageError`` naming the file, and the line where it has lines, when one is missing or malformed.
    """
    if not (folder / FORECASTS_FILE).is_file():
        raise UsageError(f"{folder}: has no {FORECASTS_FILE}; name the folder of a run that was saved.")
    forecasts, cameras, half_lines = _read_forecasts(folder / FORECASTS_FILE)
    cameras = cameras or _cameras_from_names(folder)
    tables = []
    for camera, path in _written_paths(folder, "tracks", ".txt", cameras).items():
        table, half = read_tracks(path, camera=camera)
        tables.append(table)
        half_lines += half
    detections = {
        camera: read_detections(path, camera=camera)
        for camera, path in _written_paths(folder, "detections", ".json", cameras).items()
    }
    objects = None
    if (folder / TRACKS3D_FILE).is_file():
        objects, half = read_world_rows(folder / TRACKS3D_FILE)
        half_lines += half
    return Results(
        cameras=cameras,
        tracks=joined_boxes(tables),
        detections=detections,
        forecasts=forecasts,
        stage_ms=_read_timing(folder / TIMING_FILE),
        half_lines=half_lines,
        objects=objects,
    )


def _written_paths(folder: Path, stem: str, suffix: str, cameras: Sequence[str]) -> dict[str, Path]:
    """The file of each camera; the first one's has no name in it where the run began with that camera alone."""
    paths, plain = table_paths(folder, stem, suffix, cameras), folder / f"{stem}{suffix}"
    first = cameras[0]
    return {**paths, first: plain} if plain.is_file() and not paths[first].is_file() else paths


def read_forecasts(path: Path) -> tuple[ForecastRecord, ...]:
    """The records of ``forecasts.jsonl``, a half-written last line left out. Raises ``UsageError`` naming the line."""
    return _read_forecasts(path)[0]


def _read_forecasts(path: Path) -> tuple[tuple[ForecastRecord, ...], tuple[str, ...], int]:
    """The records, the cameras of the run (none when there is no line), and 1 for a half-written last line."""
    records: list[ForecastRecord] = []
    cameras: tuple[str, ...] = ()
    # Line by line: the file of a long run is many times larger than its arrays.
    with open_regular_text(path, errors="replace") as stream:
        for number, line in enumerate(stream, 1):
            try:
                value = parse_json(line)
                records.append(_forecast_record(value))
                # Later lines have more, where cameras were added during the run.
                cameras = max(cameras, tuple(str(camera) for camera in value["cameras"]), key=len)
            except (ValueError, TypeError, KeyError, IndexError) as error:
                if not line.endswith("\n"):
                    return tuple(records), cameras, 1
                missing = f"{error} is missing" if isinstance(error, KeyError) else str(error)
                raise UsageError(f"{path}, line {number}: is not a forecast ({missing}); write it again.") from error
    return tuple(records), cameras, 0


def _forecast_record(value: dict[str, Any]) -> ForecastRecord:
    rows, dt_s = value["tracks"], float(value["dt_s"])
    is_ground = value["reference_frame"] == "ground"
    if not rows:
        forecasts = _no_forecasts(dt_s, is_ground=is_ground)
    else:
        forecasts = Forecasts(
            track_ids=np.array([row["id"] for row in rows], np.int64),
            probabilities=np.array([row["probabilities"] for row in rows], np.float32),
            means=np.array([row["means"] for row in rows], np.float32),
            stds=np.array([row["stds"] for row in rows], np.float32),
            dt_s=dt_s,
            reference_frame=value["reference_frame"],
            axes_rad=np.array([row["axis_rad"] for row in rows], np.float64) if is_ground else None,
        )
    return ForecastRecord(
        index=int(value["index"]),
        timestamp_ns=int(value["timestamp_ns"]),
        forecasts=forecasts,
        boxes_xyxy_px=np.array([row["box_xyxy_px"] for row in rows], np.float64).reshape(len(rows), 4),
        image_sizes_px=np.array([row["image_size_px"] for row in rows], np.int64).reshape(len(rows), 2),
        labels=np.array([CLASSES.index(row["class"]) for row in rows], np.int64),
        cameras=np.array([row["camera"] for row in rows], np.str_),
        unseen_s=np.array([row["unseen_s"] for row in rows], np.float64),
        positions_m=np.array([row["position_m"] for row in rows], np.float64).reshape(-1, 2) if is_ground else None,
        headings_rad=np.array([row["heading_rad"] for row in rows], np.float64) if is_ground else None,
        detected_cameras=tuple(map(str, value["detected_cameras"])) if "detected_cameras" in value else None,
        ego_motions={str(camera): ego_motion_of(motion) for camera, motion in value.get("ego_motion", {}).items()},
    )


def _no_forecasts(dt_s: float, *, is_ground: bool) -> Forecasts:
    if not is_ground:
        return Forecasts.empty(dt_s=dt_s)
    none = np.zeros(0)
    return Forecasts(
        track_ids=none.astype(np.int64),
        probabilities=none.reshape(0, 1),
        means=none.reshape(0, 1, 1, 2),
        stds=none.reshape(0, 1, 1, 2),
        dt_s=dt_s,
        reference_frame="ground",
        axes_rad=none,
    )


def _read_timing(path: Path) -> dict[str, FloatArray]:
    if not path.is_file():
        return {}
    try:
        stages = parse_json(read_text(path))["stage_ms"]
        return {str(stage): np.array(values, np.float64) for stage, values in stages.items()}
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise UsageError(f"{path}: is not a table of stage times; delete it or write it again.") from error


def cameras_of(folder: Path) -> tuple[str, ...]:
    """The cameras of a run, as its forecasts state them or the names of its files show. Raises ``UsageError``."""
    path = folder / FORECASTS_FILE
    with open_regular_text(path, errors="replace") if path.is_file() else nullcontext(()) as lines:
        line = next(iter(lines), "")
    if not line.endswith("\n"):
        return _cameras_from_names(folder)
    try:
        return tuple(str(camera) for camera in parse_json(line)["cameras"])
    except (ValueError, TypeError, KeyError) as error:
        raise UsageError(f"{path}, line 1: does not name the cameras; write it again.") from error


def _cameras_from_names(folder: Path) -> tuple[str, ...]:
    """The cameras of a run that has no forecasts, as far as the names of its files show."""
    names = sorted(path.stem.removeprefix("tracks_") for path in folder.glob("tracks_*.txt"))
    return tuple(names) or ("camera",)


def joined_boxes(tables: Sequence[BoxTable]) -> BoxTable:
    """All rows in the order of frames, those of a frame in the order of ``tables``."""
    order = np.argsort(np.concatenate([table.frame_indices for table in tables]), kind="stable")
    return BoxTable(
        frame_indices=np.concatenate([table.frame_indices for table in tables])[order],
        ids=np.concatenate([table.ids for table in tables])[order],
        labels=np.concatenate([table.labels for table in tables])[order],
        scores=np.concatenate([table.scores for table in tables])[order],
        boxes_xyxy_px=np.concatenate([table.boxes_xyxy_px for table in tables])[order],
        cameras=np.concatenate([table.cameras for table in tables])[order],
    )
