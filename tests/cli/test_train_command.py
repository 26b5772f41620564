"""Both trainings from the command line, on small data: files, curves, resuming, wrong use."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import yaml
from support.commands import Command
from support.moving_boxes import BoxDetector, street_image, true_boxes_xyxy_px, write_street_recording
from support.two_processes import HANGS_AFTER_S, run_two_processes

from perception.detection import OpenedDetector, Origin, read_roadnet
from perception.forecasting import read_gru
from perception.forecasting.track_dataset import windows_at
from perception.training.forecaster.tracks.track_recordings import track_recording
from perception.weights import bundled_folder

SETTINGS = {"steps": 4, "batch_size": 4, "validate_every": 2, "save_every": 1, "warmup_steps": 1}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A recording, and the same pictures as a COCO file."""
    root = tmp_path / "data"
    write_street_recording(root / "drive", frames=40)
    write_street_recording(root / "held-out", frames=40)
    images = root / "coco" / "images"
    images.mkdir(parents=True)
    coco = {"images": [], "annotations": [], "categories": [{"id": 1, "name": "car"}]}
    for number in range(6):
        cv2.imwrite(str(images / f"{number}.png"), street_image(number)[..., ::-1])
        coco["images"].append({"id": number, "file_name": f"{number}.png", "width": 160, "height": 96})
        for x1, y1, x2, y2 in true_boxes_xyxy_px(number).tolist():
            coco["annotations"].append({"image_id": number, "category_id": 1, "bbox": [x1, y1, x2 - x1, y2 - y1]})
    (root / "coco" / "train.json").write_text(json.dumps(coco))
    return root


@pytest.fixture
def detector_config(tmp_path: Path) -> Path:
    return _write(
        tmp_path / "detector.yaml",
        size="nano",
        train=[{"kind": "recording", "path": "drive", "stride": 16}, {"kind": "coco", "path": "coco/train.json"}],
        validation=[{"kind": "coco", "path": "coco/train.json"}],
        sizes_px=[[160, 96]],
        settings=SETTINGS,
    )


@pytest.fixture
def forecaster_config(tmp_path: Path) -> Path:
    train, validation = ([{"path": name, "strides": [1, 2]}] for name in ("drive", "held-out"))
    data = {"kind": "image", "train": train, "validation": validation}
    return _write(tmp_path / "f.yaml", data=data, hidden_size=16, settings=SETTINGS)


def _write(path: Path, **content: object) -> Path:
    path.write_text(yaml.safe_dump(content))
    return path


def test_a_detector_is_trained_and_goes_on_after_a_stop(command: Command, data, detector_config):
    ran = command(
        "train", "detector", "--config", detector_config, "--data", data, "--output", "run", "--device", "cpu"
    )
    assert ran.code == 0, ran.err
    names = {path.name for path in ran.folder.iterdir()}
    assert names == {"checkpoint.pt", "curves.png", "history.json", "roadnet.safetensors", "training.yaml"}
    _, feature_space = read_roadnet(ran.folder / "roadnet.safetensors")
    assert feature_space.startswith("roadnet-")
    history = json.loads((ran.folder / "history.json").read_text())
    assert [entry["step"] for entry in history["validation"]] == [2, 4]
    assert all(np.isfinite(entry["loss"]) for entry in history["validation"])

    again = command("train", "detector", "--resume", ran.folder, "--data", data, "--steps", 6, "--device", "cpu")
    assert again.code == 0, again.err
    history = json.loads((ran.folder / "history.json").read_text())
    assert [entry["step"] for entry in history["validation"]] == [2, 4, 6]
    assert yaml.safe_load((ran.folder / "training.yaml").read_text())["settings"]["steps"] == 6

    kept = (ran.folder / "training.yaml").read_text()
    refused = command("train", "detector", "--resume", ran.folder, "--data", data, "--seed", 9, "--device", "cpu")
    assert refused.code == 2 and "was trained with other settings (seed)" in refused.sentence
    assert (ran.folder / "training.yaml").read_text() == kept


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"settings": [1]}, "settings: expected a table"),
        ({"train": []}, "train: "),
        ({"validation": []}, "validation: "),
        ({"sizes_px": [[100, 64]]}, "sizes_px.0.0: "),
        ({"train": [{"kind": "coco", "path": "coco/train.json", "scale": [0, 1]}]}, "train.0.scale.0: "),
        ({"train": [{"kind": "coco", "path": "coco/train.json", "scale": [2, 1]}]}, "smaller magnification first"),
        ({"train": [{"kind": "coco", "path": "../detector.json"}]}, "give a COCO file"),
        ({"train": [{"kind": "recording", "path": "nosuch"}]}, "there is no such recording"),
    ],
)
def test_a_configuration_that_cannot_be_learnt_from_leaves_no_folder(
    command: Command, data, detector_config, change, words
):
    (data.parent / "detector.json").write_text("{}")
    detector_config.write_text(yaml.safe_dump({**yaml.safe_load(detector_config.read_text()), **change}))
    ran = command("train", "detector", "--config", detector_config, "--data", data, "--device", "cpu")
    assert ran.code == 2 and words in ran.sentence, ran.err
    assert not (data.parent / "runs").exists() and not Path("runs").exists()


