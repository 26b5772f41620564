"""COCO files and surround views."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.media import numbered_image, write_image

from perception.errors import UsageError
from perception.evaluation.core.image_dataset import read_image_dataset
from perception.sources import open_source
from perception.taxonomy import CLASSES
from perception.types import ANY_LABEL


def coco(folder: Path, **changes: Any) -> Path:
    write_image(folder / "images" / "a.png", numbered_image(1))
    write_image(folder / "b.png", numbered_image(2))
    content = {
        "categories": [{"id": 1, "name": "Person"}, {"id": 2, "name": "truck"}, {"id": 3, "name": "dog"}],
        "images": [
            {"id": 10, "file_name": "a.png"},
            {"id": 11, "file_name": "b.png", "exhaustive_for": ["person", "car"]},
            {"id": 12, "file_name": "none.png", "labelled": False},
        ],
        "annotations": [
            {"image_id": 10, "category_id": 1, "bbox": [1, 2, 3, 4]},
            {"image_id": 11, "category_id": 2, "bbox": [5, 6, 10, 10]},
            {"image_id": 10, "category_id": 3, "bbox": [1, 1, 9, 9]},
            {"image_id": 10, "category_id": 1, "bbox": [0, 0, 50, 50], "iscrowd": 1},
        ],
        **changes,
    }
    path = folder / "val.json"
    path.write_text(json.dumps(content))
    return path


def test_a_coco_file(tmp_path: Path) -> None:
    labelled = read_image_dataset([coco(tmp_path)])
    (first,), (second,) = labelled.batches
    assert (first.path, second.path) == (tmp_path / "images" / "a.png", tmp_path / "b.png")
    np.testing.assert_array_equal(labelled.truth.boxes_xyxy_px, [[1, 2, 4, 6], [5, 6, 15, 16]])
    assert [CLASSES[label] for label in labelled.truth.labels] == ["pedestrian", "truck"]
    assert labelled.truth.frame_indices.tolist() == [first.key[1], second.key[1]]
    assert first.key not in labelled.exhaustive_labels
    assert labelled.exhaustive_labels[second.key] == {CLASSES.index("pedestrian"), CLASSES.index("car")}
    crowd = labelled.ignored
    assert (crowd.frame_indices.tolist(), crowd.is_object.tolist()) == ([first.key[1]], [False])
    assert [CLASSES[label] for label in crowd.labels] == ["pedestrian"]
    np.testing.assert_array_equal(crowd.boxes_xyxy_px, [[0, 0, 50, 50]])
    said = " ".join(labelled.notes)
    assert all(words in said for words in ("1 dog", "1 box around crowds", "1 image without labels"))


def test_images_of_a_fixed_camera_name_their_site(tmp_path: Path) -> None:
    images = [{"id": 10, "file_name": "a.png", "site": "crossing"}, {"id": 11, "file_name": "b.png"}]
    (first,), (second,) = read_image_dataset([coco(tmp_path, images=images)]).batches
    assert first.site is not None
    assert first.site.endswith("crossing")
    assert second.site is None


def surround_view(folder: Path, **changes: Any) -> Path:
    """Two instants of two cameras; ``changes`` replace entries of the second one's camera BACK."""
    frames = []
    for second in (0, 1):
        cameras: dict[str, Any] = {}
        for name in ("FRONT", "BACK"):
            write_image(folder / f"{name}.png", numbered_image(3))
            names = ("Car", "Bus/RV/Caravan", "barrier")
            objects = [{"class": class_name, "box_xyxy": [1, 2, 3, 4.5]} for class_name in names]
            cameras[name] = {"image": f"{name}.png", "timestamp": second, "objects": objects}
        frames.append({"cameras": cameras})
    frames[1]["cameras"]["BACK"] |= changes
    path = folder / "frames.json"
    path.write_text(json.dumps({"frames": frames}))
    return path


