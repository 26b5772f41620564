"""The nuScenes prediction challenge, vehicles, without a map (Caesar et al. 2020): 2 s seen, 6 s ahead, at 2 Hz.

Targets are rows with ``flag`` 1; id 99 is the recording car, never a target. The published validation split is what
is tested on; weights are chosen on held-out training scenes. minADE_k and minFDE_k take the k most probable futures;
MissRate_2_k is the share of targets whose largest error is at least 2 m in all k.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from perception.arrays import FloatArray
from perception.benchmarks.ground_tracks import GroundRows, distances_m, one_output_m, track_set
from perception.benchmarks.split import Benchmark, Errors, Predicted, Split, SplitName, missing_column
from perception.errors import UsageError
from perception.files import read_arrays
from perception.forecasting.track_dataset import Grid
from perception.taxonomy import CLASSES

_CAR_ID = 99
_RATE_FPS = 2.0
_HISTORY, _HORIZON = 5, 12
_HELD_OUT = 8
"""Every so many-th training scene is for choosing."""
_MISSED_M = 2.0
_LABELS = np.full(256, CLASSES.index("car"))
_LABELS[[1, 2]] = CLASSES.index("truck"), CLASSES.index("bus")


def read(path: Path, split: SplitName, fold: str = "") -> Split:
    """Raises ``UsageError`` when the file is missing or not of this kind."""
    columns = read_arrays(path, "nuScenes' prediction tracks")
    try:
        scenes, frames, ids = (columns[name].astype(int) for name in ("scene", "frame", "id"))
        positions_m = columns["xy_mm"] * 1e-3
        yaws_rad = columns["yaw_mrad10"] * 1e-4
        is_test = columns["split"] == 1
        numbers = np.array([int(name) for name in np.char.rpartition(columns["scenes"], "-")[:, 2]])[scenes]
        held_out = ~is_test & (numbers % _HELD_OUT == 0)
        wanted = {"train": ~is_test & ~held_out, "val": held_out, "test": is_test}[split]
        is_target = (columns["flag"] == 1) & (ids != _CAR_ID)
        instants = scenes * 256 + frames
        cars = np.full((len(ids), 3), np.nan)
        is_car = np.flatnonzero(ids == _CAR_ID)
        is_car = is_car[np.argsort(instants[is_car], kind="stable")]
        if len(is_car):
            found = np.minimum(np.searchsorted(instants[is_car], instants), len(is_car) - 1)
            has_car = instants[is_car][found] == instants
            cars[has_car] = np.column_stack([positions_m, yaws_rad])[is_car[found[has_car]]]
        rows = GroundRows(
            objects=scenes * 256 + ids,
            steps=frames,
            instants=instants,
            positions_m=positions_m,
            labels=_LABELS[columns["cls"]],
            sizes_m=columns["size_mm"] * 1e-3,
            rate_fps=_RATE_FPS,
            yaws_rad=yaws_rad,
            cars=cars,
        )
    except ValueError as error:
        raise UsageError(f"{path}: names scenes in another way than nuScenes does ({error}).") from error
    except KeyError as error:
        raise missing_column(path, "nuScenes' prediction tracks", error) from error
    part = np.flatnonzero(wanted)
    tracks, order = track_set(rows[part], _HORIZON)
    source = part[order]
    if split == "train":  # those that stand and the recording car teach, too
        ends = np.arange(len(source))
        ends = ends[tracks.truth_ends[ends] - ends > _HORIZON // 2]
    else:
        ends = np.flatnonzero(is_target[source])
    return Split(tracks, ends, _HISTORY, scenes[source][ends], np.ones((len(ends), 2)))


def errors(predicted: Predicted, actual: FloatArray) -> Errors:
    """By figure, metres per target; the one output is the mean over the futures."""
    distances = distances_m(predicted, actual)
    by_probability = np.argsort(-predicted.probabilities, axis=1, kind="stable")
    distances = np.take_along_axis(distances, by_probability[..., None], axis=1)
    one = one_output_m(predicted, actual)
    figures: dict[str, FloatArray] = {"ADE one": one.mean(axis=1), "FDE one": one[:, -1]}
    for count in (1, 5, 10):
        likely = distances[:, :count]
        figures[f"minADE_{count}"] = likely.mean(axis=2).min(axis=1)
        figures[f"minFDE_{count}"] = likely[..., -1].min(axis=1)
        figures[f"MissRate_2_{count}"] = (likely.max(axis=2) >= _MISSED_M).all(axis=1).astype(float)
    return figures


NUSCENES = Benchmark(
    name="nuscenes",
    title="nuScenes prediction, vehicles, no map",
    unit="m",
    reference_frame="ground",
    grid=Grid(_RATE_FPS, tuple(range(1, _HORIZON + 1))),
    group="scene",
    read=read,
    errors=errors,
    chosen_by=("minADE_5", "minADE_10", "minFDE_1"),
    published={
        "CoverNet (map, from memory)": {"minADE_5": 1.96, "minADE_10": 1.48},
        "Trajectron++ (map)": {"minADE_5": 1.877},
        "AgentFormer (map)": {"minADE_5": 1.856, "minADE_10": 1.452},
        "P2T (map)": {"minADE_5": 1.45},
    },
)
