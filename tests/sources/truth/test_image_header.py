"""Sizes of images without their pixels, and boxes on images that are turned by EXIF data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from perception.errors import UsageError
from perception.sources.images import read_rgb
from perception.sources.truth.image_header import check_image_size, read_header, upright_boxes

STORED_PX, BOX = (96, 64), (8, 16, 40, 24)


def turned_image(folder: Path, orientation: int) -> Path:
    """A black image with a white box at ``BOX`` of its stored pixels."""
    pixels = np.zeros((STORED_PX[1], STORED_PX[0], 3), np.uint8)
    x1, y1, x2, y2 = BOX
    pixels[y1:y2, x1:x2] = 255
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    path = folder / f"{orientation}.jpg"
    Image.fromarray(pixels).save(path, quality=100, subsampling=0, exif=exif)
    return path


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_box_is_turned_as_the_image_is(tmp_path: Path, orientation: int) -> None:
    path = turned_image(tmp_path, orientation)
    header, image = read_header(path), read_rgb(path)
    assert header.size_px == (image.shape[1], image.shape[0]) and header.stored_px == STORED_PX
    rows, columns = np.nonzero(image[..., 0] > 128)
    seen = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    np.testing.assert_array_equal(upright_boxes(np.array([BOX], float), header), [seen])
    assert header.is_turned == (orientation != 1)


def test_another_size_than_the_stated_one_is_refused(tmp_path: Path) -> None:
    path = turned_image(tmp_path, 6)
    check_image_size(tmp_path / "x.json", path, (64, 96))
    with pytest.raises(UsageError, match=r"x\.json: states 96x64 pixels, but .*6\.jpg \(turned .*\) has 64x96"):
        check_image_size(tmp_path / "x.json", path, STORED_PX)


def test_what_is_no_image_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.png").write_text("no image")
    with pytest.raises(UsageError, match=r"x\.png: not a readable image"):
        read_header(tmp_path / "x.png")
