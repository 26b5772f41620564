"""ETH/UCY: pedestrians seen from above (Pellegrini et al. 2009, Lerner et al. 2007), one scene left out at a time.

8 positions seen, 12 predicted, 0.4 s apart; windows of pedestrians who are there in all 20 instants, one per start.
The best of 20 futures is taken per pedestrian. The last part of each training scene is for choosing.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from perception.arrays import FloatArray
from perception.benchmarks.ground_tracks import GroundRows, best_of, distances_m, one_output_m, track_set
from perception.benchmarks.split import Benchmark, Errors, Predicted, Split, SplitName, missing_column
from perception.files import read_arrays
from perception.forecasting.track_dataset import Grid
from perception.taxonomy import PEDESTRIAN_LABEL

_RATE_FPS = 2.5
_FRAMES_PER_STEP = 10
_FRAMES_PER_SCENE = 100_000
_OBSERVED, _HORIZON = 8, 12
_TESTED: Mapping[str, tuple[str, ...]] = {
    "eth": ("biwi_eth",),
    "hotel": ("biwi_hotel",),
    "univ": ("students001", "students003"),
    "zara1": ("crowds_zara01",),
    "zara2": ("crowds_zara02",),
}
_SCENES = (
    "biwi_eth", "biwi_hotel", "crowds_zara01", "crowds_zara02", "crowds_zara03", "students001", "students003",
    "uni_examples",
)  # fmt: skip
_PERSON_SIZE_M = (0.5, 1.7)


def read(path: Path, split: SplitName, fold: str) -> Split:
    """The windows of ``fold``: its own scene for "test", parts of the others for "train" and "val".

    Raises ``UsageError`` when the file is missing or not of this kind.
    """
    columns = read_arrays(path, "ETH/UCY's tracks")
    names = _TESTED[fold] if split == "test" else tuple(name for name in _SCENES if name not in _TESTED[fold])
    try:
        parts = [_rows(columns, name, index, split) for index, name in enumerate(names)]
    except KeyError as error:
        raise missing_column(path, "ETH/UCY's tracks", error) from error
    joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    count = len(joined["objects"])
    rows = GroundRows(
        **joined,
        labels=np.full(count, PEDESTRIAN_LABEL),
        sizes_m=np.tile(_PERSON_SIZE_M, (count, 1)),
        rate_fps=_RATE_FPS,
    )
    tracks, _ = track_set(rows, _HORIZON)
    ahead = tracks.truth_ends - 1 - np.arange(count)
    if split == "train":  # any past of two positions or more teaches, and half of the future
        ends = np.flatnonzero((tracks.rows_before >= 1) & (ahead >= _HORIZON // 2))
    else:
        ends = np.flatnonzero((tracks.rows_before >= _OBSERVED - 1) & (ahead >= _HORIZON))
    instants = tracks.instants[ends]
    # Windows of one time overlap: those that begin within the length of one are drawn together.
    groups = instants // (_FRAMES_PER_STEP * (_OBSERVED + _HORIZON))
    return Split(tracks, ends, _OBSERVED, groups, np.ones((len(ends), 2)), scenes=instants // _FRAMES_PER_SCENE)


def _rows(columns: Mapping[str, FloatArray], name: str, index: int, split: SplitName) -> dict[str, FloatArray]:
    frames, ids = columns[f"{name}_frame"].astype(int), columns[f"{name}_id"].astype(int)
    later = frames >= int(columns[f"{name}_val_from"])
    part = np.flatnonzero({"train": ~later, "val": later, "test": np.ones(len(frames), bool)}[split])
    return {
        "objects": index * _FRAMES_PER_SCENE + ids[part],
        "steps": frames[part] // _FRAMES_PER_STEP,
        "instants": index * _FRAMES_PER_SCENE + frames[part],
        "positions_m": columns[f"{name}_xy"][part] * 1e-4,
    }


def errors(predicted: Predicted, actual: FloatArray) -> Errors:
    """By figure, metres per window."""
    one = one_output_m(predicted, actual)
    return {"ADE one": one.mean(axis=1), "FDE one": one[:, -1], **best_of(distances_m(predicted, actual), "best of 20")}


ETHUCY = Benchmark(
    name="ethucy",
    title="ETH/UCY, leave one scene out",
    unit="m",
    reference_frame="ground",
    grid=Grid(_RATE_FPS, tuple(range(1, _HORIZON + 1))),
    group="8 seconds",
    read=read,
    errors=errors,
    chosen_by=("ADE best of 20", "FDE best of 20", "FDE one"),
    folds=tuple(_TESTED),
    published={
        "SGNet, retrained without the leak": {"ADE one": 0.50, "FDE one": 1.04},
        "Trajectron++, corrected": {"ADE best of 20": 0.32, "FDE best of 20": 0.55},
        "SGNet, corrected": {"ADE best of 20": 0.27, "FDE best of 20": 0.47},
        "AgentFormer": {"ADE best of 20": 0.23, "FDE best of 20": 0.39},
    },
)
