"""Whose each pixel of a recording is: ``masks/CAMERA/000000.png`` and so on, one 16-bit picture for each frame.

A pixel is 1 + the id (of ``objects.csv``) of the object that shows there, and 0 where none does. Simulated drives have
them where they are asked for.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from perception.errors import UsageError
from perception.files import atomic_write
from perception.sources.images import read_picture

MASK_FOLDER = "masks"
MAX_MASK_ID = 65_534
"""The greatest id that a mask can hold."""


def has_masks(folder: Path) -> bool:
    """Whether a recording comes with them."""
    return (folder / MASK_FOLDER).is_dir()


def read_mask(folder: Path, camera: str, frame_index: int) -> NDArray[np.uint16]:
    """(H, W) of a frame. Raises ``UsageError`` when the file is missing or no 16-bit picture of one channel."""
    path = _path(folder, camera, frame_index)
    mask = cv2.imdecode(np.frombuffer(read_picture(path), np.uint8), cv2.IMREAD_UNCHANGED)
    if mask is None or mask.ndim != 2 or mask.dtype != np.uint16:
        raise UsageError(f"{path}: missing or not a mask; simulate the drive again with `masks`.")
    return np.asarray(mask, np.uint16)


def write_mask(folder: Path, camera: str, frame_index: int, mask: NDArray[np.uint16]) -> None:
    """Write the mask (H, W) of a frame. Raises ``PerceptionError`` when it cannot be written."""
    path = _path(folder, camera, frame_index)
    _, code = cv2.imencode(".png", mask)
    with atomic_write(path) as temporary:
        temporary.write_bytes(code.tobytes())


def _path(folder: Path, camera: str, frame_index: int) -> Path:
    return folder / MASK_FOLDER / camera / f"{frame_index:06d}.png"
