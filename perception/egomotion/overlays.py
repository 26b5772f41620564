"""What belongs to the picture and not to the world: the car's own bonnet, a mirror, a printed date."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from perception.arrays import FloatArray, IntArray

_TURN_PX = 0.75
_STILL_PX = 0.2
_MIN_SIGHTINGS = 8
_MAX_MOVING_SHARE = 0.1


class Overlays:
    """Learns which cells of a picture stand still while the camera turns; whatever is in the world moves then.

    Travel straight on tells nothing: what is far ahead stands still too.
    """

    def __init__(self, size_px: tuple[int, int], cell_px: int) -> None:
        self._cell_px = cell_px
        width, height = size_px
        shape = height // cell_px + 1, width // cell_px + 1
        self._still, self._moving = np.zeros(shape), np.zeros(shape)

    def cover(self, points_px: FloatArray) -> NDArray[np.bool_]:
        """(N,): whether points (N, 2) of the picture lie on an overlay."""
        seen = self._still + self._moving
        is_overlay = (self._still >= _MIN_SIGHTINGS) & (self._moving <= _MAX_MOVING_SHARE * seen)
        return np.asarray(is_overlay[self._cells(points_px)])

    def learn(self, points_px: FloatArray, shifts_px: FloatArray, turns_px: FloatArray) -> None:
        """Take how points (N, 2) moved (N, 2), and how the camera's turning alone moves them (N, 2)."""
        lengths = np.linalg.norm(shifts_px, axis=1)
        is_told = np.linalg.norm(turns_px, axis=1) > _TURN_PX
        for counts, is_counted in ((self._still, lengths < _STILL_PX), (self._moving, lengths >= _STILL_PX)):
            np.add.at(counts, self._cells(points_px[is_told & is_counted]), 1.0)

    def _cells(self, points_px: FloatArray) -> tuple[IntArray, IntArray]:
        columns, rows = (np.maximum(points_px, 0) // self._cell_px).astype(np.int64).T
        height, width = self._still.shape
        return np.minimum(rows, height - 1), np.minimum(columns, width - 1)
