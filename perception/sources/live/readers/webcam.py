"""A camera of this machine, by OpenCV."""

from __future__ import annotations

import zlib
from collections.abc import Generator
from functools import partial
from typing import Any

import cv2
import numpy as np

from perception.errors import PerceptionError, UsageError
from perception.sources.images import RgbImage
from perception.sources.live.readers.picture import NO_TAP, CapturedPicture, PacketTap

_FAST_PNG = (cv2.IMWRITE_PNG_COMPRESSION, 1)


class WebcamReader:
    """A camera of this machine by its number. Raises ``UsageError`` when there is none."""

    def __init__(self, index: int) -> None:
        level = cv2.utils.logging.getLogLevel()
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
        try:
            self._capture = cv2.VideoCapture(index)
        finally:
            cv2.utils.logging.setLogLevel(level)
        if not self._capture.isOpened():
            self._capture.release()
            raise UsageError(f"webcam {index}: not found or in use; plug it in, close other programs or give a file.")
        self._index = index
        self._is_aborted = False
        self.rate_fps: float | None = self._capture.get(cv2.CAP_PROP_FPS) or None
        self.tap: PacketTap = NO_TAP

    def pictures(self) -> Generator[CapturedPicture, None, None]:
        """Each picture as the driver gives it."""
        connection, number = self.tap.begin("png", b""), -1
        while not self._is_aborted:
            is_read, image = self._capture.read()
            if not is_read:
                raise PerceptionError(f"webcam {self._index}: stopped delivering frames; plug it in again.")
            number += 1
            if self.tap is not NO_TAP:
                # OpenCV has decoded it already; a PNG loses nothing.
                self.tap.packet(cv2.imencode(".png", image, _FAST_PNG)[1].tobytes(), number, is_key=True)
            yield CapturedPicture(
                key=(connection, number),
                to_rgb=partial(_rgb_of_bgr, image),
                size_bytes=image.nbytes,
                fingerprint=zlib.crc32(image[::8].tobytes()),
            )

    def abort(self) -> None:
        """Ends after the picture in progress: drivers know no way to interrupt it."""
        self._is_aborted = True

    def close(self) -> None:
        """Release the device."""
        self._capture.release()


def _rgb_of_bgr(image: Any) -> RgbImage:
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)
