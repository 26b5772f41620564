"""Rotations and angles, by known values and properties, for numpy and torch."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from perception.geometry.rotation import (
    left_normals,
    points_in_frame,
    rotate,
    rotation_2d,
    rotation_about_z,
    unit_vectors,
    wrap_angle_rad,
)

QUARTER = math.pi / 2
angle = st.floats(-50, 50, allow_nan=False)


def test_a_quarter_turn_is_to_the_left() -> None:
    np.testing.assert_allclose(
        rotate(np.array([[1.0, 0.0], [0.0, 2.0]]), np.array(QUARTER)), [[0, 1], [-2, 0]], atol=1e-15
    )
    np.testing.assert_allclose(rotation_2d(QUARTER) @ [1.0, 0.0], [0, 1], atol=1e-15)
    np.testing.assert_allclose(rotation_about_z(QUARTER) @ [1.0, 0.0, 3.0], [0, 1, 3], atol=1e-15)
    np.testing.assert_allclose(left_normals(np.array([[1.0, 0.0], [3.0, 4.0]])), [[0, 1], [-4, 3]])


def test_each_vector_has_its_own_angle() -> None:
    vectors, angles = np.array([[1.0, 0.0], [1.0, 0.0]]), np.array([0.0, math.pi])
    np.testing.assert_allclose(rotate(vectors, angles), [[1, 0], [-1, 0]], atol=1e-15)
    np.testing.assert_allclose(np.einsum("nij,nj->ni", rotation_2d(angles), vectors), rotate(vectors, angles))
    assert rotation_about_z(angles).shape == (2, 3, 3)


def test_tensors_give_what_arrays_give() -> None:
    vectors, angles = np.random.default_rng(0).normal(size=(5, 2)), np.linspace(-7, 7, 5)
    tensors = torch.from_numpy(vectors), torch.from_numpy(angles)
    np.testing.assert_allclose(rotate(*tensors).numpy(), rotate(vectors, angles))
    np.testing.assert_allclose(unit_vectors(tensors[1]).numpy(), unit_vectors(angles))
    np.testing.assert_allclose(wrap_angle_rad(tensors[1]).numpy(), wrap_angle_rad(angles))


@given(angle)
def test_a_wrapped_angle_points_the_same_way(angle_rad: float) -> None:
    wrapped = wrap_angle_rad(angle_rad)
    assert -math.pi - 1e-12 <= wrapped <= math.pi
    np.testing.assert_allclose(unit_vectors(wrapped), unit_vectors(angle_rad), atol=1e-9)


def test_known_angles_are_wrapped() -> None:
    angles = np.array([3.5, -3.5, 0.5, math.pi])
    np.testing.assert_allclose(wrap_angle_rad(angles), [3.5 - 2 * math.pi, 2 * math.pi - 3.5, 0.5, -math.pi])


@given(angle, st.tuples(angle, angle), st.tuples(angle, angle))
def test_points_of_a_frame_go_back_to_the_world(
    heading_rad: float, origin: tuple[float, float], point: tuple[float, float]
) -> None:
    inside = points_in_frame(np.array(point), np.array(origin), heading_rad)
    np.testing.assert_allclose(rotate(inside, np.array(heading_rad)) + np.array(origin), point, atol=1e-9)


def test_what_lies_ahead_is_on_the_frames_first_axis() -> None:
    ahead = points_in_frame(np.array([1.0, 5.0]), np.array([1.0, 2.0]), QUARTER)
    assert ahead.tolist() == pytest.approx([3.0, 0.0])
