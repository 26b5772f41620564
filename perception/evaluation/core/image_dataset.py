"""Single images with boxes: COCO files, and calibrated surround views (``frames.json``)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from perception.arrays import FloatArray
from perception.errors import UsageError, counted
from perception.evaluation.core.table_boxes import ImageKey
from perception.files import read_json
from perception.geometry.boxes import box_centres
from perception.sources.datasets.coco import CocoFile, read_coco_file
from perception.sources.datasets.frames_json import LabelledShot, read_labelled_shots
from perception.sources.truth.box_truth import doubts_on_boxes
from perception.taxonomy import CLASSES, ignored_kind_of, label_of
from perception.types import ANY_LABEL, BoxTable, IgnoredRegions


@dataclass(frozen=True)
class DatasetImage:
    """A file and the key that the ground truth knows it by; images of the same ``site`` show the same view.

    ``image_id`` is the data set's own id, ``size_px`` the width and height that its labels state, None without them.
    """

    path: Path
    key: ImageKey
    site: str | None = None
    image_id: str | None = None
    size_px: tuple[int, int] | None = None


@dataclass(frozen=True)
class ImageDataset:
    """``batches`` are images that a car's cameras took at one instant, or single ones. ``exhaustive_labels`` names for
    images that are labelled in part the classes that are complete. ``notes`` state what was left out. ``ignored`` are
    crowds and other regions of which the truth does not speak. ``labels`` leads from the data set's numbers of classes
    to ours, -1 for none of them; None where it has no numbers, or several files have different ones."""

    batches: tuple[tuple[DatasetImage, ...], ...]
    truth: BoxTable
    exhaustive_labels: dict[ImageKey, frozenset[int]]
    notes: tuple[str, ...]
    ignored: IgnoredRegions = field(default_factory=IgnoredRegions.empty)
    labels: Mapping[int, int] | None = None

    def of_classes(self, classes: Sequence[str] | None) -> ImageDataset:
        """The same with what speaks of ``classes`` alone; all of it for None."""
        if classes is None:
            return self
        labels = [CLASSES.index(name) for name in classes]
        return replace(
            self,
            truth=self.truth[np.isin(self.truth.labels, labels)],
            ignored=self.ignored[np.isin(self.ignored.labels, [*labels, ANY_LABEL])],
        )

    def doubts_on_places(self, sizes_px: Mapping[ImageKey, tuple[int, int]]) -> tuple[str, ...]:
        """A sentence on true boxes that lie outside their images, of which (width, height) are known."""
        keys = zip(self.truth.cameras.tolist(), self.truth.frame_indices.tolist(), strict=True)
        sizes = np.array([sizes_px.get(key, (np.inf, np.inf)) for key in keys], np.float64).reshape(-1, 2)
        centres = box_centres(self.truth.boxes_xyxy_px)
        is_outside = ((centres < 0) | (centres > sizes)).any(axis=1)
        if not is_outside.any():
            return ()
        return (
            f"{is_outside.mean():.1%} of the true boxes ({is_outside.sum():,}) have their centre outside their image: "
            "they may be of another resolution.",
        )


@dataclass
class _BoxRows:
    """The true boxes so far, and what was left out."""

    keys: list[ImageKey]
    labels: list[int]
    boxes_xyxy_px: list[Sequence[float]]
    other_classes: Counter[str]
    ignored: list[IgnoredRegions] = field(default_factory=list)
    crowds: int = 0
    unlabelled: int = 0
    doubts: list[str] = field(default_factory=list)

    def add(self, key: ImageKey, name: str, box_xyxy_px: Sequence[float]) -> None:
        label = label_of(name)
        kind = ignored_kind_of(name)
        if kind is not None:
            self.ignore(key, [ANY_LABEL], np.array([box_xyxy_px], np.float64), is_object=kind == "object")
            return
        if label is None:
            self.other_classes[name] += 1
            return
        self.append(key, label, box_xyxy_px)

    def append(self, key: ImageKey, label: int, box_xyxy_px: Sequence[float]) -> None:
        self.keys.append(key)
        self.labels.append(label)
        self.boxes_xyxy_px.append(box_xyxy_px)

    def ignore(
        self, key: ImageKey, labels: Sequence[int], boxes_xyxy_px: FloatArray, *, is_object: bool = False
    ) -> None:
        count, (camera, index) = len(labels), key
        self.ignored.append(
            IgnoredRegions(
                frame_indices=np.full(count, index),
                labels=np.array(labels, np.int64),
                boxes_xyxy_px=boxes_xyxy_px,
                cameras=np.full(count, camera),
                is_object=np.full(count, is_object),
            )
        )

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
        sentences = (
            (len(self.other_classes), f"True boxes of classes that are no road users here were left out: {others}."),
            (self.crowds, f"Regions to ignore: {counted(self.crowds, 'box')} around crowds."),
            (self.unlabelled, f"Left out: {counted(self.unlabelled, 'image')} without labels."),
        )
        return (*(text for count, text in sentences if count), *self.doubts)


def read_image_dataset(
    paths: Iterable[Path], *, riders: Literal["labelled", "joined"] = "labelled", needs_images: bool = True
) -> ImageDataset:
    """Read annotation files together.

    ``riders``: boxes as they are labelled, or those of rider and machine joined (``geometry.riders``) where a COCO file
    has them apart. The images of a COCO file may be missing where none are needed.

    COCO files are read by ``read_coco_file``, those with ``frames`` by ``frames_json.read_labelled_shots``.

    Raises ``UsageError`` naming the file when it is missing, of neither kind, has a wrong entry, or names an image
    that is not there.
    """
    rows = _BoxRows([], [], [], Counter())
    batches: list[tuple[DatasetImage, ...]] = []
    exhaustive: dict[ImageKey, frozenset[int]] = {}
    numbered: list[Mapping[int, int]] = []
    for number, path in enumerate(paths):
        if "frames" in _read_mapping(path):
            batches += _of_frames(read_labelled_shots(path), rows, scope=f"{number}/{path.parent.name}")
        else:
            content = read_coco_file(path, riders="separate" if riders == "joined" else None, needs_images=needs_images)
            numbered.append(content.labels)
            batches += _of_coco(content, rows, exhaustive, scope=f"{number}/{path.stem}")
    if not batches:
        raise UsageError("no image in them is labelled; give a COCO file or a frames.json.", field="images")
    truth = rows.table()
    notes = (*rows.notes(), *doubts_on_boxes(truth))
    ignored = IgnoredRegions.joined(rows.ignored)
    return ImageDataset(tuple(batches), truth, exhaustive, notes, ignored, _common(numbered))


def _common(numbered: Sequence[Mapping[int, int]]) -> Mapping[int, int] | None:
    return numbered[0] if numbered and all(labels == numbered[0] for labels in numbered) else None


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
    *,
    scope: str,
) -> list[tuple[DatasetImage, ...]]:
    batches: list[tuple[DatasetImage, ...]] = []
    rows.other_classes.update(content.other_classes)
    rows.crowds += content.crowd_count
    rows.unlabelled += content.unlabelled_count
    rows.doubts += content.notes
    for index, image in enumerate(content.images):
        key = (scope, index)
        site = f"{scope}/{image.site}" if image.site else None
        batches.append((DatasetImage(image.path, key, site, image.image_id, image.size_px),))
        for label, box in zip(image.labels[~image.is_crowd], image.boxes_xyxy_px[~image.is_crowd], strict=True):
            rows.append(key, int(label), box.tolist())
        if len(image.exhaustive_labels) < len(CLASSES):
            exhaustive[key] = image.exhaustive_labels
        rows.ignore(key, image.labels[image.is_crowd].tolist(), image.boxes_xyxy_px[image.is_crowd])
        rows.ignore(key, [ANY_LABEL] * len(image.ignored_xyxy_px), image.ignored_xyxy_px)
    return batches


def _read_mapping(path: Path) -> Any:
    content = read_json(path)
    if not isinstance(content, dict):
        raise UsageError(f"{path}: is no COCO file and no frames.json; give one of these.")
    return content
