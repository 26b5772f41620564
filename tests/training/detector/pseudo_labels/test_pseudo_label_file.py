"""Labels from a file: what is sure, what is doubtful, and what people said already."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.training_images import bright_box_image

from perception.errors import UsageError
from perception.training.detector.pseudo_labels import complete_from_file, read_pseudo_labels

CARS_KNOWN = np.array([True, False, False, False, False, False])


def written(path: Path, rows: list[list[float]], name: str = "a") -> Path:
    path.write_text(json.dumps({"image": name, "objects": rows}) + "\n")
    return path


def completed(tmp_path: Path, rows: list[list[float]], **changes: Any) -> Any:
    image = bright_box_image((10, 10, 60, 60), name="a", exhaustive=CARS_KNOWN, **changes)
    found = read_pseudo_labels(written(tmp_path / "p.jsonl", rows))
    return next(complete_from_file([image], found))


def test_sure_ones_are_labels_doubtful_ones_are_ignored_weak_ones_are_background(tmp_path: Path) -> None:
    rows = [[100, 20, 130, 90, 0.5, 5], [70, 20, 90, 90, 0.2, 5], [130, 20, 150, 90, 0.05, 5]]
    image = completed(tmp_path, rows)
    assert image.labels.tolist() == [0, 5] and image.boxes_xyxy_px[1].tolist() == [100, 20, 130, 90]
    assert image.ignore_xyxy_px.tolist() == [[70, 20, 90, 90]] and image.ignore_labels.tolist() == [5]
    assert image.exhaustive.all()


def test_what_people_labelled_wins(tmp_path: Path) -> None:
    rows = [[100, 20, 130, 90, 0.9, 0], [12, 10, 60, 60, 0.9, 1]]
    image = completed(tmp_path, rows)
    assert image.labels.tolist() == [0] and len(image.ignore_labels) == 0


def test_the_own_bonnet_is_no_car(tmp_path: Path) -> None:
    rows = [[5, 70, 155, 96, 0.9, 1]]
    image = completed(tmp_path, rows)
    assert image.labels.tolist() == [0] and image.ignore_labels.tolist() == [1]


def test_a_found_person_on_a_machine_is_part_of_it_where_riders_would_be_boxes_of_their_own(tmp_path: Path) -> None:
    rows = [[25, 2, 45, 50, 0.9, 5]]
    machine = {"label": 3, "boxes_xyxy_px": np.array([[15, 20, 55, 60]], np.float32)}
    separate = completed(tmp_path, rows, riders_are_joined=False, **machine)
    assert separate.labels.tolist() == [3] and separate.boxes_xyxy_px.tolist() == [[15, 2, 55, 60]]
    together = completed(tmp_path, rows, riders_are_joined=True, **machine)
    assert together.labels.tolist() == [3] and together.boxes_xyxy_px.tolist() == [[15, 20, 55, 60]]
    assert together.ignore_labels.tolist() == [5]


def test_images_that_are_complete_or_unknown_stay_as_they_are(tmp_path: Path) -> None:
    found = read_pseudo_labels(written(tmp_path / "p.jsonl", [[0, 0, 9, 9, 0.9, 2]]))
    complete = bright_box_image((10, 10, 60, 60), name="a")
    unknown = bright_box_image((10, 10, 60, 60), name="b", exhaustive=CARS_KNOWN)
    assert [*complete_from_file([complete, unknown], found)] == [complete, unknown]


@pytest.mark.parametrize(
    "line",
    ["{", '{"image": "a"}', '{"image": "a", "objects": [[1, 2, 3]]}', "[]"]
    + [json.dumps({"image": "a", "objects": [row]}) for row in ([9, 0, 0, 9, 0.5, 1], [0, 0, 9, 9, 2, 1])]
    + [json.dumps({"image": "a", "objects": [row]}) for row in ([0, 0, 9, 9, 0.5, 6], [0, 0, None, 9, 0.5, 1])],
)
def test_a_line_that_is_wrong_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "p.jsonl"
    path.write_text(json.dumps({"image": "a", "objects": []}) + "\n" + line + "\n")
    with pytest.raises(UsageError, match="line 2"):
        read_pseudo_labels(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read_pseudo_labels(tmp_path / "none.jsonl")
