"""``perception train detector --data my.yaml``: a network with classes of one's own, and what becomes of them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
import yaml
from support.commands import Command
from support.detection_cases import CPU, TINY
from support.own_data_sets import NAMES, picture, write_yolo_folder

from perception.detection import DetectionSettings, RoadNetDetector, open_detector, read_roadnet
from perception.detection.roadnet.network import RoadNet
from perception.detection.roadnet.onnx_export import roadnet_graph
from perception.taxonomy import CLASSES
from perception.training.detector.task import load_other_classes
from perception.types import Frame

SETTINGS = {"steps": 2, "batch_size": 4, "validate_every": 2, "save_every": 1, "warmup_steps": 1}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "own-settings.yaml"
    path.write_text(
        yaml.safe_dump({"size": "nano", "start": "roadnet-nano", "sizes_px": [[160, 96]], "settings": SETTINGS})
    )
    return path


def test_a_network_learns_classes_of_ones_own_and_reports_road_users(
    command: Command, tmp_path: Path, config: Path
) -> None:
    data = write_yolo_folder(tmp_path / "own")
    ran = command("train", "detector", "--data", data, "--config", config, "--output", "run", "--device", "cpu")
    assert ran.code == 0, ran.err
    assert "forklift as truck, person as pedestrian; left out: pallet." in ran.out
    history = json.loads((ran.folder / "history.json").read_text())
    assert "AP50 data.yaml val" in str(history["validation"])

    weights = ran.folder / "roadnet.safetensors"
    model, feature_space = read_roadnet(weights)
    assert model.config.classes == NAMES and model.config.stands_for == ("truck", "pedestrian", None)
    metadata = {prop.key: prop.value for prop in onnx.load_from_string(
        roadnet_graph(model, feature_space=feature_space)).metadata_props}  # fmt: skip
    assert metadata["names"] == str(dict(enumerate(NAMES)))

    frame = Frame(picture(), "front", 0, 0)
    for engine in ("torch", "onnx"):
        detector = open_detector(str(weights), DetectionSettings(confidence=0), device=CPU, engine=engine).detector  # type: ignore[arg-type]
        assert isinstance(detector, RoadNetDetector)
        (found,) = detector.detect([frame])
        assert {CLASSES[label] for label in found.labels} <= {"truck", "pedestrian"} and len(found)

    again = command("train", "detector", "--resume", ran.folder, "--data", data, "--steps", 3, "--device", "cpu")
    assert again.code == 0, again.err


def test_a_class_starts_from_its_road_user() -> None:
    torch.manual_seed(0)
    started = RoadNet(TINY)
    own = RoadNet(replace(TINY, classes=NAMES, stands_for=("truck", "pedestrian", None)))
    load_other_classes(own, started)
    for ours, theirs in zip(own.heads, started.heads, strict=True):
        np.testing.assert_array_equal(
            ours.classes.weight[:2].detach(),
            theirs.classes.weight[[1, 5]].detach(),  # truck and pedestrian
        )
        torch.testing.assert_close(ours.ltrb.weight, theirs.ltrb.weight)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"self_distillation": 0.5}, "self_distillation"),
        ({"distill": ["roadnet"]}, "do not know classes of one's own"),
        ({"size": "small"}, "is not of size small"),
    ],
)
def test_what_knows_only_the_six_road_users_is_refused(
    command: Command, tmp_path: Path, config: Path, change: dict[str, object], word: str
) -> None:
    data = write_yolo_folder(tmp_path / "own")
    config.write_text(yaml.safe_dump({**yaml.safe_load(config.read_text()), **change}))
    ran = command("train", "detector", "--data", data, "--config", config, "--output", "run", "--device", "cpu")
    assert ran.code == 2 and word in ran.sentence
