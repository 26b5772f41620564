"""Single images with boxes: COCO files, and calibrated surround views (``frames.json``)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from perception.arrays import FloatArray
from perception.errors import UsageError
from perception.evaluation.core.table_boxes import ImageKey, rows_by_image
from perception.files import read_json
from perception.geometry.boxes import box_areas, intersections_and_unions, pairwise_iou
from perception.sources.datasets.coco import CocoFile, read_coco_file
from perception.sources.datasets.frames_json import LabelledShot, read_labelled_shots
from perception.taxonomy import CLASSES, label_of
from perception.types import BoxTable

IOU_THRESHOLD = 0.5


@dataclass(frozen=True)
class DatasetImage:
    """A file and the key that the ground truth knows it by; images of the same ``site`` show the same view."""

    path: Path
    key: ImageKey
    site: str | None = None


@dataclass(frozen=True)
class ImageDataset:
    """``batches`` are images that a car's cameras took at one instant, or single ones. ``exhaustive_labels`` names for
    images that are labelled in part the classes that are complete. ``notes`` state what was left out. In
    ``ignored_xyxy_px`` (m, 4) of an image the content is unknown."""

    batches: tuple[tuple[DatasetImage, ...], ...]
    truth: BoxTable
    exhaustive_labels: dict[ImageKey, frozenset[int]]
    notes: tuple[str, ...]
    ignored_xyxy_px: dict[ImageKey, FloatArray] = field(default_factory=dict)

    def without_ignored(self, detections: BoxTable) -> BoxTable:
        """The detections that can be judged: one that lies half or more in an ignored region, and on no true box at IoU
        0.5, is neither right nor wrong."""
        keep = np.ones(len(detections), bool)
        of_truth = rows_by_image(self.truth)
        for key, rows in rows_by_image(detections).items():
            if key not in self.ignored_xyxy_px:
                continue
            boxes = detections.boxes_xyxy_px[rows]
            shared, _ = intersections_and_unions(boxes[:, None], self.ignored_xyxy_px[key][None])
            inside = shared.max(axis=1, initial=0) >= 0.5 * box_areas(boxes)
            true_boxes = self.truth.boxes_xyxy_px[of_truth.get(key, np.zeros(0, np.int64))]
            fits = (pairwise_iou(boxes, true_boxes) >= IOU_THRESHOLD).any(axis=1)
            keep[rows] = fits | ~inside
        return detections[keep]


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
        counted = (
            (len(self.other_classes), f"True boxes of classes that are no road users here were left out: {others}."),
            (self.crowds, f"{self.crowds} boxes around crowds were left out; their class is incomplete there."),
            (self.unlabelled, f"{self.unlabelled} images without labels were left out."),
        )
        return tuple(text for count, text in counted if count)


def read_image_dataset(paths: Iterable[Path], *, riders: Literal["labelled", "joined"] = "labelled") -> ImageDataset:
    """Read annotation files together.

    ``riders``: boxes as they are labelled, or those of rider and machine joined (``geometry.riders``) where a COCO file
    has them apart.

    COCO files are read by ``read_coco_file``, those with ``frames`` by ``frames_json.read_labelled_shots``.

    Raises ``UsageError`` naming the file when it is missing, of neither kind, has a wrong entry, or names an image
    that is not there.
    """
    rows = _BoxRows([], [], [], Counter())
    batches: list[tuple[DatasetImage, ...]] = []
    exhaustive: dict[ImageKey, frozenset[int]] = {}
    ignored: dict[ImageKey, FloatArray] = {}
    for number, path in enumerate(paths):
        if "frames" in _read_mapping(path):
            batches += _of_frames(read_labelled_shots(path), rows, scope=f"{number}/{path.parent.name}")
        else:
            content = read_coco_file(path, riders="separate" if riders == "joined" else None)
            batches += _of_coco(content, rows, exhaustive, ignored, scope=f"{number}/{path.stem}")
    if not batches:
        raise UsageError("no image in them is labelled; give a COCO file or a frames.json.", field="images")
    return ImageDataset(tuple(batches), rows.table(), exhaustive, rows.notes(), ignored)


def _of_frames(
    instants: Sequence[Sequence[LabelledShot]], rows: _BoxRows, *, scope: str
) -> list[tuple[DatasetImage, ...]]:
    batches = []
    for index, shots in enumerate(instants):
        images = [DatasetImage(shot.path, (f"{scope}/{shot.camera}", index)) for shot in shots]
        for image, shot in zip(images, shots, strict=True):
            for entry in shot.objects:
                rows.add(image.key, entry.name, entry.box_xyxy)
        batches.append(tuple(images))
    return batches


def _of_coco(
    content: CocoFile,
    rows: _BoxRows,
    exhaustive: dict[ImageKey, frozenset[int]],
    ignored: dict[ImageKey, FloatArray],
    *,
    scope: str,
) -> list[tuple[DatasetImage, ...]]:
    batches: list[tuple[DatasetImage, ...]] = []
    rows.other_classes.update(content.other_classes)
    rows.crowds += content.crowd_count
    rows.unlabelled += content.unlabelled_count
    for index, image in enumerate(content.images):
        key = (scope, index)
        batches.append((DatasetImage(image.path, key, f"{scope}/{image.site}" if image.site else None),))
        # How many are in a crowd is unknown: detections there are ignored.
        complete = image.exhaustive_labels - set(image.labels[image.is_crowd].tolist())
        for label, box in zip(image.labels[~image.is_crowd], image.boxes_xyxy_px[~image.is_crowd], strict=True):
            rows.append(key, int(label), box.tolist())
        if len(complete) < len(CLASSES):
            exhaustive[key] = frozenset(complete)
        if len(image.ignored_xyxy_px):
            ignored[key] = image.ignored_xyxy_px
    return batches


def _read_mapping(path: Path) -> Any:
    content = read_json(path)
    if not isinstance(content, dict):
        raise UsageError(f"{path}: is no COCO file and no frames.json; give one of these.")
    return content