def test_a_surround_view_is_a_batch(tmp_path: Path) -> None:
    path = surround_view(tmp_path)
    labelled = read_image_dataset([path, path])
    assert [len(batch) for batch in labelled.batches] == [2, 2, 2, 2]
    keys = [image.key for batch in labelled.batches for image in batch]
    assert len(set(keys)) == 8
    assert [CLASSES[label] for label in labelled.truth.labels[:2]] == ["car", "bus"]
    assert not labelled.exhaustive_labels
    assert labelled.notes == ("True boxes of classes that are no road users here were left out: 8 barrier.",)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"images": [{"id": 1, "file_name": "gone.png"}]}, "names the image gone.png"),
        ({"images": []}, "no image in them is labelled"),
        ({"annotations": [{"image_id": 10, "category_id": 1}]}, "'bbox'"),
        ({"annotations": [{"image_id": 10, "category_id": 77, "bbox": [1, 1, 1, 1]}]}, "77"),
        ({"annotations": [{"image_id": 10, "category_id": 1, "bbox": [1, 1, 1]}]}, "val.json"),
        ({"categories": None}, "val.json"),
    ],
)
def test_a_wrong_file_is_named(changes: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        read_image_dataset([coco(tmp_path, **changes)])
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"image": "gone.png"}, "instant 1, camera BACK: no such image"),
        ({"timestamp": "noon"}, "frames.1.cameras.BACK.timestamp: 'noon' is no time"),
        ({"world_from_camera": [[0] * 4] * 4}, "frames.1.cameras.BACK.world_from_camera: the matrix"),
        ({"objects": [{"class": "car", "box_xyxy": [3, 0, 3, 1]}]}, "objects.0: box_xyxy: expected x1 < x2"),
        ({"objects": [{"class": "car", "box_xyxy": ["1", None, 3, 4]}]}, "BACK.objects.0.box_xyxy.1: "),
        ({"objects": [{"class": "car"}]}, "frames.1.cameras.BACK.objects.0.box_xyxy: is missing"),
    ],
)
def test_a_surround_view_is_checked_as_a_recording_is(changes: dict[str, Any], words: str, tmp_path: Path) -> None:
    path = surround_view(tmp_path, **changes)
    with pytest.raises(UsageError) as of_images:
        read_image_dataset([path])
    with pytest.raises(UsageError) as of_recording:
        open_source([str(tmp_path)])
    assert words in str(of_images.value)
    assert str(of_images.value) == str(of_recording.value)


@pytest.mark.parametrize("content", ["", "[1]", "{"])
def test_what_is_no_annotation_file(content: str, tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text(content)
    with pytest.raises(UsageError, match=r"x\.json"):
        read_image_dataset([path])


def bdd_like(folder: Path) -> Path:
    """A machine, its rider marked apart, and a region of which nobody knows."""
    names = ("ignore", "car", "motorcycle")
    ignored = {"image_id": 10, "category_id": 0, "iscrowd": 1}
    return coco(
        folder,
        categories=[{"id": number, "name": name} for number, name in enumerate(names)],
        images=[{"id": 10, "file_name": "a.png", "riders": "machine boxed alone"}],
        annotations=[
            {"image_id": 10, "category_id": 2, "bbox": [20, 40, 30, 40]},
            {**ignored, "bbox": [26, 20, 18, 50], "raw": "rider"},
            {**ignored, "bbox": [60, 10, 30, 30], "raw": "tractor"},
        ],
    )


def test_riders_are_as_labelled_or_joined(tmp_path: Path) -> None:
    path = bdd_like(tmp_path)
    labelled, joined = read_image_dataset([path]), read_image_dataset([path], riders="joined")
    assert labelled.truth.boxes_xyxy_px.tolist() == [[20, 40, 50, 80]]
    assert joined.truth.boxes_xyxy_px.tolist() == [[20, 20, 50, 80]]
    assert [read.ignored.labels.tolist() for read in (labelled, joined)] == [[ANY_LABEL] * 2, [ANY_LABEL]]
    assert labelled.notes == ("Regions to ignore: 2 boxes around crowds.",)


def test_only_what_speaks_of_the_wanted_classes_is_kept(tmp_path: Path) -> None:
    (tmp_path / "crowd").mkdir()
    (tmp_path / "region").mkdir()
    dataset = read_image_dataset([coco(tmp_path / "crowd"), bdd_like(tmp_path / "region")])
    trucks = dataset.of_classes(["truck"])
    assert trucks.truth.labels.tolist() == [CLASSES.index("truck")]
    assert trucks.ignored.labels.tolist() == [ANY_LABEL] * 2  # the crowd of persons is gone
    assert dataset.of_classes(None) is dataset


def test_boxes_outside_their_image_are_told(tmp_path: Path) -> None:
    dataset = read_image_dataset([coco(tmp_path)])
    (first,), (second,) = dataset.batches
    assert dataset.doubts_on_places({first.key: (64, 48), second.key: (64, 48)}) == ()
    (doubt,) = dataset.doubts_on_places({first.key: (64, 48), second.key: (8, 8)})
    assert doubt.startswith("50.0% of the true boxes (1)")


def test_boxes_that_are_shares_of_the_image_are_refused(tmp_path: Path) -> None:
    shares = [{"image_id": 10, "category_id": 1, "bbox": [0.2, 0.3, 0.1, 0.4]}]
    with pytest.raises(UsageError, match="as shares of the image"):
        read_image_dataset([coco(tmp_path, annotations=shares)])
