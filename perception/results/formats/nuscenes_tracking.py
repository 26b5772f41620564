"""The JSON of nuScenes' tracking challenge: ``results`` with a list of boxes in the world for each sample.

A box has ``sample_token``, ``translation`` (x, y, z of its centre), ``size`` (width, length, height), ``rotation`` (a
quaternion w, x, y, z), ``velocity`` (x, y), ``tracking_id``, ``tracking_name`` and ``tracking_score``. Caesar et al.,
"nuScenes: A multimodal dataset for autonomous driving", CVPR 2020.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from perception.arrays import FloatArray
from perception.errors import UsageError, counted
from perception.files import read_json, write_json
from perception.results.formats.pictures import PictureIndex, SampleNames
from perception.results.formats.predictions import Predictions, labels_of_names
from perception.results.formats.text_rows import json_start
from perception.taxonomy import CLASSES
from perception.types import ObjectTable

MOST_BOXES = 500
"""In one sample, as the challenge allows."""

_NUMBERS = {"translation": 3, "size": 3, "rotation": 4, "velocity": 2, "tracking_score": 1}
_CENTRE, _SIZE, _ROTATION, _VELOCITY, _SCORE = slice(0, 3), slice(3, 6), slice(6, 10), slice(10, 12), 12
_WIDTH = sum(_NUMBERS.values())
_LONGEST_QUATERNION = 1.1


def is_nuscenes_tracking(path: Path) -> bool:
    """Whether a file begins as results of tracking."""
    start = json_start(path)
    return start.startswith("{") and '"results":{' in start and ('"tracking_id":' in start or '"results":{}' in start)


def read_nuscenes_tracking(path: Path, pictures: Sequence[PictureIndex]) -> list[Predictions]:
    """The tracks in the world of each of the recordings ``pictures``.

    Raises ``UsageError`` naming sample and box, for tokens of samples that no recording of the data set has, and where
    no box is of one of ``pictures``.
    """
    content = read_json(path)
    results = content.get("results") if isinstance(content, dict) else None
    if not isinstance(results, dict):
        raise UsageError(f"{path}: has no `results` with a list of boxes for each sample; write it again.")
    names = [one.samples for one in pictures]
    if any(one is None for one in names):
        raise UsageError(f"{path}: names samples of nuScenes, which {pictures[0].name} does not have; give nuScenes.")
    known = [one for one in names if one is not None]
    lost = next((token for token in results if known and token not in known[0].known), None)
    if lost is not None:
        raise UsageError(f"{path}: the sample {lost} is not in the tables of the truth; give the two together.")
    found = [_tracks(path, results, one) for one in known]
    if results and any(results.values()) and not any(len(objects) for objects, _ in found):
        raise UsageError(f"{path}: none of its boxes is of a sample of the truth; give the two together.")
    return [Predictions(objects=objects, notes=notes) for objects, notes in found]


def write_nuscenes_tracking(
    path: Path, parts: Sequence[tuple[ObjectTable, SampleNames]], *, is_truth: bool = False
) -> None:
    """Write the tracks of several recordings at the times of their samples; samples without any are empty.

    Those of a truth are called by the tokens of their instances.
    """
    used = {f"use_{sensor}": sensor == "camera" for sensor in ("camera", "lidar", "radar", "map", "external")}
    results = {}
    for objects, samples in parts:
        results.update(_results(objects, samples, samples.instances if is_truth else {}))
    write_json(path, {"meta": used, "results": results})


def _results(objects: ObjectTable, samples: SampleNames, names: Mapping[int, str]) -> dict[str, list[dict[str, Any]]]:
    """The boxes by the token of the sample, in the world of the data set; tracks at other times are left out."""
    turn, shift = samples.data_from_world[:3, :3], samples.data_from_world[:3, 3]
    centres = objects.centres_m @ turn.T + shift
    directions = np.column_stack([np.cos(objects.yaws_rad), np.sin(objects.yaws_rad), np.zeros(len(objects))])
    velocities = (directions * objects.speeds_mps[:, None]) @ turn.T
    rotations = Rotation.from_matrix(turn) * Rotation.from_euler("z", objects.yaws_rad[:, None])
    quaternions = rotations.as_quat().reshape(-1, 4)[:, [3, 0, 1, 2]]
    token_of = {time_ns: token for token, time_ns in samples.times_ns.items()}
    results: dict[str, list[dict[str, Any]]] = {token: [] for token in samples.times_ns}
    for row, time_ns in enumerate(objects.timestamps_ns.tolist()):
        token = token_of.get(time_ns)
        if token is None:
            continue
        results[token].append(
            {
                "sample_token": token,
                "translation": np.round(centres[row], 4).tolist(),
                "size": np.round(objects.sizes_lwh_m[row, [1, 0, 2]], 4).tolist(),
                "rotation": np.round(quaternions[row], 8).tolist(),
                "velocity": np.round(velocities[row, :2], 4).tolist(),
                "tracking_id": names.get(int(objects.ids[row]), str(objects.ids[row])),
                "tracking_name": CLASSES[int(objects.labels[row])],
                "tracking_score": round(float(objects.scores[row]), 6),
            }
        )
    return results


def _tracks(path: Path, results: Mapping[str, Any], samples: SampleNames) -> tuple[ObjectTable, tuple[str, ...]]:
    """The boxes at the samples of one recording, in its world."""
    rows, names, ids, times_ns = [], [], [], []
    for token, time_ns in samples.times_ns.items():
        boxes = results.get(token, [])
        if not isinstance(boxes, list) or len(boxes) > MOST_BOXES:
            raise UsageError(f"{path}: sample {token} has no list of at most {MOST_BOXES} boxes; correct it.")
        of_sample = [_box(path, token, number, box) for number, box in enumerate(boxes)]
        twice = [one for one, count in Counter(name for _, name, _ in of_sample).items() if count > 1]
        if twice:
            raise UsageError(f"{path}: sample {token} has the tracking_id {twice[0]} twice; give each track its own.")
        rows += [numbers for numbers, _, _ in of_sample]
        ids += [identity for _, identity, _ in of_sample]
        names += [name for _, _, name in of_sample]
        times_ns += [time_ns] * len(of_sample)
    labels, others = labels_of_names(names)
    keep = labels >= 0
    notes: tuple[str, ...] = ()
    if others:
        listed = ", ".join(f"{number:,} {name}" for name, number in others.most_common())
        notes = (f"{path}: boxes of classes that are no road users here were left out: {listed}.",)
    numbers = np.array(rows, np.float64).reshape(-1, _WIDTH)[keep]
    tracks = {identity: number for number, identity in enumerate(dict.fromkeys(ids))}
    table = _table(numbers, samples)
    return (
        ObjectTable(
            timestamps_ns=np.array(times_ns, np.int64)[keep],
            ids=np.array([tracks[identity] for identity in ids], np.int64)[keep],
            labels=labels[keep],
            scores=numbers[:, _SCORE],
            **table,
        ),
        notes,
    )


def _table(numbers: FloatArray, samples: SampleNames) -> dict[str, FloatArray]:
    """Centres, sizes, yaws and speeds in the world of the recording."""
    world_from_data = np.linalg.inv(samples.data_from_world)
    turn, shift = world_from_data[:3, :3], world_from_data[:3, 3]
    if not len(numbers):
        none = np.zeros(0)
        return {
            "centres_m": np.zeros((0, 3)),
            "sizes_lwh_m": np.zeros((0, 3)),
            "yaws_rad": none,
            "speeds_mps": none,
        }
    fronts = Rotation.from_quat(numbers[:, _ROTATION][:, [1, 2, 3, 0]]).as_matrix()[:, :, 0] @ turn.T
    return {
        "centres_m": numbers[:, _CENTRE] @ turn.T + shift,
        "sizes_lwh_m": numbers[:, _SIZE][:, [1, 0, 2]],
        "yaws_rad": np.arctan2(fronts[:, 1], fronts[:, 0]),
        "speeds_mps": np.linalg.norm(numbers[:, _VELOCITY], axis=1),
    }


def _box(path: Path, token: str, number: int, box: Any) -> tuple[list[float], str, str]:
    """The numbers, the identity and the class of a box. Raises ``UsageError`` for what cannot be."""
    where = f"{path}, sample {token}, box {number}"
    keys = (*_NUMBERS, "tracking_id", "tracking_name")
    missing = [key for key in keys if not isinstance(box, dict) or key not in box]
    if missing:
        raise UsageError(f"{where}: has no {missing[0]}; give {', '.join(keys)}.")
    if box.get("sample_token", token) != token:
        raise UsageError(f"{where}: states another sample_token, {box['sample_token']}; correct one of the two.")
    numbers: list[float] = []
    for key, width in _NUMBERS.items():
        try:
            values = np.array(box[key], np.float64).reshape(-1)
        except (TypeError, ValueError):
            values = np.zeros(0)
        # Who does not know a velocity writes NaN there, as the devkit does.
        values = np.nan_to_num(values) if key == "velocity" else values
        if len(values) != width or not np.isfinite(values).all():
            raise UsageError(f"{where}: {key} is not {counted(width, 'finite number')}; correct it.")
        numbers += values.tolist()
    if min(numbers[_SIZE]) <= 0:
        raise UsageError(f"{where}: size must be positive: width, length, height in metres.")
    length = float(np.linalg.norm(numbers[_ROTATION]))
    if not 1 / _LONGEST_QUATERNION < length < _LONGEST_QUATERNION:
        raise UsageError(f"{where}: rotation has the length {length:.3g}; give a unit quaternion w, x, y, z.")
    if not 0 <= numbers[_SCORE] <= 1:
        raise UsageError(f"{where}: tracking_score is {numbers[_SCORE]:g}; give one from 0 to 1.")
    return numbers, str(box["tracking_id"]), str(box["tracking_name"])
