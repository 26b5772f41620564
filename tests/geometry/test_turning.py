"""Boxes in the image of a camera that turns on the spot."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from perception.geometry.turning import lens_of, turned_boxes

MATRIX = np.array([[800.0, 0, 660], [0, 820, 350], [0, 0, 1]])
SIZE_PX = (1280, 720)
LENS = lens_of(MATRIX, SIZE_PX)


def seen(point: np.ndarray) -> np.ndarray:
    """Where a direction is in the image, over its size."""
    pixels = MATRIX @ (point / point[2])
    return pixels[:2] / SIZE_PX


def test_a_far_point_is_where_the_turned_camera_sees_it():
    now_from_before = Rotation.from_euler("xyz", [2, -7, 1], degrees=True).as_matrix()
    point = np.array([0.3, -0.1, 1.0])
    box = np.array([*seen(point), 1e-9, 1e-9])
    turned = turned_boxes(box, now_from_before, LENS)
    np.testing.assert_allclose(turned[:2], seen(now_from_before @ point), atol=1e-9)


def test_turning_right_moves_everything_left_and_turning_back_restores_it():
    boxes = np.array([[0.3, 0.5, 0.1, 0.2], [0.8, 0.6, 0.05, 0.1]])
    # The camera turns right by 5 degrees: what was straight ahead is to its left.
    now_from_before = Rotation.from_euler("y", -5, degrees=True).as_matrix()
    turned = turned_boxes(boxes, now_from_before, LENS)
    assert (turned[:, 0] < boxes[:, 0] - 0.04).all()
    np.testing.assert_allclose(turned_boxes(turned, now_from_before.T, LENS), boxes, atol=2e-4)


def test_what_is_no_longer_before_the_camera_is_unknown():
    about_face = Rotation.from_euler("y", 170, degrees=True).as_matrix()
    assert np.isnan(turned_boxes(np.array([0.5, 0.5, 0.1, 0.1]), about_face, LENS)).all()


def test_each_box_may_have_its_own_turning():
    boxes = np.tile([0.4, 0.5, 0.1, 0.1], (2, 3, 1))
    turning = Rotation.from_euler("y", np.linspace(0, 0.2, 6)[:, None]).as_matrix().reshape(2, 3, 3, 3)
    turned = turned_boxes(boxes, turning, np.tile(LENS, (2, 3, 1)))
    assert turned.shape == (2, 3, 4)
    np.testing.assert_allclose(turned[1, 2], turned_boxes(boxes[0, 0], turning[1, 2], LENS))
    np.testing.assert_allclose(turned[0, 0], boxes[0, 0])
