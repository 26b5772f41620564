"""Data sets with classes of one's own: a YOLO folder with its ``data.yaml``, or COCO files that such a file names.

    path: .                    # the images' folder, relative to the file; may be left out
    train: images/train        # a folder, a text file that lists images, or a COCO file; or several of them
    val: images/val
    names: [person, forklift]  # in the order of the labels' numbers; COCO files name their categories themselves
    class_map: {forklift: truck}

Labels lie beside images in ``labels`` in place of ``images``: a text with a line (class, x, y, width, height) for each
object, as shares of the picture, or (class, x1, y1, x2, y2, ...) for a polygon.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from perception.arrays import FloatArray, IntArray
from perception.class_names import MAP_KEY, NAMES_KEY, ClassMap, class_map_of
from perception.errors import UsageError, counted
from perception.files import read_json, read_text, read_yaml
from perception.safety.regular_files import exists, is_dir, is_file
from perception.training.detector.dataset import LabelledImage, object_ids, read_image

SPLITS = ("train", "val")
_USUAL_NAME = "data.yaml"
_IMAGE_SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
_BOX_NUMBERS = 5
_EDGE = 1e-3
"""Shares are rounded: so much may lie beyond 0..1."""


@dataclass(frozen=True)
class OwnDataSet:
    """What the file ``path`` names: ``classes`` in the order of the labels, and the ``parts`` of each split."""

    path: Path
    classes: ClassMap
    parts: Mapping[str, tuple[Path, ...]]

    def images(self, split: str, *, scale: tuple[float, float], weight: float) -> list[LabelledImage]:
        """All images of a split with what is labelled in them. Raises ``UsageError`` naming a wrong file and line."""
        found: list[LabelledImage] = []
        for part in self.parts[split]:
            labelled = _coco_boxes(part, self) if part.suffix == ".json" else _yolo_boxes(part, self)
            found += [self._labelled(*entry, scale=scale, weight=weight) for entry in labelled]
        return found

    def training(self) -> dict[str, Any]:
        """The keys of a training's configuration, relative to the file's folder."""
        parts = [{"kind": "own", "path": self.path.name, "split": split} for split in SPLITS]
        classes = {"classes": self.classes.names, "stands_for": self.classes.stands_for}
        return {**classes, "train": parts[:1], "validation": parts[1:]}

    def _labelled(
        self,
        path: Path,
        boxes: FloatArray,
        labels: IntArray,
        is_crowd: Sequence[bool],
        are_shares: bool,
        *,
        scale: tuple[float, float],
        weight: float,
    ) -> LabelledImage:
        image, count = read_image(path), len(self.classes.names or ())
        size = np.tile(np.array(image.shape[1::-1], np.float32), 2)
        boxes_px = np.clip(boxes * size if are_shares else boxes, 0, size).astype(np.float32)
        crowd = np.array(is_crowd, bool)
        return LabelledImage(
            name=path.name,
            image=image,
            boxes_xyxy_px=boxes_px[~crowd],
            labels=labels[~crowd],
            object_ids=object_ids(str(path), np.arange(len(labels))[~crowd]),
            exhaustive=np.ones(count, bool),
            ignore_xyxy_px=boxes_px[crowd],
            ignore_labels=labels[crowd],
            scale=scale,
            weight=weight,
        )


_Entry = tuple[Path, FloatArray, IntArray, Sequence[bool], bool]
"""An image, its boxes (n, 4), labels (n,) and marks of crowds, and whether the boxes are shares of the picture."""


def own_data_at(place: Path) -> OwnDataSet | None:
    """Of a file, or of a folder with one of the usual name; None for other folders. Raises ``UsageError``."""
    path = place / _USUAL_NAME if is_dir(place) else place
    return read_own_data(path) if is_file(path) else None


def read_own_data(path: Path) -> OwnDataSet:
    """What ``data.yaml`` states. Raises ``UsageError`` where it names no images, or no class is a road user."""
    content = read_yaml(path)
    if not isinstance(content, dict) or not all(content.get(split) for split in SPLITS):
        raise UsageError(f"{path}: is to name images to train on and to choose by; give it the keys train and val.")
    parts = {split: _parts(path, content, split) for split in SPLITS}
    if NAMES_KEY not in content:
        content = {**content, NAMES_KEY: _category_names(path, parts["train"])}
    classes = class_map_of(path, {key: content.get(key) for key in (NAMES_KEY, MAP_KEY)})
    count = content.get("nc", len(classes.names or ()))
    if count != len(classes.names or ()):
        raise UsageError(f"{path}: nc is {count} and names has {len(classes.names or ())}; correct one of the two.")
    if not any(classes.stands_for):
        raise UsageError(
            f"{path}: none of its classes is a road user here; say in {MAP_KEY} what they stand for, such as "
            f"{MAP_KEY}: {{{(classes.names or ('forklift',))[0]}: truck}}."
        )
    return OwnDataSet(path, classes, parts)


def _parts(path: Path, content: Mapping[str, Any], split: str) -> tuple[Path, ...]:
    """What a split leads to, relative to the key ``path``, or to the file itself."""
    stated = content[split] if isinstance(content[split], list) else [content[split]]
    roots = [path.parent / str(content.get("path") or "."), path.parent]
    found = []
    for name in map(str, stated):
        # Some tools write ../train/images, relative to a folder that is not there.
        places = [root / name for root in roots] + [path.parent / name.removeprefix("../")]
        place = next((place for place in places if exists(place)), None)
        if place is None:
            raise UsageError(
                f"{path}: {split}: {places[0]} is not there; give a folder, a list of images or a COCO file."
            )
        found.append(place)
    return tuple(found)


def _category_names(path: Path, parts: Sequence[Path]) -> list[str]:
    """Of the first COCO file, by their ids."""
    if not parts or parts[0].suffix != ".json":
        raise UsageError(f"{path}: has no {NAMES_KEY}; list the names of the classes.")
    content = _coco(parts[0])
    try:
        return [str(category["name"]) for category in sorted(content["categories"], key=lambda entry: entry["id"])]
    except (KeyError, TypeError) as error:
        raise UsageError(f"{parts[0]}: a category has no name or no whole number as its id; correct it.") from error


def _coco(path: Path) -> Any:
    content = read_json(path)
    keys = ("images", "annotations", "categories")
    if not isinstance(content, dict) or not all(isinstance(content.get(key), list) for key in keys):
        raise UsageError(f"{path}: lacks images, annotations or categories; give a COCO file.")
    return content


def _coco_boxes(path: Path, data: OwnDataSet) -> list[_Entry]:
    content, names = _coco(path), {name.lower(): label for label, name in enumerate(data.classes.names or ())}
    try:
        label_of = {entry["id"]: names.get(str(entry["name"]).strip().lower()) for entry in content["categories"]}
        of_image: dict[Any, list[Any]] = {entry["id"]: [] for entry in content["images"]}
        for annotation in content["annotations"]:
            of_image[annotation["image_id"]].append(annotation)
        entries: list[_Entry] = []
        for entry in content["images"]:
            objects = [item for item in of_image[entry["id"]] if label_of[item["category_id"]] is not None]
            boxes = np.array([item["bbox"] for item in objects], np.float64).reshape(-1, 4)
            boxes[:, 2:] += boxes[:, :2]
            if not (np.isfinite(boxes).all() and (boxes[:, 2:] >= boxes[:, :2]).all()):
                raise UsageError(f"{path}: {entry['file_name']}: a bbox is no x, y, width, height; correct it.")
            labels = np.array([label_of[item["category_id"]] for item in objects], np.int64)
            crowd = [bool(item.get("iscrowd")) for item in objects]
            entries.append((_find_image(path, str(entry["file_name"])), boxes, labels, crowd, False))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UsageError(f"{path}: {error!r} is missing or wrong; give a COCO file.") from error
    return entries


def _find_image(annotations: Path, name: str) -> Path:
    """Beside the file, in ``images``, or in a folder of the split's name, as COCO's own folders have it."""
    split = annotations.stem.removeprefix("instances_")
    above = annotations.parent.parent
    for folder in (
        annotations.parent,
        annotations.parent / "images",
        above / split,
        above / "images" / split,
        above / "images",
    ):
        if is_file(folder / name):
            return folder / name
    raise UsageError(f"{annotations}: names the image {name}, which lies neither beside it nor in images or {split}.")


def _yolo_boxes(part: Path, data: OwnDataSet) -> list[_Entry]:
    if is_dir(part):
        images = sorted(path for path in part.rglob("*") if path.suffix.lower() in _IMAGE_SUFFIXES)
    else:
        lines = (line.strip() for line in read_text(part, "a list of images").split("\n"))
        images = [part.parent / line for line in lines if line]
    if not images:
        raise UsageError(f"{part}: holds no images; give a folder of images, or a list of them.")
    files = [_label_file(image) for image in images]
    if not any(is_file(file) for file in files):
        raise UsageError(f"{part}: {counted(len(images), 'image')} and no labels; the first would be {files[0]}.")
    entries: list[_Entry] = []
    for image, file in zip(images, files, strict=True):
        rows = _yolo_rows(file, len(data.classes.names or ())) if is_file(file) else np.zeros((0, 5))
        entries.append((image, rows[:, 1:], rows[:, 0].astype(np.int64), [False] * len(rows), True))
    return entries


def _label_file(image: Path) -> Path:
    """In ``labels`` in place of the last ``images``, else beside the image."""
    parts = list(image.with_suffix(".txt").parts)
    for number in range(len(parts) - 2, -1, -1):
        if parts[number] == "images":
            parts[number] = "labels"
            break
    return Path(*parts)


def _yolo_rows(path: Path, count: int) -> FloatArray:
    """(n, 5): class and corners as shares of the picture; of a polygon those of the box around it."""
    rows = []
    for number, line in enumerate(read_text(path, "labels").split("\n"), start=1):
        if not line.strip():
            continue
        try:
            values = np.array(line.split(), np.float64)
        except ValueError:
            values = np.zeros(0)
        is_polygon = len(values) > _BOX_NUMBERS + 1 and len(values) % 2 == 1
        has_numbers = (len(values) == _BOX_NUMBERS or is_polygon) and bool(np.isfinite(values).all())
        if not has_numbers or values[0] not in range(count):
            raise UsageError(
                f"{path}, line {number}: expected a class from 0 to {count - 1} and x, y, width and height, got "
                f"{line.strip()[:60]!r}; correct it."
            )
        rows.append([values[0], *_corners(values[1:])])
        if min(rows[-1][1:]) < -_EDGE or max(rows[-1][1:]) > 1 + _EDGE:
            raise UsageError(
                f"{path}, line {number}: a box reaches from {min(rows[-1][1:]):.3g} to {max(rows[-1][1:]):.3g}; give "
                "shares of the picture from 0 to 1."
            )
    return np.array(rows, np.float64).reshape(-1, _BOX_NUMBERS)


def _corners(numbers: FloatArray) -> FloatArray:
    """(4,) of a box (x, y, width, height) or of a polygon (x1, y1, x2, y2, ...)."""
    if len(numbers) == _BOX_NUMBERS - 1:
        return np.concatenate([numbers[:2] - numbers[2:] / 2, numbers[:2] + numbers[2:] / 2])
    points = numbers.reshape(-1, 2)
    return np.concatenate([points.min(axis=0), points.max(axis=0)])
