"""Annotation files in COCO's format (Lin et al., 2014), with the fields that state how far an image is labelled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perception.arrays import FloatArray, IntArray
from perception.errors import UsageError
from perception.files import read_json
from perception.geometry.riders import RiderConvention, joined_labels, rider_convention
from perception.taxonomy import CLASSES, PEDESTRIAN_LABEL, label_of

IGNORED, RIDER = "ignore", "rider"
"""A category of what is neither a road user of ours nor background, and the origin's label of who rides a machine."""

Riders = RiderConvention | Mapping[str, RiderConvention]
"""How riders are boxed: in all images, or by the beginning of their sites; as ``separate`` in others."""


@dataclass(frozen=True)
class CocoImage:
    """One labelled image.

    ``boxes_xyxy_px`` (n, 4) float64 and ``labels`` (n,) of the objects of our classes; ``is_crowd`` (n,) marks boxes
    around an unknown number of them. ``exhaustive_labels`` are the classes of which every object has a box.
    Images of the same ``site`` were taken by one fixed camera. In ``ignored_xyxy_px`` (m, 4) it is unknown of any class
    what is there. ``riders_are_joined`` is False where riders and machines had boxes of their own.
    """

    path: Path
    file_name: str
    boxes_xyxy_px: FloatArray
    labels: IntArray
    is_crowd: NDArray[np.bool_]
    exhaustive_labels: frozenset[int]
    site: str | None = None
    ignored_xyxy_px: FloatArray = field(default_factory=lambda: np.zeros((0, 4)))
    riders_are_joined: bool = True


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


def read_coco_file(path: Path, *, riders: Riders | None = None) -> CocoFile:
    """Read a COCO file; its images lie beside it or in ``images/`` beside it.

    Optional fields of an image: ``exhaustive_for`` names the classes that are labelled completely in it; without it
    ``annotated_for``, the classes that have boxes at all; without both every class is complete. ``labelled`` false
    leaves the image out. ``site`` names the fixed camera that took it, ``riders`` states how riders are boxed (see
    ``geometry.riders``).

    With ``riders`` given, boxes of riders and machines are joined; it counts where the file itself does not state how
    they are boxed. Without, boxes stay as they are labelled.

    Raises ``UsageError`` naming the file when it is no COCO file, a box is no box, or an image is not there.
    """
    content = read_json(path)
    try:
        return _coco_file(path, content, riders)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise UsageError(f"{path}: {error!r} is missing or wrong; give a COCO file.") from error


def find_image(annotations_path: Path, name: str) -> Path:
    """The image ``name`` of an annotation file; raises ``UsageError`` when it is in neither usual folder."""
    for folder in (annotations_path.parent / "images", annotations_path.parent):
        if (folder / name).is_file():
            return folder / name
    raise UsageError(f"{annotations_path}: names the image {name}, which is neither beside it nor in images/.")


def _coco_file(path: Path, content: Any, riders: Riders | None) -> CocoFile:
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
            if label_of(names[annotation["category_id"]]) is None
            and not annotation.get("iscrowd")
            and names[annotation["category_id"]] != IGNORED
        )
        images.append(_image(path, entry, of_image, names, riders))
    unknown = tuple(sorted({name for name in names.values() if label_of(name) is None and name != IGNORED}))
    return CocoFile(tuple(images), others, unknown, crowd_count, unlabelled_count)


def _image(
    path: Path, entry: Any, annotations: list[Any], names: Mapping[Any, str], riders: Riders | None
) -> CocoImage:
    found = [label_of(names[annotation["category_id"]]) for annotation in annotations]
    labels = np.array([-1 if label is None else label for label in found], np.int64)
    boxes: FloatArray = np.array([annotation["bbox"] for annotation in annotations], np.float64).reshape(-1, 4)
    if not (np.isfinite(boxes).all() and (boxes[:, 2:] >= 0).all()):
        raise UsageError(f"{path}: {entry['file_name']}: a bbox is no x, y, width, height; correct it.")
    boxes[:, 2:] += boxes[:, :2]
    is_crowd = np.array([bool(annotation.get("iscrowd")) for annotation in annotations], bool)
    site = str(entry["site"]) if entry.get("site") else None
    convention = rider_convention(entry.get("riders") or _by_site(riders, site))
    remains = np.ones(len(labels), bool)
    if riders is not None and convention != "joined":
        is_rider = (labels < 0) & np.array([annotation.get("raw") == RIDER for annotation in annotations], bool)
        if convention == "separate":
            is_rider = (labels == PEDESTRIAN_LABEL) & ~is_crowd
        boxes, remains = joined_labels(boxes, np.where(is_crowd, -1, labels), is_rider)
    is_ours = remains & (labels >= 0)
    is_ignored = np.array([names[annotation["category_id"]] == IGNORED for annotation in annotations], bool)
    return CocoImage(
        path=find_image(path, entry["file_name"]),
        file_name=entry["file_name"],
        boxes_xyxy_px=boxes[is_ours],
        labels=labels[is_ours],
        is_crowd=is_crowd[is_ours],
        exhaustive_labels=_exhaustive_labels(path, entry, names),
        site=site,
        ignored_xyxy_px=boxes[remains & is_ignored],
        riders_are_joined=convention != "separate",
    )


def _by_site(riders: Riders | None, site: str | None) -> RiderConvention:
    if riders is None or isinstance(riders, str):
        return riders or "separate"
    return next((convention for start, convention in riders.items() if (site or "").startswith(start)), "separate")


def _exhaustive_labels(path: Path, entry: Any, names: Mapping[Any, str]) -> frozenset[int]:
    listed = entry.get("exhaustive_for", entry.get("annotated_for"))
    if listed is None:
        return frozenset(range(len(CLASSES)))
    wrong = [name for name in listed if label_of(name) is None and name not in names.values()]
    if wrong:
        raise UsageError(f"{path}: {entry['file_name']}: {wrong[0]} is none of the file's categories; correct it.")
    return frozenset(label for name in listed if (label := label_of(name)) is not None)
