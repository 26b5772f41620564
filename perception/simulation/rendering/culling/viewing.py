"""From the town to a camera's pixels: matrices, what can lie in the picture, and in which order it is drawn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from perception.arrays import FloatArray
from perception.geometry.cameras import Camera, inverse_rigid

NEAR_M, FAR_M = 0.25, 2500.0


@dataclass(frozen=True, kw_only=True)
class PinholeView:
    """A camera at one instant: ``camera_from_town`` (4, 4), ``clip_from_town`` (4, 4), ``eye_m`` (3,) in the town."""

    camera: Camera
    camera_from_town: FloatArray
    clip_from_town: FloatArray
    eye_m: FloatArray

    def uniforms(self) -> bytes:
        """The block ``View`` of the shaders."""
        width, height = self.camera.size_px
        town_from_rays = inverse_rigid(self.camera_from_town)[:3, :3] @ np.linalg.inv(self.camera.intrinsics)
        block = np.zeros((8, 4), np.float32)
        block[:4] = self.clip_from_town.T
        block[4, :3] = self.eye_m
        block[5, :3] = town_from_rays[:, 0] * width / 2
        block[6, :3] = town_from_rays[:, 1] * height / 2
        block[7, :3] = town_from_rays @ np.array([width / 2, height / 2, 1.0])
        return block.tobytes()


def view_of(camera: Camera, town_from_vehicle: FloatArray) -> PinholeView:
    """The camera's matrices; the first row of the picture is the first row that is read back."""
    camera_from_town = camera.camera_from_vehicle @ inverse_rigid(town_from_vehicle)
    clip_from_town = clip_from_camera(camera) @ camera_from_town
    return PinholeView(
        camera=camera,
        camera_from_town=camera_from_town,
        clip_from_town=clip_from_town,
        eye_m=inverse_rigid(camera_from_town)[:3, 3],
    )


def clip_from_camera(camera: Camera) -> FloatArray:
    """(4, 4): the pinhole as a projection matrix, any principal point and skew; y grows downwards as in the image."""
    width, height = camera.size_px
    k = camera.intrinsics
    clip = np.zeros((4, 4))
    clip[0, :3] = 2 / width * k[0]
    clip[1, :3] = 2 / height * k[1]
    clip[:2, 2] -= 1.0
    clip[2, 2:] = (FAR_M + NEAR_M) / (FAR_M - NEAR_M), -2 * FAR_M * NEAR_M / (FAR_M - NEAR_M)
    clip[3, 2] = 1.0
    return clip


def in_picture(view: PinholeView, centres_m: FloatArray, radii_m: FloatArray) -> tuple[np.ndarray, FloatArray]:
    """Which spheres (N,) may show in the picture, and their radius there in pixels (N,)."""
    at = centres_m @ view.camera_from_town[:3, :3].T + view.camera_from_town[:3, 3]
    k, (width, height) = view.camera.intrinsics, view.camera.size_px
    planes = np.stack([k[0], np.array([0, 0, width]) - k[0], k[1], np.array([0, 0, height]) - k[1]])
    planes /= np.linalg.norm(planes, axis=1, keepdims=True)
    shown = (at @ planes.T > -radii_m[:, None]).all(axis=1) & (at[:, 2] > NEAR_M - radii_m)
    focal = 0.5 * (k[0, 0] + k[1, 1])
    return shown, focal * radii_m / np.maximum(np.linalg.norm(at, axis=1), 0.1)


def commands(meshes: np.ndarray, draws: np.ndarray, first_instance: int) -> tuple[np.ndarray, np.ndarray]:
    """Order (N,) of instances by mesh, and (C, 5) indirect commands for instances that lie in this order in a buffer
    from ``first_instance`` on; ``draws`` (D, 3) as in ``ModelLibrary``."""
    order = np.argsort(meshes, kind="stable")
    counts = np.bincount(meshes, minlength=len(draws))
    starts = first_instance + np.concatenate([[0], np.cumsum(counts)[:-1]])
    used = np.flatnonzero(counts)
    table = np.stack([draws[used, 0], counts[used], draws[used, 1], draws[used, 2], starts[used]], axis=1)
    return order, table.astype(np.uint32)


def shadow_matrix(sun_direction: FloatArray, centre_m: FloatArray, reach_m: float) -> FloatArray:
    """(4, 4): from the town to the sun's view, -1..1, of all within ``reach_m`` around a position on the road."""
    side = np.cross([0.0, 0.0, 1.0], sun_direction)
    side /= np.linalg.norm(side)
    up = np.cross(sun_direction, side)
    clip = np.eye(4)
    clip[0, :3], clip[1, :3], clip[2, :3] = side / reach_m, up / reach_m, -sun_direction / (4 * reach_m)
    clip[:3, 3] = -clip[:3, :3] @ np.array([*centre_m[:2], 0.0])
    return clip
