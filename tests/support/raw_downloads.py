"""Small downloads in the raw formats as they were published, from columns as the benchmarks' files hold them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import numpy as np
from scipy.spatial.transform import Rotation

Columns = Mapping[str, Any]

JAAD_WORDS = {
    "label": {0: "pedestrian", 1: "ped", 2: "people"},
    "occlusion": {0: "none", 1: "part", 2: "full"},
    "action": {0: "standing", 1: "walking"},
    "look": {0: "not-looking", 1: "looking"},
    "cross": {0: "not-crossing", 1: "crossing"},
    "vehicle": {0: "stopped", 1: "moving_slow", 2: "moving_fast", 3: "decelerating", 4: "accelerating"},
}
JAAD_SPLITS = {"split_default": "default", "split_high_visibility": "high_visibility", "split_all": "all_videos"}
VELO_FROM_IMU_M = (-0.809, 0.320, -0.800)


def no_advance(done: int, total: int) -> None:
    """Progress that nobody watches."""


def part_of_jaad(columns: Columns, videos: Sequence[int]) -> dict[str, np.ndarray]:
    """The columns of some of the videos."""
    offsets, in_video = columns["offset"], columns["vehicle_offset"]
    tracks = np.flatnonzero(np.isin(columns["track_video"], videos))
    rows = np.concatenate([np.arange(offsets[i], offsets[i + 1]) for i in tracks])
    frames = np.concatenate([np.arange(in_video[i], in_video[i + 1]) for i in videos])
    part = {name: columns[name][list(videos)] for name in ("videos", "width", "height", "nframes", *JAAD_SPLITS)}
    part |= {name: columns[name][tracks] for name in ("track_pid", "track_kind")}
    part |= {name: columns[name][rows] for name in ("frame", "box", "occlusion", "walking", "looking", "crossing")}
    return part | {
        "track_video": np.searchsorted(videos, columns["track_video"][tracks]).astype(np.int16),
        "offset": np.concatenate([[0], np.cumsum(np.diff(offsets)[tracks])]).astype(np.int32),
        "vehicle_action": columns["vehicle_action"][frames],
        "vehicle_offset": np.concatenate([[0], np.cumsum(np.diff(in_video)[list(videos)])]).astype(np.int32),
    }


def write_jaad_download(folder: Path, columns: Columns) -> Path:
    """JAAD's repository with these videos."""
    for name in ("annotations", "annotations_vehicle", *(f"split_ids/{split}" for split in JAAD_SPLITS.values())):
        (folder / name).mkdir(parents=True)
    for number, video in enumerate(columns["videos"]):
        tracks = "".join(_jaad_track(columns, track) for track in np.flatnonzero(columns["track_video"] == number))
        size = f"<width>{columns['width'][number]}</width><height>{columns['height'][number]}</height>"
        (folder / "annotations" / f"{video}.xml").write_text(
            f"<annotations><version>1.1</version><meta><task><name>{video}</name>"
            f"<size>{columns['nframes'][number]}</size><original_size>{size}</original_size></task></meta>"
            f"{tracks}</annotations>"
        )
        actions = columns["vehicle_action"][columns["vehicle_offset"][number] : columns["vehicle_offset"][number + 1]]
        frames = [f'<frame action="{JAAD_WORDS["vehicle"][int(one)]}" id="{i}" />' for i, one in enumerate(actions)]
        (folder / "annotations_vehicle" / f"{video}_vehicle.xml").write_text(
            f"<vehicle_info>{''.join(frames)}</vehicle_info>"
        )
    for column, split in JAAD_SPLITS.items():
        for value, part in enumerate(("train", "val", "test")):
            named = columns["videos"][columns[column] == value]
            (folder / "split_ids" / split / f"{part}.txt").write_text("".join(f"{video}\n" for video in named))
    return folder


def _jaad_track(columns: Columns, track: int) -> str:
    kind, pid = int(columns["track_kind"][track]), str(columns["track_pid"][track])
    boxes = []
    for row in range(columns["offset"][track], columns["offset"][track + 1]):
        x1, y1, x2, y2 = (f"{value:.1f}" for value in columns["box"][row])
        said = {"id": pid, "old_id": "old", "occlusion": JAAD_WORDS["occlusion"][int(columns["occlusion"][row])]}
        if kind == 0:
            for name, column in (("look", "looking"), ("action", "walking"), ("cross", "crossing")):
                said[name] = JAAD_WORDS[name][int(columns[column][row])]
        attributes = "".join(f'<attribute name="{name}">{escape(value)}</attribute>' for name, value in said.items())
        boxes.append(
            f'<box frame="{columns["frame"][row]}" keyframe="1" occluded="0" outside="0" '
            f'xbr="{x2}" xtl="{x1}" ybr="{y2}" ytl="{y1}">{attributes}</box>'
        )
    return f'<track label="{JAAD_WORDS["label"][kind]}">{"".join(boxes)}</track>'


