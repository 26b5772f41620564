"""RoadNet through a file: the same detections, or a sentence that says what is wrong."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch
from support.detection_cases import CPU, TINY, assert_same, detector_of, lively_roadnet, random_frame

from perception.detection import DetectionSettings, load_roadnet, read_roadnet, save_roadnet
from perception.errors import UsageError
from perception.taxonomy import CLASSES
from perception.weights import save_weights

SETTINGS = DetectionSettings(confidence=0.3, image_size_px=96)


def rounded_to_half() -> torch.nn.Module:
    """A network that half precision holds exactly, so that a file must give back the very same detections."""
    model = lively_roadnet()
    model.load_state_dict({name: value.half().float() for name, value in model.state_dict().items()})
    return model


def test_round_trip_finds_the_same(tmp_path: Path) -> None:
    frame = random_frame()
    expected = detector_of(rounded_to_half()).detect([frame])[0]
    feature_space = save_roadnet(rounded_to_half(), tmp_path / "mine.safetensors")
    detector = load_roadnet(tmp_path / "mine.safetensors", SETTINGS, device=CPU)
    found = detector.detect([frame])[0]
    assert detector.name == "mine" and detector.feature_size == 8
    assert found.feature_space == feature_space
    assert_same(found, expected)


def test_reading_gives_the_network_that_goes_on_learning(tmp_path: Path) -> None:
    save_roadnet(rounded_to_half(), tmp_path / "w.safetensors")
    model, _ = read_roadnet(tmp_path / "w.safetensors")
    assert model.config == TINY
    assert model.state_dict().keys() == lively_roadnet().state_dict().keys()


def test_feature_space_is_the_stored_one_or_names_the_tensors(tmp_path: Path) -> None:
    model = lively_roadnet()
    assert save_roadnet(model, tmp_path / "a.safetensors", extras={"feature_space": "road-7", "run": "3"}) == "road-7"
    assert read_roadnet(tmp_path / "a.safetensors")[1] == "road-7"
    derived = save_roadnet(model, tmp_path / "b.safetensors")
    assert derived.startswith("roadnet-") and len(derived) == 16
    with torch.no_grad():
        model.heads[0].embedding.weight[0, 0] += 0.5
    assert save_roadnet(model, tmp_path / "c.safetensors") != derived
    save_weights(
        tmp_path / "d.safetensors", lively_roadnet().state_dict(), kind="detector", config=asdict(model.config)
    )
    assert read_roadnet(tmp_path / "d.safetensors")[1] == derived


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"channels": 32}, "do not fit RoadNet"),
        ({"channels": "16"}, "no RoadNet has"),
        ({"channels": 10**9}, "no RoadNet has"),
        ({"channels": 15}, "no RoadNet has"),
        ({"stage_channels": [16, 24]}, "no RoadNet has"),
        ({"stage_channels": "wide"}, "no RoadNet has"),
        ({"stage_depths": [1, 0, 1]}, "no RoadNet has"),
        ({"dropout": 2}, "no RoadNet has"),
        ({"classes": ["car"]}, "finds car; give weights for car, truck"),
        ({"depth": 3}, r"not built like RoadNet \(config depth\)"),
    ],
)
def test_a_file_that_is_no_roadnet(tmp_path: Path, changes: dict[str, Any], sentence: str) -> None:
    model = lively_roadnet()
    config = {**asdict(model.config), **changes}
    save_weights(tmp_path / "w.safetensors", model.state_dict(), kind="detector", config=config)
    with pytest.raises(UsageError, match=rf"w\.safetensors: .*{sentence}"):
        read_roadnet(tmp_path / "w.safetensors")


def test_weights_of_the_structure_before_are_refused(tmp_path: Path) -> None:
    before = {"channels": 96, "tower_depth": 2, "embedding_size": 64, "dropout": 0.0, "width": 1.0}
    config = {**before, "classes": list(CLASSES)}
    save_weights(tmp_path / "old.safetensors", {"backbone.0.0.weight": torch.zeros(1)}, kind="detector", config=config)
    with pytest.raises(UsageError, match=r"old\.safetensors: is not built like RoadNet .*give weights of this version"):
        read_roadnet(tmp_path / "old.safetensors")
