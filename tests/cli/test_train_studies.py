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

from perception.detection import OpenedDetector, Origin
from perception.training.experiments.feature_ablation_study import tracks_file_name
from perception.training.experiments.oracle_features import ORACLE_FEATURES
from perception.training.forecaster.data_modules.recordings import RecordingConfig
from perception.training.forecaster.tracks.ground_tracks import from_drive
from perception.training.forecaster.tracks.track_cache import write_tracks

SETTINGS = {"steps": 4, "batch_size": 4, "validate_every": 2, "save_every": 1, "warmup_steps": 1}


def _write(path: Path, **content: object) -> Path:
    path.write_text(yaml.safe_dump(content))
    return path


def test_unlabelled_drives_teach_in_metres(command: Command, tmp_path, monkeypatch):
    for name in ("watched/one", "held-out"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        write_crossing(tmp_path / name, has_objects=name == "held-out", frames=45)
    monkeypatch.setattr(
        "perception.detection.open_detector",
        lambda *_, **__: OpenedDetector(KnowingDetector(), Origin("Detector: knows.")),
    )
    config = _write(
        tmp_path / "v.yaml",
        data={"kind": "ground", "validation": [{"path": "held-*"}]},
        hidden_size=16,
        settings=SETTINGS,
    )
    asked = ("train", "forecaster", "--config", config, "--data", tmp_path, "--from-video", tmp_path / "watched")
    ran = command(*asked, "--output", "run")
    assert ran.code == 0, ran.err
    study = json.loads((ran.folder / "study.json").read_text())
    assert study["videos"]["one"]["accepted"] == 1
    assert study["points"][-1]["minutes"] == pytest.approx(4.4 / 60)
    assert "metres" in ran.out
    refused = command(*asked[:-1], tmp_path / "held-out", "--output", "other")
    assert refused.code == 2 and "held out" in refused.sentence


def test_the_study_of_features_is_a_table_a_file_and_a_picture(command: Command, tmp_path):
    """On tracks that were kept before: random RoI features of the bundled RoadNet's size, so nothing is tracked."""
    rng = np.random.default_rng(0)
    (tmp_path / "run" / "tracks").mkdir(parents=True)
    for seed, name in enumerate(("drive-1", "held-out-1")):
        (tmp_path / "drives" / name).mkdir(parents=True)
        tracks = from_drive(*synthetic_drive(np.random.default_rng(seed), objects=4, duration_s=6))
        roi = rng.normal(size=(len(tracks.features), 128 * 81 + 4 + len(ORACLE_FEATURES))).astype(np.float16)
        roi[:, -4 - len(ORACLE_FEATURES) : -len(ORACLE_FEATURES)] = np.eye(4)[rng.integers(4, size=len(roi))]
        file = tracks_file_name(tmp_path / "drives" / name, RecordingConfig(path=Path("drives") / name))
        write_tracks(tmp_path / "run" / "tracks" / file, replace(tracks, features=roi))
    config = _write(
        tmp_path / "run" / "training.yaml",
        data={"kind": "ground", "train": [{"path": "drives/drive-*"}], "validation": [{"path": "drives/held-out-*"}]},
        hidden_size=16,
        settings=SETTINGS,
    )
    asked = ("train", "forecaster", "--study", "features", "--resume", tmp_path / "run", "--data", tmp_path)
    ran = command(*asked, "--seeds", 2)
    assert ran.code == 0, ran.err
    study = json.loads((tmp_path / "run" / "study.json").read_text())
    assert [result["feature"] for result in study["results"][:4]] == ["none", "roadnet", "joint", "oracle"]
    assert all(len(result["by_seed_m"]) == 2 and result["min_fde_m"] > 0 for result in study["results"])
    assert (tmp_path / "run" / "study.png").is_file()
    assert "joint" in ran.out
    refused = command(
        "train", "forecaster", "--study", "features", "--config", _in_the_image(config), "--data", tmp_path
    )
    assert refused.code == 2 and "ground" in refused.sentence


def _in_the_image(config: Path) -> Path:
    data = {"kind": "image", "train": [{"path": "drives/drive-*"}], "validation": [{"path": "drives/held-out-*"}]}
    return _write(config.with_name("image.yaml"), data=data, settings=SETTINGS)
