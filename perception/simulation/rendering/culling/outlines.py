"""Boxes around silhouettes, worked out from the corners of bodies before anything is drawn."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from perception.arrays import FloatArray
from perception.geometry.rotation import rotate
from perception.simulation.rendering.culling.viewing import NEAR_M, PinholeView
from perception.simulation.rendering.shapes.models import Model

_CUT_PICTURES = 2.0


class OutlineTable:
    """The outlines of ``models`` in one table; instances name a model by its index there."""

    def __init__(self, models: Sequence[Model]) -> None:
        vertices = np.concatenate([model.outline.vertices for model in models])
        self._positions_m = vertices["position"].astype(float)
        self._axes_m, self._joints = vertices["axes"].astype(float), vertices["joint"].astype(int)
        self._corners = _Runs([len(model.outline.vertices) for model in models])
        self._edges = np.concatenate([model.outline.edges for model in models])
        self._edge_runs = _Runs([len(model.outline.edges) for model in models])

    def boxes(self, view: PinholeView, rows: np.ndarray, models: np.ndarray) -> FloatArray:
        """(N, 4) x1, y1, x2, y2 in pixels around the silhouettes of instances, cut two pictures' width beyond the
        border.

        ``rows`` (N,) of ``INSTANCE`` with the model (N,) of each. Without any corner before the camera the box is
        empty (NaN).
        """
        boxes = np.full((len(models), 4), np.nan)
        if not len(models):
            return boxes
        owner, corner = self._corners.of(models)
        at = self._placed(rows, owner, corner) @ view.camera_from_town[:3, :3].T + view.camera_from_town[:3, 3]
        behind = at[:, 2] < NEAR_M
        before_owner, pixels = owner[~behind], _pixels(view, at[~behind])
        first = np.flatnonzero(np.diff(before_owner, prepend=-1))
        if len(first):
            boxes[before_owner[first], :2] = np.minimum.reduceat(pixels, first)
            boxes[before_owner[first], 2:] = np.maximum.reduceat(pixels, first)
        cut_owner, cut_at = self._cuts(at, behind, owner, models)
        cut_pixels = _pixels(view, cut_at)
        np.fmin.at(boxes[:, :2], cut_owner, cut_pixels)
        np.fmax.at(boxes[:, 2:], cut_owner, cut_pixels)
        return boxes

    def _placed(self, rows: np.ndarray, owner: np.ndarray, corner: np.ndarray) -> FloatArray:
        """(P, 3): corners in the town, each with its instance; what the vertex shaders do."""
        points = self._positions_m[corner]
        angles = np.concatenate([np.zeros((len(rows), 1)), rows["angles"]], axis=1)
        sines, cosines = np.sin(angles), np.cos(angles)
        for joint in (1, 0):
            turning = np.flatnonzero(self._joints[corner, joint])
            axis = self._axes_m[corner[turning], 2 * joint : 2 * joint + 2]
            which = owner[turning], self._joints[corner[turning], joint]
            x, z = (points[turning][:, [0, 2]] - axis).T
            points[turning, 0] = axis[:, 0] + cosines[which] * x + sines[which] * z
            points[turning, 2] = axis[:, 1] - sines[which] * x + cosines[which] * z
        placed: FloatArray = points * rows["scale"][owner]
        placed[:, :2] = rotate(placed[:, :2], rows["yaw"][owner])
        placed += rows["position"][owner]
        return placed

    def _cuts(
        self, at: FloatArray, behind: np.ndarray, owner: np.ndarray, models: np.ndarray
    ) -> tuple[np.ndarray, FloatArray]:
        """Owners (E,) of the points (E, 3) where outlines pass through the plane just before the camera."""
        hidden = np.bincount(owner, weights=behind, minlength=len(models))
        counts = np.bincount(owner, minlength=len(models))
        split = np.flatnonzero((hidden > 0) & (hidden < counts))
        which, edge = self._edge_runs.of(models[split])
        starts = (np.cumsum(counts) - counts)[split]
        a, b = (self._edges[edge] + starts[which][:, None]).T
        crossing = behind[a] != behind[b]
        a, b = a[crossing], b[crossing]
        share = (NEAR_M - at[a, 2]) / (at[b, 2] - at[a, 2])
        return split[which[crossing]], at[a] + share[:, None] * (at[b] - at[a])


class _Runs:
    """Where the parts of a table lie that is made of one run of so many lines for each model."""

    def __init__(self, counts: Sequence[int]) -> None:
        self._counts = np.array(counts)
        self._starts = np.cumsum(self._counts) - self._counts

    def of(self, models: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The lines of all these models (N,), one model after the other: whose it is (L,), and where it lies (L,)."""
        counts = self._counts[models]
        owner = np.repeat(np.arange(len(models)), counts)
        within = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
        return owner, self._starts[models][owner] + within


def _pixels(view: PinholeView, at: FloatArray) -> FloatArray:
    """(P, 2) pixels of points (P, 3) before the camera, cut far outside of the picture."""
    size = np.array(view.camera.size_px)
    pixels = (at / at[:, 2:]) @ view.camera.intrinsics.T
    cut: FloatArray = np.clip(pixels[:, :2], -_CUT_PICTURES * size, (1 + _CUT_PICTURES) * size)
    return cut
