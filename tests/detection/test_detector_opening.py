"""Which detector a name opens, what is said about it, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import yaml
from support.detection_cases import CPU, lively_roadnet, random_frame, write_onnx
from torchvision.models import get_model

from perception import files as files_module
from perception.detection import DetectionSettings, RoadNetDetector, open_detector, save_roadnet
from perception.detection.backends.onnx import OnnxDetector
from perception.detection.backends.torchvision import TorchvisionDetector
from perception.detection.model_zoo import cache_folder, find_fetchable
from perception.errors import UsageError
from perception.files import sha256

SETTINGS = DetectionSettings(confidence=0.3, image_size_px=96)
SMALL = "ssdlite320_mobilenet_v3_large"


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed package with a bundled RoadNet, and an empty cache."""
    package = tmp_path / "perception"
    path = package / "data" / "weights" / "roadnet.safetensors"
    save_roadnet(lively_roadnet(), path)
    card = {
        "name": "roadnet",
        "kind": "detector",
        "description": "",
        "licence": "",
        "data": [],
        "command": "",
        "seed": 0,
    }
    card |= {"parameters": 1, "figures": {}, "sha256": sha256(path), "limits": []}
    path.with_suffix(".yaml").write_text(yaml.safe_dump(card))
    monkeypatch.setattr(files_module, "__file__", str(package / "files.py"))
    monkeypatch.setenv("PERCEPTION_CACHE", str(tmp_path / "cache"))
    return tmp_path


def path_in_cache(name: str) -> Path:
    folder = cache_folder()
    assert folder is not None
    folder.mkdir(exist_ok=True)
    return find_fetchable(name).path_in(folder)


def cache_small_model() -> Path:
    torch.manual_seed(0)
    path = path_in_cache(SMALL)
    torch.save(get_model(SMALL, weights=None, weights_backbone=None).state_dict(), path)
    return path


@pytest.mark.parametrize("name", ["roadnet", "auto"])
def test_the_bundled_network(name: str) -> None:
    detector, (sentence, _) = open_detector(name, SETTINGS, device=CPU)
    assert isinstance(detector, RoadNetDetector) and "bundled RoadNet" in sentence and sentence.endswith(".")
    assert len(detector.detect([random_frame()])[0]) > 0


def test_roadnet_from_a_file_of_the_users(places: Path) -> None:
    path = places / "mine.safetensors"
    save_roadnet(lively_roadnet(), path, extras={"feature_space": "mine"})
    for name, weights in [("roadnet", path), ("auto", path), (str(path), None)]:
        detector, (sentence, _) = open_detector(name, SETTINGS, device=CPU, weights=weights, half=True)
        assert (detector.name, detector.feature_space) == ("mine", "mine") and str(path) in sentence


def test_a_torchvision_model_needs_its_weights() -> None:
    with pytest.raises(UsageError, match=rf"detector {SMALL}: .*perception weights fetch {SMALL}.*`?weights`? FILE"):
        open_detector(SMALL, SETTINGS, device=CPU)


def test_a_torchvision_model_from_the_cache_or_a_file(places: Path) -> None:
    cached = cache_small_model()
    detector, (sentence, _) = open_detector(SMALL, SETTINGS, device=CPU)
    assert isinstance(detector, TorchvisionDetector) and "cached COCO weights" in sentence and "imgsz" in sentence
    moved = cached.rename(places / "moved.pth")
    _, (sentence, _) = open_detector(SMALL, SETTINGS, device=CPU, weights=moved)
    assert str(moved) in sentence


def test_auto_on_a_cpu_stays_with_roadnet_and_states_why() -> None:
    cache_small_model()
    detector, (sentence, _) = open_detector("auto", SETTINGS, device=CPU)
    assert isinstance(detector, RoadNetDetector) and f"{SMALL} in the cache is too slow for video on a CPU" in sentence


def test_auto_on_a_gpu_takes_the_best_of_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a GPU the choice can still be seen; only the models that are opened must stay on the CPU."""
    opened: list[tuple[str, Path]] = []

    class Recorder:
        def __init__(self, name: str, path: Path, *_: object, **__: object) -> None:
            opened.append((name, path))

    monkeypatch.setattr("perception.detection.registry.TorchvisionDetector", Recorder)
    paths = [path_in_cache(name) for name in (SMALL, "fasterrcnn_resnet50_fpn_v2", "ssd300_vgg16")]
    for path in paths:
        path.touch()
    _, (sentence, _) = open_detector("auto", SETTINGS, device=torch.device("cuda"))
    assert opened == [("fasterrcnn_resnet50_fpn_v2", paths[1])]
    assert "best COCO figure" in sentence and "the detector roadnet is the bundled one" in sentence


def test_an_onnx_file(places: Path) -> None:
    path = write_onnx(places / "net.onnx")
    for name, weights in [(str(path), None), ("auto", path)]:
        detector, (sentence, _) = open_detector(name, SETTINGS, device=CPU, weights=weights)
        assert isinstance(detector, OnnxDetector) and str(path) in sentence
    _, (sentence, _) = open_detector(str(path), SETTINGS, device=torch.device("cuda"))
    assert "on the GPU" in sentence or "has no CUDA" in sentence


@pytest.mark.parametrize("suffix", ["onnx", "param", "safetensors"])
def test_a_file_that_is_not_there(places: Path, suffix: str) -> None:
    if suffix == "param":
        pytest.importorskip("ncnn")
    with pytest.raises(UsageError, match=rf"none\.{suffix}: there is no such"):
        open_detector(str(places / f"none.{suffix}"), SETTINGS, device=CPU)


def test_options_that_contradict_one_another(places: Path) -> None:
    onnx = write_onnx(places / "net.onnx")
    with pytest.raises(UsageError, match=r"weights .*: .*holds its own weights"):
        open_detector(str(onnx), SETTINGS, device=CPU, weights=onnx)
    with pytest.raises(UsageError, match="half: "):
        open_detector(str(onnx), SETTINGS, device=CPU, half=True)
    with pytest.raises(UsageError, match=r"weights .*not of RoadNet; give it as `?detector"):
        open_detector("roadnet", SETTINGS, device=CPU, weights=onnx)
    with pytest.raises(UsageError, match=r"weights some\.pth: say whose weights"):
        open_detector("auto", SETTINGS, device=CPU, weights=Path("some.pth"))


def test_an_unknown_name_gets_a_proposal() -> None:
    with pytest.raises(UsageError, match=r"detector rodnet: .*did you mean roadnet"):
        open_detector("rodnet", SETTINGS, device=CPU)
    with pytest.raises(UsageError, match=r"detector 12345: .*choose from auto, roadnet, .*FILE\.onnx"):
        open_detector("12345", SETTINGS, device=CPU)


def test_a_package_without_weights_names_the_remedy(places: Path) -> None:
    for path in (places / "perception" / "data" / "weights").iterdir():
        path.unlink()
    with pytest.raises(UsageError, match=r"detector roadnet: .*weights`? FILE"):
        open_detector("auto", SETTINGS, device=CPU)
