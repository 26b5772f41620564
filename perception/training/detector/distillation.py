"""Learning from other detectors: agreement of two teachers is a label, low scores are ignore regions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from perception.arrays import FloatArray, IntArray
from perception.detection.backends.ncnn import NcnnDetector
from perception.detection.backends.onnx import OnnxDetector
from perception.detection.nms import SUPPRESSION_GROUPS
from perception.detection.roadnet.weights import is_exported_roadnet, load_roadnet, open_exported
from perception.detection.settings import DetectionSettings
from perception.errors import UsageError
from perception.geometry.boxes import box_areas, intersections_and_unions
from perception.geometry.riders import join_riders, joined_labels
from perception.protocols import Detector
from perception.taxonomy import CLASSES, PEDESTRIAN_LABEL, TWO_WHEELED_LABELS
from perception.training.detector.dataset import LabelledImage, with_labels
from perception.types import Detections, Frame
from perception.weights import WEIGHTS_SUFFIX

MIN_SINGLE_SCORE = 0.6
"""One teacher's score above which its box is a label without the other's agreement."""

MIN_MEAN_SCORE = 0.35
"""The mean score of two overlapping boxes above which they are a label."""

MIN_IGNORE_SCORE = 0.1
"""The score above which a box that is no label marks a region to ignore."""

_RIDER_OVERLAP = 0.3
_GROUPS = np.array(SUPPRESSION_GROUPS)


class DenseTeacher(Protocol):
    """A detector whose dense outputs, before suppression, can be distilled; its grid points are RoadNet's, or the finer
    ones of them."""

    @property
    def input_size_px(self) -> tuple[int, int] | None:
        """(width, height); None where every size will do."""

    def dense(self, images: NDArray[np.uint8]) -> tuple[FloatArray, FloatArray]:
        """(B, H, W, 3) uint8 RGB to scores (B, A, C) and boxes (B, A, 4) in pixels."""


class TeacherOutputs(NamedTuple):
    """Joint outputs of dense teachers for B images at A grid points: ``scores`` (B, A, C), ``boxes`` (B, A, 4) in
    pixels, and ``teacher_mask`` (B, A, C), where one of them counts."""

    scores: FloatArray
    boxes: FloatArray
    teacher_mask: NDArray[np.bool_]


def teacher_outputs(
    teachers: Sequence[DenseTeacher], images: NDArray[np.uint8], counts: NDArray[np.bool_]
) -> TeacherOutputs | None:
    """For each class the outputs of the first teacher that takes ``images`` (B, H, W, 3) and counts for it there.

    ``counts`` (B, T, C). A grid point has the box of the highest score there. None where no teacher counts.
    """
    height, width = images.shape[1:3]
    left = counts.any(axis=1)
    outputs: list[tuple[NDArray[np.intp], NDArray[np.bool_], FloatArray, FloatArray]] = []
    for teacher, wanted in zip(teachers, counts.transpose(1, 0, 2), strict=True):
        wanted = wanted & left
        rows = np.flatnonzero(wanted.any(axis=1))
        if teacher.input_size_px in (None, (width, height)) and len(rows):
            outputs.append((rows, wanted[rows], *teacher.dense(images[rows])))
            left &= ~wanted
    if not outputs:
        return None
    # A teacher may lack the coarsest grid points.
    points = max(scores.shape[1] for _, _, scores, _ in outputs)
    together = TeacherOutputs(
        np.zeros((len(images), points, len(CLASSES)), np.float32),
        np.zeros((len(images), points, 4), np.float32),
        np.zeros((len(images), points, len(CLASSES)), bool),
    )
    highest = np.zeros((len(images), points), np.float32)
    for rows, wanted, scores, boxes in outputs:
        at = np.s_[rows, : scores.shape[1]]
        counted = np.broadcast_to(wanted[:, None], scores.shape)
        together.scores[at] = np.where(counted, scores, together.scores[at])
        together.teacher_mask[at] |= counted
        confidence = np.where(counted, scores, 0).max(axis=2)
        is_higher = confidence > highest[at]
        together.boxes[at] = np.where(is_higher[..., None], boxes, together.boxes[at])
        highest[at] = np.maximum(highest[at], confidence)
    return together


def open_dense_teacher(path: Path) -> DenseTeacher:
    """Raises ``UsageError`` when the file is missing, unreadable or of another kind."""
    if path.suffix == WEIGHTS_SUFFIX:
        return load_roadnet(path, DetectionSettings(), device=torch.device("cpu"))
    if is_exported_roadnet(path):
        return open_exported(path, DetectionSettings())
    if path.suffix == ".param":
        return NcnnDetector(path, DetectionSettings())
    detector = OnnxDetector(path, DetectionSettings())
    if not (detector.layout.has_grid and detector.known_labels.all()):
        raise UsageError(
            f"{path}: a {detector.layout.title} without an answer for every class at every grid point cannot be "
            "distilled; name it as a teacher only."
        )
    return detector


def complete_labels(images: Iterable[LabelledImage], teachers: Sequence[Detector]) -> Iterator[LabelledImage]:
    """Label the classes that are incomplete in each image by the teachers' detections; human labels have priority."""
    for image in images:
        if image.exhaustive.all() or not teachers:
            yield image
            continue
        frame = Frame(image.image, "image", 0, 0)
        yield completed(image, *agreement([teacher.detect([frame])[0] for teacher in teachers]))