def test_what_fails_in_several_processes_is_one_sentence(data, tmp_path):
    asked = ["train", "detector", "--config", "none.yaml", "--data", data, "--device", "cpu"]
    ended = run_two_processes([sys.executable, "-m", "perception", *asked], tmp_path)
    errors = "".join(process.stderr for process in ended)
    assert all(process.returncode != 0 for process in ended)
    assert errors.count("Error: ") == errors.count("--config none.yaml: there is no such file") == 1


def test_two_processes_share_a_training_and_leave_one_folder(data, detector_config, tmp_path):
    perception = Path(sys.executable).with_name("perception")
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "--no-python"]
    asked = ["train", "detector", "--config", detector_config, "--data", data, "--device", "cpu"]
    ran = subprocess.run(
        [*torchrun, perception, *asked], cwd=tmp_path, capture_output=True, text=True, timeout=HANGS_AFTER_S
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    (folder,) = (tmp_path / "runs" / "train").iterdir()
    assert (folder / "roadnet.safetensors").is_file()
    assert ran.stdout.count("on 2 processes") == ran.stdout.count("Ended") == 1


def test_a_teacher_labels_what_people_did_not(command: Command, data, detector_config):
    content = yaml.safe_load(detector_config.read_text())
    unlabelled = {"kind": "unlabelled", "path": "drive/drive.mp4", "stride": 16}
    detector_config.write_text(yaml.safe_dump({**content, "train": [*content["train"], unlabelled]}))
    teacher = bundled_folder() / "roadnet.safetensors"
    asked = ("train", "detector", "--config", detector_config, "--data", data, "--output", "run", "--device", "cpu")
    ran = command(*asked, "--teacher", teacher, "--seed", 3)
    assert ran.code == 0, ran.err
    kept = yaml.safe_load((ran.folder / "training.yaml").read_text())
    assert kept["teachers"] == kept["distill"] == [str(teacher)]
    history = json.loads((ran.folder / "history.json").read_text())
    assert np.isfinite(history["validation"][-1]["loss"])
    checkpoint = torch.load(ran.folder / "checkpoint.pt", weights_only=True)
    alone = command(*asked[:-3], "alone", "--device", "cpu", "--seed", 3)
    assert alone.code == 0, alone.err
    without = torch.load(alone.folder / "checkpoint.pt", weights_only=True)
    assert any(not torch.equal(checkpoint["model"][name], without["model"][name]) for name in without["model"])
    refused = command(*asked, "--teacher", "nobody.onnx")
    assert refused.code == 2
    assert "--teacher nobody.onnx" in refused.sentence


class _BoxDetectorWithFeatures(BoxDetector):
    feature_space, feature_size = "box-features", 3

    def __init__(self, value: float = 1.0) -> None:
        super().__init__()
        self.value = value

    def detect(self, frames):
        return [
            replace(found, features=np.full((len(found), 3), self.value, np.float32), feature_space=self.feature_space)
            for found in super().detect(frames)
        ]


def test_a_forecaster_learns_from_tracks_with_features(command: Command, data, forecaster_config, monkeypatch):
    chosen = OpenedDetector(_BoxDetectorWithFeatures(), Origin("Detector: red boxes."))
    monkeypatch.setattr("perception.detection.open_detector", lambda *_, **__: chosen)
    ran = command("train", "forecaster", "--config", forecaster_config, "--data", data, "--output", "run", "--seed", 3)
    assert ran.code == 0, ran.err
    config = read_gru(ran.folder / "trajectory-gru-image.safetensors").config
    assert (config.feature_space, config.feature_size, config.hidden_size) == ("box-features", 3, 16)
    (*_, last) = json.loads((ran.folder / "history.json").read_text())["validation"]
    assert 0 < last["FDE 1 s (1/1000)"] < 1000


def test_a_forecaster_that_is_to_know_no_features_does_not(
    command: Command, data, forecaster_config, tmp_path, monkeypatch
):
    content = yaml.safe_load(forecaster_config.read_text())
    content["data"]["features"] = False
    without = tmp_path / "without.yaml"
    without.write_text(yaml.safe_dump(content))
    learnt = []
    for value in (1.0, 5.0):
        chosen = OpenedDetector(_BoxDetectorWithFeatures(value), Origin("Detector: red boxes."))
        monkeypatch.setattr("perception.detection.open_detector", lambda *_, chosen=chosen, **__: chosen)
        ran = command("train", "forecaster", "--config", without, "--data", data, "--output", f"run-{value:g}")
        assert ran.code == 0, ran.err
        learnt.append(read_gru(ran.folder / "trajectory-gru-image.safetensors"))
    assert learnt[0].config.feature_space == ""
    for first, second in zip(learnt[0].parameters(), learnt[1].parameters(), strict=True):
        torch.testing.assert_close(first, second, rtol=0, atol=0)


def test_what_is_learnt_may_not_judge(command: Command, data, forecaster_config, monkeypatch):
    chosen = OpenedDetector(_BoxDetectorWithFeatures(), Origin("Detector: red boxes."))
    monkeypatch.setattr("perception.detection.open_detector", lambda *_, **__: chosen)
    both = [{"path": "dr*"}], [{"path": "drive"}]
    content = {"data": {"kind": "image", "train": both[0], "validation": both[1]}, "settings": SETTINGS}
    forecaster_config.write_text(yaml.safe_dump(content))
    ran = command("train", "forecaster", "--config", forecaster_config, "--data", data, "--output", "run")
    assert ran.code == 2
    assert "drive: is among train and validation" in ran.sentence


def test_nothing_to_learn_from_is_reported(command: Command, data, forecaster_config):
    forecaster_config.write_text(yaml.safe_dump({"data": {"kind": "image"}, "settings": SETTINGS}))
    ran = command("train", "forecaster", "--config", forecaster_config, "--data", data, "--output", "run")
    assert ran.code == 2
    assert ran.sentence


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["detector"], "--config"),
        (["detector", "--config", "missing.yaml"], "missing.yaml"),
        (["detector", "--resume", "."], "training.yaml"),
        (["detector", "--resume", ".", "--output", "x"], "--output"),
        (["forecaster", "--config", "missing.yaml", "--data", "nowhere"], "nowhere"),
    ],
)
def test_wrong_use_is_one_sentence(command: Command, arguments, word):
    ran = command("train", *arguments)
    assert ran.code == 2
    assert word in ran.sentence


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"bogus": 1}, "bogus"),
        ({"settings": {**SETTINGS, "steps": 0}}, "settings.steps"),
        ({"dropout": 1.5}, "dropout"),
        ({"train": [{"kind": "coco", "path": "none.json"}]}, "none.json"),
        ({"train": [{"kind": "magic", "path": "x"}]}, "kind"),
        ({"distill": ["nobody.onnx"]}, "nobody.onnx"),
        ({"train": [{"kind": "coco", "path": "x", "distill": {"y.onnx": ["car"]}}]}, "x: distils y.onnx"),
    ],
)
def test_a_wrong_configuration_is_named(command: Command, data, detector_config, change, word):
    detector_config.write_text(yaml.safe_dump({**yaml.safe_load(detector_config.read_text()), **change}))
    ran = command("train", "detector", "--config", detector_config, "--data", data, "--output", "run")
    assert ran.code == 2
    assert word in ran.sentence


