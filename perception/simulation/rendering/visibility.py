"""How much of each road user a camera shows: silhouettes' boxes, and tiles in which each is drawn alone.

A silhouette's own area is counted in a small picture of it: up to 62 pixels wide and high at the camera's own pixels,
so that an object that nothing hides shows a share of exactly 1; larger ones reduced by a power of two, within about
1 % of the true area. What reaches behind the camera is cut two pictures' width beyond the border.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import find_objects

from perception.simulation.rendering.models import Model
from perception.simulation.rendering.viewing import NEAR_M, View
from perception.types import FloatArray

TILE_PX = 64
ATLAS_PX = 1024
TILES_PER_ATLAS = (ATLAS_PX // TILE_PX) ** 2
_INNER_PX = TILE_PX - 2
_CUT_PICTURES = 2.0


def outline_boxes(view: View, rows: np.ndarray, models: list[Model]) -> FloatArray:
    """(N, 4) x1, y1, x2, y2 in pixels around the silhouettes of instances, not cut at the border.

    ``rows`` (N,) of ``INSTANCE`` with the model of each. Without any corner before the camera the box is empty (NaN).
    """
    if not models:
        return np.zeros((0, 4))
    counts = np.array([len(model.outline.vertices) for model in models])
    starts = np.concatenate([[0], np.cumsum(counts)])
    vertices = np.concatenate([model.outline.vertices for model in models])
    owner = np.repeat(np.arange(len(models)), counts)
    points = placed_points(vertices, rows[owner])
    at = points @ view.camera_from_town[:3, :3].T + view.camera_from_town[:3, 3]
    behind = at[:, 2] < NEAR_M
    extra_at, extra_owner = _cuts(at, behind, starts, models)
    at, owner = np.concatenate([at[~behind], extra_at]), np.concatenate([owner[~behind], extra_owner])
    pixels = (at / at[:, 2:]) @ view.camera.intrinsics.T
    size = np.array(view.camera.size_px)
    pixels = np.clip(pixels[:, :2], -_CUT_PICTURES * size, (1 + _CUT_PICTURES) * size)
    boxes = np.full((len(models), 4), np.nan)
    order = np.argsort(owner, kind="stable")
    present, first = np.unique(owner[order], return_index=True)
    if len(present):
        boxes[present, :2] = np.minimum.reduceat(pixels[order], first)
        boxes[present, 2:] = np.maximum.reduceat(pixels[order], first)
    return boxes


def _cuts(at: FloatArray, behind: np.ndarray, starts: np.ndarray, models: list[Model]) -> tuple[FloatArray, np.ndarray]:
    """Points (E, 3) where outlines pass through the plane just before the camera, and their owners (E,)."""
    found, owners = [np.zeros((0, 3))], [np.zeros(0, int)]
    for index, model in enumerate(models):
        part = behind[starts[index] : starts[index + 1]]
        if part.all() or not part.any():
            continue
        a, b = (model.outline.edges + starts[index]).T
        crossing = behind[a] != behind[b]
        a, b = a[crossing], b[crossing]
        share = (NEAR_M - at[a, 2]) / (at[b, 2] - at[a, 2])
        found.append(at[a] + share[:, None] * (at[b] - at[a]))
        owners.append(np.full(len(a), index))
    return np.concatenate(found), np.concatenate(owners)


def placed_points(vertices: np.ndarray, rows: np.ndarray) -> FloatArray:
    """(P, 3): vertices of models in the town, each with its own instance; what the vertex shaders do."""
    points = vertices["position"].astype(float)
    angles = np.concatenate([np.zeros((len(rows), 1)), rows["angles"]], axis=1)
    for joint in (1, 0):
        turn = angles[np.arange(len(rows)), vertices["joint"][:, joint]]
        sin, cos = np.sin(turn), np.cos(turn)
        x, z = points[:, 0] - vertices["axes"][:, 2 * joint], points[:, 2] - vertices["axes"][:, 2 * joint + 1]
        points[:, 0] = vertices["axes"][:, 2 * joint] + cos * x + sin * z
        points[:, 2] = vertices["axes"][:, 2 * joint + 1] - sin * x + cos * z
    points *= rows["scale"]
    sin, cos = np.sin(rows["yaw"]), np.cos(rows["yaw"])
    placed: FloatArray = np.stack(
        [cos * points[:, 0] - sin * points[:, 1], sin * points[:, 0] + cos * points[:, 1], points[:, 2]], axis=1
    )
    placed += rows["position"]
    return placed


@dataclass(frozen=True)
class Tiles:
    """Where in the atlas each silhouette goes: ``clip`` (N, 4) scale and offset of clip coordinates, ``windows``
    (N, 4) the pixels x1, y1, x2, y2 that belong to it, ``areas_px`` (N,) how many of the camera's pixels one is."""

    clip: FloatArray
    windows: FloatArray
    areas_px: FloatArray


def tiles_for(boxes_xyxy_px: FloatArray, sizes_px: FloatArray, places: np.ndarray) -> Tiles:
    """Tiles for silhouettes with these boxes (N, 4) in cameras of ``sizes_px`` (N, 2), at ``places`` (N,) of the
    atlas."""
    extent = (np.ceil(boxes_xyxy_px[:, 2:]) - np.floor(boxes_xyxy_px[:, :2])).max(axis=1)
    reduction = 2.0 ** np.ceil(np.log2(np.maximum(extent / _INNER_PX, 1.0)))[:, None]
    columns = ATLAS_PX // TILE_PX
    corner = TILE_PX * np.stack([places % columns, places // columns], axis=1)
    origin = np.floor(boxes_xyxy_px[:, :2])
    scale = sizes_px / (reduction * ATLAS_PX)
    offset = (sizes_px / reduction - 2 * origin / reduction + 2 * (corner + 1)) / ATLAS_PX - 1
    windows = np.concatenate([corner, corner + TILE_PX], axis=1)
    return Tiles(np.concatenate([scale, offset], axis=1), windows, reduction[:, 0] ** 2)


def shown_boxes(codes: np.ndarray, count: int) -> tuple[FloatArray, np.ndarray]:
    """Boxes (count, 4) and numbers (count,) of the pixels of each code 1..count in an id buffer (H, W)."""
    pixels = np.bincount(codes.ravel(), minlength=count + 1)[1 : count + 1]
    boxes = np.zeros((count, 4))
    for index, place in enumerate(find_objects(codes, max_label=count)):
        if place is not None:
            rows, columns = place
            boxes[index] = columns.start, rows.start, columns.stop, rows.stop
    return boxes, pixels
