"""Rotations and angles in a plane: the one place that computes them.

Angles are in radians, counter-clockwise from the first axis; on the road that is to the left.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeVar

import cv2
import numpy as np

from perception.arrays import FloatArray
from perception.geometry.array_library import array_library

if TYPE_CHECKING:
    from torch import Tensor

ArrayT = TypeVar("ArrayT", FloatArray, "Tensor")
AngleT = TypeVar("AngleT", float, FloatArray, "Tensor")


def wrap_angle_rad(angles_rad: AngleT) -> AngleT:
    """The same angles (...) in -pi (included) to pi; numbers, arrays or tensors."""
    wrapped: AngleT = (angles_rad + math.pi) % (2 * math.pi) - math.pi
    return wrapped


def rotation_2d(angles_rad: FloatArray | float) -> FloatArray:
    """(..., 2, 2): matrices that turn columns by ``angles_rad`` (...); rows times it are turned back."""
    cosines, sines = np.cos(angles_rad), np.sin(angles_rad)
    return np.stack([np.stack([cosines, -sines], axis=-1), np.stack([sines, cosines], axis=-1)], axis=-2)


def rotation_about_z(yaws_rad: FloatArray | float) -> FloatArray:
    """(..., 3, 3): rotations about the z axis by ``yaws_rad`` (...)."""
    flat = rotation_2d(yaws_rad)
    rotations = np.zeros((*flat.shape[:-2], 3, 3))
    rotations[..., :2, :2], rotations[..., 2, 2] = flat, 1.0
    return rotations


def rotation_matrix(vector_rad: FloatArray) -> FloatArray:
    """(3, 3): the rotation about ``vector_rad`` (3,) by its length in radians."""
    return np.asarray(cv2.Rodrigues(vector_rad.astype(np.float64))[0])


def rotation_vector(rotation: FloatArray) -> FloatArray:
    """(3,): the axis of a rotation (3, 3), as long as its angle in radians."""
    return np.asarray(cv2.Rodrigues(rotation.astype(np.float64))[0][:, 0])


def rotate(vectors: ArrayT, angles_rad: ArrayT) -> ArrayT:
    """(..., 2): vectors turned by angles (...); arrays or tensors, broadcast together."""
    library = array_library(vectors)
    cosines, sines = library.cos(angles_rad), library.sin(angles_rad)
    x, y = vectors[..., 0], vectors[..., 1]
    rotated: ArrayT = library.stack([cosines * x - sines * y, sines * x + cosines * y], -1)
    return rotated


def unit_vectors(angles_rad: AngleT) -> AngleT:
    """(..., 2): the directions of angles (...); numbers, arrays or tensors."""
    library = array_library(angles_rad)
    directions: AngleT = library.stack([library.cos(angles_rad), library.sin(angles_rad)], -1)
    return directions


def left_normals(vectors: FloatArray) -> FloatArray:
    """(..., 2): vectors (..., 2) turned by a quarter to the left."""
    return np.stack([-vectors[..., 1], vectors[..., 0]], axis=-1)


def points_in_frame(points: FloatArray, origin: FloatArray, heading_rad: float) -> FloatArray:
    """(..., 2): points in the axes of a frame that lies at ``origin`` (2,) and points to ``heading_rad``."""
    moved: FloatArray = (points - origin) @ rotation_2d(heading_rad)
    return moved
