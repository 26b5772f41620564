"""KITTI seen from above: vehicles' tracks in metres, by the protocol of MANTRA (Marchetti et al. 2020).

20 positions seen and 40 predicted at 10 Hz; windows start at each step of a track but its last possible one, as in the
published loader. Test drives are fixed; some of the training drives are for choosing.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from perception.arrays import FloatArray
from perception.benchmarks.ground_tracks import GroundRows, one_output_m, track_set
from perception.benchmarks.split import Benchmark, Errors, Predicted, Split, SplitName, missing_column
from perception.files import read_arrays
from perception.forecasting.track_dataset import Grid
from perception.taxonomy import CLASSES, label_of

_RATE_FPS = 10.0
_OBSERVED, _HORIZON = 20, 40
_TEST_DRIVES = (1, 2, 15, 18, 29, 32, 52, 70)
_HELD_OUT_DRIVES = (5, 13, 27, 59)
_TRAM = "Tram"
"""No road user elsewhere; it moves like a bus."""
_SIZE_M = (1.8, 1.5)


def read(path: Path, split: SplitName, fold: str = "") -> Split:
    """Raises ``UsageError`` when the file is missing or not of this kind."""
    columns = read_arrays(path, "KITTI's tracks from above")
    try:
        lengths = np.diff(columns["offset"])
        drives = columns["drive"].astype(int)
        labels = np.array([_label(str(name)) for name in columns["classes"]])[columns["cls"]]
        first_steps, positions_m = columns["start"].astype(int), columns["xy_mm"] * 1e-3
    except KeyError as error:
        raise missing_column(path, "KITTI's tracks from above", error) from error
    is_test, held_out = np.isin(drives, _TEST_DRIVES), np.isin(drives, _HELD_OUT_DRIVES)
    wanted = np.repeat({"train": ~is_test & ~held_out, "val": held_out, "test": is_test}[split], lengths)
    in_track = np.arange(len(positions_m)) - np.repeat(columns["offset"][:-1], lengths)
    steps = in_track + np.repeat(first_steps, lengths)
    part = np.flatnonzero(wanted)
    tracks, order = track_set(
        GroundRows(
            objects=np.repeat(np.arange(len(lengths)), lengths)[part],
            steps=steps[part],
            instants=(np.repeat(drives, lengths) * 10_000 + steps)[part],
            positions_m=positions_m[part],
            labels=np.repeat(labels, lengths)[part],
            sizes_m=np.tile(_SIZE_M, (len(part), 1)),
            rate_fps=_RATE_FPS,
        ),
        _HORIZON,
    )
    ahead = tracks.truth_ends - 1 - np.arange(len(part))
    if split == "train":
        ends = np.flatnonzero((tracks.rows_before >= 1) & (ahead >= _HORIZON // 2))
    else:
        ends = np.flatnonzero((tracks.rows_before >= _OBSERVED - 1) & (ahead > _HORIZON))
    groups = np.repeat(drives, lengths)[part[order]][ends]
    return Split(tracks, ends, _OBSERVED, groups, np.ones((len(ends), 2)))


def errors(predicted: Predicted, actual: FloatArray) -> Errors:
    """By figure, metres per window: of the one output, up to and at 1 to 4 s."""
    one = one_output_m(predicted, actual)
    figures: dict[str, FloatArray] = {}
    for second in (1, 2, 3, 4):
        steps = round(second * _RATE_FPS)
        figures |= {f"ADE {second} s": one[:, :steps].mean(axis=1), f"FDE {second} s": one[:, steps - 1]}
    return figures


KITTI = Benchmark(
    name="kitti",
    title="KITTI from above, one output",
    unit="m",
    reference_frame="ground",
    grid=Grid(_RATE_FPS, tuple(range(1, _HORIZON + 1))),
    group="drive",
    read=read,
    errors=errors,
    chosen_by=("ADE 4 s", "FDE 4 s"),
    published={
        "ridge regression on the past": {"ADE 4 s": 1.48, "FDE 4 s": 4.11},
        "MANTRA, one output (from memory)": {"ADE 4 s": 1.78, "FDE 4 s": 4.83},
    },
)


def _label(name: str) -> int:
    """The label of a class of KITTI's; what is none of ours moves like a car."""
    label = label_of("bus" if name == _TRAM else name)
    return CLASSES.index("car") if label is None else label
