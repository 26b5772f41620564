"""Labelled images for the detector, from recordings, COCO files and other detectors, with ignore regions.

Labels are often partial: an image may name the classes whose boxes are complete in it (``exhaustive``), and regions
that are unknown (``ignore_xyxy``). Neither may be trained as background.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from perception.arrays import FloatArray, IntArray
from perception.errors import UsageError
from perception.sources import open_source, read_box_truth
from perception.sources.datasets.coco import Riders, read_coco_file
from perception.sources.images import read_rgb
from perception.taxonomy import CLASSES

MIN_VISIBLE_SHARE = 0.3
"""An object of which less can be seen is neither to be found nor background."""


@dataclass(frozen=True)
class LabelledImage:
    """``image`` (H, W, 3) uint8 RGB; ``boxes_xyxy_px`` (n, 4), ``labels`` (n,), ``object_ids`` (n,) equal where two
    images show the same object; ``exhaustive`` (C,) bool; ``ignore_xyxy_px`` (m, 4) of ``ignore_labels`` (m,).

    ``neighbours`` are indices of images of the same scene. ``scale`` is the range of magnifications that makes
    sense for this image, where 1 fits it to the network's input. ``distill`` (T, C) states which of T dense
    detectors are distilled here, class by class: none where the truth is complete and the picture unlike those
    that they know. ``paste`` is the share of its views in which cutouts are pasted, ``near`` the share of those that
    show a road user close by and cut off. ``site`` names where it was taken. ``riders_are_joined`` is False where
    riders were boxes of their own and those that labels still lack would be, too.
    """

    name: str
    image: NDArray[np.uint8]
    boxes_xyxy_px: FloatArray
    labels: IntArray
    object_ids: IntArray
    exhaustive: NDArray[np.bool_]
    ignore_xyxy_px: FloatArray = field(default_factory=lambda: np.zeros((0, 4), np.float32))
    ignore_labels: IntArray = field(default_factory=lambda: np.zeros(0, np.int64))
    scale: tuple[float, float] = (0.5, 2.0)
    weight: float = 1.0
    distill: NDArray[np.bool_] = field(default_factory=lambda: np.zeros((0, len(CLASSES)), bool))
    paste: float = 0.0
    near: float = 0.0
    site: str = ""
    riders_are_joined: bool = True


def read_coco(
    annotations_path: Path, *, scale: tuple[float, float], weight: float, riders: Riders = "separate"
) -> list[LabelledImage]:
    """Images of a COCO file, as ``read_coco_file`` finds them, riders and machines as one; crowd boxes become regions
    to ignore, and regions of the category "ignore" those of all classes.

    Raises ``UsageError`` naming what is wrong, and for a category that is none of ours: its objects would be trained
    as background.
    """
    content = read_coco_file(annotations_path, riders=riders)
    if content.other_categories:
        unknown = ", ".join(content.other_categories)
        raise UsageError(f"{annotations_path}: unknown classes {unknown}; known are {', '.join(CLASSES)}.")
    images = []
    for entry in content.images:
        boxes, crowd = entry.boxes_xyxy_px.astype(np.float32), entry.is_crowd
        ignored_xyxy_px, ignored_labels = of_all_classes(entry.ignored_xyxy_px.astype(np.float32))
        images.append(
            LabelledImage(
                name=entry.file_name,
                image=read_image(entry.path),
                boxes_xyxy_px=boxes[~crowd],
                labels=entry.labels[~crowd],
                object_ids=object_ids(str(entry.path), np.arange(len(boxes))[~crowd]),
                exhaustive=np.isin(np.arange(len(CLASSES)), list(entry.exhaustive_labels)),
                ignore_xyxy_px=np.concatenate([boxes[crowd], ignored_xyxy_px]),
                ignore_labels=np.concatenate([entry.labels[crowd], ignored_labels]),
                scale=scale,
                weight=weight,
                site=entry.site or "",
                riders_are_joined=entry.riders_are_joined,
            )
        )
    return images


def read_recording(
    path: Path, *, stride: int, scale: tuple[float, float], weight: float, classes: Sequence[str] = CLASSES
) -> list[LabelledImage]:
    """Every ``stride``-th instant of a recording with ground truth, complete for ``classes``.

    The truth's regions to ignore hold for every class. Where it knows what can be seen, objects that are mostly hidden
    are such regions too.
    """
    if not path.exists():
        raise UsageError(f"{path}: there is no such recording; correct the configuration, or give another `data`.")
    known = read_box_truth(path)
    if known is None:
        raise UsageError(f"{path}: has no ground truth to learn from; list it under 'unlabelled'.")
    if not known.has_classes:
        raise UsageError(f"{path}: its ground truth has no classes; add them, or list it under 'unlabelled'.")
    truth, regions = known.boxes, known.ignored
    exhaustive = np.isin(CLASSES, classes)
    images = []
    for frame_set in open_source([str(path)], stride=stride):
        for frame in frame_set:
            rows = truth[(truth.frame_indices == frame.index) & (truth.cameras == frame.camera)]
            unknown = regions[(regions.frame_indices == frame.index) & (regions.cameras == frame.camera)]
            unknown_xyxy_px, unknown_labels = of_all_classes(unknown.boxes_xyxy_px)
            seen = np.ones(len(rows), bool) if rows.visible_shares is None else rows.visible_shares >= MIN_VISIBLE_SHARE
            images.append(
                LabelledImage(
                    name=f"{path.name}/{frame.camera}/{frame.index}",
                    image=frame.image,
                    boxes_xyxy_px=rows.boxes_xyxy_px[seen].astype(np.float32),
                    labels=rows.labels[seen].astype(np.int64),
                    object_ids=object_ids(str(path), rows.ids[seen]),
                    exhaustive=exhaustive,
                    ignore_xyxy_px=np.concatenate([rows.boxes_xyxy_px[~seen], unknown_xyxy_px]).astype(np.float32),
                    ignore_labels=np.concatenate([rows.labels[~seen], unknown_labels]).astype(np.int64),
                    scale=scale,
                    weight=weight,
                )
            )
    # Neighbours in the list shall show the same objects a moment later.
    return sorted(images, key=lambda image: image.name.rpartition("/")[0])


def of_all_classes(regions_xyxy_px: FloatArray) -> tuple[FloatArray, IntArray]:
    """Regions (M, 4) once for each class, and the labels of these."""
    count = len(regions_xyxy_px)
    return np.repeat(regions_xyxy_px, len(CLASSES), axis=0), np.tile(np.arange(len(CLASSES)), count)


def read_unlabelled(path: Path, *, stride: int, scale: tuple[float, float], weight: float) -> list[LabelledImage]:
    """Every ``stride``-th frame of any source, nothing known about it yet."""
    empty = np.zeros(0, np.int64)
    return [
        LabelledImage(
            name=f"{path.name}/{frame.camera}/{frame.index}",
            image=frame.image,
            boxes_xyxy_px=np.zeros((0, 4), np.float32),
            labels=empty,
            object_ids=empty,
            exhaustive=np.zeros(len(CLASSES), bool),
            scale=scale,
            weight=weight,
        )
        for frame_set in open_source([str(path)], stride=stride)
        for frame in frame_set
    ]


def matching_paths(root: Path, path: Path) -> list[Path]:
    """``root / path``, or in order all that it matches when its last part holds a ``*``.

    Raises ``UsageError`` where nothing matches.
    """
    pattern = root / path
    if "*" not in pattern.name:
        return [pattern]
    found = sorted(pattern.parent.glob(pattern.name))
    if not found:
        raise UsageError(f"{pattern}: matches nothing; check `data` and the path in the configuration.")
    return found


def split_off(
    images: Sequence[LabelledImage], share: float, *, sites: Sequence[str] = (), last: bool = False
) -> tuple[list[LabelledImage], list[LabelledImage]]:
    """(kept, held out): the images of these ``sites``, and a ``share`` of the others.

    The share is chosen by their names and so the same in every run; with ``last`` it is the end of a drive, whose
    images count up in the last number of their names: neighbours in time would otherwise be on both sides.
    """
    held_out = np.array([image.site in sites for image in images], bool)
    if last:
        order = sorted(np.flatnonzero(~held_out).tolist(), key=lambda index: _last_number(images[index].name))
        held_out[order[len(order) - round(share * len(order)) :]] = True
    else:
        hash_buckets = [object_ids(image.name, np.zeros(1, np.int64))[0] % 1000 for image in images]
        held_out |= np.array(hash_buckets, float) < share * 1000
    kept = [image for image, out in zip(images, held_out.tolist(), strict=True) if not out]
    return kept, [image for image, out in zip(images, held_out.tolist(), strict=True) if out]


def _last_number(name: str) -> int:
    numbers = re.findall(r"\d+", name)
    return int(numbers[-1]) if numbers else -1


def object_ids(scope: str, ids: IntArray) -> IntArray:
    """Ids that are unique over all data sets: a hash of the file that lists the object, and its number there."""
    scope_hash = np.frombuffer(scope.encode(), np.uint8).astype(np.uint64)
    value = np.uint64(1469598103934665603)
    with np.errstate(over="ignore"):
        for byte in scope_hash:  # FNV-1a: Python's own hash differs from process to process
            value = (value ^ byte) * np.uint64(1099511628211)
    return (int(value % np.uint64(1 << 40)) << 20) + np.asarray(ids, np.int64)


def read_image(path: Path) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 RGB."""
    return read_rgb(path)


