"""Where the cameras of a rig and the view from above lie in a picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from perception.arrays import FloatArray
from perception.geometry.cameras import Rig

# Of a camera that has a row to itself, this much of the height is always shown; mostly sky and bonnet go.
_SHOWN_HEIGHT = 0.8
_CAMERA_SHARE = (0.44, 0.66)
_ROWS = {1: (1,), 2: (1, 1), 3: (1, 2), 4: (1, 3), 5: (1, 2, 2), 6: (1, 2, 3)}


@dataclass(frozen=True)
class Area:
    """A rectangle of whole pixels."""

    left: int
    top: int
    width: int
    height: int

    def of(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The view of ``picture`` (H, W, 3) under this area."""
        return picture[self.top : self.top + self.height, self.left : self.left + self.width]


@dataclass(frozen=True)
class RigLayout:
    """``tiles`` of the cameras by name, ``above`` for the bird's-eye view, ``unit`` the size of text and strokes
    relative to a picture 720 pixels high."""

    tiles: dict[str, Area]
    above: Area
    unit: float


def camera_rows(names: Sequence[str], rig: Rig) -> list[list[str]]:
    """The cameras in rows as one stands in the car: ahead on top, behind at the bottom, left ones at the left."""
    forward = {name: rig.cameras[name].vehicle_from_camera[:2, 2] for name in names}
    leftness = {name: (-round(float(forward[name][1]), 2), -float(rig.cameras[name].position_m[1])) for name in names}
    turned = {name: round(abs(math.degrees(math.atan2(forward[name][1], forward[name][0])))) for name in names}
    order = sorted(names, key=lambda name: (turned[name], leftness[name]))
    rows: list[list[str]] = []
    for size in row_sizes(len(names)):
        rows.append(sorted(order[:size], key=leftness.__getitem__))
        order = order[size:]
    return rows


def row_sizes(count: int) -> tuple[int, ...]:
    """Cameras per row, from the front; the upper rows are no longer than the lower ones and show larger pictures."""
    if count in _ROWS:
        return _ROWS[count]
    columns = 3 if count <= 12 else math.ceil(math.sqrt(count))
    first = count % columns
    return ((first,) if first else ()) + (columns,) * (count // columns)


def rig_layout(names: Sequence[str], rig: Rig, size_px: tuple[int, int], *, status_px: int) -> RigLayout:
    """Divide a picture of ``size_px`` (width, height), of which the lowest ``status_px`` rows stay free."""
    width, height = size_px
    unit = height / 720
    margin, gap = round(8 * unit), round(6 * unit)
    room_w, room_h = width - 2 * margin - gap, height - margin - max(margin, status_px)
    rows = camera_rows(names, rig)
    aspect = float(np.median([rig.cameras[name].size_px[0] / rig.cameras[name].size_px[1] for name in names]))
    # The width at which all rows together are as high as the room.
    heights_per_width = sum((_SHOWN_HEIGHT if len(row) == 1 else 1 / len(row)) / aspect for row in rows)
    fitting_w = (room_h - gap * (len(rows) - 1)) / heights_per_width
    cameras_w = round(min(max(fitting_w, _CAMERA_SHARE[0] * room_w), _CAMERA_SHARE[1] * room_w))
    sizes = _tile_sizes([len(row) for row in rows], aspect, cameras_w, room_h, gap)
    tiles: dict[str, Area] = {}
    top = margin + max(0, room_h - sum(tile_h for _, tile_h in sizes) - gap * (len(rows) - 1)) // 2
    for row, (tile_w, tile_h) in zip(rows, sizes, strict=True):
        left = margin + (cameras_w - len(row) * tile_w - (len(row) - 1) * gap) // 2
        for column, name in enumerate(row):
            tiles[name] = Area(left + column * (tile_w + gap), top, tile_w, tile_h)
        top += tile_h + gap
    above = Area(margin + cameras_w + gap, margin, room_w - cameras_w, room_h)
    return RigLayout(tiles, above, unit)


def _tile_sizes(counts: list[int], aspect: float, width: int, room_h: int, gap: int) -> list[tuple[int, int]]:
    """(width, height) of the tiles of each row: rows of one camera take the height that the others leave."""
    shared_w = [(width - (count - 1) * gap) // count for count in counts]
    full_h = [round(tile_w / aspect) for tile_w in shared_w]
    singles = sum(count == 1 for count in counts)
    free_h = room_h - gap * (len(counts) - 1) - sum(h for h, count in zip(full_h, counts, strict=True) if count > 1)
    if singles:
        single_h = min(full_h[counts.index(1)], max(free_h // singles, 1))
        single_w = min(width, round(single_h * aspect / _SHOWN_HEIGHT))
        return [
            (single_w, single_h) if count == 1 else (tile_w, tile_h)
            for count, tile_w, tile_h in zip(counts, shared_w, full_h, strict=True)
        ]
    shrink = min(1.0, (free_h + sum(full_h)) / sum(full_h))
    return [(int(w * shrink), int(h * shrink)) for w, h in zip(shared_w, full_h, strict=True)]


def fitted(image_size_px: tuple[int, int], tile: Area) -> tuple[FloatArray, FloatArray]:
    """``scale`` (2,) and ``offset_px`` (2,) with which an image fills its tile, or lies in it whole where filling
    would cut off more than a fifth of it. A cut takes more from the sky than from the road."""
    image = np.array(image_size_px, dtype=np.float64)
    size = np.array([tile.width, tile.height], dtype=np.float64)
    factors = size / image
    fills = factors.min() / factors.max() >= _SHOWN_HEIGHT - 0.02
    scale = np.full(2, factors.max() if fills else factors.min())
    offset = (size - scale * image) * np.array([0.5, 0.6 if fills else 0.5])
    return scale, offset
