"""From scores and boxes at every grid point to one box per object, for a whole batch at once."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torchvision.ops import batched_nms

from perception.geometry.boxes import intersections_and_unions

# One object is one box: a van may score as car and as truck, a far car as motorcycle too. Classes of one group
# suppress one another; a pedestrian on or beside a bicycle stays.
SUPPRESSION_GROUPS: tuple[int, ...] = (0, 0, 0, 0, 0, 1)


@dataclass(frozen=True)
class NmsResult:
    """The objects that remain of a batch, N rows, grouped by image and by falling score within an image.

    ``image_indices``, ``point_indices`` (N,) state where in the (B, A) grid points each lies.
    """

    image_indices: Tensor
    point_indices: Tensor
    scores: Tensor
    labels: Tensor
    boxes_xyxy: Tensor


def nms(
    scores: Tensor,
    boxes_xyxy: Tensor,
    *,
    score_threshold: float,
    iou_threshold: float,
    blend_iou: float | None = None,
    allowed_labels: Tensor | None = None,
    max_candidates: int = 1000,
    max_objects: int = 300,
) -> NmsResult:
    """Greedy non-maximum suppression over B images in one call.

    Args:
        scores: (B, A, C) in 0..1 over ``CLASSES``.
        boxes_xyxy: (B, A, 4).
        score_threshold: grid points below it are no objects.
        iou_threshold: boxes of one suppression group that overlap more are one object.
        blend_iou: boxes that overlap an object's best box more are averaged with it, weighted by the squares of their
            scores (box voting, Gidaris and Komodakis 2015): a mean errs less. None keeps the best box.
        allowed_labels: (C,) bool; other classes are never reported.
        max_candidates: per image, the best grid points that enter the suppression.
        max_objects: per image, the most objects that leave it.
    """
    if allowed_labels is not None:
        scores = scores.masked_fill(~allowed_labels.to(scores.device), 0.0)
    best_scores, best_labels = scores.float().max(dim=2)
    top_scores, candidates = best_scores.topk(min(max_candidates, best_scores.shape[1]), dim=1)
    rows, columns = torch.nonzero(top_scores > score_threshold, as_tuple=True)
    point_indices = candidates[rows, columns]
    candidate_scores = top_scores[rows, columns]
    candidate_labels = best_labels[rows, point_indices]
    candidate_boxes = boxes_xyxy[rows, point_indices].float()

    groups = torch.tensor(SUPPRESSION_GROUPS, device=scores.device)
    group_keys = rows * (max(SUPPRESSION_GROUPS) + 1) + groups[candidate_labels]
    keep = batched_nms(candidate_boxes, candidate_scores, group_keys, iou_threshold)
    # batched_nms orders by score over the whole batch; a stable sort by image keeps that order within each image.
    keep = keep[torch.sort(rows[keep], stable=True).indices]
    first_of_image = torch.searchsorted(rows[keep].contiguous(), rows[keep].contiguous())
    rank = torch.arange(len(keep), device=keep.device) - first_of_image
    keep = keep[rank < max_objects]
    kept = NmsResult(
        rows[keep], point_indices[keep], candidate_scores[keep], candidate_labels[keep], candidate_boxes[keep]
    )
    if blend_iou is None or not len(keep):
        return kept
    # The columns are by falling score: those that no image needs are left out.
    entered = int(columns.max()) + 1
    candidates, top_scores = candidates[:, :entered], top_scores[:, :entered]
    votes = top_scores.square() * (top_scores > score_threshold)
    at = torch.arange(len(candidates), device=scores.device)[:, None]
    return replace(
        kept,
        boxes_xyxy=_blended(kept, boxes_xyxy[at, candidates].float(), votes, best_labels[at, candidates], blend_iou),
    )


def _blended(kept: NmsResult, boxes_xyxy: Tensor, votes: Tensor, labels: Tensor, least_iou: float) -> Tensor:
    """(N, 4): the mean of the boxes (B, P, 4) that overlap each kept one enough, by their ``votes`` (B, P)."""
    groups = torch.tensor(SUPPRESSION_GROUPS, device=labels.device)
    own, images = kept.boxes_xyxy[:, None], kept.image_indices
    others = boxes_xyxy[images]
    overlap, union = intersections_and_unions(own, others)
    is_same = (overlap > least_iou * union) & (groups[labels[images]] == groups[kept.labels][:, None])
    weights = votes[images] * is_same
    sums = (weights[..., None] * others).sum(dim=1)
    # An empty box overlaps nothing, not even itself.
    total = weights.sum(dim=1, keepdim=True)
    return torch.where(total > 0, sums / total.clamp(min=1e-12), kept.boxes_xyxy)
