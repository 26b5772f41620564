"""Single images with boxes: COCO files, and calibrated surround views (``frames.json``)."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from perception.errors import UsageError
from perception.evaluation.core.boxes import ImageKey
from perception.files import read_json
from perception.sources.datasets.coco import find_image, read_coco_file
from perception.taxonomy import CLASSES, label_of
from perception.types import BoxTable


@dataclass(frozen=True)
class DatasetImage:
    """A file and the key that the ground truth knows it by; images of the same ``site`` show the same view."""

    path: Path
    key: ImageKey
    site: str | None = None


@dataclass(frozen=True)
class ImageDataset:
    """``batches`` are images that a car's cameras took at one instant, or single ones. ``exhaustive_labels`` names for
    images that are labelled in part the classes that are complete. ``notes`` tell what was left out."""

    batches: tuple[tuple[DatasetImage, ...], ...]
    truth: BoxTable
    exhaustive_labels: dict[ImageKey, frozenset[int]]
    notes: tuple[str, ...]


@dataclass
class _BoxRows:
    """The true boxes so far, and what was left out."""

    keys: list[ImageKey]
    labels: list[int]
    boxes_xyxy_px: list[Sequence[float]]
    other_classes: Counter[str]
    crowds: int = 0
    unlabelled: int = 0

    def add(self, key: ImageKey, name: str, box_xyxy_px: Sequence[float]) -> None:
        x1, y1, x2, y2 = box_xyxy_px
        if not (math.isfinite(x1 + y1 + x2 + y2) and x1 <= x2 and y1 <= y2):
            raise ValueError(f"box {[x1, y1, x2, y2]}")
        label = label_of(name)
        if label is None:
            self.other_classes[name] += 1
            return
        self.append(key, label, box_xyxy_px)

    def append(self, key: ImageKey, label: int, box_xyxy_px: Sequence[float]) -> None:
        self.keys.append(key)
        self.labels.append(label)
        self.boxes_xyxy_px.append(box_xyxy_px)

    def table(self) -> BoxTable:
        count = len(self.keys)
        return BoxTable(
            frame_indices=np.array([index for _, index in self.keys], np.int64),
            ids=np.arange(count),
            labels=np.array(self.labels, np.int64),
            scores=np.ones(count),
            boxes_xyxy_px=np.array(self.boxes_xyxy_px, np.float64).reshape(count, 4),
            cameras=np.array([camera for camera, _ in self.keys], np.str_),
        )

    def notes(self) -> tuple[str, ...]:
        others = ", ".join(f"{count} {name}" for name, count in self.other_classes.most_common())
        said = (
            (len(self.other_classes), f"True boxes of classes that are no road users here were left out: {others}."),
            (self.crowds, f"{self.crowds} boxes around crowds were left out; their class is incomplete there."),
            (self.unlabelled, f"{self.unlabelled} images without labels were left out."),
        )
        return tuple(text for count, text in said if count)


def read_image_dataset(paths: Iterable[Path]) -> ImageDataset:
    """Read annotation files together.

    A COCO file is read by ``read_coco_file``. A ``frames.json`` has ``frames``, each with ``cameras`` by name:
    ``image``, and ``objects`` with ``class`` and ``box_xyxy`` in pixels.

    Raises ``UsageError`` naming the file when it is missing, of neither kind, or names an image that is not there.
    """
    rows = _BoxRows([], [], [], Counter())
    batches: list[tuple[DatasetImage, ...]] = []
    exhaustive: dict[ImageKey, frozenset[int]] = {}
    for number, path in enumerate(paths):
        content = _read_mapping(path)
        try:
            if "frames" in content:
                batches += _read_frames(path, content, rows, scope=f"{number}/{path.parent.name}")
            else:
                batches += _read_coco(path, rows, exhaustive, scope=f"{number}/{path.stem}")
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            raise UsageError(f"{path}: {error!r} is missing or wrong; give a COCO file or a frames.json.") from error
    if not batches:
        raise UsageError("no image in them is labelled; give a COCO file or a frames.json.", field="images")
    return ImageDataset(tuple(batches), rows.table(), exhaustive, rows.notes())


def _read_frames(path: Path, content: Any, rows: _BoxRows, *, scope: str) -> list[tuple[DatasetImage, ...]]:
    batches = []
    for index, frame in enumerate(content["frames"]):
        batch = []
        for camera, entry in frame["cameras"].items():
            key = (f"{scope}/{camera}", index)
            batch.append(DatasetImage(find_image(path, entry["image"]), key))
            for item in entry.get("objects", ()):
                rows.add(key, item["class"], [float(value) for value in item["box_xyxy"]])
        batches.append(tuple(batch))
    return batches


def _read_coco(
    path: Path, rows: _BoxRows, exhaustive: dict[ImageKey, frozenset[int]], *, scope: str
) -> list[tuple[DatasetImage, ...]]:
    batches: list[tuple[DatasetImage, ...]] = []
    content = read_coco_file(path)
    rows.other_classes.update(content.other_classes)
    rows.crowds += content.crowd_count
    rows.unlabelled += content.unlabelled_count
    for index, image in enumerate(content.images):
        key = (scope, index)
        batches.append((DatasetImage(image.path, key, f"{scope}/{image.site}" if image.site else None),))
        # Nobody knows how many are in a crowd: what is found there is neither right nor wrong.
        complete = image.exhaustive_labels - set(image.labels[image.is_crowd].tolist())
        for label, box in zip(image.labels[~image.is_crowd], image.boxes_xyxy_px[~image.is_crowd], strict=True):
            rows.append(key, int(label), box.tolist())
        if len(complete) < len(CLASSES):
            exhaustive[key] = frozenset(complete)
    return batches


def _read_mapping(path: Path) -> Any:
    content = read_json(path)
    if not isinstance(content, dict):
        raise UsageError(f"{path}: is no COCO file and no frames.json; give one of these.")
    return content
