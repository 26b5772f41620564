"""nuScenes' prediction challenge from the metadata of the trainval set, without images and laser points.

The folder holds ``v1.0-trainval/*.json`` and, from the map expansion, ``maps/prediction/prediction_scenes.json``.
Caesar et al., "nuScenes: A multimodal dataset for autonomous driving", CVPR 2020. Which rows there are follows
AgentFormer (Yuan et al., ICCV 2021): each target with up to 3 annotations before and 12 after it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from perception.arrays import FloatArray
from perception.benchmarks.conversion.nuscenes_tables import Tables
from perception.benchmarks.conversion.readers import Advance, Converted, checked_folder, whole_numbers
from perception.errors import UsageError, counted
from perception.files import read_json

_VERSION = "v1.0-trainval"
_TARGETS = "maps/prediction/prediction_scenes.json"
_TABLES = ("scene", "sample", "category", "instance", "sample_annotation", "sample_data", "ego_pose")
_BEFORE, _AFTER = 3, 12
_CAR_ID, _CAR_CLASS, _CAR_SIZE_M = 99, 255, (1.730, 4.084)
_CLASSES = {"car": 0, "truck": 1, "bus": 2, "construction": 3, "emergency": 4}
_FIRST_TRAINING_SCENE = 301
"""The challenge trains on the last 500 of the 700 training scenes; those before are for choosing, and unused here."""

_VALIDATION_SCENES = (
    (3, 3), (12, 18), (35, 36), (38, 39), (92, 110), (221, 221), (268, 278), (329, 332), (344, 346), (519, 524),
    (552, 565), (625, 627), (629, 630), (632, 638), (770, 771), (775, 775), (777, 778), (780, 784), (794, 800),
    (802, 802), (904, 917), (919, 931), (962, 963), (966, 969), (971, 972), (1059, 1073),
)  # fmt: skip
"""First and last numbers of nuScenes' official validation split, which its tables do not hold."""

Target = tuple[str, str]
"""Tokens of an instance and a sample."""

Pose = tuple[list[float], list[float]]
"""A position in metres and a quaternion w, x, y, z."""


class _Annotation(NamedTuple):
    """A row of ``sample_annotation``; ``order`` is its position in the table, the size is width, length, height."""

    order: int
    token: str
    instance: str
    sample: str
    before: str
    after: str
    position_m: list[float]
    rotation_wxyz: list[float]
    size_m: list[float]


class _Row(NamedTuple):
    """A row of the file; of the size the first two numbers count, width and length."""

    scene: int
    split: int
    frame: int
    id: int
    label: int
    position_m: list[float]
    rotation_wxyz: list[float]
    size_m: Sequence[float]
    is_target: bool


def convert_nuscenes(source: Path, advance: Advance) -> Converted:
    """Rows by scene and frame: the recording car (id 99) where the laser's key frame is, then the annotations.

    Ids are the order of the instances' tokens in a scene; positions in mm, yaws in 0.1 mrad, width and length in mm.
    Raises ``UsageError`` naming what is missing or broken.
    """
    folder = checked_folder(source, "nuScenes", _VERSION, _TARGETS)
    targets = _targets(folder / _TARGETS)
    tables = Tables(folder / _VERSION, _TABLES, advance)
    samples = _samples(tables, folder / _VERSION, targets)
    wanted = {instance for pairs in targets.values() for instance, _ in pairs}
    labels = _labels(tables, wanted)
    annotations = _annotations(tables, wanted)
    by_target = {(one.instance, one.sample): one for one in annotations.values()}
    kept = {name: _around(annotations, by_target, pairs, folder / _VERSION) for name, pairs in targets.items()}
    _check_samples(folder / _VERSION, samples, kept)
    poses = _poses(tables, folder / _VERSION, {one.sample for ones in kept.values() for one in ones})
    rows: list[_Row] = []
    for number, (name, pairs) in enumerate(targets.items()):
        split = _split_of(name) or 0
        rows.extend(_scene_rows(number, split, kept[name], set(pairs), samples[name], labels, poses))
    counts = np.bincount([row.split for row in rows if row.is_target], minlength=2)
    note = (
        f"{counted(len(targets), 'scene')}, {counted(counts[0], 'target')} to learn from and "
        f"{counts[1]:,} to be tested on."
    )
    return Converted(_columns(rows, list(targets), folder / _VERSION), (note,))


