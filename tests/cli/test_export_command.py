"""``perception export``: a file that computes the same, or one sentence."""

from __future__ import annotations

from functools import partial

import numpy as np
import onnxruntime
import pytest
import torch
from support.commands import Command
from support.detection_cases import random_frame
from support.labelled_pictures import write_pictures

from perception.detection import read_roadnet
from perception.detection.roadnet.engines import RoadNetOnnxEngine
from perception.detection.roadnet.network import SIZES, RoadNet, to_input
from perception.detection.roadnet.onnx_export import roadnet_graph
from perception.forecasting import GruConfig, TrajectoryGRU, save_gru
from perception.forecasting.onnx_engine import OnnxEngine
from perception.profiling.detector import median_ms
from perception.profiling.forecaster import step_ms
from perception.weights import bundled_folder

NANO = ("--detector", "roadnet-nano")
"""The smallest of the bundled detectors: what is tested is the measuring and writing, not the network."""


@pytest.fixture(autouse=True)
def _timed_briefly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Latencies are measured, but of few repeats: no test here depends on them."""
    few = partial(median_ms, repeats=1)
    monkeypatch.setattr("perception.profiling.detector.median_ms", few)
    monkeypatch.setattr("perception.profiling.quantization.median_ms", few)
    monkeypatch.setattr("perception.profiling.forecaster.step_ms", partial(step_ms, repeats=2))


def test_a_forecaster_is_exported_and_read_again(command: Command, tmp_path):
    pytest.importorskip("onnxscript")
    torch.manual_seed(0)
    model = TrajectoryGRU(GruConfig(hidden_size=12, input_size=8, feature_size=3, feature_space="s", interaction_dim=4))
    save_gru(model, tmp_path / "f.safetensors")
    ran = command("export", "forecaster", "--forecaster", tmp_path / "f.safetensors", "--output", tmp_path / "f.onnx")
    assert ran.code == 0, ran.err
    assert "The same numbers" in ran.out
    assert "1,000 tracks" in ran.out
    assert OnnxEngine(tmp_path / "f.onnx").config == model.config


def test_the_bundled_detector_is_exported(command: Command, tmp_path):
    ran = command("export", "detector", "--output", tmp_path / "r.onnx", "--format", "onnx")
    assert ran.code == 0, ran.err
    assert "on 12 pictures" in ran.out
    assert "of PyTorch's" in ran.out
    assert RoadNetOnnxEngine(tmp_path / "r.onnx").embedding_size == 64


def test_a_dynamic_file_answers_as_pytorch_at_any_multiple_of_32(command: Command, tmp_path):
    ran = command("export", "detector", *NANO, "--dynamic", "--output", tmp_path / "r.onnx")
    assert ran.code == 0, ran.err
    assert "any number of pictures of any size: multiples of 32 pixels as they are" in " ".join(ran.out.split())
    session = onnxruntime.InferenceSession(tmp_path / "r.onnx", providers=["CPUExecutionProvider"])
    model, _ = read_roadnet(bundled_folder() / "roadnet-nano.safetensors")
    for count, width, height in ((1, 64, 32), (3, 96, 160), (2, 320, 192)):
        images = np.stack([random_frame(width=width, height=height, seed=seed).image for seed in range(count)])
        scores, boxes, embeddings = session.run(["scores", "boxes", "embeddings"], {"images": images})
        with torch.inference_mode():
            expected = model.eval()(to_input(torch.from_numpy(images)))
        np.testing.assert_allclose(scores, expected.class_logits.sigmoid(), atol=1e-3)
        np.testing.assert_allclose(boxes, expected.boxes_xyxy, rtol=1e-3, atol=1e-3)
        np.testing.assert_allclose(embeddings, expected.embeddings, atol=1e-3)


@pytest.mark.parametrize(
    "options", [["--detector", "missing.safetensors"], ["--output", "r.txt"]], ids=["missing", "suffix"]
)
def test_wrong_use_of_the_detectors_export_is_reported(command: Command, options):
    ran = command("export", "detector", *options)
    assert ran.code == 2
    assert options[1] in ran.sentence


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--forecaster", "missing.safetensors"], "missing.safetensors"),
        (["--frame", "moon"], "moon"),
        (["--output", "f.txt"], "f.txt"),
        (["--format", "engine"], "engine"),
    ],
)
def test_wrong_use_is_reported(command: Command, options, named):
    ran = command("export", "forecaster", *options)
    assert ran.code == 2
    assert named in ran.sentence


def test_eight_bits_are_measured_and_kept_where_they_are_good(command: Command, tmp_path, monkeypatch):
    pictures = write_pictures(tmp_path)
    monkeypatch.setattr("perception.profiling.quantization.median_ms", lambda engines, images: [10.0, 5.0])
    monkeypatch.setattr("perception.profiling.quantization.MOST_AP50_LOST", {8: 0.2, 16: 0.2})
    ran = command("export", "detector", "--int8", *NANO, "--images", pictures, "--output", tmp_path / "r.onnx")
    assert ran.code == 0, ran.err
    assert "with 32 bits" in ran.out and "0.50 of it" in ran.out
    assert RoadNetOnnxEngine(tmp_path / "r.onnx").embedding_size == 64


def test_eight_bits_that_are_no_faster_are_not_written(command: Command, tmp_path, monkeypatch):
    pictures = write_pictures(tmp_path)
    monkeypatch.setattr("perception.profiling.quantization.median_ms", lambda engines, images: [10.0, 11.0])
    monkeypatch.setattr("perception.profiling.quantization.MOST_AP50_LOST", {8: 0.2, 16: 0.2})
    ran = command("export", "detector", "--int8", *NANO, "--images", pictures, "--output", tmp_path / "r.onnx")
    assert ran.code == 1
    assert "not written, because it takes 1.10 of the time" in ran.sentence
    assert not (tmp_path / "r.onnx").exists()


def test_sixteen_bits_take_half_of_the_file(command: Command, tmp_path, monkeypatch):
    pictures = write_pictures(tmp_path)
    monkeypatch.setattr("perception.profiling.quantization.MOST_AP50_LOST", {8: 0.2, 16: 0.2})
    ran = command("export", "detector", "--half", *NANO, "--images", pictures, "--output", tmp_path / "r.onnx")
    assert ran.code == 0, ran.err
    assert "with 16 bits" in ran.out
    whole = len(roadnet_graph(RoadNet(SIZES["nano"]), feature_space="s"))
    assert (tmp_path / "r.onnx").stat().st_size < 0.55 * whole
    monkeypatch.setattr("perception.profiling.quantization.MOST_AP50_LOST", {8: 0.2, 16: -1.0})
    worse = command("export", "detector", "--half", *NANO, "--images", pictures, "--output", tmp_path / "worse.onnx")
    assert worse.code == 1
    assert "not written" in worse.sentence and not (tmp_path / "worse.onnx").exists()


@pytest.mark.parametrize("options", [["--int8"], ["--half"], ["--half", "--int8", *NANO, "--images", "x.json"]])
def test_quantization_needs_pictures_to_be_measured_on(command: Command, options):
    ran = command("export", "detector", *options)
    assert ran.code == 2
    assert "--half" in ran.sentence