def completed(
    image: LabelledImage, boxes_xyxy_px: FloatArray, labels: IntArray, confident: NDArray[np.bool_]
) -> LabelledImage:
    """``image`` with what detectors found (n,) of the classes that it lacks: as boxes where they are ``confident``,
    else as regions to ignore. Human labels have priority; riders are joined with their machines."""
    wanted = ~image.exhaustive[labels]
    boxes, labels, confident = boxes_xyxy_px[wanted].astype(np.float32), labels[wanted], confident[wanted]
    known = _overlap(boxes, image.boxes_xyxy_px)
    same_group = _GROUPS[labels][:, None] == _GROUPS[image.labels][None]
    new = ~((known.iou > 0.4) & same_group).any(axis=1) if len(image.labels) else np.ones(len(labels), bool)
    bonnet = _is_bonnet(boxes, image.image.shape[:2])
    if not image.riders_are_joined:
        image, rides = _with_riders(image, boxes, labels, confident & ~bonnet)
        boxes, labels = boxes[~rides], labels[~rides]
        confident, new, bonnet = confident[~rides], new[~rides], bonnet[~rides]
        known = _overlap(boxes, image.boxes_xyxy_px)
    doubtful_machines = boxes[new & ~confident & np.isin(labels, TWO_WHEELED_LABELS)]
    # Riders of machines that are not joined with them here are no pedestrians, nor background.
    riding = (labels == PEDESTRIAN_LABEL) & (
        _in_labelled_machine(known, image.labels) | _rides(boxes, image, doubtful_machines)
    )
    label_it, ignore_it = new & confident & ~riding & ~bonnet, new & (~confident | riding | bonnet)
    boxes_added, labels_added = boxes[label_it], labels[label_it]
    boxes_added, remains = joined_labels(boxes_added, labels_added, labels_added == PEDESTRIAN_LABEL)
    boxes_added, labels_added = boxes_added[remains], labels_added[remains]
    if not image.riders_are_joined:
        image, boxes_added = _without_labelled_riders(image, boxes_added, labels_added)
    return with_labels(image, boxes_added, labels_added, boxes[ignore_it], labels[ignore_it])


def _with_riders(
    image: LabelledImage, boxes: FloatArray, labels: IntArray, confident: NDArray[np.bool_]
) -> tuple[LabelledImage, NDArray[np.bool_]]:
    """``image`` whose machines hold the riders among what was found (n,), and which of these ride (n,)."""
    machines = np.flatnonzero(np.isin(image.labels, TWO_WHEELED_LABELS))
    persons = np.flatnonzero(confident & (labels == PEDESTRIAN_LABEL))
    joined = join_riders(image.boxes_xyxy_px[machines], boxes[persons])
    whole = image.boxes_xyxy_px.copy()
    whole[machines] = joined.boxes_xyxy_px
    rides = np.zeros(len(labels), bool)
    rides[persons[joined.machine_of >= 0]] = True
    return replace(image, boxes_xyxy_px=whole), rides


def _in_labelled_machine(known: _Overlap, image_labels: IntArray) -> NDArray[np.bool_]:
    """(n,): which boxes lie in a labelled machine, whose box often holds its rider already."""
    return np.asarray(((known.share_inside > _RIDER_OVERLAP) & np.isin(image_labels, TWO_WHEELED_LABELS)).any(axis=1))


