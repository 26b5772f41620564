"""What the pictures of an instant show of the road users: boxes, pixels, shares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from perception.arrays import FloatArray
from perception.geometry.boxes import clip_boxes
from perception.simulation.rendering.culling.outlines import OutlineTable
from perception.simulation.rendering.culling.selection import DrawTables, InstanceTable, Selector, VisibleSet
from perception.simulation.rendering.culling.viewing import PinholeView
from perception.simulation.rendering.culling.visibility import TILES_PER_ATLAS, shown_boxes, tiles_for
from perception.simulation.rendering.stage import Stage
from perception.simulation.rendering.targets import SilhouetteTarget

_MARGIN_PX = 4.0
_MARGIN_SHARE = 0.04


@dataclass(frozen=True)
class OutlinedUsers:
    """M road users of which a part lies inside a picture.

    ``users`` (M,) rows of the instances, ``meshes`` (M,) that they are drawn with, ``is_drawn`` (M,)
    unless houses hide them, ``outlines_px`` (M, 4) boxes not cut at the border, ``full_px`` (M, 4) cut there.
    """

    users: np.ndarray
    meshes: np.ndarray
    is_drawn: np.ndarray
    outlines_px: FloatArray
    full_px: FloatArray

    def code_boxes_px(self) -> FloatArray:
        """(D, 4): parts of the picture beyond which the id buffer is empty. Coarse meshes, and corners that outlines
        leave out, stand out of their boxes a little."""
        boxes = self.outlines_px[self.is_drawn]
        margin = _MARGIN_PX + _MARGIN_SHARE * (boxes[:, 2:] - boxes[:, :2])
        grown: FloatArray = np.concatenate([np.floor(boxes[:, :2] - margin), np.ceil(boxes[:, 2:] + margin)], axis=1)
        return grown


@dataclass(frozen=True)
class Seen(OutlinedUsers):
    """What the id buffer shows of them: boxes ``shown_px`` (M, 4) and ``pixels`` (M,)."""

    shown_px: FloatArray
    pixels: np.ndarray


def outlined_users(
    view: PinholeView, instances: InstanceTable, outlines: OutlineTable, choice: VisibleSet
) -> OutlinedUsers:
    """Where those road users of the instances that a camera may show lie in its picture."""
    boxes = outlines.boxes(view, instances.rows[choice.users], instances.models[choice.users])
    full = clip_boxes(boxes, view.camera.size_px)
    inside = (full[:, 2] > full[:, 0]) & (full[:, 3] > full[:, 1])
    return OutlinedUsers(
        choice.users[inside], choice.meshes[inside], choice.is_drawn[inside], boxes[inside], full[inside]
    )


def seen_users(outlined: OutlinedUsers, instances: InstanceTable, codes: np.ndarray) -> Seen:
    """Count them in the camera's id buffer (H, W)."""
    shown, pixels = shown_boxes(codes, instances.user_count)
    return Seen(**vars(outlined), shown_px=shown[outlined.users], pixels=pixels[outlined.users])


class ShareMeter:
    """Draws each road user that shows at least a pixel once more, alone, and compares areas."""

    def __init__(self, stage: Stage, selector: Selector, target: SilhouetteTarget) -> None:
        self._stage, self._selector, self._target = stage, selector, target

    def shares(
        self, views: Mapping[str, PinholeView], instances: InstanceTable, seen: Mapping[str, Seen]
    ) -> dict[str, FloatArray]:
        """(M,) for each camera: visible pixels over those of the silhouette in an unbounded image, 0..1."""
        names = list(views)
        camera = np.concatenate([np.full(len(seen[name].users), index) for index, name in enumerate(names)])
        pixels = np.concatenate([seen[name].pixels for name in names])
        shares = np.zeros(len(pixels))
        showing = np.flatnonzero(pixels)
        for start in range(0, len(showing), TILES_PER_ATLAS):
            batch = showing[start : start + TILES_PER_ATLAS]
            areas = self._areas(list(views.values()), instances, [seen[name] for name in names], camera, batch)
            shares[batch] = np.minimum(pixels[batch] / np.maximum(areas, 1.0), 1.0)
        return {name: shares[camera == index] for index, name in enumerate(names)}

    def _areas(
        self,
        views: list[PinholeView],
        instances: InstanceTable,
        seen: list[Seen],
        camera: np.ndarray,
        batch: np.ndarray,
    ) -> FloatArray:
        """(B,) pixels of the silhouettes of a batch of all cameras' road users."""
        users = np.concatenate([part.users for part in seen])[batch]
        meshes = np.concatenate([part.meshes for part in seen])[batch]
        outlines = np.concatenate([part.outlines_px for part in seen])[batch]
        sizes = np.array([view.camera.size_px for view in views], float)[camera[batch]]
        tiles = tiles_for(outlines, sizes, np.arange(len(batch)))
        tables, orders, ranges = DrawTables(), [], []
        for index in range(len(views)):
            mine = np.flatnonzero(camera[batch] == index)
            drawn, order = self._selector.silhouettes(tables, instances.rows[users[mine]], meshes[mine])
            orders.append(mine[order])
            ranges.append(drawn)
        where = np.concatenate([tiles.clip, tiles.windows], axis=1).astype(np.float32)
        self._stage.upload(tables.instances, tables.commands, tiles=where[np.concatenate(orders)])
        self._target.begin(len(batch))
        self._stage.context.enable_only(self._stage.context.NOTHING)
        for view, drawn in zip(views, ranges, strict=True):
            self._stage.draw("silhouette", *drawn, view.clip_from_town)
        whole, by_samples = self._target.areas(len(batch))
        areas: FloatArray = np.where(tiles.areas_px == 1, whole, by_samples * tiles.areas_px)
        return areas
