"""torchvision's detectors without a network connection. Random weights show the plumbing, never the quality."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.detection_cases import CPU, iou_matrix, random_frame
from torch import nn
from torchvision.models import get_model

from perception.detection import DetectionSettings
from perception.detection.backends.torchvision import TorchvisionDetector, build_torchvision
from perception.detection.model_zoo import torchvision_names
from perception.errors import UsageError
from perception.protocols import Detector
from perception.taxonomy import CLASSES
from perception.types import Detections

SMALL = "ssdlite320_mobilenet_v3_large"


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("torchvision tried to fetch weights")

    monkeypatch.setattr("torch.hub.load_state_dict_from_url", refuse)
    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", refuse)


@pytest.fixture(scope="module")
def small_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random, but leaning to the categories 1 to 8, most of which are road users."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("torchvision") / "small.pth"
    state = get_model(SMALL, weights=None, weights_backbone=None).state_dict()
    for name, value in state.items():
        if re.fullmatch(r"head\.classification_head\.module_list\.\d\.1\.bias", name):
            value.view(-1, 91)[:, 1:9] += 3 * torch.rand(len(value) // 91, 8)
    torch.save(state, path)
    return path


class FixedAnswer(nn.Module):
    """Stands for a torchvision model where a test needs to know what the network says."""

    def __init__(self, **columns: list[Any]) -> None:
        super().__init__()
        self.output = {name: torch.tensor(values) for name, values in columns.items()}
        self.seen: list[torch.Tensor] = []

    def forward(self, images: list[torch.Tensor]) -> list[dict[str, torch.Tensor]]:
        self.seen = images
        return [self.output for _ in images]


def answering(small_weights: Path, settings: DetectionSettings, **columns: list[Any]) -> TorchvisionDetector:
    detector = TorchvisionDetector(SMALL, small_weights, settings, device=CPU)
    detector._model = FixedAnswer(**columns)
    return detector


def zeros(tensor: torch.Tensor, *_: Any, **__: Any) -> torch.Tensor:
    with torch.no_grad():
        return tensor.zero_()


@pytest.mark.parametrize("name", torchvision_names())
def test_every_model_builds_and_takes_thresholds(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Drawing tens of millions of random numbers is all that building these costs, and no test needs them.
    for initialise in (
        "kaiming_normal_",
        "kaiming_uniform_",
        "normal_",
        "uniform_",
        "trunc_normal_",
        "xavier_uniform_",
    ):
        monkeypatch.setattr(nn.init, initialise, zeros)
    monkeypatch.setattr(torch.Tensor, "normal_", zeros)
    state = get_model(name, weights=None, weights_backbone=None).state_dict()
    torch.save(state, tmp_path / "w.pth")
    settings = DetectionSettings(confidence=0.07, iou=0.6)
    detector = TorchvisionDetector(name, tmp_path / "w.pth", settings, device=CPU)
    owner = getattr(detector._model, "roi_heads", detector._model)
    assert (owner.score_thresh, owner.nms_thresh) == (0.07, 0.6)
    assert not detector._model.training
    assert isinstance(detector, Detector)


def test_several_sizes_in_one_batch(small_weights: Path) -> None:
    frames = [random_frame("wide", width=200, height=80), random_frame("tall", width=70, height=160)]
    detector = TorchvisionDetector(SMALL, small_weights, DetectionSettings(confidence=0.0), device=CPU)
    found = detector.detect(frames)
    for frame, detections in zip(frames, found, strict=True):
        width, height = frame.size_px
        assert detections.camera == frame.camera and detections.image_size_px == (width, height)
        assert len(detections) > 0 and detections.feature_space == "" and detections.features.shape[1] == 0
        assert (detections.boxes_xyxy_px >= 0).all()
        assert (detections.boxes_xyxy_px <= [width, height, width, height]).all()
    assert detector.detect([]) == []


def test_half_precision_computes_on_a_cpu(small_weights: Path) -> None:
    settings = DetectionSettings(confidence=0.0)
    found = TorchvisionDetector(SMALL, small_weights, settings, device=CPU, half=True).detect([random_frame()])
    assert len(found[0]) > 0 and found[0].scores.dtype == np.float32


def test_categories_become_our_classes_and_others_are_left_out(small_weights: Path) -> None:
    categories = [3, 8, 6, 4, 2, 1, 5, 9, 44, 90]  # the last four: aeroplane, boat, bottle, toothbrush
    boxes = [[20.0 * i, 0.0, 20.0 * i + 9, 9.0] for i in range(len(categories))]
    detector = answering(
        small_weights, DetectionSettings(confidence=0.1), labels=categories, boxes=boxes, scores=[0.9] * 10
    )
    found = detector.detect([random_frame(width=240)])[0]
    by_place = found.labels[np.argsort(found.boxes_xyxy_px[:, 0])]
    assert [CLASSES[label] for label in by_place] == list(CLASSES)
    image = detector._model.seen[0]
    assert image.shape == (3, 64, 240) and 0.5 < image.max() <= 1.0


def test_confidence_classes_and_one_box_per_object(small_weights: Path) -> None:
    van, person = [10.0, 10.0, 60.0, 60.0], [12.0, 10.0, 60.0, 60.0]
    columns: dict[str, list[Any]] = {
        "labels": [3, 8, 1, 3],
        "boxes": [van, van, person, [70.0, 0.0, 90.0, 20.0]],
        "scores": [0.5, 0.8, 0.4, 0.05],
    }
    settings = DetectionSettings(confidence=0.1, iou=0.5)

    def names(found: Detections) -> list[str]:
        return [CLASSES[label] for label in found.labels]

    assert names(answering(small_weights, settings, **columns).detect([random_frame()])[0]) == ["truck", "pedestrian"]
    only_cars = DetectionSettings(confidence=0.1, iou=0.5, classes=("car",))
    assert names(answering(small_weights, only_cars, **columns).detect([random_frame()])[0]) == ["car"]


def test_no_class_of_ours_overlaps_itself(small_weights: Path) -> None:
    detector = TorchvisionDetector(SMALL, small_weights, DetectionSettings(confidence=0.0, iou=0.3), device=CPU)
    found = detector.detect([random_frame()])[0]
    vehicles = found[np.isin(found.labels, [0, 1, 2])]
    overlap = iou_matrix(vehicles.boxes_xyxy_px, vehicles.boxes_xyxy_px)
    assert len(vehicles) > 1 and overlap[~np.eye(len(vehicles), dtype=bool)].max() <= 0.3 + 1e-5


def test_published_batch_norms_run_with_the_eps_they_were_trained_with(tmp_path: Path) -> None:
    """torchvision's own loader gives two models eps 0; their files hold frozen batch norms, which count nothing."""
    name = "fasterrcnn_resnet50_fpn"
    state = get_model(name, weights=None, weights_backbone=None).state_dict()
    torch.save(state, tmp_path / "user.pth")
    published = {key: value for key, value in state.items() if not key.endswith("num_batches_tracked")}
    torch.save(published, tmp_path / "published.pth")

    def eps(path: Path) -> set[float]:
        return {m.eps for m in build_torchvision(name, path).modules() if isinstance(m, nn.BatchNorm2d)}

    assert eps(tmp_path / "published.pth") == {0.0}
    assert eps(tmp_path / "user.pth") == {1e-5}


def test_bad_weights(small_weights: Path, tmp_path: Path) -> None:
    def open_with(path: Path) -> None:
        TorchvisionDetector(SMALL, path, DetectionSettings(), device=CPU)

    (tmp_path / "cut.pth").write_bytes(small_weights.read_bytes()[:5000])
    torch.save({"weight": torch.zeros(1)}, tmp_path / "other.pth")
    for name, sentence in [
        ("none.pth", "there is no such weights file"),
        ("cut.pth", "is damaged"),
        ("other.pth", "do not fit SSD"),
    ]:
        with pytest.raises(UsageError, match=rf"{name}: .*{sentence}"):
            open_with(tmp_path / name)


def test_a_pickle_with_code_is_not_executed(tmp_path: Path) -> None:
    trace = tmp_path / "executed"

    class Exploit:
        def __reduce__(self) -> tuple[Any, tuple[Path]]:
            return Path.touch, (trace,)

    torch.save({"backbone": Exploit()}, tmp_path / "evil.pth")
    with pytest.raises(UsageError, match=r"evil\.pth: .*more than plain tensors"):
        TorchvisionDetector(SMALL, tmp_path / "evil.pth", DetectionSettings(), device=CPU)
    assert not trace.exists()