def _split_of(name: str) -> int | None:
    """0 train, 1 val; None for scenes that the challenge uses in another way."""
    number = int(name.rpartition("-")[2])
    if any(first <= number <= last for first, last in _VALIDATION_SCENES):
        return 1
    return 0 if number >= _FIRST_TRAINING_SCENE else None


def _targets(path: Path) -> dict[str, list[Target]]:
    """Of each scene that has any: scenes to learn from, then those to be tested on, by name."""
    content = read_json(path)
    try:
        splits = {name: _split_of(name) for name, found in content.items() if found}
        order = sorted((split, name) for name, split in splits.items() if split is not None)
        targets: dict[str, list[Target]] = {}
        for _, name in order:
            pairs = [text.split("_") for text in content[name]]
            targets[name] = [(instance, sample) for instance, sample in pairs]
    except (AttributeError, TypeError, ValueError) as error:
        raise UsageError(f"{path}: does not list instance_sample by scene ({error}); download it again.") from error
    if not targets:
        raise UsageError(f"{path}: has no targets; download nuScenes' map expansion again.")
    return targets


def _samples(tables: Tables, folder: Path, names: Iterable[str]) -> dict[str, list[str]]:
    """The samples of each scene in time."""
    tokens = {name: token for token, name in tables.rows("scene", "token", "name")}
    if missing := [name for name in names if name not in tokens]:
        raise UsageError(f"{folder / 'scene.json'}: has no {missing[0]}; download the metadata of the trainval set.")
    found: defaultdict[str, list[tuple[int, str]]] = defaultdict(list)
    for token, scene, timestamp_us in tables.rows("sample", "token", "scene_token", "timestamp"):
        found[scene].append((timestamp_us, token))
    return {name: [token for _, token in sorted(found[tokens[name]])] for name in names}


def _check_samples(folder: Path, samples: Mapping[str, list[str]], kept: Mapping[str, list[_Annotation]]) -> None:
    for name, ones in kept.items():
        if missing := {one.sample for one in ones} - set(samples[name]):
            raise UsageError(
                f"{folder / 'sample.json'}: lacks sample {min(missing)} of {name}; download the metadata of the "
                "trainval set."
            )


def _labels(tables: Tables, wanted: set[str]) -> dict[str, int]:
    """The class of each of the ``wanted`` instances."""
    names = dict(tables.rows("category", "token", "name"))
    labels: dict[str, int] = {}
    for token, category in tables.rows("instance", "token", "category_token"):
        if token in wanted:
            words = names.get(category, "").split(".")
            label = next((label for word, label in _CLASSES.items() if word in words), None)
            if label is None:
                raise UsageError(
                    f"instance.json, {token}: is of category {'.'.join(words) or category}, which no target is of; "
                    "download the metadata again."
                )
            labels[token] = label
    if missing := wanted - labels.keys():
        raise UsageError(f"instance.json: has no {min(missing)}; download the metadata of the trainval set.")
    return labels


def _annotations(tables: Tables, wanted: set[str]) -> dict[str, _Annotation]:
    """By token, those of the ``wanted`` instances."""
    fields = ("token", "instance_token", "sample_token", "prev", "next", "translation", "rotation", "size")
    return {
        row[0]: _Annotation(order, *row)
        for order, row in enumerate(tables.rows("sample_annotation", *fields))
        if row[1] in wanted
    }


def _around(
    annotations: Mapping[str, _Annotation],
    by_target: Mapping[Target, _Annotation],
    targets: Iterable[Target],
    folder: Path,
) -> list[_Annotation]:
    """The annotations of the targets, those shortly before and those after, in the order of the table."""
    kept: set[str] = set()
    for target in targets:
        if target not in by_target:
            raise UsageError(
                f"{folder / 'sample_annotation.json'}: lacks instance {target[0]} in sample {target[1]}; download the "
                "metadata of the trainval set."
            )
        current = by_target[target]
        kept.update(_chain(annotations, current, "before", _BEFORE))
        kept.update(_chain(annotations, current, "after", _AFTER))
    return sorted((annotations[token] for token in kept), key=lambda one: one.order)


