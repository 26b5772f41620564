"""COCO files: one reader for evaluation and training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image
from support.media import numbered_image, write_image

from perception.errors import UsageError
from perception.sources.datasets.coco import find_image, read_coco_file
from perception.taxonomy import CLASSES

CAR, TRUCK, PEDESTRIAN = (CLASSES.index(name) for name in ("car", "truck", "pedestrian"))


def coco(folder: Path, **changes: Any) -> Path:
    write_image(folder / "images" / "a.png", numbered_image(1))
    write_image(folder / "b.png", numbered_image(2))
    content = {
        "categories": [{"id": 1, "name": "Person"}, {"id": 2, "name": "Van"}, {"id": 3, "name": "dog"}],
        "images": [
            {"id": 10, "file_name": "a.png", "site": "crossing"},
            {"id": 11, "file_name": "b.png", "exhaustive_for": ["person", "dog"], "annotated_for": ["car"]},
            {"id": 12, "file_name": "b.png", "annotated_for": ["truck"]},
            {"id": 13, "file_name": "none.png", "labelled": False},
        ],
        "annotations": [
            {"image_id": 10, "category_id": 1, "bbox": [1, 2, 3, 4]},
            {"image_id": 10, "category_id": 3, "bbox": [1, 1, 9, 9]},
            {"image_id": 10, "category_id": 2, "bbox": [0, 0, 50, 50], "iscrowd": 1},
            {"image_id": 11, "category_id": 3, "bbox": [0, 0, 5, 5], "iscrowd": 1},
        ],
        **changes,
    }
    path = folder / "val.json"
    path.write_text(json.dumps(content))
    return path


def test_boxes_crowds_and_gaps(tmp_path: Path) -> None:
    found = read_coco_file(coco(tmp_path))
    first, second, third = found.images
    assert (first.path, second.path) == (tmp_path / "images" / "a.png", tmp_path / "b.png")
    np.testing.assert_array_equal(first.boxes_xyxy_px, [[1, 2, 4, 6], [0, 0, 50, 50]])
    assert (first.labels.tolist(), first.is_crowd.tolist()) == ([PEDESTRIAN, CAR], [False, True])
    assert len(second.boxes_xyxy_px) == len(second.labels) == len(second.is_crowd) == 0
    assert first.exhaustive_labels == frozenset(range(len(CLASSES)))
    assert (second.exhaustive_labels, third.exhaustive_labels) == ({PEDESTRIAN}, {TRUCK})
    assert (first.site, second.site) == ("crossing", None)
    assert (dict(found.other_classes), found.other_categories) == ({"dog": 1}, ("dog",))
    assert (found.crowd_count, found.unlabelled_count) == (2, 1)


def test_images_in_their_own_folder_come_first(tmp_path: Path) -> None:
    path = coco(tmp_path)
    write_image(tmp_path / "a.png", numbered_image(3))
    assert read_coco_file(path).images[0].path == tmp_path / "images" / "a.png"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"images": [{"id": 10, "file_name": "gone.png"}]}, "names the image gone.png, which is neither beside it"),
        ({"annotations": [{"image_id": 10, "category_id": 1}]}, "'bbox'"),
        ({"annotations": [{"image_id": 10, "category_id": 77, "bbox": [1, 1, 1, 1]}]}, "77"),
        ({"annotations": [{"image_id": 10, "category_id": 1, "bbox": [1, 1, 1]}]}, r"val\.json"),
        ({"annotations": [{"image_id": 10, "category_id": 1, "bbox": [1, 1, -1, 1]}]}, r"a\.png: a bbox is no x, y"),
        ({"annotations": [{"image_id": 10, "category_id": 1, "bbox": [1, 1, float("nan"), 1]}]}, "NaN is no number"),
        ({"images": [{"id": 10, "file_name": "b.png", "exhaustive_for": ["persn"]}]}, r"b\.png: persn is none of"),
        ({"categories": None}, "give a COCO file"),
    ],
)
def test_a_wrong_file_is_named(changes: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=words):
        read_coco_file(coco(tmp_path, **changes))


def test_pictures_lie_where_coco_and_windows_put_them(tmp_path: Path) -> None:
    for folder in ("val2017", "images/val2017", "images", "."):
        root = tmp_path / folder.replace("/", "_") / "coco"
        (root / "annotations").mkdir(parents=True)
        path = root / "annotations" / "instances_val2017.json"
        picture = write_image(root / folder / "a.png", numbered_image(1))
        for name in ("a.png", "elsewhere\\a.png", "/mnt/someone/a.png"):
            assert find_image(path, name).samefile(picture)
    with pytest.raises(UsageError, match=r"names the image b\.png, which is neither"):
        find_image(path, "b.png")


def test_ids_as_text_are_ids(tmp_path: Path) -> None:
    boxes = [{"image_id": "10", "category_id": "1", "bbox": [1, 2, 3, 4]}]
    found = read_coco_file(coco(tmp_path, annotations=boxes))
    assert found.images[0].labels.tolist() == [PEDESTRIAN]


def test_annotations_without_an_image_are_counted_or_refused(tmp_path: Path) -> None:
    lost = {"image_id": 99, "category_id": 1, "bbox": [1, 2, 3, 4]}
    found = read_coco_file(coco(tmp_path, annotations=[lost, {**lost, "image_id": 10}]))
    assert any("1 annotation left out, with the image_id of no image" in note for note in found.notes)
    with pytest.raises(UsageError, match="no annotation of 1 has an image_id of its images"):
        read_coco_file(coco(tmp_path, annotations=[lost]))


def test_a_box_that_is_there_twice_counts_once(tmp_path: Path) -> None:
    box = {"id": 1, "image_id": 10, "category_id": 1, "bbox": [1, 2, 3, 4]}
    others = [{**box, "bbox": [1, 2, 3, 5]}, {**box, "category_id": 2}, {**box, "iscrowd": 1}]
    found = read_coco_file(coco(tmp_path, annotations=[box, box, *others]))
    assert len(found.images[0].labels) == 4
    assert any("1 box given twice" in note for note in found.notes)
    assert any("4 annotations with the id of another one" in note for note in found.notes)


def test_an_image_id_twice_is_refused(tmp_path: Path) -> None:
    images = [{"id": 10, "file_name": "a.png"}, {"id": "10", "file_name": "b.png"}]
    with pytest.raises(UsageError, match="1 image with an id that another has already"):
        read_coco_file(coco(tmp_path, images=images))


def test_another_size_than_the_stated_one_is_refused(tmp_path: Path) -> None:
    image = {"id": 10, "file_name": "a.png", "width": 96, "height": 64}
    assert read_coco_file(coco(tmp_path, images=[image])).notes
    with pytest.raises(UsageError, match=r"val\.json: states 1920x1080 pixels, but .*a\.png has 96x64"):
        read_coco_file(coco(tmp_path, images=[{**image, "width": 1920, "height": 1080}]))


@pytest.mark.parametrize(
    ("orientation", "stated", "box", "words"),
    [
        (6, (96, 64), [64 - 2 - 4, 1, 64 - 2, 4], "with the boxes, drawn before that"),
        (6, (64, 96), [1, 2, 4, 6], None),
        (3, (96, 64), [1, 2, 4, 6], "boxes are taken as drawn on the turned image"),
        (6, (0, 0), [1, 2, 4, 6], None),
    ],
)
def test_boxes_are_turned_where_the_stated_size_says_so(
    tmp_path: Path, orientation: int, stated: tuple[int, int], box: list[int], words: str | None
) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    Image.fromarray(numbered_image(1)).save(tmp_path / "turned.jpg", exif=exif)
    images = [{"id": 10, "file_name": "turned.jpg", "width": stated[0], "height": stated[1]}]
    boxes = [{"image_id": 10, "category_id": 1, "bbox": [1, 2, 3, 4]}]
    found = read_coco_file(coco(tmp_path, images=images, annotations=boxes))
    np.testing.assert_array_equal(found.images[0].boxes_xyxy_px, [box])
    assert any(words in note for note in found.notes) if words else not found.notes


def test_a_list_is_no_coco_file(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text("[1]")
    with pytest.raises(UsageError, match=r"x\.json: .*give a COCO file"):
        read_coco_file(path)