def write_ethucy_download(folder: Path, columns: Columns, *, in_parts: bool) -> Path:
    """Whole scenes as in raw/all_data, or those of Social-GAN's folders, of which two scenes are in parts only."""
    (folder / "raw" / "all_data").mkdir(parents=True)
    for scene in sorted({name.rpartition("_")[0] for name in columns if name.endswith("_id")}):
        frames, ids = columns[f"{scene}_frame"], columns[f"{scene}_id"]
        positions_m = columns[f"{scene}_xy"] * 1e-4
        lines = [
            f"{f:.1f}\t{i:.1f}\t{x!r}\t{y!r}\n" for f, i, (x, y) in zip(frames, ids, positions_m.tolist(), strict=True)
        ]
        if not in_parts:
            (folder / "raw" / "all_data" / f"{scene}.txt").write_text("".join(lines))
            continue
        for part, wanted in (("train", False), ("val", True)):
            path = folder / "eth" / part / f"{scene}_{part}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            is_later = frames >= columns[f"{scene}_val_from"]
            path.write_text("".join(line for line, later in zip(lines, is_later, strict=True) if later == wanted))
    return folder


def part_of_nuscenes(columns: Columns, scenes: Sequence[int]) -> dict[str, np.ndarray]:
    """The columns of some of the scenes."""
    rows = np.isin(columns["scene"], scenes)
    part = {name: values[rows] for name, values in columns.items() if name != "scenes"}
    numbers = np.searchsorted(scenes, part["scene"]).astype(np.int16)
    return part | {"scenes": columns["scenes"][list(scenes)], "scene": numbers}


def write_nuscenes_download(folder: Path, columns: Columns) -> Path:
    """The tables of these scenes, and what must be left out: samples before, other instances, other sensors' poses."""
    tables: dict[str, list[dict[str, Any]]] = {name: [] for name in NUSCENES_TABLES}
    tables["category"] = [{"token": f"c{number}", "name": name} for number, name in NUSCENES_CATEGORIES.items()]
    targets: dict[str, list[str]] = {"scene-0002": ["nobody_nowhere"]}
    for number, name in reversed(list(enumerate(columns["scenes"].tolist()))):
        rows = np.flatnonzero(columns["scene"] == number)
        targets[name] = _add_nuscenes_scene(tables, columns, rows, name)
    (folder / "maps" / "prediction").mkdir(parents=True)
    (folder / "maps" / "prediction" / "prediction_scenes.json").write_text(json.dumps(targets))
    (folder / "v1.0-trainval").mkdir()
    for name, table in tables.items():
        (folder / "v1.0-trainval" / f"{name}.json").write_text(json.dumps(table, indent=0))
    return folder


NUSCENES_TABLES = ("scene", "sample", "category", "instance", "sample_annotation", "sample_data", "ego_pose")
NUSCENES_CATEGORIES = {
    0: "vehicle.car",
    1: "vehicle.truck",
    2: "vehicle.bus.rigid",
    3: "vehicle.construction",
    4: "vehicle.emergency.police",
    9: "human.pedestrian.adult",
}


def _quaternion(yaw_mrad10: int) -> list[float]:
    yaw_rad = float(yaw_mrad10) * 1e-4
    return [float(np.cos(yaw_rad / 2)), 0.0, 0.0, float(np.sin(yaw_rad / 2))]


