"""Calibrated cameras: where each one sits on the car, and which ray every pixel looks along.

Axes: image x right, y down, pixels, a pixel's centre at +0.5; camera z forward, x right, y down; vehicle x forward,
y left, z up, origin on the road under the rear axle. Images are undistorted by ``distortion``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from perception.arrays import FloatArray
from perception.geometry.turning import bearings

DistortionModel = Literal["opencv", "fisheye"]
"""OpenCV's model of usual lenses, from plain to rational, with thin prism and tilted sensor; or its fisheye model."""

_COEFFICIENTS: dict[DistortionModel, tuple[int, ...]] = {"opencv": (0, 4, 5, 8, 12, 14), "fisheye": (4,)}
_MIN_SIZE_PX = 8
_ORTHOGONAL_TOLERANCE = 0.02
_SAME_SHAPE_TOLERANCE = 0.02


@dataclass(frozen=True)
class Camera:
    """A pinhole camera: ``size_px`` (width, height), ``intrinsics`` (3, 3) in pixels, ``vehicle_from_camera`` (4, 4).

    ``distortion`` are the coefficients that the camera's raw pictures have, none where they have none. Of the model
    ``opencv`` they are the first 4, 5, 8, 12 or 14 of k1, k2, p1, p2, k3, k4, k5, k6, s1, s2, s3, s4, tau_x, tau_y; of
    ``fisheye`` k1, k2, k3, k4. The pixels of this class are those of undistorted images.

    Raises ``ValueError`` naming the field that cannot be right, such as a singular matrix.
    """

    name: str
    size_px: tuple[int, int]
    intrinsics: FloatArray
    vehicle_from_camera: FloatArray
    distortion: tuple[float, ...] = ()
    distortion_model: DistortionModel = "opencv"
    camera_from_vehicle: FloatArray = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if min(self.size_px) < _MIN_SIZE_PX:
            raise ValueError(f"width, height: expected at least {_MIN_SIZE_PX} pixels, got {self.size_px}")
        _check_intrinsics(self.intrinsics)
        check_rigid("vehicle_from_camera", self.vehicle_from_camera)
        _check_distortion(self)
        object.__setattr__(self, "camera_from_vehicle", inverse_rigid(self.vehicle_from_camera))

    @property
    def position_m(self) -> FloatArray:
        """(3,): where the camera's centre lies in the vehicle's axes."""
        position: FloatArray = self.vehicle_from_camera[:3, 3]
        return position

    def project(self, points_vehicle_m: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Pixels (..., 2) and depths in metres (...) of points (..., 3) in the vehicle's axes.

        Points with a depth of 0 or less lie behind the camera; their pixels mean nothing.
        """
        in_camera = points_vehicle_m @ self.camera_from_vehicle[:3, :3].T + self.camera_from_vehicle[:3, 3]
        depths_m = in_camera[..., 2]
        safe = np.where(np.abs(depths_m) > 1e-9, depths_m, 1e-9)
        pixels = (in_camera / safe[..., None]) @ self.intrinsics.T
        return pixels[..., :2], depths_m

    def rays(self, points_px: FloatArray) -> FloatArray:
        """(..., 3): the direction, in the vehicle's axes, in which each pixel position (..., 2) looks.

        Their part along the optical axis is 1, so that ``position_m + depth_m * ray`` has that depth.
        """
        rays: FloatArray = bearings(points_px, self.intrinsics) @ self.vehicle_from_camera[:3, :3].T
        return rays

    def resized(self, size_px: tuple[int, int]) -> Camera:
        """The same camera whose images are scaled to ``size_px``.

        Raises ``ValueError`` when the images have another shape, for then they show something else.
        """
        if size_px == self.size_px:
            return self
        scale = np.array(size_px) / np.array(self.size_px)
        if abs(scale[0] / scale[1] - 1) > _SAME_SHAPE_TOLERANCE:
            was, now = ("{}x{}".format(*size) for size in (self.size_px, size_px))
            raise ValueError(f"width, height: the calibration is for {was} pixels, the images have {now}")
        intrinsics = np.diag([*scale, 1.0]) @ self.intrinsics
        return replace(self, size_px=size_px, intrinsics=intrinsics)


@dataclass(frozen=True)
class Rig:
    """The cameras of a car by name; the road lies ``road_height_m`` above the vehicle's origin, usually 0.

    Raises ``ValueError`` without a camera, or where a camera stands under another name.
    """

    cameras: Mapping[str, Camera]
    road_height_m: float = 0.0

    def __post_init__(self) -> None:
        if not self.cameras:
            raise ValueError("cameras: expected at least one camera, got none")
        for name, camera in self.cameras.items():
            if camera.name != name:
                raise ValueError(f"cameras: expected camera {camera.name} under its own name, got {name}")
        if not np.isfinite(self.road_height_m):
            raise ValueError(f"road_height_m: expected a finite number, got {self.road_height_m}")

    def __len__(self) -> int:
        return len(self.cameras)

    @property
    def below_road_m(self) -> dict[str, float]:
        """How far below the road the cameras lie that cannot see it."""
        heights = {name: camera.position_m[2] - self.road_height_m for name, camera in self.cameras.items()}
        return {name: -float(height) for name, height in heights.items() if height <= 0}

    def only(self, names: Sequence[str]) -> Rig:
        """The rig with these cameras alone; raises ``KeyError`` for one that it does not have."""
        return Rig({name: self.cameras[name] for name in names}, self.road_height_m)


def inverse_rigid(target_from_source: FloatArray) -> FloatArray:
    """(4, 4): ``source_from_target`` of a rotation and translation."""
    rotation = target_from_source[:3, :3]
    inverse = np.eye(4)
    inverse[:3, :3] = rotation.T
    inverse[:3, 3] = -rotation.T @ target_from_source[:3, 3]
    return inverse


def transform_points(target_from_source: FloatArray, points: FloatArray) -> FloatArray:
    """(..., 3) points in source axes to target axes."""
    moved: FloatArray = points @ target_from_source[:3, :3].T + target_from_source[:3, 3]
    return moved


def check_rigid(name: str, matrix: FloatArray) -> None:
    """Raise ``ValueError``, beginning with ``name``, where a matrix (4, 4) is no rotation and translation."""
    if matrix.shape != (4, 4) or not np.isfinite(matrix).all():
        raise ValueError(f"{name}: expected 4x4 finite numbers, got shape {matrix.shape}")
    if not np.allclose(matrix[3], [0, 0, 0, 1], atol=1e-6):
        raise ValueError(f"{name}: expected the last row 0, 0, 0, 1, got {matrix[3].tolist()}")
    rotation = matrix[:3, :3]
    determinant = float(np.linalg.det(rotation))
    if abs(determinant) < 1e-6:
        raise ValueError(f"{name}: its rotation is singular; give three axes at right angles, each of length 1")
    is_orthogonal = np.allclose(rotation @ rotation.T, np.eye(3), atol=_ORTHOGONAL_TOLERANCE)
    if not is_orthogonal or determinant < 0:
        raise ValueError(
            f"{name}: its upper left 3x3 is no rotation; give three axes at right angles, each of "
            "length 1, right-handed"
        )


def yaw_rad(target_from_source: FloatArray) -> float:
    """The heading of the source's x axis in the target's x-y plane, counter-clockwise from its x axis."""
    return float(np.arctan2(target_from_source[1, 0], target_from_source[0, 0]))


def _check_intrinsics(intrinsics: FloatArray) -> None:
    if intrinsics.shape != (3, 3) or not np.isfinite(intrinsics).all():
        raise ValueError(f"intrinsics: expected 3x3 finite numbers, got shape {intrinsics.shape}")
    if not (intrinsics[0, 0] > 0 and intrinsics[1, 1] > 0):
        raise ValueError(
            "intrinsics: is singular or mirrored; both focal lengths (row 1 column 1, row 2 column 2) "
            f"must be positive, got {intrinsics[0, 0]:g} and {intrinsics[1, 1]:g}"
        )
    if not np.allclose(intrinsics[2], [0, 0, 1], atol=1e-6) or abs(intrinsics[1, 0]) > 1e-6:
        raise ValueError("intrinsics: expected the rows [fx, skew, cx], [0, fy, cy], [0, 0, 1]")


def _check_distortion(camera: Camera) -> None:
    coefficients, model = camera.distortion, camera.distortion_model
    if len(coefficients) not in _COEFFICIENTS[model] or not np.isfinite(coefficients).all():
        *others, last = (count for count in _COEFFICIENTS[model] if count)
        counts = f"{', '.join(map(str, others))} or {last}" if others else str(last)
        raise ValueError(
            f"distortion: expected {counts} finite numbers of the model {model}, got {len(coefficients)}: "
            f"{list(coefficients)}"
        )
    corners = np.array([[x, y, 1.0] for x in (0, camera.size_px[0]) for y in (0, camera.size_px[1])])
    reach = np.linalg.norm((corners @ np.linalg.inv(camera.intrinsics).T)[:, :2], axis=1).max()
    distorted = _RADIAL[model](np.linspace(0, reach, 64), coefficients)
    if not (np.isfinite(distorted).all() and (np.diff(distorted) > 0).all()):
        raise ValueError("distortion: folds the picture before its corners; it cannot be that of this lens")


def _opencv_radii(radii: FloatArray, coefficients: Sequence[float]) -> FloatArray:
    """Where the lens puts points at ``radii`` (M,) from the optical axis at depth 1; the round part of it."""
    k1, k2, _, _, k3, k4, k5, k6 = (*coefficients[:8], *(0.0,) * (8 - len(coefficients)))
    r2 = radii**2
    bent: FloatArray = radii * (1 + r2 * (k1 + r2 * (k2 + r2 * k3))) / (1 + r2 * (k4 + r2 * (k5 + r2 * k6)))
    return bent


def _fisheye_radii(radii: FloatArray, coefficients: Sequence[float]) -> FloatArray:
    angles = np.arctan(radii)
    bent: FloatArray = angles * np.polyval([*reversed(coefficients), 1.0], angles**2)
    return bent


_RADIAL = {"opencv": _opencv_radii, "fisheye": _fisheye_radii}
