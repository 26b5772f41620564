"""Pictures as cameras and files hand them over: encoded bytes in, uint8 RGB out."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from perception.errors import UsageError

RgbImage = NDArray[np.uint8]
"""uint8 RGB (H, W, 3)."""

_JPEG_START, _JPEG_SCAN, _JPEG_END = b"\xff\xd8", b"\xff\xda", b"\xff\xd9"
_PNG_START, _PNG_END = b"\x89PNG", b"IEND"


def rgb_from_bytes(data: bytes) -> RgbImage | None:
    """Decode an image file's content to uint8 RGB (H, W, 3), or None when it is damaged or no image.

    Grey and palette images become colour, 16 bits become 8 (the high byte), transparency is left out, and a
    photograph is turned upright by its EXIF data.
    """
    # The decoders would hand out a cut-off file half grey, or write to stderr by themselves.
    if data.startswith(_JPEG_START) and data.rfind(_JPEG_END) < data.rfind(_JPEG_SCAN):
        return None
    if not data or (data.startswith(_PNG_START) and _PNG_END not in data[-64:]):
        return None
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        return None
    return None if image is None else np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)


def read_rgb(path: Path) -> RgbImage:
    """Pixels of an image file. Raises ``UsageError`` naming the file when it cannot be read."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror}); check the name and the rights.") from error
    image = rgb_from_bytes(data)
    if image is None:
        raise UsageError(f"{path}: not a readable image; remove or replace it.")
    return image