def _add_nuscenes_scene(
    tables: dict[str, list[dict[str, Any]]], columns: Columns, rows: np.ndarray, name: str
) -> list[str]:
    before = 2
    last = int(columns["frame"][rows].max())
    tables["scene"].append({"token": f"t{name}", "name": name, "nbr_samples": last + 1 + before})
    tables["instance"].append({"token": f"{name}-walker", "category_token": "c9"})
    for frame in range(-before, last + 1):
        sample = f"{name}-s{frame + before:03d}"
        tables["sample"].append({"token": sample, "timestamp": 1_500_000 + 500_000 * frame, "scene_token": f"t{name}"})
        walker = {"token": f"{sample}-walker", "instance_token": f"{name}-walker", "sample_token": sample}
        nothing = {"prev": "", "next": "", "translation": [0, 0, 0], "rotation": [1, 0, 0, 0], "size": [1, 1, 1]}
        tables["sample_annotation"].append(walker | nothing)
        for sensor, is_key in (("CAM_FRONT", True), ("LIDAR_TOP", False), ("LIDAR_TOP", True)):
            tables["sample_data"].append({
                "token": f"{sample}-{sensor}-{is_key}", "sample_token": sample, "is_key_frame": is_key,
                "ego_pose_token": f"{sample}-{sensor}-{is_key}", "filename": f"samples/{sensor}/{sample}.bin",
            })  # fmt: skip
            tables["ego_pose"].append(
                {"token": f"{sample}-{sensor}-{is_key}", "translation": [-1, -1, 0], "rotation": [1, 0, 0, 0]}
            )
    poses = {pose["token"]: pose for pose in tables["ego_pose"]}
    latest: dict[int, dict[str, Any]] = {}
    targets = []
    for row in rows:
        sample, number = f"{name}-s{columns['frame'][row] + before:03d}", int(columns["id"][row])
        x, y = (columns["xy_mm"][row] * 1e-3).tolist()
        place = {"translation": [x, y, 0.5], "rotation": _quaternion(columns["yaw_mrad10"][row])}
        if number == 99:
            poses[f"{sample}-LIDAR_TOP-True"].update(place)
            continue
        width, length = (columns["size_mm"][row] * 1e-3).tolist()
        instance = f"{name}-i{number:02d}"
        found = {"token": f"{sample}-{instance}", "instance_token": instance, "sample_token": sample}
        found |= {"prev": "", "next": "", "size": [width, length, 1.5], **place}
        if number in latest:
            latest[number]["next"], found["prev"] = found["token"], latest[number]["token"]
        else:
            tables["instance"].append({"token": instance, "category_token": f"c{columns['cls'][row]}"})
        latest[number] = found
        tables["sample_annotation"].append(found)
        if columns["flag"][row]:
            targets.append(f"{instance}_{sample}")
    return targets


def part_of_kitti(columns: Columns, drives: Sequence[int]) -> dict[str, np.ndarray]:
    """The columns of some of the drives."""
    tracks = np.flatnonzero(np.isin(columns["drive"], drives))
    offsets = columns["offset"]
    rows = np.concatenate([np.arange(offsets[i], offsets[i + 1]) for i in tracks])
    part = {name: columns[name][tracks] for name in ("drive", "start", "cls")}
    lengths = np.diff(offsets)[tracks]
    return part | {
        "offset": np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32),
        "xy_mm": columns["xy_mm"][rows],
        "classes": columns["classes"],
    }


def write_kitti_download(folder: Path, columns: Columns) -> Path:
    """The raw drives of these tracks, of a car that turns, on a road that is not level."""
    day = folder / "2011_09_26"
    velo_from_imu = write_kitti_calibration(day)
    for drive in np.unique(columns["drive"]):
        tracks = np.flatnonzero(columns["drive"] == drive)
        offsets = columns["offset"]
        positions_m = [columns["xy_mm"][offsets[i] : offsets[i + 1]] * 1e-3 for i in tracks]
        # From x ahead, y to the right, anywhere, to the axes of the laser at the start.
        moved_m = [(one - positions_m[0][0]) * [1, -1] + VELO_FROM_IMU_M[:2] for one in positions_m]
        steps = np.arange(len(moved_m[0]))
        imu_poses = np.tile(velo_from_imu, (len(steps), 1, 1))
        imu_poses[:, :2, 3] = moved_m[0]
        imu_poses[:, :3, :3] = (
            velo_from_imu[:3, :3] @ Rotation.from_euler("ZYX", steps[:, None] * [0.01, 0.001, -0.0005]).as_matrix()
        )
        world_from_start = np.eye(4)
        world_from_start[:3, :3] = Rotation.from_euler("ZYX", [1.2, 0.02, -0.03]).as_matrix()
        write_oxts(drive_folder(day, drive), world_from_start @ np.linalg.inv(velo_from_imu) @ imu_poses)
        tracklets = []
        for track, places in zip(tracks[1:], moved_m[1:], strict=True):
            start = int(columns["start"][track])
            velo_poses = imu_poses[start : start + len(places)] @ np.linalg.inv(velo_from_imu)
            in_start = np.column_stack([places, np.full(len(places), -1.5), np.ones(len(places))])
            local = np.einsum("nij,nj->ni", np.linalg.inv(velo_poses), in_start)[:, :3]
            tracklets.append((str(columns["classes"][columns["cls"][track]]), start, local))
        write_tracklets(drive_folder(day, drive), tracklets)
    return folder


