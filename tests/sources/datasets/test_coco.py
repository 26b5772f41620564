"""COCO files: one reader for evaluation and training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.media import numbered_image, write_image

from perception.errors import UsageError
from perception.sources.datasets.coco import read_coco_file
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
        ({"annotations": [{"image_id": 10, "category_id": 1, "bbox": [1, 1, float("nan"), 1]}]}, "a bbox is no x, y"),
        ({"images": [{"id": 10, "file_name": "b.png", "exhaustive_for": ["persn"]}]}, r"b\.png: persn is none of"),
        ({"categories": None}, "give a COCO file"),
    ],
)
def test_a_wrong_file_is_named(changes: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=words):
        read_coco_file(coco(tmp_path, **changes))


def test_a_list_is_no_coco_file(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text("[1]")
    with pytest.raises(UsageError, match=r"x\.json: .*give a COCO file"):
        read_coco_file(path)