def test_a_recording_without_truth_labels_itself(data):
    """The future is the label: our own tracks teach what the truth would."""
    with_truth = track_recording(data / "drive", BoxDetector())
    own = track_recording(data / "drive" / "drive.mp4", BoxDetector())
    ends = with_truth[0].ends(5, 1)
    labelled, pseudo_labelled = (windows_at(sets[0], ends, length=5, stride=1) for sets in (with_truth, own))
    known = labelled.known & pseudo_labelled.known
    assert known.float().mean() > 0.4
    np.testing.assert_allclose(labelled.futures[known], pseudo_labelled.futures[known], atol=0.01)


def test_several_seeds_have_folders_of_their_own_and_are_not_trained_twice(
    command: Command, data, forecaster_config, monkeypatch
):
    chosen = OpenedDetector(_BoxDetectorWithFeatures(), Origin("Detector: red boxes."))
    monkeypatch.setattr("perception.detection.open_detector", lambda *_, **__: chosen)
    asked = ("train", "forecaster", "--config", forecaster_config, "--data", data, "--output", "run", "--seeds", 2)
    ran = command(*asked)
    assert ran.code == 0, ran.err
    weights = [ran.folder / f"seed{seed}" / "trajectory-gru-image.safetensors" for seed in (0, 1)]
    contents = [path.read_bytes() for path in weights]
    assert contents[0] != contents[1]
    again = command("train", "forecaster", "--resume", ran.folder, "--data", data, "--seeds", 2)
    assert again.code == 0, again.err
    assert again.out.count("Trained already.") == 2
    assert [path.read_bytes() for path in weights] == contents


