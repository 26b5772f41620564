"""Pictures of one window's width and one storey's height of a wall, and of roof tiles; walls repeat them."""

from __future__ import annotations

from enum import IntEnum

import cv2
import numpy as np
from numpy.typing import NDArray

_SIZE_PX = 128
_FINE = 2
_TONE = 1.25


class Facade(IntEnum):
    """Layers of ``facade_pictures``; a wall of bricks adds ``BRICK``."""

    BLANK = 0
    WIDE = 1
    NARROW = 2
    TALL = 3
    SHUTTERED = 4
    SHOP = 5
    DOOR = 6
    TILES = 7
    BRICK = 8


_OPENINGS = {
    Facade.WIDE: (0.18, 0.30, 0.82, 0.80),
    Facade.NARROW: (0.30, 0.30, 0.70, 0.80),
    Facade.TALL: (0.27, 0.16, 0.73, 0.84),
    Facade.SHUTTERED: (0.28, 0.30, 0.72, 0.80),
    Facade.SHOP: (0.05, 0.15, 0.95, 0.73),
    Facade.DOOR: (0.28, 0.0, 0.72, 0.76),
}
"""Left, bottom, right, top of the window in shares of the cell."""


def facade_pictures() -> NDArray[np.uint8]:
    """(16, 128, 128, 4), rows upwards: the wall's tone (1 at 204), and how much trim, glass, accent covers it."""
    layers = [_layer(Facade(kind), brick=brick) for brick in (False, True) for kind in range(8)]
    return np.stack(layers)


def _layer(kind: Facade, *, brick: bool) -> NDArray[np.uint8]:
    size = _SIZE_PX * _FINE
    picture = np.zeros((size, size, 4), np.float32)
    picture[..., 0] = 1.0
    if kind == Facade.TILES:
        _tiles(picture)
    else:
        if brick:
            _bricks(picture)
        if kind != Facade.BLANK:
            picture[int(0.955 * size) : int(0.985 * size), :, 0] *= 0.84
            _opening(picture, kind)
    picture[..., 0] /= _TONE
    small = cv2.resize(picture, (_SIZE_PX, _SIZE_PX), interpolation=cv2.INTER_AREA)
    return np.clip(np.round(small * 255), 0, 255).astype(np.uint8)


def _fill(picture: np.ndarray, box: tuple[float, float, float, float], channel: int, value: float) -> None:
    """Set a channel in a box (left, bottom, right, top) and clear what covered the wall there."""
    size = len(picture)
    x0, y0, x1, y1 = (round(max(0.0, min(1.0, v)) * size) for v in box)
    picture[y0:y1, x0:x1, 1:] = 0
    picture[y0:y1, x0:x1, channel] = value


def _opening(picture: np.ndarray, kind: Facade) -> None:
    left, low, right, high = _OPENINGS[kind]
    if kind == Facade.SHUTTERED:
        _fill(picture, (left - 0.17, low - 0.01, left - 0.04, high + 0.01), 3, 1.0)
        _fill(picture, (right + 0.04, low - 0.01, right + 0.17, high + 0.01), 3, 1.0)
    if kind == Facade.SHOP:
        _fill(picture, (0.0, 0.79, 1.0, 0.96), 3, 1.0)
    _fill(picture, (left - 0.04, low - 0.035, right + 0.04, high + 0.035), 1, 1.0)
    if kind == Facade.DOOR:
        _fill(picture, (left, low, right, high - 0.16), 3, 0.8)
        _fill(picture, (left + 0.03, low + 0.06, right - 0.03, low + 0.26), 3, 1.0)
        _fill(picture, (left + 0.03, low + 0.30, right - 0.03, high - 0.20), 3, 1.0)
        _fill(picture, (left, high - 0.13, right, high), 2, 1.0)
        return
    _fill(picture, (left, low, right, high), 2, 1.0)
    if kind in (Facade.SHOP, Facade.WIDE):
        _fill(picture, (0.492, low, 0.508, high), 1, 1.0)
    else:
        middle = 0.5 * (left + right)
        _fill(picture, (middle - 0.011, low, middle + 0.011, high), 1, 1.0)
        _fill(picture, (left, high - 0.16, right, high - 0.14), 1, 1.0)
    size = len(picture)
    x0, x1, y0, y1 = round(left * size), round(right * size), round((high - 0.055) * size), round(high * size)
    picture[y0:y1, x0:x1, 0] = 0.35
    picture[y0:y1, x0:x1, 2] *= 0.4
    if kind != Facade.SHOP:
        _fill(picture, (left - 0.07, low - 0.075, right + 0.07, low - 0.04), 1, 0.95)
        x0, x1 = round((left - 0.06) * size), round((right + 0.06) * size)
        picture[round((low - 0.12) * size) : round((low - 0.075) * size), x0:x1, 0] *= 0.78


def _bricks(picture: np.ndarray) -> None:
    size = len(picture)
    random = np.random.default_rng(5)
    courses, across = 32, 8
    high = size // courses
    for course in range(courses):
        shift = (course % 2) * size // across // 2
        tones = random.uniform(0.86, 1.12, across)
        columns = ((np.arange(size) + shift) % size) // (size // across)
        picture[course * high : (course + 1) * high, :, 0] = tones[columns]
        picture[course * high : course * high + 2, :, 0] = 0.72
        joints = ((np.arange(size) + shift) % (size // across)) < 2
        picture[course * high : (course + 1) * high, joints, 0] = 0.72


def _tiles(picture: np.ndarray) -> None:
    size = len(picture)
    random = np.random.default_rng(6)
    rows, columns = 4, 4
    for row in range(rows):
        tones = random.uniform(0.84, 1.12, columns)
        x = (np.arange(size) + (row % 2) * size // columns // 2) % size
        y0, y1 = row * size // rows, (row + 1) * size // rows
        round_ = 1 - 0.22 * np.abs(2 * (x % (size // columns)) / (size // columns) - 1) ** 3
        slope = np.linspace(0.70, 1.06, y1 - y0) ** 0.7
        picture[y0:y1, :, 0] = tones[x // (size // columns)] * round_ * slope[:, None]
