"""Points are spread over the picture, followed to a fraction of a pixel, and left out where they are lost."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from support.turning_camera import SIZE_PX, texture

from perception.egomotion.flow import CELL_PX, Picture, corners, follow


def shifted(x_px: float, y_px: float, scale: float = 1.0) -> np.ndarray:
    image = texture()
    moved = cv2.warpAffine(
        image, np.array([[1.0, 0.0, x_px], [0.0, 1.0, y_px]]), SIZE_PX, borderMode=cv2.BORDER_REFLECT
    )
    return cv2.resize(moved, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)


def test_no_cell_has_two_corners_and_most_have_one() -> None:
    points = corners(Picture.of(texture()))
    cells = {tuple(cell) for cell in (points // CELL_PX).astype(int).tolist()}
    assert len(cells) == len(points) > 0.8 * (640 // CELL_PX) * (360 // CELL_PX)


def test_edges_are_no_corners() -> None:
    image = np.zeros((360, 640, 3), np.uint8)
    image[:, 300:] = 255
    assert len(corners(Picture.of(image))) == 0


@pytest.mark.parametrize("scale", [1.0, 2.0], ids=["640 pixels", "1280 pixels, reduced"])
def test_a_shift_is_measured_to_a_tenth_of_a_pixel_of_the_original(scale: float) -> None:
    before, now = Picture.of(shifted(0, 0, scale)), Picture.of(shifted(6.5, -2.25, scale))
    flow = follow(before, now, corners(before))
    assert len(flow) > 100
    np.testing.assert_allclose(
        np.median(flow.now_px - flow.before_px, axis=0), np.array([6.5, -2.25]) * scale, atol=0.1 * scale
    )


def test_a_guess_finds_what_moved_far() -> None:
    before, now = Picture.of(shifted(0, 0)), Picture.of(shifted(90, 0))
    points = corners(before)
    flow = follow(before, now, points, points + np.array([88.0, 0.0]))
    assert np.mean(np.abs(flow.now_px - flow.before_px - [90, 0]).max(axis=1) < 0.5) > 0.8


def test_points_of_another_scene_are_lost() -> None:
    before, now = Picture.of(texture(0)), Picture.of(texture(1))
    points = corners(before)
    assert len(follow(before, now, points)) < 0.25 * len(points)


def test_a_blank_picture_has_no_points_and_nothing_to_follow() -> None:
    blank = Picture.of(np.full((360, 640, 3), 90, np.uint8))
    assert len(corners(blank)) == 0
    assert len(follow(blank, blank, corners(blank))) == 0


def test_pictures_smaller_than_a_cell_have_no_points() -> None:
    tiny = Picture.of(texture()[:20, :20])
    assert corners(tiny).shape == (0, 2)
