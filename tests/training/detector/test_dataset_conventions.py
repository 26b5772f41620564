"""COCO files with conventions of their own: riders, categories to ignore, sites that are held out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from perception.errors import UsageError
from perception.training.detector.dataset import LabelledImage, read_coco, split_off

NAMES = ("ignore", "car", "truck", "bus", "motorcycle", "bicycle", "pedestrian")
MACHINE, RIDER = [20, 40, 30, 40], [26, 20, 18, 50]


def coco_file(folder: Path, annotations: list[dict[str, Any]], **image: Any) -> Path:
    (folder / "images").mkdir(exist_ok=True)
    cv2.imwrite(str(folder / "images/a.png"), np.zeros((100, 120, 3), np.uint8))
    content = {
        "images": [{"id": 1, "file_name": "a.png", "width": 120, "height": 100, **image}],
        "categories": [{"id": number, "name": name} for number, name in enumerate(NAMES)],
        "annotations": [{"id": i, "image_id": 1, **entry} for i, entry in enumerate(annotations)],
    }
    path = folder / "labels.json"
    path.write_text(json.dumps(content))
    return path


def read_one(path: Path, **options: Any) -> LabelledImage:
    return read_coco(path, scale=(1, 1), weight=1, **options)[0]


def test_the_category_ignore_is_background_for_no_class(tmp_path: Path) -> None:
    path = coco_file(tmp_path, [{"bbox": [1, 2, 3, 4], "category_id": 0, "iscrowd": 1, "raw": "rickshaw"}])
    image = read_one(path)
    assert len(image.labels) == 0
    assert sorted(image.ignore_labels.tolist()) == [0, 1, 2, 3, 4, 5]
    assert (image.ignore_xyxy_px == [1, 2, 4, 6]).all()


def test_a_crowd_is_unknown_for_its_own_class(tmp_path: Path) -> None:
    path = coco_file(tmp_path, [{"bbox": [1, 2, 3, 4], "category_id": 6, "iscrowd": 1}])
    assert read_one(path).ignore_labels.tolist() == [5]


@pytest.mark.parametrize(("convention", "count"), [("separate: as COCO", 1), ("joined", 2), ("machine", 2)])
def test_a_person_box_on_a_machine_is_joined_where_riders_are_separate(
    tmp_path: Path, convention: str, count: int
) -> None:
    boxes = [{"bbox": MACHINE, "category_id": 4}, {"bbox": RIDER, "category_id": 6}]
    image = read_one(coco_file(tmp_path, boxes, riders=convention))
    assert len(image.labels) == count and image.labels[0] == 3
    assert image.boxes_xyxy_px[0].tolist() == ([20, 20, 50, 80] if count == 1 else [20, 40, 50, 80])
    assert image.riders_are_joined == (convention != "separate: as COCO")


def test_a_rider_that_is_marked_apart_is_joined_and_no_longer_ignored(tmp_path: Path) -> None:
    rider = {"bbox": RIDER, "category_id": 0, "iscrowd": 1, "raw": "rider"}
    alone = {**rider, "bbox": [90, 10, 10, 30]}
    walker = {"bbox": RIDER, "category_id": 6, "raw": "person"}
    boxes = [{"bbox": MACHINE, "category_id": 5}, rider, alone, walker]
    image = read_one(coco_file(tmp_path, boxes, riders="machine boxed alone"))
    assert image.labels.tolist() == [4, 5] and image.boxes_xyxy_px[0].tolist() == [20, 20, 50, 80]
    assert len(image.ignore_labels) == 6 and (image.ignore_xyxy_px[:, 0] == 90).all()


def test_the_caller_states_how_riders_are_boxed_where_the_file_does_not(tmp_path: Path) -> None:
    boxes = [{"bbox": MACHINE, "category_id": 4}, {"bbox": RIDER, "category_id": 6}]
    path = coco_file(tmp_path, boxes, site="camera_7")
    assert len(read_one(path).labels) == 1
    assert len(read_one(path, riders="joined").labels) == 2
    assert len(read_one(path, riders={"camera_": "joined"}).labels) == 2
    assert len(read_one(path, riders={"other_": "joined"}).labels) == 1
    with pytest.raises(UsageError, match="expected joined, separate or machine"):
        read_one(coco_file(tmp_path, boxes, riders="together"))


def images(names: list[str], sites: list[str]) -> list[LabelledImage]:
    empty = np.zeros(0, np.int64)
    return [
        LabelledImage(
            name, np.zeros((4, 4, 3), np.uint8), np.zeros((0, 4), np.float32), empty, empty, np.ones(6, bool), site=site
        )
        for name, site in zip(names, sites, strict=True)
    ]


def test_whole_sites_are_held_out() -> None:
    kept, out = split_off(images(["a", "b", "c"], ["x", "y", "x"]), 0.0, sites=["x"])
    assert [image.name for image in kept] == ["b"] and [image.name for image in out] == ["a", "c"]


def test_of_a_drive_the_last_frames_are_held_out() -> None:
    names = ["f_1_frame_100.jpg", "f_2_frame_20.jpg", "f_3_frame_3.jpg", "f_4_frame_1000.jpg"]
    kept, out = split_off(images(names, [""] * 4), 0.5, last=True)
    assert [image.name for image in out] == [names[0], names[3]]
    assert [image.name for image in kept] == [names[1], names[2]]


def test_a_share_is_the_same_in_every_run() -> None:
    many = images([f"{number}.jpg" for number in range(300)], [""] * 300)
    out = split_off(many, 0.2)[1]
    assert 30 < len(out) < 90
    assert [image.name for image in split_off(many, 0.2)[1]] == [image.name for image in out]
    assert split_off(many, 0.0)[1] == []
