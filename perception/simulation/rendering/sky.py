"""Pictures made once for a drive: the sky as a hemisphere, and noise for surfaces."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from perception.simulation.rendering.conditions import Conditions

SKY_EDGE = 0.45
"""Half the texture's width that the horizon's circle takes; the rest lies below the horizon."""

_NOISE_SIZE = 256


def fractal_noise(size: int, seed: int, *, octaves: int = 5, first_cells: int = 4) -> NDArray[np.float32]:
    """(size, size) smooth noise in 0..1 that repeats without a seam."""
    random = np.random.default_rng([seed, size])
    total = np.zeros((size, size), np.float32)
    for octave in range(octaves):
        cells = first_cells << octave
        grid = random.random((cells, cells), np.float32)
        wrapped = np.pad(grid, 2, mode="wrap")
        scale = size / cells
        big = cv2.resize(wrapped, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
        margin = round(2 * scale)
        total += big[margin : margin + size, margin : margin + size] * 0.5**octave
    total -= total.min()
    total /= total.max()
    return total


def surface_noise(seed: int) -> NDArray[np.uint8]:
    """(256, 256, 4): clouds of patches, fine grain, streaks, speckle; each repeats without a seam."""
    random = np.random.default_rng([seed, 7])
    patches = fractal_noise(_NOISE_SIZE, seed + 1, octaves=4)
    grain = fractal_noise(_NOISE_SIZE, seed + 2, octaves=3, first_cells=32)
    blades = fractal_noise(_NOISE_SIZE, seed + 3, octaves=4, first_cells=16)
    speckle = random.random((_NOISE_SIZE, _NOISE_SIZE), np.float32)
    return (np.stack([patches, grain, blades, speckle], axis=-1) * 255).astype(np.uint8)


def sky_picture(conditions: Conditions, seed: int, size: int = 1024) -> NDArray[np.uint8]:
    """(size, size, 4): the sky in stereographic projection, x to the right, y up the rows.

    Values are the square root of a quarter of the linear light, so that eight bits are enough.

    A direction (x, y, z) lies at ``0.5 + SKY_EDGE * (x, y) / (1 + z)`` of the picture.
    """
    axis = ((np.arange(size, dtype=np.float32) + 0.5) / size - 0.5) / SKY_EDGE
    px, py = np.meshgrid(axis, axis)
    radius2 = px**2 + py**2
    up = (1 - radius2) / (1 + radius2)
    east, north = 2 * px / (1 + radius2), 2 * py / (1 + radius2)
    sun = conditions.sun_direction
    near_sun = np.clip(east * sun[0] + north * sun[1] + up * sun[2], 0, 1)[..., None]
    height = np.clip(up, 0, 1)[..., None]
    zenith, horizon, glow = (
        np.array(colour, np.float32) for colour in (conditions.zenith, conditions.horizon, conditions.glow)
    )
    sky = zenith + (horizon - zenith) * (1 - height) ** 4
    sky = sky + glow * (0.30 * near_sun**8 + 0.9 * near_sun**64) * (1 - conditions.cloud_cover * 0.6)
    disc = np.clip((near_sun - 0.9988) / 0.0008, 0, 1)
    sky = sky + disc * np.array(conditions.sun, np.float32) * 6 * (1 - conditions.cloud_cover)
    sky = _with_clouds(sky, conditions, seed, (east, north, up), near_sun)
    sky = _with_hills(sky, conditions, seed, (east, north, up))
    coded = np.sqrt(np.clip(sky * 0.25, 0, 1))
    dither = np.random.default_rng([seed, 31]).uniform(-0.5, 0.5, coded.shape)
    coded = np.clip(np.round(255 * coded + dither), 0, 255).astype(np.uint8)
    return np.concatenate([coded, np.full((size, size, 1), 255, np.uint8)], axis=-1)


def _with_clouds(
    sky: np.ndarray,
    conditions: Conditions,
    seed: int,
    direction: tuple[np.ndarray, np.ndarray, np.ndarray],
    near_sun: np.ndarray,
) -> np.ndarray:
    east, north, up = direction
    noise = fractal_noise(512, seed + 11, octaves=6, first_cells=5)
    reach = np.maximum(up, 0) + 0.13
    columns, rows = (90 * east / reach) % 512, (90 * north / reach) % 512
    density = cv2.remap(noise, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
    toward_sun = cv2.remap(
        noise,
        (columns + 9 * conditions.sun_direction[0].astype(np.float32)) % 512,
        (rows + 9 * conditions.sun_direction[1].astype(np.float32)) % 512,
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_WRAP,
    )
    threshold = 0.78 - 0.62 * conditions.cloud_cover
    cover = np.clip((density - threshold) / 0.22, 0, 1)[..., None] * np.clip(up * 6, 0, 1)[..., None]
    lit = np.clip(0.62 + 1.6 * (density - toward_sun), 0.25, 1.0)[..., None]
    sun, shade, glow = (
        np.array(colour, np.float32) for colour in (conditions.sun, conditions.sky_light, conditions.glow)
    )
    colour = shade * 0.95 + sun * 0.36 * lit + glow * 0.30 * near_sun**6
    opacity = (cover * cover * (3 - 2 * cover)) * 0.88
    clouded: np.ndarray = sky * (1 - opacity) + colour * opacity
    return clouded


def _with_hills(
    sky: np.ndarray, conditions: Conditions, seed: int, direction: tuple[np.ndarray, np.ndarray, np.ndarray]
) -> np.ndarray:
    """A far ridge of woods in the haze, so that the world does not end at a line."""
    east, north, up = direction
    turn = np.arctan2(north, east)
    phases = np.random.default_rng([seed, 23]).uniform(0, 2 * np.pi, 6)
    ridge = 0.030 + sum(
        0.012 / (k + 1) * np.sin((2 * k + 3) * turn + phase) for k, phase in enumerate(phases.astype(np.float32))
    )
    share = np.clip((ridge - up) / 0.004, 0, 1)[..., None] * np.float32(np.exp(-conditions.fog_per_m * 320))
    wood = np.array([0.10, 0.15, 0.12], np.float32) * (np.array(conditions.sky_light) + 0.35 * np.array(conditions.sun))
    hazy = 0.45 * wood + 0.55 * np.array(conditions.horizon) * np.array([0.75, 0.82, 0.92])
    far: np.ndarray = sky * (1 - share) + hazy.astype(np.float32) * share
    return far
