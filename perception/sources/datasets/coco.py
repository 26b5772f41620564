"""Annotation files in COCO's format (Lin et al., 2014), with the fields that state how far an image is labelled.

What a file states is held against its images: sizes, ids, boxes that are there twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perception.arrays import FloatArray, IntArray
from perception.errors import UsageError, counted
from perception.files import read_json
from perception.geometry.riders import RiderConvention, joined_labels, rider_convention
from perception.safety.regular_files import is_file
from perception.sources.truth.image_header import check_image_size, read_header, upright_boxes
from perception.taxonomy import CLASSES, PEDESTRIAN_LABEL, ignored_kind_of, label_of

RIDER = "rider"
"""The origin's label of who rides a machine."""

Riders = RiderConvention | Mapping[str, RiderConvention]
"""How riders are boxed: in all images, or by the beginning of their sites; as ``separate`` in others."""


@dataclass(frozen=True)
class CocoImage:
    """One labelled image.

    ``boxes_xyxy_px`` (n, 4) float64 and ``labels`` (n,) of the objects of our classes; ``is_crowd`` (n,) marks boxes
    around an unknown number of them. ``exhaustive_labels`` are the classes of which every object has a box.
    Images of the same ``site`` were taken by one fixed camera. In ``ignored_xyxy_px`` (m, 4) it is unknown of any class
    what is there. ``riders_are_joined`` is False where riders and machines had boxes of their own. ``image_id`` is the
    text of the file's own id, ``size_px`` the width and height that it states, None where it does not.
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
    image_id: str = ""
    size_px: tuple[int, int] | None = None


@dataclass(frozen=True)
class CocoFile:
    """``other_classes`` counts the boxes of classes that are none of ours, ``other_categories`` names those classes.

    ``crowd_count`` are the boxes around crowds of any class, ``unlabelled_count`` the images that are marked as not
    labelled; these are left out. ``labels`` leads from the ids of categories to ours, -1 for those that are none.
    ``notes`` are sentences on what does not fit together in the file.
    """

    images: tuple[CocoImage, ...]
    labels: Mapping[int, int]
    other_classes: Mapping[str, int]
    other_categories: tuple[str, ...]
    crowd_count: int
    unlabelled_count: int
    notes: tuple[str, ...] = ()


def read_coco_file(path: Path, *, riders: Riders | None = None, needs_images: bool = True) -> CocoFile:
    """Read a COCO file; its images lie where ``find_image`` looks for them, or nowhere where none are needed.

    Boxes that were drawn on an image before it was turned upright by its EXIF data, as the stated size shows, are
    turned with it. A box that is there twice counts once.

    Optional fields of an image: ``exhaustive_for`` names the classes that are labelled completely in it; without it
    ``annotated_for``, the classes that have boxes at all; without both every class is complete. ``labelled`` false
    leaves the image out. ``site`` names the fixed camera that took it, ``riders`` states how riders are boxed (see
    ``geometry.riders``).

    With ``riders`` given, boxes of riders and machines are joined; it counts where the file itself does not state how
    they are boxed. Without, boxes stay as they are labelled.

    Raises ``UsageError`` naming the file when it is no COCO file, a box is no box, an image is not there or has
    another size than is stated, an image's id occurs twice, or no annotation belongs to an image.
    """
    content = read_json(path)
    try:
        return _coco_file(path, content, riders, needs_images=needs_images)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise UsageError(f"{path}: {error!r} is missing or wrong; give a COCO file.") from error


def find_image(annotations_path: Path, name: str) -> Path:
    """The image ``name`` of an annotation file, in one of the usual folders.

    These are ``images/`` beside the file, the file's own folder and, as COCO itself lies on a disk, what stands beside
    that folder: ``val2017/`` for ``annotations/instances_val2017.json``, ``images/val2017/``, ``images/``. A path of
    another machine is found by its last part, backslashes are slashes. Raises ``UsageError`` when it is nowhere.
    """
    return _place_of(annotations_path, name, is_needed=True)


def _place_of(annotations_path: Path, name: str, *, is_needed: bool) -> Path:
    """Where the image is; where it is not there and need not be, its place beside the file."""
    beside = annotations_path.parent
    split = annotations_path.stem.rpartition("_")[2]
    folders = (
        beside / "images",
        beside,
        *(beside.parent / part for part in (split, f"images/{split}", "images", ".") if part),
    )
    relative = name.replace("\\", "/")
    for wanted in dict.fromkeys((relative, relative.rpartition("/")[2])):
        for folder in folders:
            if wanted and is_file(folder / wanted):
                return folder / wanted
    if not is_needed:
        return beside / relative
    raise UsageError(
        f"{annotations_path}: names the image {name}, which is neither beside it nor in images/, nor in {split}/ "
        "or images/ beside its folder; copy the images there."
    )


def _coco_file(path: Path, content: Any, riders: Riders | None, *, needs_images: bool) -> CocoFile:
    names = {_key(category["id"]): str(category["name"]) for category in content["categories"]}
    entries = {_key(entry["id"]): entry for entry in content["images"]}
    if len(entries) < len(content["images"]):
        raise UsageError(
            f"{path}: {counted(len(content['images']) - len(entries), 'image')} with an id that another has already."
        )
    annotations: dict[str, list[Any]] = {}
    for annotation in content["annotations"]:
        annotations.setdefault(_key(annotation["image_id"]), []).append(annotation)
    lost = sum(len(of_image) for key, of_image in annotations.items() if key not in entries)
    others: Counter[str] = Counter()
    ids = Counter(_key(annotation["id"]) for annotation in content["annotations"] if "id" in annotation)
    doubts = _Doubts(lost=lost, shared_ids=sum(count - 1 for count in ids.values()))
    images, crowd_count, unlabelled_count = [], 0, 0
    for key, entry in entries.items():
        if not entry.get("labelled", True):
            unlabelled_count += 1
            continue
        of_image = doubts.once(annotations.get(key, []))
        of_names = [_name(path, annotation, names) for annotation in of_image]
        crowd_count += sum(bool(annotation.get("iscrowd")) for annotation in of_image)
        others.update(
            name
            for annotation, name in zip(of_image, of_names, strict=True)
            if label_of(name) is None and not annotation.get("iscrowd") and ignored_kind_of(name) is None
        )
        image_path = _place_of(path, entry["file_name"], is_needed=needs_images)
        images.append(_image(path, image_path, entry, of_image, of_names, frozenset(names.values()), riders, doubts))
    if entries and lost and lost == len(content["annotations"]):
        raise UsageError(f"{path}: no annotation of {lost:,} has an image_id of its images; correct the ids.")
    unknown = {name for name in names.values() if label_of(name) is None and ignored_kind_of(name) is None}
    doubts.paths.update(image.path for image in images)
    return CocoFile(
        images=tuple(images),
        labels={int(key): -1 if (label := label_of(name)) is None else label for key, name in names.items()},
        other_classes=others,
        other_categories=tuple(sorted(unknown)),
        crowd_count=crowd_count,
        unlabelled_count=unlabelled_count,
        notes=doubts.notes(path),
    )


@dataclass
class _Doubts:
    """What does not fit together in a file, counted: annotations, boxes and images."""

    lost: int
    shared_ids: int = 0
    repeated: int = 0
    turned: int = 0
    unclear: int = 0
    paths: Counter[Path] = field(default_factory=Counter)

    def once(self, annotations: list[Any]) -> list[Any]:
        """The annotations of an image, of those with the same category and box the first."""
        firsts: dict[tuple[object, ...], Any] = {}
        for one in annotations:
            firsts.setdefault((_key(one["category_id"]), bool(one.get("iscrowd")), *map(float, one["bbox"])), one)
        self.repeated += len(annotations) - len(firsts)
        return list(firsts.values())

    def notes(self, path: Path) -> tuple[str, ...]:
        shared = sum(count - 1 for count in self.paths.values())
        found = (
            (self.lost, "annotation", "left out, with the image_id of no image."),
            (self.shared_ids, "annotation", "with the id of another one; it may be a file joined with itself."),
            (self.repeated, "box", "given twice, with the same image, category and corners; each counts once."),
            (self.turned, "image", "turned upright by EXIF data, with the boxes, drawn before that."),
            (self.unclear, "image", "turned by EXIF data; boxes are taken as drawn on the turned image."),
            (shared, "image", "given twice under the same name; the boxes of each count for itself alone."),
        )
        return tuple(f"{path}: {counted(count, noun)} {text}" for count, noun, text in found if count)


def _key(value: object) -> str:
    """An id: some converters write numbers as text, or with a decimal point."""
    return str(int(value) if isinstance(value, float) and value.is_integer() else value)


def _name(path: Path, annotation: Any, names: Mapping[str, str]) -> str:
    category = _key(annotation["category_id"])
    if category not in names:
        raise UsageError(f"{path}: category_id {category} is that of none of its categories; correct it.")
    return names[category]


def _image(
    path: Path,
    image_path: Path,
    entry: Any,
    annotations: list[Any],
    names: list[str],
    known_names: frozenset[str],
    riders: Riders | None,
    doubts: _Doubts,
) -> CocoImage:
    found = [label_of(name) for name in names]
    labels = np.array([-1 if label is None else label for label in found], np.int64)
    boxes: FloatArray = np.array([annotation["bbox"] for annotation in annotations], np.float64).reshape(-1, 4)
    if not (np.isfinite(boxes).all() and (boxes[:, 2:] >= 0).all()):
        raise UsageError(f"{path}: {entry['file_name']}: a bbox is no x, y, width, height; correct it.")
    boxes[:, 2:] += boxes[:, :2]
    boxes = _as_read(path, image_path, entry, boxes, doubts)
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
    is_ignored = np.array([ignored_kind_of(name) is not None for name in names], bool)
    return CocoImage(
        path=image_path,
        file_name=entry["file_name"],
        boxes_xyxy_px=boxes[is_ours],
        labels=labels[is_ours],
        is_crowd=is_crowd[is_ours],
        exhaustive_labels=_exhaustive_labels(path, entry, known_names),
        site=site,
        ignored_xyxy_px=boxes[remains & is_ignored],
        riders_are_joined=convention != "separate",
        image_id=_key(entry["id"]),
        size_px=_size_px(image_path, entry),
    )


def _size_px(image_path: Path, entry: Any) -> tuple[int, int] | None:
    """Of the image as it is read, else as it is stated; None where neither is known."""
    if is_file(image_path):
        return read_header(image_path).size_px
    stated = entry.get("width"), entry.get("height")
    return (int(stated[0]), int(stated[1])) if all(stated) else None


def _as_read(path: Path, image_path: Path, entry: Any, boxes_xyxy_px: FloatArray, doubts: _Doubts) -> FloatArray:
    """The boxes in the image as it is read, which the stated size must be that of, or of its stored pixels."""
    if not (entry.get("width") and entry.get("height") and is_file(image_path)):
        return boxes_xyxy_px
    stated_px = (int(entry["width"]), int(entry["height"]))
    header = read_header(image_path)
    if header.is_turned and stated_px == header.stored_px != header.size_px:
        doubts.turned += 1
        return upright_boxes(boxes_xyxy_px, header)
    check_image_size(path, image_path, stated_px)
    doubts.unclear += header.is_turned and header.stored_px == header.size_px
    return boxes_xyxy_px


def _by_site(riders: Riders | None, site: str | None) -> RiderConvention:
    if riders is None or isinstance(riders, str):
        return riders or "separate"
    return next((convention for start, convention in riders.items() if (site or "").startswith(start)), "separate")


def _exhaustive_labels(path: Path, entry: Any, known_names: frozenset[str]) -> frozenset[int]:
    listed = entry.get("exhaustive_for", entry.get("annotated_for"))
    if listed is None:
        return frozenset(range(len(CLASSES)))
    wrong = [name for name in listed if label_of(name) is None and name not in known_names]
    if wrong:
        raise UsageError(f"{path}: {entry['file_name']}: {wrong[0]} is none of the file's categories; correct it.")
    return frozenset(label for name in listed if (label := label_of(name)) is not None)
