"""Annotation files in COCO's format (Lin et al., 2014), with the fields that tell how far an image is labelled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perception.arrays import FloatArray, IntArray
from perception.errors import UsageError
from perception.files import read_json
from perception.taxonomy import CLASSES, label_of


@dataclass(frozen=True)
class CocoImage:
    """One labelled image.

    ``boxes_xyxy_px`` (n, 4) float64 and ``labels`` (n,) of the objects of our classes; ``is_crowd`` (n,) marks boxes
    around an unknown number of them. ``exhaustive_labels`` are the classes of which every object has a box.
    Images of the same ``site`` were taken by one fixed camera.
    """

    path: Path
    file_name: str
    boxes_xyxy_px: FloatArray
    labels: IntArray
    is_crowd: NDArray[np.bool_]
    exhaustive_labels: frozenset[int]
    site: str | None = None


@dataclass(frozen=True)
class CocoFile:
    """``other_classes`` counts the boxes of classes that are none of ours, ``other_categories`` names those classes.

    ``crowd_count`` are the boxes around crowds of any class, ``unlabelled_count`` the images that are marked as not
    labelled; these are left out.
    """

    images: tuple[CocoImage, ...]
    other_classes: Mapping[str, int]
    other_categories: tuple[str, ...]
    crowd_count: int
    unlabelled_count: int


def read_coco_file(path: Path) -> CocoFile:
    """Read a COCO file; its images lie beside it or in ``images/`` beside it.

    Optional fields of an image: ``exhaustive_for`` names the classes that are labelled completely in it; without it
    ``annotated_for``, the classes that have boxes at all; without both every class is complete. ``labelled`` false
    leaves the image out. ``site`` names the fixed camera that took it.

    Raises ``UsageError`` naming the file when it is no COCO file, a box is no box, or an image is not there.
    """
    content = read_json(path)
    try:
        return _coco_file(path, content)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise UsageError(f"{path}: {error!r} is missing or wrong; give a COCO file.") from error


def find_image(annotations_path: Path, name: str) -> Path:
    """The image ``name`` of an annotation file; raises ``UsageError`` when it is at neither usual place."""
    for folder in (annotations_path.parent / "images", annotations_path.parent):
        if (folder / name).is_file():
            return folder / name
    raise UsageError(f"{annotations_path}: names the image {name}, which is neither beside it nor in images/.")


def _coco_file(path: Path, content: Any) -> CocoFile:
    names = {category["id"]: str(category["name"]) for category in content["categories"]}
    annotations: dict[Any, list[Any]] = {}
    for annotation in content["annotations"]:
        annotations.setdefault(annotation["image_id"], []).append(annotation)
    others: Counter[str] = Counter()
    images, crowd_count, unlabelled_count = [], 0, 0
    for entry in content["images"]:
        if not entry.get("labelled", True):
            unlabelled_count += 1
            continue
        of_image = annotations.get(entry["id"], [])
        crowd_count += sum(bool(annotation.get("iscrowd")) for annotation in of_image)
        others.update(
            names[annotation["category_id"]]
            for annotation in of_image
            if label_of(names[annotation["category_id"]]) is None and not annotation.get("iscrowd")
        )
        images.append(_image(path, entry, of_image, names))
    unknown = tuple(sorted({name for name in names.values() if label_of(name) is None}))
    return CocoFile(tuple(images), others, unknown, crowd_count, unlabelled_count)


def _image(path: Path, entry: Any, annotations: list[Any], names: Mapping[Any, str]) -> CocoImage:
    labels = [label_of(names[annotation["category_id"]]) for annotation in annotations]
    boxes = np.array([annotation["bbox"] for annotation in annotations], np.float64).reshape(-1, 4)
    if not (np.isfinite(boxes).all() and (boxes[:, 2:] >= 0).all()):
        raise UsageError(f"{path}: {entry['file_name']}: a bbox is no x, y, width, height; correct it.")
    boxes[:, 2:] += boxes[:, :2]
    is_ours = np.array([label is not None for label in labels], bool)
    return CocoImage(
        path=find_image(path, entry["file_name"]),
        file_name=entry["file_name"],
        boxes_xyxy_px=boxes[is_ours],
        labels=np.array([label for label in labels if label is not None], np.int64),
        is_crowd=np.array([bool(annotation.get("iscrowd")) for annotation in annotations], bool)[is_ours],
        exhaustive_labels=_exhaustive_labels(path, entry, names),
        site=str(entry["site"]) if entry.get("site") else None,
    )


def _exhaustive_labels(path: Path, entry: Any, names: Mapping[Any, str]) -> frozenset[int]:
    listed = entry.get("exhaustive_for", entry.get("annotated_for"))
    if listed is None:
        return frozenset(range(len(CLASSES)))
    wrong = [name for name in listed if label_of(name) is None and name not in names.values()]
    if wrong:
        raise UsageError(f"{path}: {entry['file_name']}: {wrong[0]} is none of the file's categories; correct it.")
    return frozenset(label for name in listed if (label := label_of(name)) is not None)
