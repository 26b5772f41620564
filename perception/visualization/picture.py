"""One picture as a file."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from perception.files import atomic_write, exists_already

PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")
"""What ``PictureWriter`` writes; the first one is for all other kinds."""

_JPEG_QUALITY = 95


class PictureWriter:
    """Writes a picture into ``path``, of the kind that its suffix names, whole or not at all.

    It stands in the place of a ``VideoWriter`` for a source of a single instant. Raises ``PerceptionError`` when the
    file exists or cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if path.exists():
            raise exists_already(path)

    def write(self, picture: NDArray[np.uint8], timestamp_ns: int) -> None:
        """Write ``picture`` (H, W, 3), uint8 RGB; its time has no meaning here."""
        options = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY] if self.path.suffix in (".jpg", ".jpeg") else []
        _, data = cv2.imencode(self.path.suffix, cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), options)
        with atomic_write(self.path) as temporary:
            temporary.write_bytes(data.tobytes())

    def close(self) -> None:
        """Nothing is held back; safe to call twice."""
