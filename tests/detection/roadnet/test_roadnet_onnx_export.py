"""RoadNet as an ONNX graph: the same outputs at every grid point, at any size, from the file and from the weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from support.detection_cases import CPU, assert_same, detector_of, lively_roadnet, random_frame, write_onnx

from perception.detection import DetectionSettings, load_roadnet, open_detector, read_roadnet, save_roadnet
from perception.detection.roadnet.engines import RoadNetOnnxEngine, RoadNetTorchEngine, choose_engine
from perception.detection.roadnet.onnx_export import export_roadnet, roadnet_graph
from perception.errors import PerceptionError, UsageError
from perception.files import bundled
from perception.sources import open_source
from perception.weights import bundled_folder

SETTINGS = DetectionSettings(confidence=0.3, image_size_px=96)


def pictures(count: int = 2, height: int = 64, width: int = 96) -> np.ndarray:
    return np.stack([random_frame(width=width, height=height, seed=seed).image for seed in range(count)])


@pytest.mark.parametrize(("count", "height", "width"), [(1, 32, 32), (3, 64, 96), (2, 96, 64)])
def test_both_engines_answer_alike_at_every_grid_point(count: int, height: int, width: int) -> None:
    model = lively_roadnet()
    images = pictures(count, height, width)
    found = RoadNetOnnxEngine(roadnet_graph(model, feature_space="s"))(images)
    expected = RoadNetTorchEngine(model, device=CPU)(images)
    places = sum(-(-height // stride) * -(-width // stride) for stride in (8, 16, 32, 64))
    assert found.scores.shape == (count, places, 6)
    assert found.scores.std() > 0.05  # the scores differ between grid points, so that these cannot be confused
    for ours, theirs, tolerance in zip(found, expected, (1e-4, 0.02, 1e-3), strict=True):
        torch.testing.assert_close(ours, theirs, atol=tolerance, rtol=1e-3)


@pytest.mark.parametrize(("height", "width"), [(45, 80), (33, 96), (64, 65), (1, 1)])
def test_pictures_of_any_size_are_padded_within_the_graph(height: int, width: int) -> None:
    engine = RoadNetOnnxEngine(roadnet_graph(lively_roadnet(), feature_space="s"))
    images = pictures(2, height, width)
    padded = np.full((2, -(-height // 32) * 32, -(-width // 32) * 32, 3), 114, np.uint8)
    padded[:, :height, :width] = images
    for found, expected in zip(engine(images), engine(padded), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_the_file_states_its_classes_and_its_input() -> None:
    stated = {prop.key: prop.value for prop in onnx.load_from_string(
        roadnet_graph(lively_roadnet(), feature_space="s")).metadata_props}  # fmt: skip
    assert stated["names"].startswith("{0: 'car', 1: 'truck'") and "multiples of 32" in stated["input"]


def test_the_bundled_weights_find_the_same_with_both_engines() -> None:
    path = bundled_folder() / "roadnet.safetensors"
    frames = next(iter(open_source([str(bundled("data/recording"))]))).frames[:3]
    settings = DetectionSettings(confidence=0.1)
    with_onnx = load_roadnet(path, settings, device=CPU, engine="onnx")
    with_torch = load_roadnet(path, settings, device=CPU, engine="torch")
    assert with_onnx.feature_space == with_torch.feature_space
    both = zip(with_onnx.detect(frames), with_torch.detect(frames), strict=True)
    for ours, theirs in [pair for pair in both if len(pair[1])]:
        assert_same(ours, theirs)
    assert sum(map(len, with_torch.detect(frames))) >= 3


def test_writing_the_graph_leaves_the_network_as_it_is() -> None:
    model = lively_roadnet()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    roadnet_graph(model, feature_space="s")
    after = model.state_dict()
    assert before.keys() == after.keys() and all(torch.equal(before[name], after[name]) for name in before)


def test_an_exported_file_is_a_detector_with_the_same_features(tmp_path: Path) -> None:
    model = lively_roadnet()
    difference = export_roadnet(model, tmp_path / "r.onnx", feature_space="road-7", images=[pictures()])
    assert 0 < difference.boxes_px < 0.1 and difference.scores < 1e-3
    onnx.checker.check_model(tmp_path / "r.onnx", full_check=True)
    detector, (sentence, _) = open_detector(str(tmp_path / "r.onnx"), SETTINGS, device=CPU)
    assert "RoadNet" in sentence and "ONNX Runtime" in sentence
    assert detector.feature_space == "road-7" and detector.feature_size == 8
    frame = random_frame()
    assert_same(detector.detect([frame])[0], detector_of(model).detect([frame])[0])


def test_what_answers_otherwise_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = lively_roadnet()
    with torch.no_grad():
        wrong.heads[1].ltrb.bias[:4] += 1.0
    content = roadnet_graph(wrong, feature_space="s")
    monkeypatch.setattr("perception.detection.roadnet.onnx_export.roadnet_graph", lambda model, feature_space: content)
    with pytest.raises(PerceptionError, match=r"r\.onnx: not written, because the boxes_px of ONNX Runtime differ"):
        export_roadnet(lively_roadnet(), tmp_path / "r.onnx", feature_space="s", images=[pictures()])
    assert not list(tmp_path.iterdir())


def test_the_processor_gets_onnx_runtime_and_all_else_pytorch() -> None:
    gpu = torch.device("cuda")
    assert choose_engine("auto", device=CPU, half=False) == "onnx"
    assert choose_engine("auto", device=CPU, half=True) == "torch"
    assert choose_engine("auto", device=gpu, half=False) == "torch"
    assert choose_engine("torch", device=CPU, half=False) == "torch"
    with pytest.raises(UsageError, match="engine onnx: computes on the CPU"):
        choose_engine("onnx", device=gpu, half=False)
    with pytest.raises(UsageError, match="half: ONNX Runtime computes with 32 bits"):
        choose_engine("onnx", device=CPU, half=True)


def test_an_engine_is_refused_where_there_is_none_to_choose(tmp_path: Path) -> None:
    path = write_onnx(tmp_path / "yolox.onnx")
    with pytest.raises(UsageError, match=r"engine torch: yolox\.onnx has one engine of its own"):
        open_detector(str(path), SETTINGS, device=CPU, engine="torch")


@pytest.mark.parametrize("damage", ["cut", "other classes", "no metadata"])
def test_a_damaged_or_foreign_file_is_named(tmp_path: Path, damage: str) -> None:
    content = roadnet_graph(lively_roadnet(), feature_space="s")
    if damage == "cut":
        content = content[: len(content) // 2]
    elif damage == "other classes":
        content = content.replace(b'"truck"', b'"camel"')
    else:
        proto = onnx.load_from_string(content)
        del proto.metadata_props[:]
        content = proto.SerializeToString()
    (tmp_path / "r.onnx").write_bytes(content)
    with pytest.raises(UsageError, match=r"r\.onnx: (not a readable RoadNet|finds other classes)"):
        RoadNetOnnxEngine(tmp_path / "r.onnx")


def test_weights_that_were_read_back_make_the_same_graph(tmp_path: Path) -> None:
    feature_space = save_roadnet(lively_roadnet(), tmp_path / "w.safetensors")
    model, read_space = read_roadnet(tmp_path / "w.safetensors")
    assert read_space == feature_space
    first = roadnet_graph(model, feature_space=read_space)
    assert first == roadnet_graph(model, feature_space=read_space)
