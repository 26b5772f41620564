"""Every training configuration of the repository is valid, and what is wrong in one is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from perception.errors import UsageError
from perception.training.detector.config import DetectorTraining
from perception.training.engine.config import read_training_config
from perception.training.forecaster.config import ForecasterTraining

CONFIGS = Path(__file__).parents[3] / "configs"
DETECTORS = sorted(CONFIGS.glob("train-detector*.yaml"))
FORECASTERS = sorted(
    path for pattern in ("train-f*.yaml", "study-*.yaml", "benchmarks/*.yaml") for path in CONFIGS.glob(pattern)
)


@pytest.mark.parametrize("path", DETECTORS, ids=lambda path: path.stem)
def test_configurations_of_the_detector_are_valid(path):
    assert read_training_config(DetectorTraining, path, {"steps": 7}).settings.steps == 7


@pytest.mark.parametrize("path", FORECASTERS, ids=lambda path: path.stem)
def test_configurations_of_the_forecaster_are_valid(path):
    config = read_training_config(ForecasterTraining, path, {}, dropout=0.25)
    assert config.dropout == 0.25 and max(config.loss.nested) <= config.modes


def test_all_training_configurations_are_among_them():
    others = {"demo", "stream", "evaluate", "tracker"}
    assert {path.stem for path in CONFIGS.glob("*.yaml")} - others == {
        path.stem for path in (*DETECTORS, *FORECASTERS) if path.parent == CONFIGS
    }


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("data: {kind: image, jaad: 3}", "data.image.jaad"),
        ("data: {kind: image}\nsettings: {steps: 0}", "settings.steps"),
        ("data: {kind: image}\nsettings: 3", "expected a table"),
        ("3", "expected a table"),
    ],
)
def test_what_is_wrong_is_named_with_its_key(tmp_path, text, words):
    path = tmp_path / "c.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match=words):
        read_training_config(ForecasterTraining, path, {})