def test_unlabelled_videos_teach_and_the_gate_is_reported(command: Command, data, tmp_path, monkeypatch):
    write_street_recording(data / "watched" / "one", frames=60)
    (data / "watched" / "one" / "objects.csv").unlink()
    chosen = OpenedDetector(_BoxDetectorWithFeatures(), Origin("Detector: red boxes."))
    monkeypatch.setattr("perception.detection.open_detector", lambda *_, **__: chosen)
    recordings = [{"path": "drive", "strides": [1]}]
    config = _write(
        tmp_path / "v.yaml", data={"kind": "image", "validation": recordings}, hidden_size=16, settings=SETTINGS
    )
    asked = ("train", "forecaster", "--config", config, "--data", data, "--from-video", data / "watched")
    ran = command(*asked, "--output", "run")
    assert ran.code == 0, ran.err
    study = json.loads((ran.folder / "study.json").read_text())
    assert study["videos"]["one"]["accepted"] == 2
    minutes = [point["minutes"] for point in study["points"]]
    assert minutes == sorted(minutes)
    assert (ran.folder / "study.png").is_file()
    again = command("train", "forecaster", "--resume", ran.folder, "--data", data, "--from-video", data / "watched")
    assert again.code == 0, again.err
    assert "watching" not in again.out
    refused = command(*asked[:-1], data, "--output", "other")
    assert refused.code == 2
    assert "held out" in refused.sentence


def test_the_study_of_overfitting_is_a_table_a_file_and_a_picture(command: Command, tmp_path):
    root = tmp_path / "bench"
    root.mkdir()
    rng = np.random.default_rng(0)
    lengths = np.full(12, 80)
    positions = np.cumsum(rng.normal([0.8, 0.0], 0.05, (12, 80, 2)), axis=1).reshape(-1, 2) * 1000
    np.savez(
        root / "kitti_mantra.npz",
        offset=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32),
        xy_mm=positions.astype(np.int32),
        drive=np.repeat([9, 11, 14, 5], 3).astype(np.int16),
        start=np.zeros(12, np.int16),
        cls=np.zeros(12, np.uint8),
        classes=np.array(["Car"]),
    )
    benchmark = {"kind": "benchmark", "name": "kitti", "path": "kitti_mantra.npz"}
    content = {"data": benchmark, "dropout": 0.2, "hidden_size": 8}
    settings = {**SETTINGS, "weight_decay": 0.1}
    config = _write(tmp_path / "s.yaml", **content, settings=settings, loss={"nested": [1, 6]})
    ran = command(
        "train", "forecaster", "--study", "overfitting", "--config", config, "--data", root, "--output", "run"
    )
    assert ran.code == 0, ran.err
    results = json.loads((ran.folder / "study.json").read_text())["results"]
    assert len(results) == 24
    assert all(np.isfinite(result["gap"]) for result in results)
    assert (ran.folder / "study.png").is_file()
    assert "Overfitting and its remedies" in ran.out


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--study", "underfitting"], "underfitting"),
        (["--study", "overfitting", "--seeds", 2], "--seeds"),
        (["--study", "overfitting"], "overfitting"),
        (["--from-video", "nowhere"], "nowhere"),
    ],
)
def test_a_wrong_study_is_reported(command: Command, data, forecaster_config, options, named):
    ran = command("train", "forecaster", "--config", forecaster_config, "--data", data, "--output", "run", *options)
    assert ran.code == 2
    assert named in ran.sentence


def test_weights_are_averaged(command: Command, tmp_path):
    path = bundled_folder() / "trajectory-gru-image.safetensors"
    ran = command("train", "average", path, path, "--weights", "0.7,0.3", "--output", tmp_path / "out.safetensors")
    assert ran.code == 0, ran.err
    assert str(tmp_path / "out.safetensors") in ran.out.splitlines()
    torch.testing.assert_close(
        read_gru(tmp_path / "out.safetensors").state_dict(), read_gru(path).state_dict(), rtol=0, atol=0
    )
    refused = command("train", "average", path, path, "--weights", "0.7,much", "--output", tmp_path / "no.safetensors")
    assert refused.code == 2 and "--weights 0.7,much" in refused.sentence
    refused = command("train", "average", path, path, "--weights", "0.7,0.7", "--output", tmp_path / "no.safetensors")
    assert refused.code == 2 and "--weights 0.7,0.7: sum to 1.4" in refused.sentence
