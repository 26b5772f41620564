"""Pictures as cameras and files hand them over: encoded bytes in, uint8 RGB out."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from perception.errors import UsageError
from perception.safety.input_limits import MAX_PICTURE_BYTES, check_picture_size, is_too_large
from perception.safety.regular_files import read_regular
from perception.sources.image_ends import JPEG_START, PNG_START, OpenJpeg, jpeg_until_end, png_until_end
from perception.sources.picture_header import picture_size_px

RgbImage = NDArray[np.uint8]
"""uint8 RGB (H, W, 3)."""


def rgb_from_bytes(data: bytes) -> RgbImage | None:
    """Decode an image file's content to uint8 RGB (H, W, 3), or None when it is damaged, cut off or no image.

    Grey and palette images become colour, 16 bits become 8 (the high byte), transparency is left out, and a
    photograph is turned upright by its EXIF data. What lies behind the picture does not matter, nor does a missing
    end mark. None, too, for more than ``MAX_PICTURE_PIXELS``, and for formats whose header is not known.
    """
    size_px = picture_size_px(data)
    if size_px is None or is_too_large(size_px):
        return None
    # The decoders would hand out a cut-off file half grey, or write to stderr by themselves.
    if data.startswith(JPEG_START):
        jpeg = jpeg_until_end(data)
        return _rgb_of_open_jpeg(jpeg) if isinstance(jpeg, OpenJpeg) else _decoded(jpeg)
    return _decoded(png_until_end(data) if data.startswith(PNG_START) else data)


def read_rgb(path: Path) -> RgbImage:
    """Pixels of an image file. Raises ``UsageError`` naming the file when it cannot be read."""
    data = read_picture(path)
    image = rgb_from_bytes(data)
    if image is None:
        raise UsageError(f"{path}: not a readable image; remove or replace it.")
    return image


def read_picture(path: Path) -> bytes:
    """The encoded picture in a file, no larger than is decoded. Raises ``UsageError`` naming the file."""
    try:
        data = read_regular(path, max_bytes=MAX_PICTURE_BYTES)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror}); check the name and the rights.") from error
    size_px = picture_size_px(data)
    if size_px is not None:
        check_picture_size(str(path), size_px)
    return data


def _decoded(data: bytes | None) -> RgbImage | None:
    if not data:
        return None
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        return None
    return None if image is None else np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)


def _rgb_of_open_jpeg(jpeg: OpenJpeg) -> RgbImage | None:
    """None where scan lines are missing. Pillow decodes, because OpenCV would complain of the continuations."""
    first, second = (_decoded_by_pillow(data) for data in jpeg.ended())
    return first if first is not None and second is not None and np.array_equal(first, second) else None


def _decoded_by_pillow(data: bytes) -> RgbImage | None:
    try:
        with Image.open(BytesIO(data), formats=["JPEG"]) as image:
            return np.asarray(ImageOps.exif_transpose(image).convert("RGB"), np.uint8)
    except Exception:  # of a damaged picture Pillow raises many types
        return None
