"""The size of an image file without its pixels, and boxes that were drawn before it was turned upright."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image

from perception.arrays import FloatArray
from perception.safety.input_limits import MAX_PICTURE_BYTES, check_picture_size
from perception.safety.regular_files import open_regular
from perception.sources.images import read_rgb
from perception.sources.truth.box_truth import check_size

_FORMATS = ("JPEG", "PNG", "BMP", "TIFF", "PPM", "GIF")
"""Those of which Pillow reads no more than the header; the sizes of others come with their pixels."""
UPRIGHT = 1
"""EXIF's orientation of an image that is stored as it is to be seen."""


@dataclass(frozen=True)
class ImageHeader:
    """``size_px`` (width, height) as the image is read, upright; ``stored_px`` before it is turned."""

    size_px: tuple[int, int]
    stored_px: tuple[int, int]
    orientation: int = UPRIGHT

    @property
    def is_turned(self) -> bool:
        """Whether EXIF data make the image another one than the stored pixels are."""
        return self.orientation != UPRIGHT


def read_header(path: Path) -> ImageHeader:
    """The header of an image file. Raises ``UsageError`` naming the file when it cannot be read."""
    try:
        with warnings.catch_warnings(), open_regular(path, max_bytes=MAX_PICTURE_BYTES) as stream:
            warnings.simplefilter("ignore")
            image = Image.open(stream, formats=_FORMATS)
            stored_px, orientation = image.size, int(image.getexif().get(ExifTags.Base.Orientation, UPRIGHT))
    except Exception:  # of a damaged picture Pillow raises many types
        # Whatever is wrong with the file, the reader of its pixels has the sentence for it.
        return _as_read(path)
    check_picture_size(str(path), stored_px)
    if orientation not in _TURNS:
        return ImageHeader(stored_px, stored_px)
    height, width = read_rgb(path).shape[:2]
    expected_px = stored_px[::-1] if orientation > _LAST_UNSWAPPED else stored_px
    # Not every format's EXIF data are followed by the decoder.
    is_turned = (width, height) == expected_px
    return ImageHeader((width, height), stored_px, orientation if is_turned else UPRIGHT)


def check_image_size(listed_in: Path, path: Path, stated_px: tuple[int, int]) -> None:
    """Raise ``UsageError`` where the file ``listed_in`` states another size than the image ``path`` has."""
    header = read_header(path)
    what = f"{path} (turned upright by its EXIF data)" if header.is_turned else str(path)
    check_size(listed_in, what, stated_px=stated_px, real_px=header.size_px)


def upright_boxes(boxes_xyxy_px: FloatArray, header: ImageHeader) -> FloatArray:
    """(N, 4) boxes in the stored pixels as boxes in the upright image."""
    if not header.is_turned:
        return boxes_xyxy_px
    width, height = header.stored_px
    swaps, flips_x, flips_y = _TURNS[header.orientation]
    corners: FloatArray = boxes_xyxy_px.reshape(-1, 2, 2).copy()
    if flips_x:
        corners[..., 0] = width - corners[..., 0]
    if flips_y:
        corners[..., 1] = height - corners[..., 1]
    if swaps:
        corners = corners[..., ::-1]
    return np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)


def _as_read(path: Path) -> ImageHeader:
    height, width = read_rgb(path).shape[:2]
    return ImageHeader((width, height), (width, height))


_LAST_UNSWAPPED = 4
# Of each orientation: whether x and y change places, after a flip of x, and of y.
_TURNS = {
    2: (False, True, False),
    3: (False, True, True),
    4: (False, False, True),
    5: (True, False, False),
    6: (True, False, True),
    7: (True, True, True),
    8: (True, True, False),
}
