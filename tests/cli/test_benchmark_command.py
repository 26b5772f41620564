"""``perception evaluate forecaster --benchmark`` and the trainings for it, on tiny files."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from support.benchmark_files import write_ethucy, write_kitti, write_nuscenes
from support.commands import Command, names_in
from support.moving_boxes import BoxDetector

from perception.detection import OpenedDetector, Origin
from perception.forecasting import GruConfig, TrajectoryGRU, read_gru, save_gru
from perception.forecasting.registry import read_origin

SETTINGS = {"steps": 2, "batch_size": 8, "validate_every": 2, "warmup_steps": 1, "half": False}


def _weights(path: Path, seed: int = 0, *, extras: dict[str, str] | None = None, **more: Any) -> Path:
    torch.manual_seed(seed)
    small = {"hidden_size": 6, "input_size": 5, "feature_size": 1, "modes": 2, "reference_frame": "ground"}
    path.parent.mkdir(parents=True, exist_ok=True)
    save_gru(TrajectoryGRU(GruConfig(**{**small, "horizon_s": 6.0, **more})), path, extras=extras)
    return path


def _report(folder: Path) -> dict[str, Any]:
    report: dict[str, Any] = json.loads((folder / "report.json").read_text())
    return report


def test_one_training_is_set_beside_the_baselines(command: Command, tmp_path: Path) -> None:
    data, weights = write_kitti(tmp_path / "k.npz", drives=(1, 2)), _weights(tmp_path / "w.safetensors")
    ran = command("evaluate", "forecaster", "--benchmark", "kitti", "--data", data, "--forecaster", weights)
    assert ran.code == 0, ran.err
    assert ran.folder.name.startswith("kitti-test")
    report = _report(ran.folder)
    assert (report["benchmark"], report["split"], report["interactions"]) == ("kitti", "test", True)
    assert list(report["weights_sha256"]) == [str(weights)]
    (fold,) = report["folds"]
    assert (fold["targets"], fold["groups"], fold["seeds"]) == (44, 2, 1)
    assert fold["figures"]["FDE 4 s"]["baselines"]["CV last step"] == pytest.approx(0.0, abs=1e-9)
    assert fold["figures"]["FDE 4 s"]["spread"] is None
    for heading in ("TrajectoryGRU", "Kalman", "FDE 4 s", "44 targets, 1 seed", "MANTRA"):
        assert heading in ran.out
    assert "Interactions are not used" not in ran.out


def test_a_folder_of_trainings_is_their_mean_and_deviation(command: Command, tmp_path: Path) -> None:
    data = write_nuscenes(tmp_path / "n.npz")
    for seed in range(2):
        _weights(tmp_path / "runs" / f"seed{seed}" / "w.safetensors", seed, interaction_dim=4)
    arguments = ("evaluate", "forecaster", "--benchmark", "nuscenes", "--data", data, "--forecaster", tmp_path / "runs")
    ran = command(*arguments, "--output", "ours")
    assert ran.code == 0, ran.err
    assert names_in(ran.folder) == ["report.json"]
    (fold,) = _report(ran.folder)["folds"]
    assert (fold["targets"], fold["seeds"]) == (2, 2)
    assert fold["figures"]["minADE_1"]["spread"] > 0
    assert "2 seeds" in ran.out
    alone = command(*arguments, "--output", "alone", "--no-interactions")
    assert alone.code == 0, alone.err
    assert _report(alone.folder)["interactions"] is False
    assert "Interactions are not used" in alone.out
    (silent,) = _report(alone.folder)["folds"]
    assert silent["figures"]["minADE_1"]["model"] != fold["figures"]["minADE_1"]["model"]
    assert silent["figures"]["minADE_1"]["baselines"] == fold["figures"]["minADE_1"]["baselines"]


def test_each_fold_is_tested_with_what_has_not_seen_it(command: Command, tmp_path: Path) -> None:
    data = write_ethucy(tmp_path / "e.npz")
    for seed, fold in enumerate(("univ", "eth")):
        _weights(tmp_path / "runs" / f"{fold}.safetensors", seed, extras={"benchmark": "ethucy", "fold": fold})
    ran = command("evaluate", "forecaster", "--benchmark", "ethucy", "--data", data, "--forecaster", tmp_path / "runs")
    assert ran.code == 0, ran.err
    assert [(fold["fold"], fold["targets"]) for fold in _report(ran.folder)["folds"]] == [("eth", 27), ("univ", 54)]
    assert "mean of 2 folds" in ran.out
    one = _weights(tmp_path / "other.safetensors")  # trained on something else: it has seen none of them
    ran = command("evaluate", "forecaster", "--benchmark", "ethucy", "--data", data, "--forecaster", one)
    assert [fold["fold"] for fold in _report(ran.folder)["folds"]] == ["eth", "hotel", "univ", "zara1", "zara2"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--benchmark", "kitti", "--forecaster", "{weights}"], "--data"),
        (["--benchmark", "kitti", "--data", "none.npz", "--forecaster", "{weights}"], "none.npz"),
        (["--benchmark", "nuscenes", "--data", "{data}", "--forecaster", "{weights}"], "has no column"),
        (["--benchmark", "kitti", "--data", "{data}", "--forecaster", "constant-velocity"], "constant-velocity"),
        (["--benchmark", "kitti", "--data", "{data}", "--forecaster", "missing.safetensors"], "missing.safetensors"),
        (["--benchmark", "kitti", "--data", "{data}", "--forecaster", "{empty}"], "holds no .safetensors"),
        (["--benchmark", "kitti", "--data", "{data}", "--forecaster", "{short}"], "forecasts 3 s ahead"),
        (["--benchmark", "kitti", "--data", "{data}", "--forecaster", "{image}"], "image frame"),
        (["--benchmark", "ethucy", "--data", "{data}", "--forecaster", "{fold}"], "'mars'"),
        (["--benchmark", "kitti", "--data", "{cut}", "--forecaster", "{weights}"], "do not fit together"),
        (
            ["--benchmark", "kitti", "--data", "{data}", "--forecaster", "{weights}", "--references", "{data}"],
            "JAAD's test split",
        ),
    ],
)  # fmt: skip
def test_wrong_questions(command: Command, tmp_path: Path, arguments: list[str], words: str) -> None:
    places = {
        "data": write_kitti(tmp_path / "k.npz"),
        "weights": _weights(tmp_path / "w.safetensors"),
        "short": _weights(tmp_path / "short.safetensors", horizon_s=3.0),
        "image": _weights(tmp_path / "image.safetensors", reference_frame="image"),
        "fold": _weights(tmp_path / "fold.safetensors", extras={"benchmark": "ethucy", "fold": "mars"}),
        "empty": tmp_path / "empty",
    }
    places["empty"].mkdir()
    places["cut"] = tmp_path / "cut.npz"
    columns = dict(np.load(places["data"]))
    np.savez(places["cut"], **{**columns, "xy_mm": columns["xy_mm"][:-5]})
    ran = command("evaluate", "forecaster", *(text.format(**places) for text in arguments))
    assert ran.code == 2, ran.err
    assert words in ran.sentence


def _training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **more: Any) -> Path:
    """The configuration of a short training on KITTI's tracks, which lie in ``data`` beside it."""
    monkeypatch.setattr(
        "perception.detection.open_detector",
        lambda *_, **__: OpenedDetector(BoxDetector(), Origin("Detector: red boxes.")),
    )
    (tmp_path / "data").mkdir()
    write_kitti(tmp_path / "data" / "k.npz")
    content = {
        "data": {"kind": "benchmark", "name": "kitti", "path": "k.npz"}, "hidden_size": 6, "modes": 2,
        "loss": {"nested": [1, 2]}, "settings": SETTINGS, **more,
    }  # fmt: skip
    config = tmp_path / "c.yaml"
    config.write_text(yaml.safe_dump(content))
    return config


