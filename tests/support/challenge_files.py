"""Small data sets as nuScenes and Argoverse 2 publish them, without pictures, of objects that drive in curves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
from pyarrow import parquet
from scipy.spatial.transform import Rotation

START_US = 1_532_402_927_000_000
ORIGIN_M = np.array([411.0, 1180.0])
CATEGORIES = ("vehicle.car", "human.pedestrian.adult", "vehicle.truck")
SAMPLES = 20


def wxyz(yaw_rad: float) -> list[float]:
    x, y, z, w = Rotation.from_euler("z", yaw_rad).as_quat().tolist()
    return [w, x, y, z]


def curves(count: int, times_s: np.ndarray, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Positions (count, T, 2) and yaws (count, T) of objects that start apart and turn, all ahead of the origin."""
    rng = np.random.default_rng(seed)
    speeds, turns = rng.uniform(0.5, 3.5, count), rng.uniform(-0.05, 0.05, count)
    yaws = rng.uniform(-0.2, 0.2, count)[:, None] + turns[:, None] * times_s
    steps = np.diff(times_s, prepend=times_s[0])
    moves = np.stack([np.cos(yaws), np.sin(yaws)], axis=-1) * (speeds[:, None] * steps)[..., None]
    starts = np.column_stack([15 + 3 * np.arange(count), 5 * (np.arange(count) - count / 2)])
    return starts[:, None] + np.cumsum(moves, axis=1), yaws


def nuscenes_tables(scenes: int = 2) -> dict[str, list[dict[str, Any]]]:
    """Scenes of 20 samples with one camera; the car stands, three objects drive ahead of it."""
    rows: dict[str, list[dict[str, Any]]] = {
        name: [] for name in ("scene", "sample", "sample_data", "ego_pose", "sample_annotation", "instance")
    }
    times_s = np.arange(SAMPLES) / 2
    for scene in range(scenes):
        rows["scene"].append({"token": f"scene-{scene}", "name": f"scene-006{scene}"})
        positions, yaws = curves(len(CATEGORIES), times_s, seed=scene)
        for number, time_s in enumerate(times_s.tolist()):
            token, time_us = f"{scene}-{number}", START_US + 60_000_000 * scene + round(1e6 * time_s)
            rows["sample"].append({"token": token, "scene_token": f"scene-{scene}", "timestamp": time_us})
            rows["sample_data"].append(
                {"token": token, "sample_token": token, "ego_pose_token": token, "is_key_frame": True}
                | {"timestamp": time_us, "calibrated_sensor_token": "c", "width": 1600, "height": 900}
                | {"filename": f"samples/CAM_FRONT/{token}.jpg"}
            )
            rows["ego_pose"].append({"token": token, "translation": [*ORIGIN_M, 0.0], "rotation": wxyz(0.0)})
            for index in range(len(CATEGORIES)):
                place = ORIGIN_M + positions[index, number]
                rows["sample_annotation"].append(
                    {"sample_token": token, "instance_token": f"i-{scene}-{index}", "visibility_token": "4"}
                    | {"translation": [*place.tolist(), 0.75], "size": [1.8, 4.5, 1.5]}
                    | {"rotation": wxyz(float(yaws[index, number]))}
                )
        rows["instance"] += [
            {"token": f"i-{scene}-{index}", "category_token": f"k-{index}"} for index in range(len(CATEGORIES))
        ]
    calibration = {"token": "c", "sensor_token": "s", "translation": [1.7, 0, 1.5], "rotation": [0.5, -0.5, 0.5, -0.5]}
    return rows | {
        "sensor": [{"token": "s", "channel": "CAM_FRONT", "modality": "camera"}],
        "calibrated_sensor": [calibration | {"camera_intrinsic": [[800, 0, 800], [0, 800, 450], [0, 0, 1]]}],
        "category": [{"token": f"k-{index}", "name": name} for index, name in enumerate(CATEGORIES)],
    }


def write_nuscenes(folder: Path, tables: dict[str, list[dict[str, Any]]] | None = None) -> Path:
    """The tables alone."""
    (folder / "v1.0-mini").mkdir(parents=True, exist_ok=True)
    for name, rows in (tables or nuscenes_tables()).items():
        (folder / "v1.0-mini" / f"{name}.json").write_text(json.dumps(rows))
    return folder


def true_path(tables: dict[str, list[dict[str, Any]]], sample: str, instance: str, steps: int = 12) -> np.ndarray:
    """(at most steps, 2): where an instance is at the samples after ``sample``."""
    scene, number = map(int, sample.split("-"))
    places = {
        row["sample_token"]: row["translation"][:2]
        for row in tables["sample_annotation"]
        if row["instance_token"] == instance
    }
    after = [f"{scene}-{number + step}" for step in range(1, steps + 1)]
    return np.array([places[token] for token in after if token in places]).reshape(-1, 2)


