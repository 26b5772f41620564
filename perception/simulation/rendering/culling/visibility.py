"""How much of each road user a camera shows: boxes of the id buffer, and tiles in which each is drawn alone.

A silhouette's own area is counted in a small picture of it: up to 62 pixels wide and high at the camera's own pixels,
so that an object that nothing hides shows a share of exactly 1; larger ones reduced by a power of two, within about
1 % of the true area. What reaches behind the camera is cut two pictures' width beyond the border.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import find_objects

from perception.arrays import FloatArray

TILE_PX = 64
ATLAS_PX = 1024
TILES_PER_ATLAS = (ATLAS_PX // TILE_PX) ** 2
_INNER_PX = TILE_PX - 2


@dataclass(frozen=True)
class Tiles:
    """Where in the atlas each silhouette goes: ``clip`` (N, 4) scale and offset of clip coordinates, ``windows``
    (N, 4) the pixels x1, y1, x2, y2 that belong to it, ``areas_px`` (N,) how many of the camera's pixels one is."""

    clip: FloatArray
    windows: FloatArray
    areas_px: FloatArray


def tiles_for(boxes_xyxy_px: FloatArray, sizes_px: FloatArray, cells: np.ndarray) -> Tiles:
    """Tiles for silhouettes with these boxes (N, 4) in cameras of ``sizes_px`` (N, 2), at ``cells`` (N,) of the
    atlas."""
    extent = (np.ceil(boxes_xyxy_px[:, 2:]) - np.floor(boxes_xyxy_px[:, :2])).max(axis=1)
    reduction = 2.0 ** np.ceil(np.log2(np.maximum(extent / _INNER_PX, 1.0)))[:, None]
    columns = ATLAS_PX // TILE_PX
    corner = TILE_PX * np.stack([cells % columns, cells // columns], axis=1)
    origin = np.floor(boxes_xyxy_px[:, :2])
    scale = sizes_px / (reduction * ATLAS_PX)
    offset = (sizes_px / reduction - 2 * origin / reduction + 2 * (corner + 1)) / ATLAS_PX - 1
    windows = np.concatenate([corner, corner + TILE_PX], axis=1)
    return Tiles(np.concatenate([scale, offset], axis=1), windows, reduction[:, 0] ** 2)


def shown_boxes(codes: np.ndarray, count: int) -> tuple[FloatArray, np.ndarray]:
    """Boxes (count, 4) and numbers (count,) of the pixels of each code 1..count in an id buffer (H, W)."""
    pixels = np.bincount(codes.ravel(), minlength=count + 1)[1 : count + 1]
    boxes = np.zeros((count, 4))
    for index, region in enumerate(find_objects(codes, max_label=count)):
        if region is not None:
            rows, columns = region
            boxes[index] = columns.start, rows.start, columns.stop, rows.stop
    return boxes, pixels
