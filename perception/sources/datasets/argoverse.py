"""Scenarios of Argoverse 2's motion forecasting: ``<id>/scenario_<id>.parquet``, tracks without pictures.

A scenario has 110 positions at 10 per second, of which the first 50 are seen. Wilson et al., "Argoverse 2: Next
Generation Datasets for Self-Driving Perception and Forecasting", NeurIPS 2021.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from perception.arrays import FloatArray, IntArray
from perception.errors import UsageError
from perception.sources.datasets.frame_sync import numbered
from perception.sources.files.recording import Recording
from perception.sources.truth.box_truth import is_repeated
from perception.sources.truth.challenge_truth import TargetKind, TrueFutures, WantedFutures
from perception.tables.parquet import ParquetTable, read_parquet
from perception.taxonomy import CLASSES, USUAL_SIZES_LWH_M, label_of
from perception.types import ObjectTable

OBSERVED_STEPS = 50
PERIOD_S = 0.1
FOCAL, SCORED = 3, 2
"""The numbers of ``object_category`` of the track that a scenario is about, and of others that count."""

_KINDS: Mapping[int, TargetKind] = {FOCAL: "focal", SCORED: "scored"}
_TYPES = {"vehicle": "car", "motorcyclist": "motorcycle"}
"""Names that mean something narrower than they say."""

_TEXTS = ("scenario_id", "track_id", "object_type", "focal_track_id")
_NUMBERS = ("object_category", "timestep", "position_x", "position_y", "heading", "velocity_x", "velocity_y")
_SPAN = ("start_timestamp", "end_timestamp", "num_timestamps")
_NS_PER_S = 1e9


@dataclass(frozen=True)
class Scenario:
    """The M rows of a scenario: ``tracks`` (M,) names, ``steps`` (M,) from 0, positions and velocities (M, 2).

    ``labels`` (M,) index ``CLASSES``, -1 for others, ``categories`` (M,) are Argoverse's numbers.
    """

    path: Path
    name: str
    focal_track: str
    tracks: NDArray[np.str_]
    steps: IntArray
    positions_m: FloatArray
    velocities_mps: FloatArray
    headings_rad: FloatArray
    labels: IntArray
    categories: IntArray


def has_scenarios(folder: Path) -> bool:
    """Whether the folder is a scenario, or its first folder is one."""
    if any(folder.glob("scenario_*.parquet")):
        return True
    first = next((path for path in folder.iterdir() if path.is_dir()), None)
    return first is not None and (first / f"scenario_{first.name}.parquet").is_file()


def scenarios_in(folder: Path) -> list[str]:
    """The ids of the scenarios."""
    return sorted(_paths(folder))


def open_scenario(folder: Path, name: str | None = None) -> Recording:
    """Raises ``UsageError``: there are no pictures to be opened."""
    raise UsageError(f"{folder}: holds tracks and no pictures; give it as `truth` of forecasts, or give a video.")


def read_objects(folder: Path, name: str | None = None) -> ObjectTable:
    """The tracks of a scenario in the world of its city, from its start on, with usual sizes of their classes.

    Raises ``UsageError`` naming file, row and column.
    """
    scenario = read_scenario(_path(folder, name))
    known = scenario.labels >= 0
    labels, steps = scenario.labels[known], scenario.steps[known]
    sizes = np.array(USUAL_SIZES_LWH_M)[labels]
    return ObjectTable(
        timestamps_ns=np.rint(steps * PERIOD_S * _NS_PER_S).astype(np.int64),
        ids=numbered(scenario.tracks.tolist())[known],
        labels=labels,
        scores=np.ones(len(labels)),
        centres_m=np.column_stack([scenario.positions_m[known], sizes[:, 2] / 2]),
        sizes_lwh_m=sizes,
        yaws_rad=scenario.headings_rad[known],
        speeds_mps=np.linalg.norm(scenario.velocities_mps[known], axis=1),
    )


def read_futures(folder: Path, name: str | None, wanted: WantedFutures) -> TrueFutures:
    """The futures of tracks after the last seen position, those of one scenario only where it is named.

    Raises ``UsageError`` for a track that its scenario does not have, for a scenario whose focal track is not wanted,
    and naming a file that is wrong.
    """
    paths = _paths(folder) if name is None else {name: _path(folder, name)}
    lacking = sorted(paths.keys() - set(wanted.scenes.tolist()))
    if len(lacking) == len(paths):
        return TrueFutures.unknown(wanted)
    if lacking:
        raise UsageError(
            f"{folder}: {len(lacking):,} of {len(paths):,} scenarios have no prediction, the first is {lacking[0]}; "
            "predict all, or give fewer as `truth`."
        )
    found = TrueFutures.unknown(wanted)
    rows_of: dict[str, list[int]] = {}
    for row, scene in enumerate(wanted.scenes.tolist()):
        rows_of.setdefault(scene, []).append(row)
    for scene, path in paths.items():
        _add_futures(found, read_scenario(path), rows_of[scene], wanted)
    return found


def read_scenario(path: Path) -> Scenario:
    """A scenario, checked. Raises ``UsageError`` naming file, row and column."""
    table = read_parquet(path, (*_TEXTS, *_NUMBERS, *_SPAN))
    if not table.count:
        raise UsageError(f"{path}: has no rows; copy the scenario again.")
    scenes, tracks, types, focal = (table.texts(name) for name in _TEXTS)
    for name, values in ((_TEXTS[0], scenes), (_TEXTS[3], focal)):
        table.reject(values != values[0], name, "is another one than in the first row")
    categories, steps, *others = (table.numbers(name) for name in _NUMBERS)
    table.reject((steps < 0) | (steps != np.rint(steps)), "timestep", "expected a whole number from 0")
    table.reject(~np.isin(categories, range(FOCAL + 1)), "object_category", f"expected 0 to {FOCAL}")
    names = numbered(tracks.tolist())
    table.reject(is_repeated(np.stack([names, steps.astype(np.int64)], axis=1)), "timestep", "occurs twice in a track")
    if focal[0] not in tracks:
        raise UsageError(f"{path}: its focal track {focal[0]} has no row; copy the scenario again.")
    _check_period(table)
    known = {kind: label_of(_TYPES.get(kind, kind)) for kind in set(types.tolist())}
    x, y, headings, velocity_x, velocity_y = others
    return Scenario(
        path=path,
        name=str(scenes[0]),
        focal_track=str(focal[0]),
        tracks=tracks,
        steps=steps.astype(np.int64),
        positions_m=np.column_stack([x, y]),
        velocities_mps=np.column_stack([velocity_x, velocity_y]),
        headings_rad=headings,
        labels=np.array([-1 if (label := known[kind]) is None else label for kind in types.tolist()], np.int64),
        categories=categories.astype(np.int64),
    )


def type_of(label: int) -> str:
    """What Argoverse calls a class of ours."""
    return {"car": "vehicle", "truck": "vehicle", "motorcycle": "motorcyclist", "bicycle": "cyclist"}.get(
        CLASSES[label], CLASSES[label]
    )


def _check_period(table: ParquetTable) -> None:
    """Raise ``UsageError`` where the stated times are not those of ten positions per second."""
    start, end, count = (float(table.numbers(name)[0]) for name in _SPAN)
    if count < 2:
        return
    period_s = (end - start) / (count - 1) / _NS_PER_S
    if not PERIOD_S / 2 < period_s < PERIOD_S * 2:
        raise UsageError(
            f"{table.path}: its timestamps are {period_s:g} s apart, Argoverse's are {PERIOD_S:g} s; give nanoseconds."
        )


def _add_futures(found: TrueFutures, scenario: Scenario, rows: list[int], wanted: WantedFutures) -> None:
    """Fill in the ``rows`` that are of ``scenario``."""
    last = OBSERVED_STEPS + wanted.steps
    if scenario.steps.max() < OBSERVED_STEPS:
        raise UsageError(f"{scenario.path}: has no future, as the test set has none; give scenarios of train or val.")
    tracks = {str(wanted.objects[row]): row for row in rows}
    if scenario.focal_track not in tracks:
        raise UsageError(
            f"{wanted.where[rows[0]]}: scenario {scenario.name} lacks its focal track {scenario.focal_track}; predict "
            "it, too."
        )
    for track, row in tracks.items():
        own = np.flatnonzero(scenario.tracks == track)
        now = own[scenario.steps[own] == OBSERVED_STEPS - 1]
        if not len(own) or not len(now):
            fault = "is not seen at the time of the forecast" if len(own) else "does not occur"
            raise UsageError(f"{wanted.where[row]}: the track {track} {fault} in scenario {scenario.name}; correct it.")
        found.is_known[row] = True
        found.recordings[row] = scenario.name
        found.kinds[row] = _KINDS.get(int(scenario.categories[own[0]]), "unscored")
        found.labels[row] = scenario.labels[own[0]]
        found.positions_m[row] = scenario.positions_m[now[0]]
        found.velocities_mps[row] = scenario.velocities_mps[now[0]]
        after = own[(scenario.steps[own] >= OBSERVED_STEPS) & (scenario.steps[own] < last)]
        after = after[np.argsort(scenario.steps[after])]
        if len(after) == wanted.steps:
            found.futures_m[row] = scenario.positions_m[after]


def _paths(folder: Path) -> dict[str, Path]:
    """The file of each scenario by its id."""
    prefix = "scenario_"
    own = sorted(folder.glob(f"{prefix}*.parquet"))
    if own:
        return {path.stem.removeprefix(prefix): path for path in own}
    paths = ((path.name, path / f"{prefix}{path.name}.parquet") for path in sorted(folder.iterdir()))
    return {name: path for name, path in paths if path.is_file()}


def _path(folder: Path, name: str | None) -> Path:
    paths = _paths(folder)
    if name is None:
        return next(iter(paths.values()))
    if name not in paths:
        raise UsageError(f"{folder}#{name}: no such scenario; give one of {', '.join(list(paths)[:3])}, ...")
    return paths[name]
