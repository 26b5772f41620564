"""Data sets with classes of their own: what is read, what is refused, and how it becomes road users."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.own_data_sets import BOX_XYXY_PX, NAMES, write_coco_folder, write_yolo_folder

from perception.errors import UsageError
from perception.taxonomy import CLASSES
from perception.training.detector.dataset import LabelledImage, as_road_users
from perception.training.detector.own_data import own_data_at, read_own_data


def read(path: Path, split: str = "train") -> list[LabelledImage]:
    return read_own_data(path).images(split, scale=(0.5, 2.0), weight=1.0)


def test_a_yolo_folder(tmp_path: Path) -> None:
    images = read(write_yolo_folder(tmp_path))
    assert [image.labels.tolist() for image in images] == [[0], [1], [2]]
    for image in images:
        np.testing.assert_allclose(image.boxes_xyxy_px, [BOX_XYXY_PX], atol=1e-3)
        assert image.exhaustive.tolist() == [True] * 3
    found = own_data_at(tmp_path)
    assert found is not None and found.classes.stands_for == ("truck", "pedestrian", None)
    assert own_data_at(tmp_path / "images") is None


def test_polygons_lists_of_images_and_images_without_labels(tmp_path: Path) -> None:
    path = write_yolo_folder(tmp_path, train="train.txt", names="{0: forklift, 1: person, 2: pallet}")
    (tmp_path / "train.txt").write_text("./images/train/0.png\nimages/train/1.png\n")
    (tmp_path / "labels" / "train" / "0.txt").write_text("2 0.25 0.25 0.5 0.25 0.5 0.75 0.3 0.5\n")
    (tmp_path / "labels" / "train" / "1.txt").unlink()
    polygon, empty = read(path)
    np.testing.assert_allclose(polygon.boxes_xyxy_px, [[40, 24, 80, 72]], atol=1e-3)
    assert polygon.labels.tolist() == [2] and empty.boxes_xyxy_px.shape == (0, 4)


def test_a_coco_folder_names_its_classes_itself(tmp_path: Path) -> None:
    path = write_coco_folder(tmp_path)
    (image,) = read(path, "val")
    assert read_own_data(path).classes.names == NAMES
    np.testing.assert_allclose(image.boxes_xyxy_px, [BOX_XYXY_PX])
    assert image.labels.tolist() == [0] and image.ignore_labels.tolist() == [2]  # the crowd
    np.testing.assert_allclose(image.ignore_xyxy_px, [BOX_XYXY_PX])


def test_own_labels_become_those_of_road_users(tmp_path: Path) -> None:
    images = [as_road_users(image, ("truck", "pedestrian", None)) for image in read(write_yolo_folder(tmp_path))]
    assert [[CLASSES[label] for label in image.labels] for image in images] == [["truck"], ["pedestrian"], []]
    assert [len(image.boxes_xyxy_px) for image in images] == [1, 1, 0]
    assert all(image.exhaustive.tolist() == [True] * 6 for image in images)
    assert as_road_users(images[0], CLASSES) is images[0]


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ({"val": ""}, r"data\.yaml: .*keys train and val"),
        ({"train": "nosuch"}, r"data\.yaml: train: .*nosuch is not there"),
        ({"names": ""}, r"data\.yaml: has no names"),
        ({"nc": "4"}, "nc is 4 and names has 3"),
        (
            {"names": "[pallet, crate]", "class_map": ""},
            r"none of its classes is a road user.*class_map: {pallet: truck}",
        ),
        ({"class_map": "{crane: truck}"}, "crane is none of the names"),
    ],
)
def test_a_wrong_description_is_told(tmp_path: Path, keys: dict[str, str], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        read_own_data(write_yolo_folder(tmp_path, **keys))


@pytest.mark.parametrize(
    "line", ["3 0.5 0.5 0.1 0.1", "0 0.5 0.5 0.1", "a 1 1 1 1", "0.5 0.5 0.5 0.1 0.1", "0 nan 0 0 0"]
)
def test_wrong_labels_are_told_with_their_line(tmp_path: Path, line: str) -> None:
    path = write_yolo_folder(tmp_path)
    (tmp_path / "labels" / "train" / "1.txt").write_text(f"\n{line}\n")
    with pytest.raises(UsageError, match=r"1\.txt, line 2: expected a class from 0 to 2"):
        read(path)


def test_pixels_are_no_shares(tmp_path: Path) -> None:
    path = write_yolo_folder(tmp_path)
    (tmp_path / "labels" / "train" / "0.txt").write_text("0 60 48 40 48\n")
    with pytest.raises(UsageError, match=r"0\.txt, line 1: a box reaches from 24 to 80; give shares"):
        read(path)


def test_a_folder_without_any_labels_is_told(tmp_path: Path) -> None:
    path = write_yolo_folder(tmp_path)
    for file in (tmp_path / "labels" / "train").iterdir():
        file.unlink()
    with pytest.raises(UsageError, match=r"3 images and no labels; the first would be .*labels/train/0\.txt"):
        read(path)
