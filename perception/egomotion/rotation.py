"""Rotation and direction of travel of a camera from the flow of bearings, without the points' depths.

Where a camera turns by R and travels along t, a point that is seen along x and then along x' obeys the epipolar
constraint x' . (t x R x) = 0 (Longuet-Higgins 1981). Each point gives the distance of x' from its epipolar line
(Sampson 1982). Rotation and direction minimise these by iteratively reweighted least squares with Cauchy's loss, from
several directions of travel. Where little has parallax the direction is unknown, and a rotation alone explains the
flow.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from perception.arrays import FloatArray
from perception.geometry.rotation import rotation_matrix
from perception.geometry.turning import rotational_flow

MIN_POINTS = 25
"""Fewer points do not tell how the camera moved."""

_MIN_INLIER_SHARE = 0.5
_INLIER_STDS = 3.0
_STILL_SHARE = 0.9
_MIN_PARALLAX_SHARE = 0.15
_MIN_CHEIRALITY = 0.8
_SEARCH_STEPS, _REFINE_STEPS = 4, 8
_CONVERGED = 0.02
_HOLD = 1e-9
_FIT_SPREAD = 2.0
_LEAST_SHIFT = 0.1
_INDEPENDENT_POINTS = 4
_NEIGHBOURS_AGREE = 3.0
_AXIS_STD_RAD = np.deg2rad(5)
"""How far a camera's travel strays from the car's axis: away from the rear axle it slips sideways in turns."""

_START_ANGLES_RAD = np.deg2rad(np.arange(-90, 90, 22.5))
_STARTS = np.stack([np.sin(_START_ANGLES_RAD), 0 * _START_ANGLES_RAD, np.cos(_START_ANGLES_RAD)], axis=1)
"""Directions of travel to begin with, in the horizontal plane; backward is the same line as forward."""


@dataclass(frozen=True, kw_only=True)
class CameraMotion:
    """``now_from_before`` (3, 3), ``rotation_stds_rad`` (3,) about the axes, ``direction`` (3,) or None where unknown.

    ``is_inlier`` (N,) are the points that the motion explains.
    """

    now_from_before: FloatArray
    rotation_stds_rad: FloatArray
    direction: FloatArray | None
    is_inlier: NDArray[np.bool_]


def estimate_motion(
    before: FloatArray, now: FloatArray, point_std: float, *, axis: FloatArray | None = None
) -> CameraMotion | None:
    """The motion between two pictures from bearings (N, 3) at depth 1 in each, whose x and y stray by ``point_std``.

    ``axis`` (3,) is the car's forward direction in the camera's axes, where that is known: a car travels along it,
    forward or backward. None where too few points agree on one motion.
    """
    if len(before) < MIN_POINTS:
        return None
    shifts = np.linalg.norm(now - before, axis=1)
    is_still = shifts < point_std
    if is_still.mean() >= _STILL_SHARE:
        stds = np.full(3, max(np.sqrt(np.square(shifts[is_still]).mean()), _LEAST_SHIFT * point_std))
        return CameraMotion(now_from_before=np.eye(3), rotation_stds_rad=stds, direction=None, is_inlier=is_still)
    turned = _pure_rotation(before, now, point_std)
    if turned.is_inlier.mean() >= 1 - _MIN_PARALLAX_SHARE:
        return turned
    starts = _STARTS if axis is None else axis[None]
    rotation, direction = _search(before, now, starts, point_std)
    return _refine(before, now, rotation, direction, point_std, axis)


def _pure_rotation(before: FloatArray, now: FloatArray, point_std: float) -> CameraMotion:
    """The rotation alone that explains most of the flow."""
    rotation = np.eye(3)
    for _ in range(_REFINE_STEPS):
        seen = before @ rotation.T
        rows = rotational_flow(seen).reshape(-1, 3)
        residual = now[:, :2] - seen[:, :2] / seen[:, 2:]
        weights = 1 / (1 + np.square(residual / (_FIT_SPREAD * point_std)).sum(axis=1))
        row_weights = np.repeat(weights, 2)
        normal = (rows * row_weights[:, None]).T @ rows
        normal += _HOLD * np.trace(normal) * np.eye(3)
        step = np.linalg.solve(normal, rows.T @ (row_weights * residual.ravel()))
        rotation = rotation_matrix(step) @ rotation
        if np.abs(step).max() < _CONVERGED * point_std:
            break
    is_inlier = np.linalg.norm(residual, axis=1) < _INLIER_STDS * point_std
    variance = max(np.square(residual[is_inlier]).mean() if is_inlier.any() else 0.0, (_LEAST_SHIFT * point_std) ** 2)
    # Parallax too small to be told from noise pulls all points alike: many are no better than a few.
    variance *= max(is_inlier.sum() / _INDEPENDENT_POINTS, 1.0)
    return CameraMotion(
        now_from_before=rotation,
        rotation_stds_rad=np.sqrt(variance * np.diagonal(np.linalg.inv(normal))),
        direction=None,
        is_inlier=is_inlier,
    )


def _search(
    before: FloatArray, now: FloatArray, directions: FloatArray, point_std: float
) -> tuple[FloatArray, FloatArray]:
    """The rotation and the best of several ``directions`` (C, 3) of travel, to first order."""
    flow, jacobian = now[:, :2] - before[:, :2], rotational_flow(before)
    # Flow by travel points to or from (t_x, t_y) - t_z (x, y); what is across it is by rotation alone.
    along = directions[:, None, :2] - directions[:, None, 2:] * now[None, :, :2]
    lengths = np.linalg.norm(along, axis=2, keepdims=True)
    across = np.stack([-along[..., 1], along[..., 0]], axis=2) / np.maximum(lengths, 1e-6)
    rows = across[..., :1] * jacobian[:, 0] + across[..., 1:] * jacobian[:, 1]
    target = (across * flow).sum(axis=2, keepdims=True)
    vectors = np.zeros((len(directions), 3, 1))
    for _ in range(_SEARCH_STEPS):
        residual = target - rows @ vectors
        weighted = rows / (1 + np.square(residual / (_FIT_SPREAD * point_std)))
        normal = weighted.transpose(0, 2, 1) @ rows
        normal += _HOLD * np.trace(normal, axis1=1, axis2=2)[:, None, None] * np.eye(3)
        vectors = np.linalg.solve(normal, weighted.transpose(0, 2, 1) @ target)
    costs = np.log1p(np.square((target - rows @ vectors) / (_FIT_SPREAD * point_std))).sum(axis=(1, 2))
    best = int(costs.argmin())
    return rotation_matrix(vectors[best, :, 0]), directions[best]


def _refine(
    before: FloatArray,
    now: FloatArray,
    rotation: FloatArray,
    direction: FloatArray,
    point_std: float,
    axis: FloatArray | None,
) -> CameraMotion | None:
    """Gauss-Newton over rotation and direction; None where too few points obey the result."""
    for _ in range(_REFINE_STEPS):
        seen = before @ rotation.T
        residual, jacobian, basis = _epipolar(seen, now, direction)
        weights = 1 / (1 + np.square(residual / (_FIT_SPREAD * point_std)))
        weighted = jacobian * weights[:, None]
        normal = weighted.T @ jacobian
        # What no point tells stays as it is.
        normal += _HOLD * np.trace(normal) * np.eye(5)
        gradient = weighted.T @ residual
        if axis is not None:
            strength = np.square(point_std / _AXIS_STD_RAD)
            normal[3:, 3:] += strength * np.eye(2)
            gradient[3:] += strength * (basis @ (direction - axis))
        step = -np.linalg.solve(normal, gradient)
        rotation = rotation_matrix(step[:3]) @ rotation
        direction = direction + step[3:] @ basis
        direction = direction / np.linalg.norm(direction)
        if np.abs(step[:3]).max() < _CONVERGED * point_std:
            break
    is_inlier = np.abs(residual) < _INLIER_STDS * point_std
    if is_inlier.mean() < _MIN_INLIER_SHARE or is_inlier.sum() < MIN_POINTS:
        return None
    variance = _NEIGHBOURS_AGREE * max(np.square(residual[is_inlier]).mean(), point_std**2)
    return CameraMotion(
        now_from_before=rotation,
        rotation_stds_rad=np.sqrt(variance * np.diagonal(np.linalg.inv(normal)))[:3],
        direction=_signed(before[is_inlier] @ rotation.T, now[is_inlier], direction, point_std),
        is_inlier=is_inlier,
    )


def _epipolar(seen: FloatArray, now: FloatArray, direction: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Distances (N,) of ``now`` from the epipolar lines of ``seen``, how they change with a small rotation and along
    the two directions of ``basis`` (N, 5), and that basis (2, 3), at right angles to ``direction``."""
    basis = _right_angles(direction)
    lines_now, lines_seen = seen @ _cross_matrix(direction).T, now @ _cross_matrix(-direction).T
    lengths = np.sqrt((np.square(lines_now[:, :2]) + np.square(lines_seen[:, :2])).sum(axis=1) / 2)
    lengths = np.maximum(lengths, 1e-9)
    normals = _cross(seen, now)
    gradient = np.concatenate([_cross(seen, lines_seen), normals @ basis.T], axis=1)
    # now . (direction x seen) = direction . (seen x now)
    return normals @ direction / lengths, gradient / lengths[:, None], basis


