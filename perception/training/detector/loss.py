"""The detector's loss: classes, box regression, contrastive embeddings, distillation.

Grid points are assigned to objects by task alignment (Feng et al. 2021, TOOD): an object takes the few points whose
class score and box are already best. Classes are trained by a quality focal loss (Li et al. 2020), boxes by generalised
IoU (Rezatofighi et al. 2019) and the distribution focal loss (Li et al. 2020), embeddings by supervised contrast
(Khosla et al. 2020).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional
from torchvision.ops import generalized_box_iou_loss

from perception.detection.roadnet.network import RoadNetOutput
from perception.geometry.boxes import pairwise_iou
from perception.taxonomy import PEDESTRIAN_LABEL, TWO_WHEELED_LABELS
from perception.training.detector.augmentation import KNOWN_STRIDE, Batch

_POINTS_PER_OBJECT = 10
_ALIGNMENT_POWER = 5.0
_CLASS_WEIGHT, _CLASSIFICATION_WEIGHT, _BOX_WEIGHT, _EMBEDDING_WEIGHT, _TEACHER_WEIGHT = 1.0, 0.5, 2.0, 0.1, 1.0
_DFL_WEIGHT = 0.25
_MIN_TEACHER_SCORE = 0.05
_TEMPERATURE = 0.15


class DetectionLoss(NamedTuple):
    """Scalars; ``total`` is minimised. ``classification`` is the cross entropy at the objects, ``dfl`` the distribution
    focal loss. ``teacher`` is zero without a teacher, ``self_distillation`` where its weight is zero."""

    total: Tensor
    classes: Tensor
    classification: Tensor
    boxes: Tensor
    embeddings: Tensor
    teacher: Tensor
    dfl: Tensor
    self_distillation: Tensor


class Assignment(NamedTuple):
    """For B images of A grid points: ``object_indices`` (B, A), -1 for background; ``quality`` (B, A) in 0..1;
    ``best_points`` (B, M), the grid point that fits each object best."""

    object_indices: Tensor
    quality: Tensor
    best_points: Tensor


@torch.no_grad()
def assign(output: RoadNetOutput, batch: Batch) -> Assignment:
    """Task-aligned assignment of grid points to objects, batched over images."""
    scores = output.class_logits.sigmoid()
    object_scores = scores.gather(2, batch.labels[:, None, :].expand(-1, scores.shape[1], -1)).transpose(1, 2)
    iou = pairwise_iou(batch.boxes_xyxy, output.boxes_xyxy)  # (B, M, A)
    low, high = batch.boxes_xyxy[:, :, None, :2], batch.boxes_xyxy[:, :, None, 2:]
    points = output.points_xy[None, None]
    # An object smaller than the grid has no grid point inside it: it takes those within a stride of its centre.
    centre = (low + high) / 2
    reach = output.strides[None, None, :, None]
    is_inside = ((points > low) & (points < high)).all(-1) | ((points - centre).abs() < reach * 0.75).all(-1)
    alignment = object_scores.sqrt() * iou.pow(_ALIGNMENT_POWER) + 1e-9
    alignment = alignment * (is_inside & batch.valid[:, :, None])

    top, candidates = alignment.topk(min(_POINTS_PER_OBJECT, alignment.shape[2]), dim=2)
    is_candidate = torch.zeros_like(alignment, dtype=torch.bool).scatter_(2, candidates, top > 0)
    candidate_iou = torch.where(is_candidate, iou + 1e-6, 0.0)
    best_iou, object_indices = candidate_iou.max(dim=1)  # a point that two objects want goes to the better overlap
    object_indices = torch.where(best_iou > 0, object_indices, -1)

    # Quality: alignment scaled so that an object's best point has the quality of its best IoU.
    largest = (alignment * is_candidate).amax(dim=2, keepdim=True)
    largest_iou = (iou * is_candidate).amax(dim=2, keepdim=True)
    scaled = alignment / (largest + 1e-9) * largest_iou
    quality = scaled.gather(1, object_indices.clamp(min=0)[:, None, :])[:, 0]
    return Assignment(object_indices, torch.where(object_indices >= 0, quality, 0.0), candidates[:, :, 0])


def detection_loss(output: RoadNetOutput, batch: Batch, *, self_distillation_weight: float = 0.0) -> DetectionLoss:
    """The loss of a batch, averaged over its objects."""
    assignment = assign(output, batch)
    is_object = assignment.object_indices >= 0
    rows = torch.arange(len(batch.labels), device=is_object.device)[:, None].expand_as(is_object)
    objects = assignment.object_indices.clamp(min=0)

    target = torch.zeros_like(output.class_logits)
    target.scatter_(2, batch.labels[rows, objects][..., None], assignment.quality[..., None])
    probability = output.class_logits.sigmoid()
    focus = (target - probability).abs().pow(2.0).detach()
    is_supervised = _known_at_points(batch.known, output.points_xy) | is_object[..., None]
    class_loss = functional.binary_cross_entropy_with_logits(output.class_logits, target, reduction="none")
    normaliser = assignment.quality.sum().clamp(min=1.0)
    classes = (class_loss * focus * is_supervised).sum() / normaliser

    weights = assignment.quality[is_object]
    classification_loss = functional.cross_entropy(
        output.class_logits[is_object], batch.labels[rows, objects][is_object], reduction="none"
    )
    classification = (classification_loss * weights).sum() / normaliser
    found, wanted = output.boxes_xyxy[is_object], batch.boxes_xyxy[rows, objects][is_object]
    boxes = (generalized_box_iou_loss(found, wanted) * weights).sum() / normaliser
    dfl = _dfl_loss(output, wanted, is_object, weights) / normaliser
    self_distillation = _self_distillation(output, batch) if self_distillation_weight else dfl * 0.0
    embeddings = _contrast(output, batch, assignment)
    teacher = _distillation(output, batch)
    total = (
        _CLASS_WEIGHT * classes
        + _CLASSIFICATION_WEIGHT * classification
        + _BOX_WEIGHT * boxes
        + _EMBEDDING_WEIGHT * embeddings
        + _TEACHER_WEIGHT * teacher
        + _DFL_WEIGHT * dfl
        + self_distillation_weight * self_distillation
    )
    return DetectionLoss(total, classes, classification, boxes, embeddings, teacher, dfl, self_distillation)


def _dfl_loss(output: RoadNetOutput, wanted: Tensor, is_object: Tensor, weights: Tensor) -> Tensor:
    """The distribution focal loss of N grid points that have an object, boxes ``wanted`` (N, 4), summed by ``weights``
    (N,).

    A distance between two whole numbers of strides is to have its weight on these two, the nearer the more.
    """
    logits = output.ltrb_logits[is_object]  # (N, 4, D)
    columns = torch.nonzero(is_object)[:, 1]
    points, strides = output.points_xy[columns], output.strides[columns, None]
    distances = torch.cat([points - wanted[:, :2], wanted[:, 2:] - points], dim=1) / strides
    last = logits.shape[-1] - 1
    distances = distances.clamp(min=0, max=last - 0.01)
    below = distances.floor().long()
    above_share = distances - below
    log_shares = logits.log_softmax(dim=-1)
    nearer = log_shares.gather(2, below[..., None])[..., 0] * (1 - above_share)
    farther = log_shares.gather(2, below[..., None] + 1)[..., 0] * above_share
    total: Tensor = (-(nearer + farther).mean(dim=1) * weights).sum()
    return total


def _self_distillation(output: RoadNetOutput, batch: Batch) -> Tensor:
    """Keep the initial checkpoint's scores at every grid point of the image itself, not of what was pasted; where
    riders are part of their machines, it need not keep their pedestrian scores."""
    if batch.initial_scores is None:
        return output.class_logits.sum() * 0.0
    target = batch.initial_scores
    focus = (target - output.class_logits.sigmoid()).abs().pow(2.0).detach()
    loss = functional.binary_cross_entropy_with_logits(output.class_logits, target, reduction="none")
    counts = _known_at_points(batch.original, output.points_xy).to(target.dtype).expand_as(target).clone()
    counts[..., PEDESTRIAN_LABEL] *= ~_inside_two_wheelers(output.points_xy, batch)
    total: Tensor = (loss * focus * counts).sum() / target.amax(dim=2).sum().clamp(min=1.0)
    return total


def _inside_two_wheelers(points_xy: Tensor, batch: Batch) -> Tensor:
    """(B, A): grid points where rider and machine were labelled as one box."""
    has_rider = batch.valid & torch.isin(batch.labels, batch.labels.new_tensor(TWO_WHEELED_LABELS))
    low, high = batch.boxes_xyxy[:, None, :, :2], batch.boxes_xyxy[:, None, :, 2:]
    points = points_xy[None, :, None]
    return (((points > low) & (points < high)).all(-1) & has_rider[:, None]).any(dim=2)


def _distillation(output: RoadNetOutput, batch: Batch) -> Tensor:
    """Match the teacher's scores and boxes at every grid point (Hinton et al. 2015).

    Where rider and machine were labelled as one box, a teacher's pedestrian is left out; of what was pasted, all.
    """
    if batch.teacher_scores is None or batch.teacher_boxes is None or batch.teacher_mask is None:
        return output.class_logits.sum() * 0.0
    target = torch.where(batch.teacher_scores > _MIN_TEACHER_SCORE, batch.teacher_scores, 0.0)
    logits = output.class_logits[:, : target.shape[1]]  # a teacher may lack the coarsest grid points
    found_boxes = output.boxes_xyxy[:, : target.shape[1]]
    probability = logits.sigmoid()
    focus = (target - probability).abs().pow(2.0).detach()
    is_rider = _inside_two_wheelers(output.points_xy[: target.shape[1]], batch)
    is_original = _known_at_points(batch.original, output.points_xy)[:, : target.shape[1]]
    counts = (batch.teacher_mask & is_original).to(target.dtype)
    counts[..., PEDESTRIAN_LABEL] *= ~is_rider
    loss = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    confidence = (target * counts).amax(dim=2)
    normaliser = confidence.sum().clamp(min=1.0)
    # A grid point's box is that of the teacher's highest-scoring class; where that one is left out, so is the box.
    seen = (confidence > 0.2) & (confidence >= (target * batch.teacher_mask).amax(dim=2))
    boxes = generalized_box_iou_loss(found_boxes[seen], batch.teacher_boxes[seen]) * confidence[seen]
    total: Tensor = ((loss * focus * counts).sum() + 2.0 * boxes.sum()) / normaliser
    return total


def _contrast(output: RoadNetOutput, batch: Batch, assignment: Assignment) -> Tensor:
    """Embeddings of the same object in two views attract, all others repel."""
    rows, objects = torch.nonzero(batch.valid, as_tuple=True)
    embeddings = output.embeddings[rows, assignment.best_points[rows, objects]]
    ids = batch.object_ids[rows, objects]
    itself = torch.eye(len(ids), dtype=torch.bool, device=ids.device)
    same = (ids[:, None] == ids[None]) & ~itself
    anchors = same.any(dim=1)
    if not anchors.any():
        return embeddings.sum() * 0.0
    logits = (embeddings @ embeddings.T / _TEMPERATURE).masked_fill(itself, -1e4)
    log_shares = logits.log_softmax(dim=1)
    per_anchor = -(log_shares * same).sum(dim=1)[anchors] / same.sum(dim=1)[anchors]
    return per_anchor.mean()


def _known_at_points(known: Tensor, points_xy: Tensor) -> Tensor:
    """(B, C, H / 8, W / 8) looked up at the grid points: (B, A, C)."""
    cells = (points_xy / KNOWN_STRIDE).long()
    columns = cells[:, 0].clamp(max=known.shape[3] - 1)
    rows = cells[:, 1].clamp(max=known.shape[2] - 1)
    at_points: Tensor = known[:, :, rows, columns]
    return at_points.transpose(1, 2)