def disturbed_paths(rng: np.random.Generator, path: np.ndarray, modes: int) -> np.ndarray:
    """(modes, T, 2) with errors around 2 m at the end, so that some miss."""
    return path + np.cumsum(rng.normal(0, 0.5, (modes, *path.shape)), axis=1)


def nuscenes_entries(tables: dict[str, list[dict[str, Any]]], modes: int = 12, seed: int = 0) -> list[dict[str, Any]]:
    """Predictions of all objects at the first four samples of each scene, of two to ``modes`` paths."""
    rng = np.random.default_rng(seed)
    entries = []
    for scene in range(len(tables["scene"])):
        for number in range(4):
            for index in range(len(CATEGORIES)):
                sample, instance = f"{scene}-{number}", f"i-{scene}-{index}"
                count = int(rng.integers(2, modes + 1))
                paths = disturbed_paths(rng, true_path(tables, sample, instance), count)
                entries.append(
                    {"instance": instance, "sample": sample, "prediction": paths.tolist()}
                    | {"probabilities": rng.dirichlet(np.ones(count)).tolist()}
                )
    return entries


def scenario_columns(name: str, seed: int = 0, tracks: int = 4) -> dict[str, Any]:
    """A scenario of 110 positions: the focal track, a scored one, an unscored one and a short fragment."""
    times_s = np.arange(110) / 10
    positions, yaws = curves(tracks, times_s, seed=seed)
    velocities = np.gradient(positions, 0.1, axis=1)
    parts = []
    for index, category in enumerate((3, 2, 1, 0)[:tracks]):
        steps = np.arange(110) if category else np.arange(45, 70)
        parts.append((index, category, steps))
    index = np.concatenate([np.full(len(steps), number) for number, _, steps in parts])
    steps = np.concatenate([steps for _, _, steps in parts])
    names, types = np.array(["10", "20", "30", "40"]), np.array(["vehicle", "cyclist", "pedestrian", "background"])
    count = len(steps)
    return {
        "observed": steps < 50,
        "track_id": names[index].tolist(),
        "object_type": types[index].tolist(),
        "object_category": np.concatenate([np.full(len(steps), category) for _, category, steps in parts]),
        "timestep": steps,
        "position_x": 5000.0 + positions[index, steps, 0],
        "position_y": -3000.0 + positions[index, steps, 1],
        "heading": yaws[index, steps],
        "velocity_x": velocities[index, steps, 0],
        "velocity_y": velocities[index, steps, 1],
        "scenario_id": [name] * count,
        "start_timestamp": [315_968_000_000_000_000] * count,
        "end_timestamp": [315_968_010_900_000_000] * count,
        "num_timestamps": [110] * count,
        "focal_track_id": ["10"] * count,
        "city": ["austin"] * count,
    }


def write_scenario(folder: Path, columns: dict[str, Any]) -> Path:
    """Below ``folder``, as the data set has it."""
    name = columns["scenario_id"][0]
    path = folder / name / f"scenario_{name}.parquet"
    path.parent.mkdir(parents=True)
    parquet.write_table(pyarrow.table(columns), path)
    return path


def scenario_future(columns: dict[str, Any], track: str) -> np.ndarray:
    """(60, 2): where a track is after the last seen position."""
    chosen = (np.array(columns["track_id"]) == track) & (columns["timestep"] >= 50)
    return np.column_stack([columns["position_x"], columns["position_y"]])[chosen]


def argoverse_rows(
    scenarios: list[dict[str, Any]], tracks: tuple[str, ...] = ("10",), modes: int = 6, seed: int = 0
) -> dict[str, list[Any]]:
    """Predictions of ``tracks`` in each scenario."""
    rng = np.random.default_rng(seed)
    rows: dict[str, list[Any]] = {
        name: []
        for name in ("scenario_id", "track_id", "probability", "predicted_trajectory_x", "predicted_trajectory_y")
    }
    for columns in scenarios:
        chances = rng.dirichlet(np.ones(modes)).tolist()
        for track in tracks:
            paths = scenario_future(columns, track) + np.cumsum(rng.normal(0, 0.15, (modes, 60, 2)), axis=1)
            for chance, path in zip(chances, paths, strict=True):
                values = (columns["scenario_id"][0], track, chance, path[:, 0].tolist(), path[:, 1].tolist())
                for name, value in zip(rows, values, strict=True):
                    rows[name].append(value)
    return rows


def write_submission(path: Path, rows: dict[str, list[Any]]) -> Path:
    parquet.write_table(pyarrow.table(rows), path)
    return path