def _right_angles(direction: FloatArray) -> FloatArray:
    """(2, 3): two unit vectors at right angles to the unit vector ``direction`` (3,) and to one another."""
    first = np.cross(direction, np.eye(3)[np.abs(direction).argmin()])
    first = first / np.linalg.norm(first)
    return np.stack([first, np.cross(direction, first)])


def _cross_matrix(vector: FloatArray) -> FloatArray:
    """(3, 3): the matrix that takes a column to its cross product with ``vector``, which comes first."""
    x, y, z = vector
    return np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])


def _cross(first: FloatArray, second: FloatArray) -> FloatArray:
    """(N, 3): the cross products of rows; several times as fast as NumPy's for few rows."""
    (a, b, c), (x, y, z) = first.T, second.T
    return np.stack([b * z - c * y, c * x - a * z, a * y - b * x], axis=1)


def _signed(seen: FloatArray, now: FloatArray, direction: FloatArray, point_std: float) -> FloatArray | None:
    """``direction`` so that the points lie in front of the camera; None where too few have parallax or disagree."""
    shifts = now[:, :2] - seen[:, :2] / seen[:, 2:]
    along = direction[2] * now[:, :2] - direction[:2]
    has_parallax = np.linalg.norm(shifts, axis=1) > _INLIER_STDS * point_std
    if has_parallax.mean() < _MIN_PARALLAX_SHARE:
        return None
    share = float((np.einsum("ni,ni->n", shifts, along)[has_parallax] > 0).mean())
    if max(share, 1 - share) < _MIN_CHEIRALITY:
        return None
    return direction if share > 0.5 else -direction
