"""Overlap, area, conversions and clipping of boxes, by hand-made cases and properties, for numpy and torch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from perception.geometry.boxes import (
    box_areas,
    box_feet,
    clip_boxes,
    cxcywh_from_xyxy,
    intersections_and_unions,
    normalized_cxcywh,
    paired_iou,
    pairwise_iou,
    xyxy_from_cxcywh,
    xyxy_px_from_normalized,
)

UNIT = np.array([[0.0, 0.0, 1.0, 1.0]])
OTHERS = np.array([[0.0, 0.0, 1.0, 1.0], [0.5, 0.0, 1.5, 1.0], [2.5, 2.5, 3.5, 3.5], [0.25, 0.25, 0.75, 0.75]])
EXPECTED = [1.0, 1 / 3, 0.0, 0.25]
side = st.floats(0, 100, allow_nan=False)
box = st.tuples(side, side, side, side).map(
    lambda b: (min(b[0], b[2]), min(b[1], b[3]), max(b[0], b[2]), max(b[1], b[3]))
)


def test_iou_of_known_boxes() -> None:
    np.testing.assert_allclose(pairwise_iou(UNIT, OTHERS), [EXPECTED])
    np.testing.assert_allclose(paired_iou(np.repeat(UNIT, 4, axis=0), OTHERS), EXPECTED)


def test_tensors_give_what_arrays_give() -> None:
    found = pairwise_iou(torch.from_numpy(UNIT).float(), torch.from_numpy(OTHERS).float())
    assert found.dtype == torch.float32
    np.testing.assert_allclose(found.numpy(), [EXPECTED], rtol=1e-6)


def test_leading_axes_are_batches() -> None:
    first = np.stack([UNIT, UNIT + 1])
    second = np.stack([OTHERS, OTHERS + 1])
    np.testing.assert_allclose(pairwise_iou(first, second), [[EXPECTED], [EXPECTED]])


@pytest.mark.parametrize("empty", [[0.5, 0.5, 0.5, 0.5], [0.2, 0.5, 0.8, 0.5], [0.8, 0.8, 0.2, 0.2]])
def test_a_box_without_area_overlaps_none_not_even_itself(empty: list[float]) -> None:
    boxes = np.array([empty])
    assert pairwise_iou(boxes, np.concatenate([UNIT, boxes])).tolist() == [[0.0, 0.0]]


@given(st.lists(box, min_size=1, max_size=4), st.lists(box, min_size=1, max_size=4))
def test_iou_is_symmetric_and_a_share(first: list[tuple[float, ...]], second: list[tuple[float, ...]]) -> None:
    a, b = np.array(first), np.array(second)
    iou = pairwise_iou(a, b)
    assert iou.shape == (len(a), len(b))
    assert (iou >= 0).all() and (iou <= 1 + 1e-9).all()
    np.testing.assert_allclose(iou, pairwise_iou(b, a).T, atol=1e-12)


def test_shared_and_covered_areas() -> None:
    shared, union = intersections_and_unions(UNIT, OTHERS)
    np.testing.assert_allclose(shared, [1, 0.5, 0, 0.25])
    np.testing.assert_allclose(union, [1, 1.5, 2, 1])
    np.testing.assert_allclose(box_areas(OTHERS), [1, 1, 1, 0.25])


def test_areas_of_float32_boxes_are_exact() -> None:
    boxes = np.array([[1e4, 1e4, 1e4 + 0.125, 1e4 + 1e4]], np.float32)
    assert box_areas(boxes).tolist() == [1250.0]


@given(st.lists(box, min_size=1, max_size=5))
def test_centre_and_size_round_trip(corners: list[tuple[float, ...]]) -> None:
    boxes = np.array(corners)
    np.testing.assert_allclose(xyxy_from_cxcywh(cxcywh_from_xyxy(boxes)), boxes, atol=1e-12)


def test_normalized_boxes_are_shares_of_the_image() -> None:
    boxes = np.array([[10.0, 20, 110, 220], [0, 0, 640, 360]])
    for sizes in (np.array([640, 360]), np.tile([640, 360], (2, 1))):
        shares = normalized_cxcywh(boxes, sizes)
        np.testing.assert_allclose(shares, [[60 / 640, 120 / 360, 100 / 640, 200 / 360], [0.5, 0.5, 1, 1]])
        np.testing.assert_allclose(xyxy_px_from_normalized(shares, sizes), boxes)


def test_clipped_boxes_stay_inside_their_image() -> None:
    boxes = np.array([[-5.0, 10, 30, 90], [10, -3, 200, 300]])
    np.testing.assert_allclose(clip_boxes(boxes, (100, 50)), [[0, 10, 30, 50], [10, 0, 100, 50]])
    np.testing.assert_allclose(clip_boxes(boxes, np.array([[20, 50], [100, 40]])), [[0, 10, 20, 50], [10, 0, 100, 40]])


def test_feet_are_the_middle_of_the_lower_edge() -> None:
    np.testing.assert_allclose(box_feet(np.array([[10.0, 20, 30, 60]])), [[20, 60]])
