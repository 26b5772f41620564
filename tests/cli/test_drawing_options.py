"""What is drawn into the pictures of a run, by option."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from support.commands import RESULT_FILES, Command, names_in
from support.media import write_image
from support.moving_boxes import SIZE_PX, street_image

from perception.visualization import AnnotationStyle
from perception.visualization.primitives.colours import class_colour


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """Twice the size of the street, so that labels find a place."""
    picture = np.asarray(cv2.resize(street_image(5), None, fx=3, fy=3, interpolation=cv2.INTER_NEAREST), np.uint8)
    return write_image(tmp_path / "street.png", picture)


def scene(folder: Path) -> NDArray[np.uint8]:
    return np.asarray(cv2.imread(str(folder / "scene.png"))[..., ::-1], np.uint8)


def changed(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Pixels that differ by more than JPEG does."""
    return np.asarray((np.abs(one.astype(int) - other.astype(int)) > 60).any(axis=2))


def test_an_image_becomes_an_image_of_its_size(boxes_command: Command, image: Path) -> None:
    ran = boxes_command("demo", image)
    assert names_in(ran.folder) == sorted({*RESULT_FILES, "scene.png"} - {"scene.mp4"})
    assert scene(ran.folder).shape == (3 * SIZE_PX[1], 3 * SIZE_PX[0], 3)
    assert changed(scene(ran.folder), np.asarray(cv2.imread(str(image))[..., ::-1], np.uint8)).sum() > 100


@pytest.mark.parametrize(
    ("given", "kind"), [(".jpeg", ".jpeg"), (".webp", ".webp"), (".bmp", ".bmp"), (".ppm", ".jpg")]
)
def test_an_image_keeps_its_kind(boxes_command: Command, image: Path, given: str, kind: str) -> None:
    other = write_image(image.with_suffix(given), np.asarray(cv2.imread(str(image))[..., ::-1], np.uint8))
    written = boxes_command("demo", other).folder / f"scene{kind}"
    assert cv2.imread(str(written)).shape == (3 * SIZE_PX[1], 3 * SIZE_PX[0], 3)
    assert written.read_bytes()[:2] == (b"\xff\xd8" if kind == ".jpg" else other.read_bytes()[:2])


def test_the_speed_stands_in_the_picture_only_where_it_is_asked_for(boxes_command: Command, image: Path) -> None:
    plain, again, fast = (boxes_command("demo", image, *options).folder for options in ((), (), ("--speed",)))
    assert (scene(plain) == scene(again)).all(), "nothing that changes from run to run"
    assert changed(scene(plain), scene(fast))[-40:].any()


@pytest.mark.parametrize("option", ["--no-footer", "--no-labels", "--scores", "--line-width=9"])
def test_an_option_changes_what_is_drawn(boxes_command: Command, image: Path, option: str) -> None:
    plain, other = scene(boxes_command("demo", image).folder), scene(boxes_command("demo", image, option).folder)
    is_changed = changed(plain, other)
    assert is_changed.any()
    if option == "--no-footer":
        assert not is_changed[:-40].any()


def test_a_class_has_one_colour(boxes_command: Command, image: Path) -> None:
    by_id = scene(boxes_command("demo", image).folder).astype(int)
    by_class = scene(boxes_command("demo", image, "--colour", "class").folder).astype(int)
    is_class = [(np.abs(picture - class_colour(0)).max(axis=2) < 30).sum() for picture in (by_id, by_class)]
    assert is_class[1] > is_class[0]


@pytest.mark.parametrize("option", ["--no-pasts", "--no-futures"])
def test_paths_can_be_left_out(boxes_command: Command, street: Path, option: str) -> None:
    import av

    def last(folder: Path) -> NDArray[np.uint8]:
        with av.open(str(folder / "scene.mp4")) as container:
            return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)][-1]

    plain, without = last(boxes_command("demo", street).folder), last(boxes_command("demo", street, option).folder)
    assert plain.shape == (SIZE_PX[1], SIZE_PX[0], 3)
    assert (np.abs(plain.astype(int) - without.astype(int)) > 25).any()


def test_a_label_names_class_id_and_score() -> None:
    assert AnnotationStyle().label_text(7, 0, 0.876) == "car 7"
    assert AnnotationStyle(scores=True).label_text(7, 0, 0.876) == "car 7 0.88"
    assert AnnotationStyle(scores=True).label_text(7, 0, 0.876, named=False) == "7 0.88"


def test_an_impossible_width_is_refused(boxes_command: Command, image: Path) -> None:
    ran = boxes_command("demo", image, "--line-width", "0")
    assert (ran.code, "--line-width" in ran.sentence) == (2, True)
