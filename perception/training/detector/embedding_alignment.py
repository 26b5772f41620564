"""New weights, old features: a detector that learns on keeps the numbers by which forecasters know its objects.

A forecaster that was trained with a detector's features only understands that detector's. Fitting the last layer of
the embedding, by least squares on what the detector before saw, lets both go on without training every forecaster anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from perception.detection.letterbox import letterbox
from perception.detection.nms import nms
from perception.detection.roadnet.detector import input_size
from perception.detection.roadnet.network import STRIDES, RoadNet, RoadNetOutput, to_input
from perception.taxonomy import CLASSES
from perception.training.detector.augmentation import View, collate
from perception.training.detector.dataset import LabelledImage
from perception.training.detector.loss import assign

_MIN_SCORE, _IOU = 0.15, 0.5
_HELD_OUT_EVERY = 5
_MOST_PICTURES = 800
_RIDGE = 1e-3


class AlignmentResult(NamedTuple):
    """Mean cosine between new and old features of ``objects`` in pictures that were not fitted on."""

    cosine: float
    objects: int


class _Objects(NamedTuple):
    """``new`` and ``old`` on the same N objects: ``inputs`` (N, channels) of the new network's last layer,
    ``heads`` (N,), ``wanted`` (N, F) embeddings of the old one."""

    inputs: Tensor
    heads: Tensor
    wanted: Tensor


@torch.inference_mode()
def align_embeddings(
    new: RoadNet, old: RoadNet, images: Sequence[LabelledImage], device: torch.device
) -> AlignmentResult:
    """Change the embedding's last layer of ``new`` so that objects get the features that ``old`` gives them.

    At most 800 pictures are looked at, evenly chosen; every fifth of them is kept for the figure that is returned.
    Raises ``ValueError`` when features have other sizes, or when ``old`` finds nothing.
    """
    if new.config.embedding_size != old.config.embedding_size:
        raise ValueError(f"features of {old.config.embedding_size} numbers cannot be kept in {new.config}")
    new, old = new.to(device).eval(), old.to(device).eval()
    fitted_on: list[_Objects] = []
    held_out: list[_Objects] = []
    for index, image in enumerate(images[:: 1 + len(images) // _MOST_PICTURES]):
        for objects in _seen_by_both(new, old, image, device):
            (held_out if index % _HELD_OUT_EVERY == 0 else fitted_on).append(objects)
    known = _join(fitted_on)
    for index, head in enumerate(new.heads):
        rows = known.heads == index
        if rows.any():
            _fit(head.embedding, known.inputs[rows], known.wanted[rows])
    return _agreement(new, _join(held_out))


def _seen_by_both(new: RoadNet, old: RoadNet, image: LabelledImage, device: torch.device) -> Iterator[_Objects]:
    """The objects that ``old`` finds, each at the grid point where ``new`` would find it; nothing where there are
    none."""
    height, width = image.image.shape[:2]
    size = input_size([(width, height)])
    pixels = letterbox([image.image], width=size[0], height=size[1]).images
    inputs = to_input(torch.from_numpy(pixels).to(device))
    before: RoadNetOutput = old(inputs)
    found = nms(before.class_logits.sigmoid(), before.boxes_xyxy, score_threshold=_MIN_SCORE, iou_threshold=_IOU)
    if not len(found.labels):
        return
    after, last_inputs = _with_last_inputs(new, inputs)
    view = View(
        image=pixels[0],
        boxes_xyxy=found.boxes_xyxy.cpu().numpy(),
        labels=found.labels.cpu().numpy(),
        object_ids=np.arange(len(found.labels)),
        ignore_xyxy=np.zeros((0, 4), np.float32),
        ignore_labels=np.zeros(0, np.int64),
        exhaustive=np.ones(len(CLASSES), bool),
        distill=np.zeros(0, bool),
    )
    points = assign(after, collate([view], *size).to(device)).best_points[0]
    heads = torch.searchsorted(torch.tensor(STRIDES, device=device), after.strides[points].long())
    yield _Objects(last_inputs[points], heads, before.embeddings[0, found.point_indices])


def _with_last_inputs(model: RoadNet, inputs: Tensor) -> tuple[RoadNetOutput, Tensor]:
    """The outputs, and what the embeddings' last layers were given at all grid points, (A, channels)."""
    given: list[Tensor] = []

    def remember(module: nn.Module, values: tuple[Tensor, ...]) -> None:
        given.append(values[0][0].flatten(1).T)

    hooks = [head.embedding.register_forward_pre_hook(remember) for head in model.heads]
    try:
        return model(inputs), torch.cat(given)
    finally:
        for hook in hooks:
            hook.remove()


def _fit(layer: nn.Conv2d, inputs: Tensor, wanted: Tensor) -> None:
    """Ridge regression of ``wanted`` (N, F) on ``inputs`` (N, channels) into a 1x1 convolution."""
    x = torch.cat([inputs, torch.ones_like(inputs[:, :1])], dim=1).double()
    gram = x.T @ x
    gram += _RIDGE * gram.diagonal().mean() * torch.eye(len(gram), device=x.device)
    solution = torch.linalg.solve(gram, x.T @ wanted.double()).float()
    assert layer.bias is not None
    layer.weight.copy_(solution[:-1].T[..., None, None])
    layer.bias.copy_(solution[-1])


def _agreement(model: RoadNet, objects: _Objects) -> AlignmentResult:
    kept = torch.empty_like(objects.wanted)
    for index, head in enumerate(model.heads):
        rows = objects.heads == index
        kept[rows] = head.embedding(objects.inputs[rows][..., None, None])[..., 0, 0]
    cosines = nn.functional.cosine_similarity(kept, objects.wanted, dim=1)
    return AlignmentResult(float(cosines.mean()), len(cosines))


def _join(parts: Sequence[_Objects]) -> _Objects:
    if not parts:
        raise ValueError("the detector before finds nothing in the pictures, so that its features cannot be fitted")
    return _Objects(*(torch.cat(columns) for columns in zip(*parts, strict=True)))
