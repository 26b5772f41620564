"""Folders in nuScenes' layout: the key frames of one scene, twice a second, with their annotations.

The folder holds ``samples/`` and one of ``v1.0-mini``, ``v1.0-trainval``, ``v1.0-test`` with the tables as JSON. Caesar
et al., "nuScenes: A multimodal dataset for autonomous driving", CVPR 2020.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from perception.arrays import FloatArray, IntArray
from perception.errors import UsageError
from perception.geometry.cameras import Camera, inverse_rigid, transform_points
from perception.geometry.cuboids import corners_of, frames_around
from perception.safety.regular_files import is_file
from perception.sources.calibration.fields import make_camera
from perception.sources.datasets.frame_sync import (
    Shot,
    from_start,
    note_of_left_out,
    numbered,
    object_table,
    recording_of,
    start_times_ns,
)
from perception.sources.datasets.nuscenes_tables import Row, Tables, open_tables, tables_folder
from perception.sources.files.recording import Recording
from perception.sources.truth.box_truth import BoxTruth
from perception.sources.truth.challenge_truth import SampleTimes
from perception.sources.truth.image_header import check_image_size
from perception.taxonomy import label_of
from perception.types import BoxTable, ObjectTable

# Shares of an object that are seen over all cameras, the middle of the annotators' four bins.
SHARE_OF_VISIBILITY = {"1": 0.2, "2": 0.5, "3": 0.7, "4": 0.9}


def has_nuscenes(folder: Path) -> bool:
    """Whether the folder holds the tables of nuScenes."""
    return tables_folder(folder) is not None


def drives_in(folder: Path) -> list[str]:
    """The names of the scenes. Raises ``UsageError`` naming the table that is wrong."""
    return list(_scenes(open_tables(folder)))


def open_drive(folder: Path, scene: str | None = None, *, needs_images: bool = True) -> Recording:
    """The key frames of a scene by name; of the first one, with a note, when None.

    Where no images are needed, the tables alone are enough. Raises ``UsageError`` naming the table or the scene that is
    missing.
    """
    drive = _read(folder, scene)
    notes = []
    if scene is None and len(drive.scene_names) > 1:
        notes.append(
            f"{folder}: {drive.name} is the first of {len(drive.scene_names)} scenes; for another one give "
            f"{folder}#{drive.scene_names[1]}."
        )
    return recording_of(
        drive.shots,
        listed_in=drive.tables,
        calibration=drive.cameras,
        notes=notes + note_of_left_out(drive.left_out, path=drive.tables),
        name=drive.name,
        unit="microseconds",
        needs_images=needs_images,
    )


def read_objects(folder: Path, scene: str | None = None) -> ObjectTable | None:
    """The annotated objects of a scene, None where there are none. Raises ``UsageError`` as ``open_drive``.

    They were annotated for the time of the laser's sweep, some 40 ms after the earliest image whose time they carry.
    """
    drive = _read(folder, scene)
    annotations = drive.annotations
    if not annotations:
        return None
    starts_ns = start_times_ns(drive.shots)
    return object_table(
        timestamps_ns=np.array([starts_ns[drive.instant_of[one["sample_token"]]] for one in annotations], np.int64),
        ids=numbered([one["instance_token"] for one in annotations]),
        labels=drive.labels,
        world_from_local=np.repeat(drive.world_from_data[None], len(annotations), axis=0),
        centres_local_m=np.array([one["translation"] for one in annotations], float),
        directions_local=_rotations([one["rotation"] for one in annotations])[:, :, 0],
        sizes_lwh_m=_sizes_lwh_m(annotations),
    )


def read_boxes(folder: Path, scene: str | None = None) -> BoxTruth | None:
    """The frames around the annotated 3-D boxes in every camera that they reach, clipped to the image.

    They are wider than boxes drawn around the visible pixels. ``visible_shares`` come from the annotators' four bins.
    None where there are no annotations; raises ``UsageError`` as ``open_drive``, for an instance that is twice in a
    sample, and for an image of another size than the tables state.
    """
    drive = _read(folder, scene)
    annotations = drive.annotations
    if not annotations:
        return None
    _check_instances(drive)
    for shot in drive.shots:
        if is_file(shot.path):
            check_image_size(drive.tables / "sample_data.json", shot.path, drive.cameras[shot.camera].size_px)
    corners_m = corners_of(
        np.array([one["translation"] for one in annotations], float),
        _rotations([one["rotation"] for one in annotations]),
        _sizes_lwh_m(annotations),
    )
    corners_m = transform_points(drive.world_from_data, corners_m)
    instants = np.array([drive.instant_of[one["sample_token"]] for one in annotations])
    shares = np.array([SHARE_OF_VISIBILITY.get(str(one.get("visibility_token")), 1.0) for one in annotations])
    counts: defaultdict[str, int] = defaultdict(int)
    found: list[tuple[IntArray, FloatArray, int, str]] = []
    for shot in sorted(drive.shots, key=lambda shot: shot.instant):
        rows = np.flatnonzero(instants == shot.instant)
        pose = shot.world_from_vehicle
        assert pose is not None, "each image of nuScenes has a pose"
        boxes_xyxy_px = frames_around(
            transform_points(inverse_rigid(pose), corners_m[rows]), drive.cameras[shot.camera]
        )
        is_seen = np.isfinite(boxes_xyxy_px).all(axis=1)
        found.append((rows[is_seen], boxes_xyxy_px[is_seen], counts[shot.camera], shot.camera))
        counts[shot.camera] += 1
    picked = np.concatenate([rows for rows, _, _, _ in found])
    lengths = [len(rows) for rows, _, _, _ in found]
    boxes = BoxTable(
        frame_indices=np.repeat([index for _, _, index, _ in found], lengths),
        ids=numbered([one["instance_token"] for one in annotations])[picked],
        labels=drive.labels[picked],
        scores=np.ones(len(picked)),
        boxes_xyxy_px=np.concatenate([boxes for _, boxes, _, _ in found]),
        cameras=np.repeat(np.array([camera for _, _, _, camera in found], np.str_), lengths),
        visible_shares=shares[picked],
    )
    return BoxTruth(boxes)


def _check_instances(drive: _Scene) -> None:
    known: set[tuple[str, str]] = set()
    for row in drive.annotations:
        key = (row["sample_token"], row["instance_token"])
        if key in known:
            raise UsageError(
                f"{drive.tables / 'sample_annotation.json'}: instance {key[1]} occurs twice in sample {key[0]}; "
                "give each object its own."
            )
        known.add(key)


def _rotations(quaternions_wxyz: list[list[float]]) -> FloatArray:
    numbers = _finite(np.array(quaternions_wxyz, float), "rotation", 4)
    matrices: FloatArray = Rotation.from_quat(numbers[:, [1, 2, 3, 0]]).as_matrix()
    return matrices


def _sizes_lwh_m(annotations: list[Row]) -> FloatArray:
    sizes_wlh_m = _finite(np.array([one["size"] for one in annotations], float), "size", 3)
    if not (sizes_wlh_m > 0).all():
        raise ValueError("size: must be positive")
    return sizes_wlh_m[:, [1, 0, 2]]


def _check_annotations(annotations: list[Row]) -> None:
    """Raise ``KeyError`` or ``ValueError`` for a row without its place, turn or size."""
    if annotations:
        _finite(np.array([one["translation"] for one in annotations], float), "translation", 3)
        _rotations([one["rotation"] for one in annotations])
        _sizes_lwh_m(annotations)


def _finite(numbers: FloatArray, name: str, width: int) -> FloatArray:
    if numbers.ndim != 2 or numbers.shape[1] != width or not np.isfinite(numbers).all():
        raise ValueError(f"{name}: expected {width} finite numbers")
    return numbers


def _transform(row: Row) -> FloatArray:
    matrix = np.eye(4)
    matrix[:3, :3] = _rotations([row["rotation"]])[0]
    matrix[:3, 3] = _finite(np.array([row["translation"]], float), "translation", 3)[0]
    return matrix


@dataclass(frozen=True)
class _Scene:
    """One scene. ``annotations`` are those of our classes, ``labels`` (M,) theirs; ``left_out`` names the others.

    Positions in the rows are in the data's own world; ``world_from_data`` (4, 4) leads to the vehicle's first pose.
    """

    tables: Path
    name: str
    scene_names: list[str]
    shots: list[Shot]
    world_from_data: FloatArray
    cameras: dict[str, Camera]
    instant_of: dict[str, int]
    annotations: list[Row]
    labels: IntArray
    left_out: list[str]


def _read(folder: Path, scene_name: str | None) -> _Scene:
    tables = open_tables(folder)
    try:
        return _read_tables(folder, tables, scene_name)
    except KeyError as error:
        raise do_not_fit(tables, error) from error
    except (TypeError, ValueError, IndexError, AttributeError, OverflowError) as error:
        raise UsageError(
            f"{tables.folder}: a row holds what cannot be right ({error}); copy the tables again."
        ) from error


def do_not_fit(tables: Tables, error: KeyError) -> UsageError:
    """What to raise where a token of one table is in no other."""
    return UsageError(f"{tables.folder}: the tables do not fit together ({error} is missing); copy them again.")


def _scenes(tables: Tables) -> Mapping[str, Row]:
    try:
        return tables.scenes
    except KeyError as error:
        raise do_not_fit(tables, error) from error
    except TypeError as error:
        raise UsageError(f"{tables.folder}: a row of scene.json is no table; copy the tables again.") from error


def scene_of(folder: Path, tables: Tables, name: str | None) -> Row:
    """The row of a scene, of the first one for None. Raises ``UsageError`` for one that is not there."""
    scenes = _scenes(tables)
    chosen = name or next(iter(scenes), "")
    if chosen not in scenes:
        raise UsageError(f"{folder}#{chosen}: no such scene; give one of {', '.join(scenes) or 'another folder'}.")
    return scenes[chosen]


def _read_tables(folder: Path, tables: Tables, scene_name: str | None) -> _Scene:
    scene = scene_of(folder, tables, scene_name)
    samples = tables.samples_of_scene.get(scene["token"], ())
    instant_of = {row["token"]: number for number, row in enumerate(samples)}
    shots, sizes_px = [], {}
    for token, instant in instant_of.items():
        for row in tables.images_of_sample.get(token, ()):
            channel, _ = tables.cameras[row["calibrated_sensor_token"]]
            sizes_px[row["calibrated_sensor_token"]] = (int(row["width"]), int(row["height"]))
            pose = _transform(tables.poses[row["ego_pose_token"]])
            shots.append(Shot(channel, folder / row["filename"], int(row["timestamp"]) * 1000, instant, pose))
    if not shots:
        raise UsageError(
            f"{tables.folder}: {scene['name']} has no camera image; give another scene or copy the tables again."
        )
    moved, data_from_world = from_start(sorted(shots, key=lambda shot: (shot.instant, shot.timestamp_ns)))
    shown = {shot.instant for shot in shots}
    rows = [
        row
        for token, instant in instant_of.items()
        if instant in shown
        for row in tables.annotations_of_sample.get(token, ())
    ]
    names = [tables.category_of_instance[row["instance_token"]] for row in rows]
    known = [(row, label) for row, kind in zip(rows, names, strict=True) if (label := label_of(kind)) is not None]
    _check_annotations([row for row, _ in known])
    return _Scene(
        tables=tables.folder,
        name=str(scene["name"]),
        scene_names=list(tables.scenes),
        shots=moved,
        world_from_data=inverse_rigid(data_from_world),
        cameras={
            tables.cameras[token][0]: make_camera(
                tables.cameras[token][0],
                size_px,
                tables.cameras[token][1]["camera_intrinsic"],
                _transform(tables.cameras[token][1]).tolist(),
                path=tables.folder / "calibrated_sensor.json",
            )
            for token, size_px in sizes_px.items()
        },
        instant_of=instant_of,
        annotations=[row for row, _ in known],
        labels=np.array([label for _, label in known], np.int64),
        left_out=[kind for kind in names if label_of(kind) is None],
    )


def samples_of(folder: Path, scene: str | None = None) -> SampleTimes:
    """The tokens of a scene's samples and instances. Raises ``UsageError`` as ``open_drive``."""
    drive = _read(folder, scene)
    starts_ns = start_times_ns(drive.shots)
    tokens = [one["instance_token"] for one in drive.annotations]
    return SampleTimes(
        times_ns={token: starts_ns[instant] for token, instant in drive.instant_of.items() if instant in starts_ns},
        known=frozenset(open_tables(folder).samples),
        data_from_world=inverse_rigid(drive.world_from_data),
        instances=dict(zip(numbered(tokens).tolist(), tokens, strict=True)),
    )
