"""Folders of labelled pictures with a text for each: YOLO's, and KITTI's object benchmark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from perception.errors import UsageError
from perception.evaluation.core.image_dataset import DatasetImage, ImageDataset
from perception.evaluation.core.run_tables import join_tables
from perception.files import read_yaml
from perception.results.formats.kitti import read_kitti_object, read_kitti_regions
from perception.results.formats.pictures import PictureIndex
from perception.results.formats.predictions import Predictions
from perception.results.formats.yolo import read_class_names, read_yolo
from perception.sources.files.images import images_in
from perception.sources.truth.box_truth import ignored_boxes
from perception.sources.truth.image_header import read_header
from perception.taxonomy import label_of
from perception.types import IgnoredRegions

USUAL_KITTI_SIZE_PX = (1242, 375)
"""Of pictures that are not there; KITTI's differ by a few pixels."""


def is_label_folder(path: Path) -> bool:
    """Whether ``path`` is a folder with a text of labels for each picture, or YOLO's ``data.yaml``."""
    return _kitti_labels(path) is not None or _yolo_place(path) is not None


def read_label_folder(path: Path) -> ImageDataset:
    """The labelled pictures of a folder. Raises ``UsageError`` naming what is missing or wrong."""
    labels = _kitti_labels(path)
    if labels is not None:
        return _read_kitti(path, labels)
    place = _yolo_place(path)
    if place is None:
        raise UsageError(f"{path}: holds no labels of YOLO and none of KITTI; give another folder.")
    return _read_yolo(*place)


def _kitti_labels(path: Path) -> Path | None:
    return next((folder for folder in (path / "label_2", path / "training" / "label_2") if folder.is_dir()), None)


def _yolo_place(path: Path) -> tuple[Path, Path] | None:
    """The folders of images and of labels."""
    if path.suffix in (".yaml", ".yml") and path.is_file():
        return _split_of(path)
    if path.is_dir() and (path / "labels").is_dir() and any((path / "labels").glob("*.txt")):
        return path / "images", path / "labels"
    return _split_of(path / "data.yaml") if (path / "data.yaml").is_file() else None


def _split_of(path: Path) -> tuple[Path, Path] | None:
    """``val`` of a ``data.yaml``; labels lie where "images" in its path is "labels"."""
    content = read_yaml(path)
    if not isinstance(content, dict) or not isinstance(content.get("val"), str):
        return None
    images = path.parent / str(content.get("path") or ".") / content["val"]
    parts = list(images.parts)
    if "images" not in parts:
        return images, images.parent / "labels"
    parts[len(parts) - 1 - parts[::-1].index("images")] = "labels"
    return images, Path(*parts)


def _read_yolo(images: Path, labels: Path) -> ImageDataset:
    paths = images_in(images) if images.is_dir() else []
    if not paths:
        raise UsageError(f"{images}: has no pictures, whose size the labels are over; copy them there.")
    found = _dataset(f"0/{labels.resolve().parent.name}", paths, [read_header(path).size_px for path in paths])
    names = read_class_names(labels)
    of_number = None if names is None else {n: _label(name) for n, name in enumerate(names)}
    return _labelled(found, read_yolo(labels, replace(pictures_of(found, str(labels)), labels=of_number)), of_number)


def _read_kitti(path: Path, labels: Path) -> ImageDataset:
    images = labels.parent / "image_2"
    pictures = {image.stem: image for image in (images_in(images) if images.is_dir() else [])}
    stems = sorted(text.stem for text in labels.glob("*.txt"))
    paths = [pictures.get(stem, images / f"{stem}.png") for stem in stems]
    sizes_px = [read_header(pictures[stem]).size_px if stem in pictures else USUAL_KITTI_SIZE_PX for stem in stems]
    found = _dataset(f"0/{path.resolve().name}", paths, sizes_px)
    index = pictures_of(found, str(labels))
    regions = [
        ignored_boxes(
            np.full(len(boxes), index.stems[stem][1]),
            boxes,
            np.full(len(boxes), index.stems[stem][0]),
            np.zeros(len(boxes), bool),
        )
        for stem, boxes in read_kitti_regions(labels).items()
    ]
    labelled = _labelled(found, read_kitti_object(labels, index), None)
    return replace(labelled, ignored=IgnoredRegions.joined(regions))


def pictures_of(dataset: ImageDataset, name: str) -> PictureIndex:
    """By which names predictions find the pictures of ``dataset``."""
    images = [image for batch in dataset.batches for image in batch]
    labels = np.unique(dataset.truth.labels).tolist()
    return PictureIndex(
        name=name,
        ids={image.image_id: image.key for image in images if image.image_id is not None},
        stems={image.path.stem: image.key for image in images},
        sizes_px={image.key: image.size_px for image in images if image.size_px is not None},
        labels=dataset.labels,
        only_label=labels[0] if len(labels) == 1 else None,
    )


def _dataset(scope: str, paths: Sequence[Path], sizes_px: Sequence[tuple[int, int]]) -> ImageDataset:
    """The pictures without their labels."""
    # Who writes COCO's results for such a folder numbers its pictures by their names.
    ids = [str(int(path.stem)) if path.stem.isdecimal() else path.stem for path in paths]
    images = [
        DatasetImage(path, (scope, index), image_id=image_id, size_px=size_px)
        for index, (path, image_id, size_px) in enumerate(zip(paths, ids, sizes_px, strict=True))
    ]
    return ImageDataset(tuple((image,) for image in images), join_tables([]), {}, ())


def _labelled(dataset: ImageDataset, labels: Predictions, of_number: Mapping[int, int] | None) -> ImageDataset:
    table = labels.detections if labels.detections is not None else labels.tracks
    assert table is not None, "a file of labels is one of boxes"
    truth = replace(table, ids=np.arange(len(table)), scores=np.ones(len(table)))
    return replace(dataset, truth=truth, labels=of_number, notes=labels.notes)


def _label(name: str) -> int:
    label = label_of(name)
    return -1 if label is None else label
