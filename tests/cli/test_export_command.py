"""``perception export``: a file that computes the same, or one sentence."""

from __future__ import annotations

import pytest
import torch
from support.commands import Command

from perception.detection.roadnet_engines import OnnxEngine as RoadNetOnnxEngine
from perception.forecasting import GruConfig, TrajectoryGRU, save_gru
from perception.forecasting.onnx_engine import OnnxEngine


def test_a_forecaster_is_exported_and_read_again(command: Command, tmp_path):
    pytest.importorskip("onnxscript")
    torch.manual_seed(0)
    model = TrajectoryGRU(GruConfig(hidden_size=12, input_size=8, feature_size=3, feature_space="s", social_size=4))
    save_gru(model, tmp_path / "f.safetensors")
    ran = command("export", "forecaster", "--forecaster", tmp_path / "f.safetensors", "--output", tmp_path / "f.onnx")
    assert ran.code == 0, ran.err
    assert "The same numbers" in ran.out
    assert "1,000 tracks" in ran.out
    assert OnnxEngine(tmp_path / "f.onnx").config == model.config


def test_the_bundled_detector_is_exported(command: Command, tmp_path):
    ran = command("export", "detector", "--output", tmp_path / "r.onnx")
    assert ran.code == 0, ran.err
    assert "on 12 pictures" in ran.out
    assert "of PyTorch's" in ran.out
    assert RoadNetOnnxEngine(tmp_path / "r.onnx").embedding_size == 64


@pytest.mark.parametrize(
    "options", [["--detector", "missing.safetensors"], ["--output", "r.txt"]], ids=["missing", "suffix"]
)
def test_wrong_use_of_the_detectors_export_is_said(command: Command, options):
    ran = command("export", "detector", *options)
    assert ran.code == 2
    assert options[1] in ran.sentence


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--forecaster", "missing.safetensors"], "missing.safetensors"),
        (["--frame", "moon"], "moon"),
        (["--output", "f.txt"], "f.txt"),
    ],
)
def test_wrong_use_is_said(command: Command, options, named):
    ran = command("export", "forecaster", *options)
    assert ran.code == 2
    assert named in ran.sentence
