"""Studies on the ground from the command line, on small data: a table, a file, a picture."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from support.commands import Command
from support.crossing_car import KnowingDetector, write_crossing
from support.ground_tracks import synthetic_drive

from perception.cli.train.feature_ablation import tracks_file
from perception.detection import OpenedDetector
from perception.training.experiments.oracle_features import TOLD
from perception.training.forecaster.config import RecordingData
from perception.training.forecaster.data.dataset_ground import from_drive
from perception.training.forecaster.data.track_cache import write_tracks

SETTINGS = {"steps": 4, "batch_size": 4, "validate_every": 2, "save_every": 1, "warmup_steps": 1}


def _write(path: Path, **content: object) -> Path:
    path.write_text(yaml.safe_dump(content))
    return path


def test_unlabelled_drives_teach_in_metres(command: Command, tmp_path, monkeypatch):
    for name in ("watched/one", "held-out"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        write_crossing(tmp_path / name, has_objects=name == "held-out", frames=45)
    monkeypatch.setattr(
        "perception.detection.open_detector", lambda *_, **__: OpenedDetector(KnowingDetector(), "Detector: knows.")
    )
    config = _write(
        tmp_path / "v.yaml",
        reference_frame="ground",
        validation=[{"path": "held-*"}],
        hidden_size=16,
        settings=SETTINGS,
    )
    asked = ("train", "forecaster", "--config", config, "--data", tmp_path, "--from-video", tmp_path / "watched")
    ran = command(*asked, "--output", "run")
    assert ran.code == 0, ran.err
    study = json.loads((ran.folder / "study.json").read_text())
    assert study["videos"]["one"]["kept"] == 1
    assert study["amounts"][-1]["minutes"] == pytest.approx(4.4 / 60)
    assert "metres" in ran.out
    refused = command(*asked[:-1], tmp_path / "held-out", "--output", "other")
    assert refused.code == 2 and "held out" in refused.sentence


def test_the_study_of_features_is_a_table_a_file_and_a_picture(command: Command, tmp_path):
    """On tracks that were kept before: random looks of the bundled RoadNet's size, so that no video is watched."""
    rng = np.random.default_rng(0)
    (tmp_path / "run" / "tracks").mkdir(parents=True)
    for seed, name in enumerate(("drive-1", "held-out-1")):
        (tmp_path / "drives" / name).mkdir(parents=True)
        tracks = from_drive(*synthetic_drive(np.random.default_rng(seed), objects=6, duration_s=8))
        looks = rng.normal(size=(len(tracks.features), 96 * 25 + 3 + len(TOLD))).astype(np.float16)
        looks[:, -3 - len(TOLD) : -len(TOLD)] = np.eye(3)[rng.integers(3, size=len(looks))]
        file = tracks_file(tmp_path / "drives" / name, RecordingData(path=Path("drives") / name))
        write_tracks(tmp_path / "run" / "tracks" / file, replace(tracks, features=looks))
    config = _write(
        tmp_path / "run" / "training.yaml",
        reference_frame="ground",
        train=[{"path": "drives/drive-*"}],
        validation=[{"path": "drives/held-out-*"}],
        hidden_size=16,
        settings=SETTINGS,
    )
    asked = ("train", "forecaster", "--study", "features", "--resume", tmp_path / "run", "--data", tmp_path)
    ran = command(*asked, "--seeds", 2)
    assert ran.code == 0, ran.err
    study = json.loads((tmp_path / "run" / "study.json").read_text())
    assert [worth["feature"] for worth in study["worths"][:4]] == ["none", "RoadNet's", "joint", "told"]
    assert all(len(worth["by_seed_m"]) == 2 and worth["min_fde_m"] > 0 for worth in study["worths"])
    assert (tmp_path / "run" / "study.png").is_file()
    assert "joint" in ran.out
    refused = command(
        "train", "forecaster", "--study", "features", "--config", _in_the_image(config), "--data", tmp_path
    )
    assert refused.code == 2 and "ground" in refused.sentence


def _in_the_image(config: Path) -> Path:
    content = yaml.safe_load(config.read_text())
    return _write(config.with_name("image.yaml"), **{**content, "reference_frame": "image"})
