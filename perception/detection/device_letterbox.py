"""What ``letterbox`` does, on the device of the network: frames are uploaded as they are and scaled there.

Scaling is linear in each axis, so it is two matrix products, with the weights that OpenCV uses on the CPU: the share of
each pixel that a smaller one covers (area), or the two nearest ones (linear).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from perception.detection.letterbox import PADDING_GREY, Letterbox, fit, takes_area


def letterbox_on(
    device: torch.device, images: Sequence[NDArray[np.uint8]], *, width: int, height: int
) -> Letterbox[Tensor]:
    """As ``letterbox``; its ``images`` lie on ``device`` and differ by at most a grey level. All images of one size are
    scaled at once."""
    sizes_px = np.array([(image.shape[1], image.shape[0]) for image in images], dtype=np.int64).reshape(-1, 2)
    scales = np.empty(len(images))
    canvas = torch.full((len(images), height, width, 3), PADDING_GREY, dtype=torch.uint8, device=device)
    for size in np.unique(sizes_px, axis=0):
        rows = np.flatnonzero((sizes_px == size).all(axis=1))
        scales[rows], new_width, new_height = fit(tuple(size.tolist()), width=width, height=height)
        pixels = _upload([images[row] for row in rows.tolist()], device)
        resampled = _resample(pixels, new_width, new_height, takes_area(scales[rows[0]]))
        canvas[torch.from_numpy(rows).to(device), :new_height, :new_width] = resampled
    return Letterbox(canvas, scales, sizes_px)


def _upload(images: Sequence[NDArray[np.uint8]], device: torch.device) -> Tensor:
    """(b, h, w, 3) on ``device``; through page-locked memory the copy to a GPU does not wait."""
    on_host = torch.empty((len(images), *images[0].shape), dtype=torch.uint8, pin_memory=device.type == "cuda")
    for row, image in zip(on_host, images, strict=True):
        np.copyto(row.numpy(), image)
    return on_host.to(device, non_blocking=True)


def _resample(pixels: Tensor, width: int, height: int, by_area: bool) -> Tensor:
    """(b, h, w, 3) to (b, height, width, 3) uint8."""
    count, old_height, old_width, _ = pixels.shape
    if (old_width, old_height) == (width, height):
        return pixels
    # 16 bits hold every grey level and err by less than one.
    dtype = torch.float16 if pixels.device.type == "cuda" else torch.float32
    columns = _weights_on(pixels.device, dtype, old_width, width, by_area)
    rows = _weights_on(pixels.device, dtype, old_height, height, by_area)
    narrow = columns @ pixels.to(dtype)  # (b, h, width, 3)
    small = rows @ narrow.reshape(count, old_height, width * 3)
    return small.round().clamp(0, 255).to(torch.uint8).reshape(count, height, width, 3)


@lru_cache(maxsize=32)
def _weights_on(device: torch.device, dtype: torch.dtype, length: int, new_length: int, by_area: bool) -> Tensor:
    """``resampling_weights``, kept where they are needed at every instant."""
    return torch.from_numpy(resampling_weights(length, new_length, by_area)).to(device, dtype)


def resampling_weights(length: int, new_length: int, by_area: bool) -> NDArray[np.float32]:
    """(new_length, length): how much of each old pixel is in each new one; rows sum to 1."""
    step = length / new_length
    old = np.arange(length)
    new = np.arange(new_length)[:, None]
    if by_area:
        shared = np.minimum((new + 1) * step, old + 1) - np.maximum(new * step, old)
        weights = np.clip(shared, 0, None)
    else:
        centres = np.clip((new + 0.5) * step - 0.5, 0, length - 1)
        weights = np.clip(1 - np.abs(old - centres), 0, None)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float32)
