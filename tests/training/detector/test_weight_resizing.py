"""A smaller network keeps what is strong, a larger one what fits."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from perception.detection.roadnet.network import SIZES, RoadNet, RoadNetConfig, to_input
from perception.training.detector.weight_resizing import resized

IMAGES = to_input(torch.randint(0, 255, (1, 64, 96, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)))


@pytest.fixture(scope="module")
def small() -> RoadNet:
    torch.manual_seed(0)
    return RoadNet().eval()


def test_the_same_size_gives_the_same_answers(small: RoadNet) -> None:
    same = resized(small, small.config)
    assert same.training and all(parameter.requires_grad for parameter in same.parameters())
    for before, after in zip(small(IMAGES), same.eval()(IMAGES), strict=True):
        torch.testing.assert_close(before, after, atol=1e-4, rtol=1e-4)


def test_channels_without_information_are_left_out_first() -> None:
    """What was narrow all along, with silent channels added, comes back as it was."""
    torch.manual_seed(1)
    narrow = resized(RoadNet(RoadNetConfig(channels=16)).eval(), RoadNetConfig(channels=16)).eval()
    wide = resized(RoadNet(RoadNetConfig(channels=24)).eval(), RoadNetConfig(channels=24)).eval()
    state, known = wide.state_dict(), narrow.state_dict()
    for name, value in state.items():
        if known[name].shape == value.shape:
            value.copy_(known[name])
        else:
            value.zero_()
            value[tuple(slice(0, size) for size in known[name].shape)] = known[name]
    wide.load_state_dict(state)
    back = resized(wide, narrow.config).eval()
    for before, after in zip(narrow(IMAGES), back(IMAGES), strict=True):
        torch.testing.assert_close(before, after, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", ["nano", "base"])
def test_each_size_of_the_ladder_starts_from_the_bundled_one(small: RoadNet, name: str) -> None:
    config = replace(SIZES[name], dropout=0.1)
    model = resized(small, config)
    assert model.config == config
    output = model.eval()(IMAGES)
    assert output.class_logits.isfinite().all() and output.boxes_xyxy.isfinite().all()
    first, theirs = model.backbone[0][0].weight, small.backbone[0][0].weight
    assert all(any(torch.equal(kernel, other) for other in theirs) for kernel in first)


def test_the_ladder_grows() -> None:
    counts = [sum(p.numel() for p in RoadNet(config).parameters()) for config in SIZES.values()]
    assert counts == sorted(counts) and counts[0] < 0.3 * counts[1]