def test_seeds_are_trained_one_by_one_and_not_again(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = _training(tmp_path, monkeypatch)
    arguments = ("train", "forecaster", "--config", config, "--data", tmp_path / "data", "--device", "cpu")
    ran = command(*arguments, "--seeds", 2, "--seed", 5, "--output", "run")
    assert ran.code == 0, ran.err
    assert names_in(ran.folder) == ["seed5", "seed6", "training.yaml"]
    states = []
    for name in ("seed5", "seed6"):
        weights = ran.folder / name / "trajectory-gru-ground.safetensors"
        assert dict(read_origin(weights)) == {"benchmark": "kitti", "fold": "", "seed": name[-1]}
        states.append(read_gru(weights).state_dict())
    assert not torch.equal(states[0]["gru.weight_hh_l0"], states[1]["gru.weight_hh_l0"])
    again = command("train", "forecaster", "--resume", "run", "--data", tmp_path / "data")
    assert again.code == 0, again.err
    assert again.out.count("Trained already") == 2
    scored = command(
        "evaluate", "forecaster", "--benchmark", "kitti", "--data", tmp_path / "data" / "k.npz", "--forecaster", "run"
    )
    assert scored.code == 0, scored.err
    assert _report(scored.folder)["folds"][0]["seeds"] == 2
    shutil.copytree(ran.folder / "seed5", ran.folder / "copy")
    twice = command(
        "evaluate", "forecaster", "--benchmark", "kitti", "--data", tmp_path / "data" / "k.npz", "--forecaster", "run"
    )
    assert twice.code == 2 and "duplicate" in twice.sentence


def test_a_stopped_training_of_seeds_prints_what_to_resume(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = _training(tmp_path, monkeypatch, seeds=2)

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("perception.training.engine.reporting.train", stop)
        ran = command("train", "forecaster", "--config", config, "--data", tmp_path / "data", "--output", "run")
    assert ran.code == 130
    assert f"Stopped; resume with --resume run --data {tmp_path / 'data'}" in ran.out.splitlines()
    again = command("train", "forecaster", "--resume", "run", "--data", tmp_path / "data")
    assert again.code == 0, again.err
    assert names_in(Path("run")) == ["seed0", "seed1", "training.yaml"]


def test_a_split_without_targets_is_reported(command: Command, tmp_path: Path) -> None:
    data, weights = write_kitti(tmp_path / "k.npz", drives=(1, 2)), _weights(tmp_path / "w.safetensors")
    asked = ("--benchmark", "kitti", "--data", data, "--forecaster", weights, "--split", "val")
    ran = command("evaluate", "forecaster", *asked)
    assert ran.code == 2
    assert "no target in the val split" in ran.sentence
