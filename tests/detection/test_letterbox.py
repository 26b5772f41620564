"""Images into a canvas and boxes back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perception.detection.letterbox import PADDING_GREY, canvas_size, letterbox, stretch

SIDES = st.integers(8, 400)


@given(sizes=st.lists(st.tuples(SIDES, SIDES), min_size=1, max_size=4), long_side=st.integers(32, 300))
def test_canvas_holds_every_image_at_the_long_side(sizes: list[tuple[int, int]], long_side: int) -> None:
    width, height = canvas_size(sizes, long_side_px=long_side, multiple=32)
    assert width % 32 == 0 and height % 32 == 0
    for image_width, image_height in sizes:
        scale = long_side / max(image_width, image_height)
        assert width >= round(image_width * scale) and height >= round(image_height * scale)
    assert width - 32 < long_side and height - 32 < long_side  # not a multiple more than needed


@given(sizes=st.lists(st.tuples(SIDES, SIDES), min_size=1, max_size=3), data=st.data())
def test_boxes_go_round_trip(sizes: list[tuple[int, int]], data: st.DataObject) -> None:
    width, height = canvas_size(sizes, long_side_px=160, multiple=32)
    batch = letterbox([np.zeros((h, w, 3), np.uint8) for w, h in sizes], width=width, height=height)
    index = data.draw(st.integers(0, len(sizes) - 1))
    image_width, image_height = sizes[index]
    unit = data.draw(st.tuples(*[st.floats(0, 1) for _ in range(4)]))
    xs, ys = sorted(unit[:2]), sorted(unit[2:])
    box = np.array([[xs[0] * image_width, ys[0] * image_height, xs[1] * image_width, ys[1] * image_height]])
    canvas_box = box * batch.scales[index]
    assert (canvas_box <= [width + 1, height + 1] * 2).all()
    np.testing.assert_allclose(batch.boxes_to_images(canvas_box, np.array([index])), box, atol=1e-3)


def test_boxes_are_clipped_to_their_own_image() -> None:
    batch = letterbox([np.zeros((50, 100, 3), np.uint8), np.zeros((100, 50, 3), np.uint8)], width=128, height=128)
    boxes = batch.boxes_to_images(np.array([[-9.0, -9, 999, 999], [-9.0, -9, 999, 999]]), np.array([0, 1]))
    np.testing.assert_array_equal(boxes, [[0, 0, 100, 50], [0, 0, 50, 100]])


def test_content_keeps_its_place_and_the_rest_is_grey() -> None:
    image = np.zeros((32, 64, 3), np.uint8)
    image[:, 32:] = (200, 100, 50)
    batch = letterbox([image], width=128, height=96)
    assert batch.scales[0] == 2.0
    np.testing.assert_array_equal(batch.images[0, :64, 80:], np.broadcast_to((200, 100, 50), (64, 48, 3)))
    assert (batch.images[0, :64, :48] == 0).all()
    assert (batch.images[0, 64:] == PADDING_GREY).all()


@pytest.mark.parametrize("size", [(1, 300), (300, 1)])
def test_extreme_shapes_keep_at_least_one_pixel(size: tuple[int, int]) -> None:
    width, height = canvas_size([size], long_side_px=64, multiple=32)
    batch = letterbox([np.full((size[1], size[0], 3), 7, np.uint8)], width=width, height=height)
    assert (batch.images == 7).any()


def test_stretched_pictures_fill_the_canvas_and_boxes_go_back_by_axis() -> None:
    halves = np.zeros((20, 40, 3), np.uint8)
    halves[:, 20:] = 200
    batch = stretch([halves, np.full((90, 30, 3), 7, np.uint8)], width=60, height=60)
    assert batch.images.shape == (2, 60, 60, 3)
    assert (
        (batch.images[0, :, :28] == 0).all() and (batch.images[0, :, 32:] == 200).all() and (batch.images[1] == 7).all()
    )
    boxes = batch.boxes_to_images(np.array([[15, 30, 45, 60], [30, 0, 80, 60]]), np.array([0, 1]))
    np.testing.assert_allclose(boxes, [[10, 10, 30, 20], [15, 0, 30, 90]])
    assert batch.boxes_to_images(np.zeros((0, 4)), np.zeros(0, int)).shape == (0, 4)