def as_road_users(image: LabelledImage, stands_for: Sequence[str | None]) -> LabelledImage:
    """``image`` with labels of ``CLASSES`` in place of those of classes that stand for them, or for nothing."""
    if tuple(stands_for) == CLASSES:
        return image
    label_of = np.array([-1 if ours is None else CLASSES.index(ours) for ours in stands_for])
    labels, ignored = label_of[image.labels], label_of[image.ignore_labels]
    is_incomplete = np.zeros(len(CLASSES), bool)
    is_incomplete[label_of[~image.exhaustive & (label_of >= 0)]] = True
    return replace(
        image,
        boxes_xyxy_px=image.boxes_xyxy_px[labels >= 0],
        labels=labels[labels >= 0],
        object_ids=image.object_ids[labels >= 0],
        exhaustive=~is_incomplete,
        ignore_xyxy_px=image.ignore_xyxy_px[ignored >= 0],
        ignore_labels=ignored[ignored >= 0],
    )


def with_labels(
    image: LabelledImage,
    boxes_xyxy_px: FloatArray,
    labels: IntArray,
    ignore_xyxy_px: FloatArray,
    ignore_labels: IntArray,
) -> LabelledImage:
    """``image`` with more boxes and more regions to ignore; every class then counts as complete."""
    new_ids = object_ids(image.name, 1000 + np.arange(len(labels)))
    return replace(
        image,
        boxes_xyxy_px=np.concatenate([image.boxes_xyxy_px, boxes_xyxy_px]).astype(np.float32),
        labels=np.concatenate([image.labels, labels]),
        object_ids=np.concatenate([image.object_ids, new_ids]),
        exhaustive=np.ones(len(CLASSES), bool),
        ignore_xyxy_px=np.concatenate([image.ignore_xyxy_px, ignore_xyxy_px]).astype(np.float32),
        ignore_labels=np.concatenate([image.ignore_labels, ignore_labels]),
    )