def _rides(boxes: FloatArray, image: LabelledImage, doubtful_machines: FloatArray) -> NDArray[np.bool_]:
    """(n,): which boxes would ride a machine that is labelled, to be ignored, or ``doubtful_machines`` (m, 4)."""
    is_machine, is_ignored = (np.isin(labels, TWO_WHEELED_LABELS) for labels in (image.labels, image.ignore_labels))
    machines = [image.boxes_xyxy_px[is_machine], image.ignore_xyxy_px[is_ignored], doubtful_machines]
    return join_riders(np.concatenate(machines), boxes).machine_of >= 0


def _without_labelled_riders(
    image: LabelledImage, machines: FloatArray, labels: IntArray
) -> tuple[LabelledImage, FloatArray]:
    """``image`` without the persons that people labelled and that ride machines found (n, 4), which then hold them."""
    riders = np.flatnonzero(image.labels == PEDESTRIAN_LABEL)
    found = np.flatnonzero(np.isin(labels, TWO_WHEELED_LABELS))
    joined = join_riders(machines[found], image.boxes_xyxy_px[riders])
    boxes = machines.copy()
    boxes[found] = joined.boxes_xyxy_px
    remains = np.ones(len(image.labels), bool)
    remains[riders[joined.machine_of >= 0]] = False
    image = replace(
        image,
        boxes_xyxy_px=image.boxes_xyxy_px[remains],
        labels=image.labels[remains],
        object_ids=image.object_ids[remains],
    )
    return image, boxes


def _is_bonnet(boxes: FloatArray, size: tuple[int, int]) -> NDArray[np.bool_]:
    """(n,): low and broad at the lower edge of a picture (height, width): detectors call the own bonnet a car."""
    height, width = size
    at_edge = boxes[:, 3] > 0.97 * height
    return np.asarray(at_edge & (boxes[:, 2] - boxes[:, 0] > 0.5 * width) & (boxes[:, 3] - boxes[:, 1] < 0.4 * height))


def agreement(found: Sequence[Detections]) -> tuple[FloatArray, IntArray, NDArray[np.bool_]]:
    """Merge what the teachers found in one image.

    Returns boxes (n, 4) and labels (n,) of the teacher listed first where both see an object, and whether each is
    confident (n,); the others are uncertain.
    """
    first = found[0]
    boxes, labels, scores = first.boxes_xyxy_px, first.labels, first.scores
    best_alone, best_together = scores, np.zeros(len(scores))
    for other in found[1:]:
        same_group = _GROUPS[labels][:, None] == _GROUPS[other.labels][None]
        overlap = np.where(same_group, _overlap(boxes, other.boxes_xyxy_px).iou, 0.0)
        if len(other) and len(boxes):
            partner = overlap.argmax(axis=1)
            agrees = overlap[np.arange(len(boxes)), partner] > 0.5
            best_together = np.where(
                agrees, np.maximum(best_together, (best_alone + other.scores[partner]) / 2), best_together
            )
        alone = ~(overlap > 0.4).any(axis=0) if len(boxes) else np.ones(len(other), bool)
        boxes = np.concatenate([boxes, other.boxes_xyxy_px[alone]])
        labels = np.concatenate([labels, other.labels[alone]])
        best_alone = np.concatenate([best_alone, other.scores[alone]])
        best_together = np.concatenate([best_together, np.zeros(int(alone.sum()))])
    seen = np.maximum(best_alone, best_together) > MIN_IGNORE_SCORE
    confident = (best_alone > MIN_SINGLE_SCORE) | (best_together > MIN_MEAN_SCORE)
    return boxes[seen], labels[seen], confident[seen]


class _Overlap(NamedTuple):
    """``iou`` (n, m), and ``share_inside`` (n, m): the part of each first box that lies in each second one."""

    iou: FloatArray
    share_inside: FloatArray


def _overlap(first: FloatArray, second: FloatArray) -> _Overlap:
    shared, union = intersections_and_unions(first[:, None], second[None])
    return _Overlap(shared / np.maximum(union, 1e-9), shared / np.maximum(box_areas(first)[:, None], 1e-9))
