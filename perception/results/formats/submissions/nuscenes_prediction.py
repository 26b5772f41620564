"""The JSON of nuScenes' prediction challenge: a list with an ``instance``, a ``sample``, ``prediction``
[modes][12][2] in metres on the map, at 2 per second, and ``probabilities`` [modes] in each entry.

Caesar et al., "nuScenes: A multimodal dataset for autonomous driving", CVPR 2020.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from perception.arrays import FloatArray
from perception.errors import UsageError
from perception.files import read_json, write_json
from perception.results.formats.submissions.submission import (
    Submission,
    check_submission,
    padded,
    sum_notes,
    text_array,
)
from perception.results.formats.text_rows import json_start

STEPS, DT_S = 12, 0.5
MOST_MODES = 25

_KEYS = ("instance", "sample", "prediction", "probabilities")


def is_nuscenes_prediction(path: Path) -> bool:
    """Whether a file begins as a list of predictions of instances at samples."""
    start = json_start(path)
    return start.startswith("[{") and all(f'"{key}":' in start for key in (*_KEYS[:2], _KEYS[2]))


def read_nuscenes_prediction(path: Path) -> Submission:
    """All predictions. Raises ``UsageError`` naming the entry, from 0, that is wrong."""
    entries = read_json(path)
    if not isinstance(entries, list) or not entries:
        raise UsageError(f"{path}: holds no list of predictions; give entries with {', '.join(_KEYS)}.")
    paths = [_paths(path, number, entry) for number, entry in enumerate(entries)]
    counts = np.array([len(one) for one, _ in paths], np.int64)
    probabilities, positions_m = padded(
        np.repeat(np.arange(len(entries)), counts),
        np.concatenate([np.arange(count) for count in counts]),
        np.concatenate([chances for _, chances in paths]),
        np.concatenate([one for one, _ in paths]),
        counts,
    )
    found = Submission(
        scenes=text_array([entry["sample"] for entry in entries]),
        objects=text_array([entry["instance"] for entry in entries]),
        mode_counts=counts,
        probabilities=probabilities,
        positions_m=positions_m,
        dt_s=DT_S,
        protocol="nuscenes",
    )
    check_submission(found, lambda row: f"{path}, entry {row}:", must_sum_to_one=False)
    return replace(found, notes=sum_notes(path, found))


def write_nuscenes_prediction(path: Path, found: Submission) -> None:
    """Write the predictions as the challenge takes them."""
    rows = zip(found.scenes.tolist(), found.objects.tolist(), found.mode_counts.tolist(), strict=True)
    write_json(
        path,
        [
            {
                "instance": instance,
                "sample": sample,
                "prediction": np.round(found.positions_m[row, :count], 6).tolist(),
                "probabilities": found.probabilities[row, :count].tolist(),
            }
            for row, (sample, instance, count) in enumerate(rows)
        ],
    )


def _paths(path: Path, number: int, entry: Any) -> tuple[FloatArray, FloatArray]:
    """Positions (modes, 12, 2) and probabilities (modes,) of an entry."""
    where = f"{path}, entry {number}"
    if not isinstance(entry, dict) or not all(key in entry for key in _KEYS):
        raise UsageError(f"{where}: expected {', '.join(_KEYS)}; correct the file.")
    if not all(isinstance(entry[key], str) for key in _KEYS[:2]):
        raise UsageError(f"{where}: instance and sample are no tokens; give them as text.")
    try:
        positions = np.array(entry["prediction"], np.float64)
        probabilities = np.array(entry["probabilities"], np.float64)
    except (TypeError, ValueError):
        raise UsageError(f"{where}: prediction or probabilities are no regular lists of numbers; correct it.") from None
    if positions.ndim != 3 or positions.shape[1:] != (STEPS, 2):
        raise UsageError(
            f"{where}: prediction has the shape {list(positions.shape)}; give modes of {STEPS} points, x and y, "
            f"{DT_S:g} s apart."
        )
    if probabilities.shape != positions.shape[:1]:
        raise UsageError(f"{where}: has {len(positions)} modes and {probabilities.size} probabilities; give one each.")
    if not 1 <= len(positions) <= MOST_MODES:
        raise UsageError(f"{where}: has {len(positions)} modes; give 1 to {MOST_MODES}.")
    if not (np.isfinite(positions).all() and np.isfinite(probabilities).all()):
        raise UsageError(f"{where}: a number is not finite; correct it.")
    return positions, probabilities
