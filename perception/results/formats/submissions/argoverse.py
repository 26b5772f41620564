"""The Parquet file of Argoverse 2's motion forecasting challenge: a row for each predicted path, with ``scenario_id``,
``track_id``, ``probability``, and the lists ``predicted_trajectory_x`` and ``..._y`` of 60 positions at 10 per second.

Wilson et al., "Argoverse 2: Next Generation Datasets for Self-Driving Perception and Forecasting", NeurIPS 2021.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from perception.errors import UsageError
from perception.results.formats.submissions.submission import Submission, check_submission, padded
from perception.tables.parquet import column_names, read_parquet, write_parquet

STEPS, DT_S = 60, 0.1

_NAMES = ("scenario_id", "track_id", "probability", "predicted_trajectory_x", "predicted_trajectory_y")


def is_argoverse_submission(path: Path) -> bool:
    """Whether a file is Parquet with the columns of predictions."""
    return {*_NAMES[:2], _NAMES[3]} <= set(column_names(path))


def read_argoverse_submission(path: Path) -> Submission:
    """All predictions. Raises ``UsageError`` naming the row, from 1, or the track that is wrong."""
    table = read_parquet(path, _NAMES)
    if not table.count:
        raise UsageError(f"{path}: holds no prediction; give a row for each predicted path.")
    scenes, objects, chances = table.texts(_NAMES[0]), table.texts(_NAMES[1]), table.numbers(_NAMES[2])
    axes = []
    for name in _NAMES[3:]:
        values, lengths = table.lists(name)
        table.reject(lengths != STEPS, name, f"expected {STEPS} positions, {DT_S:g} s apart")
        axes.append(values.reshape(-1, STEPS))
    keys, first, rows = np.unique(np.stack([scenes, objects], axis=1), axis=0, return_index=True, return_inverse=True)
    # In the order of the file, as all else that is said of it.
    place = np.argsort(np.argsort(first))
    rows, order = place[rows.reshape(-1)], np.argsort(first)
    counts = np.bincount(rows, minlength=len(keys))
    by_object = np.argsort(rows, kind="stable")
    ranks = np.empty(len(rows), np.int64)
    ranks[by_object] = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    probabilities, positions_m = padded(rows, ranks, chances, np.stack(axes, axis=-1), counts)
    found = Submission(
        scenes=keys[order, 0],
        objects=keys[order, 1],
        mode_counts=counts,
        probabilities=probabilities,
        positions_m=positions_m,
        dt_s=DT_S,
        protocol="argoverse",
    )
    check_submission(
        found,
        lambda row: f"{path}: the prediction of track {found.objects[row]} in scenario {found.scenes[row]}",
        must_sum_to_one=True,
    )
    return found


def write_argoverse_submission(path: Path, found: Submission) -> None:
    """Write the predictions as the challenge takes them. Raises ``UsageError`` without the extra."""
    rows, ranks = np.nonzero(np.arange(found.probabilities.shape[1]) < found.mode_counts[:, None])
    paths = found.positions_m[rows, ranks]
    columns = (
        found.scenes[rows].tolist(),
        found.objects[rows].tolist(),
        found.probabilities[rows, ranks].astype(np.float64),
        paths[..., 0].tolist(),
        paths[..., 1].tolist(),
    )
    write_parquet(path, dict(zip(_NAMES, columns, strict=True)))
