"""RoadNet's shapes, its grid points, and the folding of batch norms."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from support.detection_cases import CPU, lively_roadnet
from torch import nn
from torchvision.models import mobilenet_v2

from perception.detection.roadnet.network import RoadNet, RoadNetConfig, fold_batch_norms, grid_points, to_input


def test_one_row_per_grid_point_of_each_level() -> None:
    output = lively_roadnet()(torch.zeros(2, 3, 64, 96))
    count = 8 * 12 + 4 * 6 + 2 * 3 + 1 * 2
    assert output.class_logits.shape == (2, count, 6)
    assert output.boxes_xyxy.shape == (2, count, 4)
    assert output.embeddings.shape == (2, count, 8)
    assert output.ltrb_logits is None
    assert output.strides.tolist() == [8.0] * 96 + [16.0] * 24 + [32.0] * 6 + [64.0] * 2
    torch.testing.assert_close(output.embeddings.norm(dim=-1), torch.ones(2, count))


def test_grid_points_are_the_centres_of_cells_row_by_row() -> None:
    assert grid_points(2, 3, 8, device=CPU).tolist() == [[4, 4], [12, 4], [20, 4], [4, 12], [12, 12], [20, 12]]


def test_a_box_contains_its_grid_point() -> None:
    output = lively_roadnet()(torch.randn(1, 3, 64, 64))
    boxes, points = output.boxes_xyxy[0], output.points_xy
    assert points[:2].tolist() == [[4, 4], [12, 4]] and points[-1].tolist() == [32, 32]
    assert (boxes[:, :2] < points).all() and (boxes[:, 2:] > points).all()


def test_an_untrained_network_finds_nothing() -> None:
    torch.manual_seed(0)
    output = RoadNet(RoadNetConfig(channels=16)).eval()(torch.randn(1, 3, 64, 64))
    assert output.class_logits.sigmoid().max() < 0.1


def test_all_layers_go_on_learning_when_batch_norms_are_folded() -> None:
    assert all(parameter.requires_grad for parameter in fold_batch_norms(lively_roadnet()).parameters())


def test_folding_changes_no_output() -> None:
    model = lively_roadnet()
    images = torch.randn(2, 3, 64, 64)
    folded = fold_batch_norms(copy.deepcopy(model))
    assert any(isinstance(module, nn.BatchNorm2d) for module in model.modules())
    assert not any(isinstance(module, nn.BatchNorm2d) for module in folded.modules())
    with torch.no_grad():
        for before, after in zip(model(images), folded(images), strict=True):
            torch.testing.assert_close(before, after, atol=1e-3, rtol=1e-3)


def test_channels_last_changes_no_output() -> None:
    model = lively_roadnet()
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        plain = model(images)
        last = model.to(memory_format=torch.channels_last)(images.contiguous(memory_format=torch.channels_last))
    for before, after in zip(plain, last, strict=True):
        torch.testing.assert_close(before, after, atol=1e-3, rtol=1e-3)


def test_backbone_computes_what_torchvisions_mobilenet_does(tmp_path: Path) -> None:
    torch.manual_seed(0)
    reference = mobilenet_v2(weights=None)
    for module in reference.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 2.0)
    torch.save(reference.state_dict(), tmp_path / "mobilenet.pth")
    model = RoadNet(RoadNetConfig(channels=16))
    model.load_backbone(torch.load(tmp_path / "mobilenet.pth", weights_only=True))
    images = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        expected = reference.eval().features[:18](images)
        torch.testing.assert_close(model.backbone(images), expected, atol=1e-4, rtol=1e-3)
    assert expected.shape == (1, 320, 2, 2) and expected.abs().max() > 1e-3


def test_weights_of_another_network_are_no_backbone() -> None:
    with pytest.raises(ValueError, match="MobileNetV2"):
        RoadNet(RoadNetConfig(channels=16)).load_backbone({"features.0.0.other": torch.zeros(1)})
    with pytest.raises(ValueError, match="MobileNetV2"):
        RoadNet(RoadNetConfig(channels=16)).load_backbone({})


def test_input_is_scaled_to_plus_minus_one() -> None:
    images = torch.tensor([0, 255, 128], dtype=torch.uint8).expand(1, 2, 2, 3)
    inputs = to_input(images)
    assert inputs.shape == (1, 3, 2, 2)
    torch.testing.assert_close(inputs[0, :, 0, 0], torch.tensor([-1.0, 1.0, 128 / 127.5 - 1]))
