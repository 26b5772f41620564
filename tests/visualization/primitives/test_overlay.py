"""Strokes on a transparent layer."""

import numpy as np
import pytest

from perception.visualization.primitives.overlay import Overlay, dashes, rounded_rectangles


def grey(width: int = 64, height: int = 48) -> np.ndarray:
    return np.full((height, width, 3), 100, np.uint8)


def test_blending_mixes_by_the_opacity():
    image, overlay = grey(), Overlay((64, 48))
    square = overlay.fixed(np.array([[10.0, 10], [30, 10], [30, 30], [10, 30]]))
    overlay.fill(square, (200, 0, 100), 0.5)
    overlay.blend_into(image)
    np.testing.assert_allclose(image[20, 20].astype(int), [150, 50, 100], atol=2)
    assert (image[20, 40] == 100).all()
    assert (image[40, 20] == 100).all()


def test_an_untouched_layer_changes_nothing():
    image = grey()
    Overlay((64, 48)).blend_into(image)
    assert (image == 100).all()


def test_points_count_from_the_corner_of_the_first_pixel():
    image, overlay = grey(), Overlay((64, 48))
    overlay.strokes([overlay.fixed(np.array([[5.0, 20.5], [60.0, 20.5]]))], (255, 255, 255), 1.0, width_px=1)
    overlay.blend_into(image)
    assert (image[20, 10:50] > 230).all()
    assert (image[[18, 22], 10:50] == 100).all()
    np.testing.assert_allclose(image[19, 10:50].astype(int), image[21, 10:50].astype(int), atol=8)


def test_points_far_outside_are_no_trouble():
    image, overlay = grey(), Overlay((64, 48))
    overlay.strokes([overlay.fixed(np.array([[32.0, 24.0], [1e12, 24.0]]))], (255, 0, 0), 1.0, width_px=1)
    overlay.blend_into(image)
    assert image[24, 50, 0] > 200
    assert (image[24, :28] == 100).all()


def test_rounded_rectangles_stay_inside_and_touch_every_side():
    boxes = np.array([[2.0, 3, 40, 30], [10, 10, 12, 40], [5, 5, 5, 5]])
    outlines = rounded_rectangles(boxes, np.array([6.0, 6.0, 6.0]))
    np.testing.assert_allclose(outlines.min(axis=1), boxes[:, :2])
    np.testing.assert_allclose(outlines.max(axis=1), boxes[:, 2:])
    assert np.linalg.norm(outlines[0] - boxes[0, :2], axis=1).min() == pytest.approx(6 * (np.sqrt(2) - 1))


def test_dashes_cover_three_fifths_of_the_path():
    square = np.array([[0.0, 0], [100, 0], [100, 100], [0, 100]])
    cut = dashes(square, 6.0)
    assert np.linalg.norm(np.diff(cut, axis=1), axis=-1).sum() == pytest.approx(0.6 * 400, rel=0.03)