def _chain(annotations: Mapping[str, _Annotation], current: _Annotation, way: str, count: int) -> Iterator[str]:
    """Tokens of the annotation and of up to ``count`` more of the instance, "before" or "after" it."""
    found: _Annotation | None = current
    for _ in range(count + 1):
        if found is None:
            return
        yield found.token
        found = annotations.get(getattr(found, way))


def _poses(tables: Tables, folder: Path, samples: set[str]) -> dict[str, Pose]:
    """The recording car's poses at the laser's key frames."""
    sample_of: dict[str, str] = {}
    for sample, pose, is_key_frame, name in tables.rows(
        "sample_data", "sample_token", "ego_pose_token", "is_key_frame", "filename"
    ):
        if is_key_frame and sample in samples and "LIDAR_TOP" in name:
            sample_of[pose] = sample
    poses: dict[str, Pose] = {}
    for token, translation, rotation in tables.rows("ego_pose", "token", "translation", "rotation"):
        if token in sample_of:
            poses[sample_of[token]] = (translation, rotation)
    if missing := samples - poses.keys():
        raise UsageError(
            f"{folder}: sample_data.json and ego_pose.json have no pose of the laser's key frame of sample "
            f"{min(missing)}; download the metadata of the trainval set."
        )
    return poses


def _scene_rows(
    number: int,
    split: int,
    annotations: list[_Annotation],
    targets: set[Target],
    samples: list[str],
    labels: Mapping[str, int],
    poses: Mapping[str, Pose],
) -> Iterator[_Row]:
    """Rows of one scene; its frames count all samples from the first one that is kept on."""
    of_sample: defaultdict[str, list[_Annotation]] = defaultdict(list)
    for one in annotations:
        of_sample[one.sample].append(one)
    ids = {instance: rank for rank, instance in enumerate(sorted({one.instance for one in annotations}))}
    first = next(index for index, sample in enumerate(samples) if sample in of_sample)
    for frame, sample in enumerate(samples[first:]):
        if sample not in of_sample:
            continue
        yield _Row(number, split, frame, _CAR_ID, _CAR_CLASS, *poses[sample], _CAR_SIZE_M, False)
        for one in of_sample[sample]:
            yield _Row(
                number,
                split,
                frame,
                ids[one.instance],
                labels[one.instance],
                one.position_m,
                one.rotation_wxyz,
                one.size_m,
                (one.instance, sample) in targets,
            )


def _columns(rows: list[_Row], scenes: list[str], folder: Path) -> dict[str, NDArray[np.generic]]:
    try:
        positions_m = np.array([row.position_m[:2] for row in rows], float).reshape(-1, 2)
        yaws_rad = _yaws_rad(np.array([row.rotation_wxyz for row in rows], float).reshape(-1, 4))
        sizes_m = np.array([row.size_m[:2] for row in rows], float).reshape(-1, 2)
    except (TypeError, ValueError) as error:
        raise UsageError(
            f"{folder}: sample_annotation.json or ego_pose.json holds a translation, rotation or size that is no list "
            f"of numbers ({error}); download the metadata again."
        ) from error
    return {
        "scenes": np.array(scenes),
        "scene": np.array([row.scene for row in rows], np.int16),
        "split": np.array([row.split for row in rows], np.uint8),
        "frame": np.array([row.frame for row in rows], np.uint8),
        "id": np.array([row.id for row in rows], np.uint8),
        "cls": np.array([row.label for row in rows], np.uint8),
        "xy_mm": whole_numbers(positions_m * 1e3, np.int32, folder),
        "yaw_mrad10": whole_numbers(yaws_rad * 1e4, np.int16, folder),
        "size_mm": whole_numbers(sizes_m * 1e3, np.int16, folder),
        "flag": np.array([row.is_target for row in rows], np.uint8),
    }


def _yaws_rad(rotations_wxyz: FloatArray) -> FloatArray:
    """(M,), from -pi to pi, of quaternions (M, 4)."""
    w, x, y, z = rotations_wxyz.T
    yaws_rad: FloatArray = np.arctan2(2 * (w * z + x * y), 1 - 2 * (y**2 + z**2))
    return yaws_rad
