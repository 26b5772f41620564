from pathlib import Path

import cv2
import numpy as np
import pytest
from support.media import numbered_image, write_image, write_video

from perception.errors import UsageError
from perception.sources import open_source


def only_image(path: Path) -> np.ndarray:
    return next(iter(open_source([str(path)]))).frames[0].image


def test_a_folder_is_read_in_natural_order_at_ten_per_second(tmp_path: Path) -> None:
    for number in (10, 2, 1):
        write_image(tmp_path / "drive" / f"frame{number}.png", numbered_image(number))
    (tmp_path / "drive" / "notes.txt").write_text("no image")
    source = open_source([str(tmp_path / "drive")])
    sets = list(source)
    assert [int(s.frames[0].image[0, 0, 0]) for s in sets] == [10, 20, 100]
    assert [s.timestamp_ns for s in sets] == [0, 100_000_000, 200_000_000]
    assert (source.cameras, source.length, source.rate_fps) == (("drive",), 3, 10.0)
    assert np.array_equal(sets[0].frames[0].image, numbered_image(1))


def test_a_glob_and_a_given_rate(tmp_path: Path) -> None:
    for number in range(4):
        write_image(tmp_path / "cam" / f"{number}.png", numbered_image(number))
    (tmp_path / "cam" / "3.json").write_text("{}")
    source = open_source([str(tmp_path / "cam" / "*.*")], rate_fps=4, stride=2)
    assert [s.timestamp_ns for s in source] == [0, 500_000_000]
    assert source.cameras == ("cam",)
    assert len(source.warnings) == 1 and "1 matching file left out, as no image" in source.warnings[0]


def test_images_of_several_sizes_keep_theirs(tmp_path: Path) -> None:
    write_image(tmp_path / "1.png", numbered_image(1, size_px=(30, 20)))
    write_image(tmp_path / "2.png", numbered_image(2, size_px=(50, 40)))
    assert [s.frames[0].size_px for s in open_source([str(tmp_path)])] == [(30, 20), (50, 40)]


def test_one_image_is_a_source(tmp_path: Path) -> None:
    path = write_image(tmp_path / "photo.png", numbered_image(7))
    assert np.array_equal(only_image(path), numbered_image(7))


def test_grey_alpha_16_bit_and_palette_become_rgb(tmp_path: Path) -> None:
    grey = np.tile(np.arange(96, dtype=np.uint8), (64, 1))
    cv2.imwrite(str(tmp_path / "grey.png"), grey)
    assert np.array_equal(only_image(tmp_path / "grey.png"), np.repeat(grey[..., None], 3, axis=2))
    cv2.imwrite(str(tmp_path / "deep.png"), grey.astype(np.uint16) * 257)
    assert np.array_equal(only_image(tmp_path / "deep.png"), np.repeat(grey[..., None], 3, axis=2))
    cv2.imwrite(str(tmp_path / "deep.tiff"), grey.astype(np.uint16) * 257)
    assert np.array_equal(only_image(tmp_path / "deep.tiff"), np.repeat(grey[..., None], 3, axis=2))
    colour = numbered_image(9)
    bgra = np.dstack([colour[..., ::-1], np.full((64, 96), 128, np.uint8)])
    cv2.imwrite(str(tmp_path / "alpha.png"), bgra)
    assert np.array_equal(only_image(tmp_path / "alpha.png"), colour)
    palette = pytest.importorskip("PIL.Image").fromarray(colour).quantize(16)
    palette.save(tmp_path / "palette.png")
    assert np.array_equal(only_image(tmp_path / "palette.png"), np.asarray(palette.convert("RGB")))


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
@pytest.mark.parametrize("kept", [0.0, 0.5, 0.97])
def test_a_cut_off_image_is_passed_over_and_counted_and_prints_nothing(
    tmp_path: Path, suffix: str, kept: float, capfd: pytest.CaptureFixture[str]
) -> None:
    generator = np.random.default_rng(0)
    for number in (1, 2, 3):
        write_image(tmp_path / f"{number}{suffix}", generator.integers(0, 255, (64, 96, 3), np.uint8))
    path = tmp_path / f"2{suffix}"
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * kept)])
    source = open_source([str(tmp_path)], rate_fps=10)
    assert [(one.index, one.timestamp_ns) for one in source] == [(0, 0), (2, 200_000_000)]
    assert source.warnings == [
        f"{tmp_path}: 1 damaged image of 3 left out, the first: {path}: not a readable image; remove or replace it."
    ]
    assert capfd.readouterr().err == ""


def test_an_image_that_is_damaged_is_missing_in_its_camera_alone(tmp_path: Path) -> None:
    for number in range(3):
        write_image(tmp_path / "left" / f"{number}.png", numbered_image(number))
        write_image(tmp_path / "right" / f"{number}.png", numbered_image(number))
    (tmp_path / "left" / "0.png").write_bytes(b"no image")
    source = open_source([str(tmp_path / "left"), str(tmp_path / "right")], rate_fps=10)
    assert [[frame.camera for frame in one] for one in source] == [["right"], ["left", "right"], ["left", "right"]]


def test_images_of_which_none_can_be_read_are_refused(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"{number}.jpg").write_bytes(b"no image")
    with pytest.raises(UsageError, match=r"0\.jpg: not a readable image"):
        list(open_source([str(tmp_path)]))


def test_folders_and_globs_without_images_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="empty: holds no images"):
        open_source([str(tmp_path / "empty")])
    with pytest.raises(UsageError, match="no file matches"):
        open_source([str(tmp_path / "*.png")])
    write_video(tmp_path / "a.mp4", [numbered_image(1)])
    with pytest.raises(UsageError, match="1 matching file and no image"):
        open_source([str(tmp_path / "*.mp4")])