def drive_folder(day: Path, drive: int) -> Path:
    """Where a drive lies."""
    return day / f"{day.name}_drive_{drive:04d}_sync"


def write_kitti_calibration(day: Path, velo_from_imu: np.ndarray | None = None) -> np.ndarray:
    """The laser's axes from those of the inertial unit, (4, 4), slightly turned where None are given."""
    if velo_from_imu is None:
        velo_from_imu = np.eye(4)
        velo_from_imu[:3, :3] = Rotation.from_euler("ZYX", [-0.0008, 0.002, 0.0148]).as_matrix()
        velo_from_imu[:3, 3] = VELO_FROM_IMU_M
    day.mkdir(parents=True)
    rotation, translation = (
        " ".join(map(repr, part.ravel().tolist())) for part in (velo_from_imu[:3, :3], velo_from_imu[:3, 3])
    )
    (day / "calib_imu_to_velo.txt").write_text(f"calib_time: 25-May-2012 16:47:16\nR: {rotation}\nT: {translation}\n")
    return velo_from_imu


def write_oxts(folder: Path, world_from_imu: np.ndarray) -> None:
    """Poses (n, 4, 4), the first one in the origin, from 49 degrees north, 8.4 east on."""
    latitude, longitude = np.radians([49.0, 8.4])
    scale_m = 6378137.0 * np.cos(latitude)
    north_m = world_from_imu[:, 1, 3] - world_from_imu[0, 1, 3] + scale_m * np.log(np.tan(np.pi / 4 + latitude / 2))
    latitudes = np.degrees(2 * np.arctan(np.exp(north_m / scale_m)) - np.pi / 2)
    longitudes = np.degrees(longitude + (world_from_imu[:, 0, 3] - world_from_imu[0, 0, 3]) / scale_m)
    yaws, pitches, rolls = Rotation.from_matrix(world_from_imu[:, :3, :3]).as_euler("ZYX").T
    rows = np.column_stack([latitudes, longitudes, 100 + world_from_imu[:, 2, 3], rolls, pitches, yaws])
    write_oxts_rows(folder, rows)


def write_oxts_rows(folder: Path, rows: np.ndarray) -> None:
    """Latitude, longitude, altitude, roll, pitch, yaw (n, 6), a file for each step, with further columns."""
    (folder / "oxts" / "data").mkdir(parents=True)
    for step, row in enumerate(rows.tolist()):
        text = " ".join(map(repr, row)) + " 0.1" * 19 + " 4 11 6 6 6"
        (folder / "oxts" / "data" / f"{step:010d}.txt").write_text(text + "\n")


def write_tracklets(folder: Path, tracklets: Sequence[tuple[str, int, np.ndarray]]) -> None:
    """Class, first frame and places (n, 3) in the laser's axes of each."""
    items = []
    for name, start, places in tracklets:
        poses = "".join(
            f"<item><tx>{x!r}</tx><ty>{y!r}</ty><tz>{z!r}</tz><rx>0</rx><ry>0</ry><rz>0.1</rz><state>2</state></item>"
            for x, y, z in places.tolist()
        )
        items.append(
            f'<item class_id="1"><objectType>{name}</objectType><h>1.5</h><w>1.6</w><l>4</l>'
            f'<first_frame>{start}</first_frame><poses class_id="2"><count>{len(places)}</count>'
            f"<item_version>2</item_version>{poses}</poses><finished>1</finished></item>"
        )
    (folder / "tracklet_labels.xml").write_text(
        '<?xml version="1.0" encoding="UTF-8" standalone="yes" ?>\n<!DOCTYPE boost_serialization>\n'
        '<boost_serialization signature="serialization::archive" version="9"><tracklets class_id="0">'
        f"<count>{len(items)}</count><item_version>1</item_version>{''.join(items)}</tracklets></boost_serialization>"
    )
