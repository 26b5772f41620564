from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from perception.sources.image_ends import JPEG_END, PNG_END
from perception.sources.images import rgb_from_bytes

FORMS = {
    "baseline": {},
    "progressive": {"progressive": True},
    "restarts": {"restart_marker_blocks": 4},
    "optimised": {"optimize": True, "quality": 30},
    "grey": {},
}


def picture(form: str = "baseline") -> Image.Image:
    """Smooth with some noise, 100 x 70 pixels, as cameras see it."""
    generator = np.random.default_rng(0)
    y, x = np.mgrid[:70, :100]
    smooth = np.stack([2 * x, 3 * y, x + y], axis=-1)
    image = Image.fromarray((smooth + generator.normal(0, 8, smooth.shape)).clip(0, 255).astype(np.uint8))
    return image.convert("L") if form == "grey" else image


def jpeg(form: str = "baseline") -> bytes:
    stream = BytesIO()
    picture(form).save(stream, "JPEG", **FORMS[form])
    return stream.getvalue()


def png() -> bytes:
    stream = BytesIO()
    picture().save(stream, "PNG")
    return stream.getvalue()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("missing", [1, 2])
def test_a_jpeg_without_its_end_marker_is_read(form: str, missing: int, capfd: pytest.CaptureFixture[str]) -> None:
    whole, without = rgb_from_bytes(jpeg(form)), rgb_from_bytes(jpeg(form)[:-missing])
    assert whole is not None and without is not None
    assert np.abs(whole.astype(int) - without).max() <= 2
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("form", FORMS)
def test_a_jpeg_without_some_of_its_scan_is_refused_wherever_it_was_cut(
    form: str, capfd: pytest.CaptureFixture[str]
) -> None:
    data = jpeg(form)
    lengths = [*range(0, len(data) - 40, 7), *range(len(data) - 40, len(data) - 4)]
    kept = [length for length in lengths if rgb_from_bytes(data[:length]) is not None]
    # A progressive picture between two of its scans is whole, if coarse.
    assert len(kept) <= (10 if form == "progressive" else 0), kept
    assert capfd.readouterr().err == ""


def test_a_jpeg_cut_between_two_restart_intervals_is_refused() -> None:
    data = jpeg("restarts")
    boundaries = [place for number in range(8) for place in places(data, bytes([0xFF, 0xD0 + number]))]
    assert len(boundaries) > 4
    assert all(rgb_from_bytes(data[:place]) is None for place in boundaries)


def places(data: bytes, mark: bytes) -> list[int]:
    return [place for place in range(len(data)) if data.startswith(mark, place)]


@pytest.mark.parametrize("tail", [b"\xff\xda\x00\x0cvideo\xff\xda" * 9, b"\0" * 5000, b"\r\n", b"\xff\xd8\xff\xe0half"])
def test_what_lies_behind_a_picture_does_not_matter(tail: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    for data in (jpeg(), jpeg("progressive"), png()):
        whole, longer = rgb_from_bytes(data), rgb_from_bytes(data + tail)
        assert whole is not None and np.array_equal(whole, longer)
    assert capfd.readouterr().err == ""


def test_a_thumbnail_is_not_taken_for_the_picture() -> None:
    thumbnail = b"Exif\0\0" + jpeg()
    segment = b"\xff\xe1" + (len(thumbnail) + 2).to_bytes(2, "big") + thumbnail
    data = jpeg()[:2] + segment + jpeg("progressive")[2:]
    assert rgb_from_bytes(data) is not None
    assert rgb_from_bytes(data[: 2 + len(segment) + 300]) is None


def test_exif_turns_a_jpeg_without_its_end_marker() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    stream = BytesIO()
    picture().save(stream, "JPEG", exif=exif)
    turned = rgb_from_bytes(stream.getvalue()[:-2])
    assert turned is not None and turned.shape == (100, 70, 3)


@pytest.mark.parametrize("missing", range(1, len(PNG_END) + 1))
def test_a_png_without_its_end_chunk_is_read(missing: int) -> None:
    assert np.array_equal(rgb_from_bytes(png()[:-missing]), np.asarray(picture()))


def test_a_png_without_some_of_its_pixels_is_refused(capfd: pytest.CaptureFixture[str]) -> None:
    data = png()
    cuts = [*range(0, len(data) - 40, 101), *range(len(data) - 40, len(data) - len(PNG_END))]
    assert all(rgb_from_bytes(data[:length]) is None for length in cuts)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    "data", [b"", b"\xff\xd8", b"\xff\xd8" + JPEG_END, b"\xff\xd8\xff\xda\0\0", b"\x89PNG\r\n\x1a\n"]
)
def test_a_beginning_alone_is_no_picture(data: bytes) -> None:
    assert rgb_from_bytes(data) is None
