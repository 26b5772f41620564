"""RoadNet's shapes, its grid points, its channels."""

from __future__ import annotations

import torch
from support.detection_cases import CPU, TINY, lively_roadnet

from perception.detection.roadnet.network import SIZES, RoadNet, grid_points, shuffled, to_input


def test_one_row_per_grid_point_of_each_level() -> None:
    output = lively_roadnet()(torch.zeros(2, 3, 64, 96))
    count = 8 * 12 + 4 * 6 + 2 * 3 + 1 * 2
    assert output.class_logits.shape == (2, count, 6)
    assert output.boxes_xyxy.shape == (2, count, 4)
    assert output.embeddings.shape == (2, count, 8)
    assert output.ltrb_logits.shape == (2, count, 4, 8)
    assert output.strides.tolist() == [8.0] * 96 + [16.0] * 24 + [32.0] * 6 + [64.0] * 2
    torch.testing.assert_close(output.embeddings.norm(dim=-1), torch.ones(2, count))


def test_grid_points_are_the_corners_of_cells_row_by_row() -> None:
    assert grid_points(2, 3, 8, device=CPU).tolist() == [[0, 0], [8, 0], [16, 0], [0, 8], [8, 8], [16, 8]]


def test_a_side_lies_at_the_mean_of_its_distribution() -> None:
    output = lively_roadnet()(torch.randn(2, 3, 96, 64))
    assert output.points_xy[:2].tolist() == [[0, 0], [8, 0]] and output.points_xy[-1].tolist() == [0, 64]
    before, after = output.points_xy - output.boxes_xyxy[..., :2], output.boxes_xyxy[..., 2:] - output.points_xy
    distances = torch.cat([before, after], dim=2) / output.strides[:, None]
    assert (distances >= -1e-3).all() and (distances <= 7 + 1e-3).all() and distances.std() > 0.5
    expected = (output.ltrb_logits.softmax(dim=-1) * torch.arange(8.0)).sum(dim=-1)
    torch.testing.assert_close(distances, expected, atol=1e-3, rtol=1e-3)


def test_channels_are_taken_in_turn() -> None:
    first, second = torch.zeros(1, 3, 2, 2), torch.ones(1, 3, 2, 2)
    assert shuffled(first, second)[0, :, 0, 0].tolist() == [0, 1, 0, 1, 0, 1]


def test_an_untrained_network_finds_nothing() -> None:
    torch.manual_seed(0)
    output = RoadNet(TINY).eval()(torch.randn(1, 3, 64, 64))
    assert output.class_logits.sigmoid().max() < 0.1


def test_channels_last_changes_no_output() -> None:
    model = lively_roadnet()
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        plain = model(images)
        last = model.to(memory_format=torch.channels_last)(images.contiguous(memory_format=torch.channels_last))
    for before, after in zip(plain, last, strict=True):
        torch.testing.assert_close(before, after, atol=1e-3, rtol=1e-3)


def test_the_ladder_grows() -> None:
    counts = [sum(p.numel() for p in RoadNet(config).parameters()) for config in SIZES.values()]
    assert counts == sorted(counts) and counts[0] < 0.5 * counts[1]


def test_input_is_scaled_to_plus_minus_one() -> None:
    images = torch.tensor([0, 255, 128], dtype=torch.uint8).expand(1, 2, 2, 3)
    inputs = to_input(images)
    assert inputs.shape == (1, 3, 2, 2)
    torch.testing.assert_close(inputs[0, :, 0, 0], torch.tensor([-1.0, 1.0, 128 / 127.5 - 1]))
