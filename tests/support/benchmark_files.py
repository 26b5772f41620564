"""Tiny files of the public benchmarks in metres, whose answers are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np


def write_nuscenes(path: Path, *, scenes: tuple[str, ...] = ("scene-0001", "scene-0008", "scene-0003")) -> Path:
    """Three scenes, the last one published as validation; in each, at 2 Hz:

    car 99 records (20 frames, east at 4 m/s, its flag is set and must be ignored); 1 drives north at 6 m/s in all
    frames, a target at frame 4; 2, a bus, stands from frame 3 on, a target at its first frame; 3 is no target.
    """
    rows: dict[str, list[object]] = {name: [] for name in ("scene", "frame", "id", "cls", "xy", "yaw", "size", "flag")}
    for scene in range(len(scenes)):
        for frame in range(20):
            seen: list[tuple[object, ...]] = [
                (99, 255, (2000 * frame, 0), 0, (1730, 4084), 1),
                (1, 0, (10_000, 3000 * frame), 15_708, (2000, 5000), frame == 4),
            ]
            if frame >= 3:
                seen.append((2, 2, (-5000, 7000), 31_416, (3000, 12_000), frame == 3))
                seen.append((3, 1, (0, 50_000), 0, (2500, 8000), 0))
            for row in seen:
                for name, value in zip(rows, (scene, frame, *row), strict=True):
                    rows[name].append(value)
    np.savez(
        path,
        scenes=np.array(scenes),
        scene=np.array(rows["scene"], np.int16),
        split=(np.array(rows["scene"]) == len(scenes) - 1).astype(np.uint8),
        frame=np.array(rows["frame"], np.uint8),
        id=np.array(rows["id"], np.uint8),
        cls=np.array(rows["cls"], np.uint8),
        xy_mm=np.array(rows["xy"], np.int32),
        yaw_mrad10=np.array(rows["yaw"], np.int16),
        size_mm=np.array(rows["size"], np.int16),
        flag=np.array(rows["flag"], np.uint8),
    )
    return path


ETHUCY_SCENES = (
    "biwi_eth", "biwi_hotel", "crowds_zara01", "crowds_zara02", "crowds_zara03", "students001", "students003",
    "uni_examples",
)  # fmt: skip


def write_ethucy(path: Path, *, instants: int = 44, val_from: int = 22) -> Path:
    """In each scene 1 walks east at 1 m/s in all instants, 2 north beside it in the first 21; 3 skips instant 10.

    What lies from instant ``val_from`` on is for choosing.
    """
    columns: dict[str, np.ndarray] = {}
    for number, scene in enumerate(ETHUCY_SCENES):
        found = [(step, 1, 4000 * step, 10_000 * number) for step in range(instants)]
        found += [(step, 2, -10_000, 4000 * step) for step in range(21)]
        found += [(step, 3, 50_000, 10_000 * number) for step in range(30) if step != 10]
        table = np.array(sorted(found))
        columns[f"{scene}_frame"] = (table[:, 0] * 10).astype(np.int32)
        columns[f"{scene}_id"] = table[:, 1].astype(np.int32)
        columns[f"{scene}_xy"] = table[:, 2:].astype(np.int32)
        columns[f"{scene}_val_from"] = np.array(val_from * 10, np.int32)
    np.savez(path, **columns)
    return path


def write_kitti(path: Path, *, drives: tuple[int, ...] = (1, 3, 5), lengths: tuple[int, ...] = (62, 60, 80)) -> Path:
    """In each drive a car, a pedestrian, ... of the ``lengths``, one after another, east at 10 m/s from step 7 on."""
    count = len(drives) * len(lengths)
    every = np.tile(lengths, len(drives))
    in_track = np.concatenate([np.arange(n) for n in every])
    lane = np.repeat(np.arange(count), every)
    np.savez(
        path,
        offset=np.concatenate([[0], np.cumsum(every)]).astype(np.int32),
        xy_mm=np.stack([1000 * in_track, 4000 * lane], axis=1).astype(np.int32),
        drive=np.repeat(drives, len(lengths)).astype(np.int16),
        start=np.full(count, 7, np.int16),
        cls=np.tile(np.arange(len(lengths)) % 2, len(drives)).astype(np.uint8),
        classes=np.array(["Car", "Pedestrian"]),
    )
    return path


def change_columns(path: Path, **columns: np.ndarray | None) -> Path:
    """Put other columns into the file; None takes one out."""
    with np.load(path) as content:
        table = {**content, **columns}
    np.savez(path, **{name: column for name, column in table.items() if column is not None})
    return path


def write_kitti_image(path: Path, *, frames: int = 60) -> Path:
    """Two sequences at 10 Hz, a parked car far ahead in each, 30 pixels wide.

    In the first the camera stands and turns left by 6 degrees a second; in the second it drives straight on, nothing
    turns, and the car's box grows. A person stands beside the car in the first 20 frames: too short for a target.
    """
    focal, centre_x = 721.5, 609.6
    columns: dict[str, list[object]] = {name: [] for name in ("seq", "frame", "id", "cls", "box")}
    poses = []
    for sequence in range(2):
        for frame in range(frames):
            yaw = np.radians(0.6 * frame - 12) if sequence == 0 else 0.0
            speed = 0.0 if sequence == 0 else 5.0
            poses.append((0.1 * speed * frame, 0.0, yaw, speed, np.radians(6.0) if sequence == 0 else 0.0))
            x = centre_x + focal * np.tan(yaw)
            half = 15.0 if sequence == 0 else 15.0 * 60 / (60 - 0.5 * frame)
            for number, cls in ((1, 0), (2, 2)) if frame < 20 else ((1, 0),):
                box = np.array([x - half, 170 - half, x + half, 170 + half]) + 60 * (number - 1) * np.array(
                    [1, 0, 1, 0]
                )
                for name, value in zip(columns, (sequence, frame, number, cls, np.rint(10 * box)), strict=True):
                    columns[name].append(value)
    np.savez(
        path,
        seq=np.array(columns["seq"], np.uint8),
        frame=np.array(columns["frame"], np.int16),
        id=np.array(columns["id"], np.int16),
        cls=np.array(columns["cls"], np.uint8),
        classes=np.array(["Car", "Misc", "Pedestrian"]),
        box=np.array(columns["box"], np.int16),
        ego=np.array(poses, np.float32),
        ego_offset=np.array([0, frames, 2 * frames], np.int32),
    )
    return path
