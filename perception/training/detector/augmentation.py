"""Random views of labelled images: every batch shows the network something that it has not seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from perception.arrays import FloatArray, IntArray
from perception.detection.letterbox import PADDING_GREY
from perception.geometry.boxes import box_areas, clip_boxes
from perception.taxonomy import PEDESTRIAN_LABEL, TWO_WHEELED_LABELS
from perception.training.detector.copy_paste import Cutouts, covered_shares
from perception.training.detector.dataset import LabelledImage

_MIN_VISIBLE_SHARE = 0.3
_LEAST_SHARE_OF_VIEW, _LEAST_SHARE_OF_LARGE = 0.08, 0.12
"""An object that fills so much of a view is one to find, however little of it is left; but not less than the second."""

_MIN_SIDE_PX = 4.0

_LARGEST_SCALE = 5.0
_NEAR_HEIGHTS = (0.4, 2.2)
_CUT_SHARES = (0.35, 0.95)
_MIN_NEAR_PX = 14.0
"""A road user close by is so many heights of the view high, so much of it lies inside; lower ones are not enlarged."""

_DARK_SHARE = 0.12


@dataclass(frozen=True, kw_only=True)
class View:
    """One augmented picture (H, W, 3) and its labels in its own pixels; see ``LabelledImage``.

    In the boxes ``pasted_xyxy`` (k, 4) something was pasted: the outputs of dense teachers there do not count.
    """

    image: NDArray[np.uint8]
    boxes_xyxy: FloatArray
    labels: IntArray
    object_ids: IntArray
    ignore_xyxy: FloatArray
    ignore_labels: IntArray
    exhaustive: NDArray[np.bool_]
    distill: NDArray[np.bool_]
    pasted_xyxy: FloatArray = field(default_factory=lambda: np.zeros((0, 4), np.float32))


@dataclass(frozen=True)
class Batch:
    """B views as tensors; labels padded to the most objects M, ``valid`` (B, M) marks the rows that are real.

    ``known`` (B, C, H / 8, W / 8) is False where it is unknown whether an object of the class is there, ``original``
    (B, 1, H / 8, W / 8) where something was pasted.
    ``initial_scores`` (B, A, C) are those of the network before this training, where they are to be kept.
    ``distill`` (B, T, C) states which dense teacher counts for which class. ``teacher_scores`` (B, A, C) and
    ``teacher_boxes`` (B, A, 4) are their outputs together; ``teacher_mask`` (B, A, C) marks where there are any.
    """

    images: Tensor
    boxes_xyxy: Tensor
    labels: Tensor
    object_ids: Tensor
    valid: Tensor
    known: Tensor
    original: Tensor
    distill: Tensor
    initial_scores: Tensor | None = None
    teacher_scores: Tensor | None = None
    teacher_boxes: Tensor | None = None
    teacher_mask: Tensor | None = None

    def to(self, device: torch.device) -> Batch:
        """The same batch in the memory of ``device``."""
        tensors = {name: value.to(device) for name, value in vars(self).items() if value is not None}
        return Batch(**tensors)


KNOWN_STRIDE = 8


def make_batch(
    images: Sequence[LabelledImage],
    probabilities: FloatArray,
    rng: np.random.Generator,
    *,
    batch_size: int,
    sizes_px: Sequence[tuple[int, int]],
    mosaic: float,
    cutouts: Cutouts | None = None,
) -> Batch:
    """Draw images by ``probabilities`` (n,) and show each in a random view of one size (width, height), some with
    ``cutouts`` pasted.

    A quarter of the batch are second views of the first ones, so that the embedding sees objects twice.
    """
    width, height = sizes_px[int(rng.integers(len(sizes_px)))]
    pairs = batch_size // 4
    chosen = rng.choice(len(images), size=batch_size - pairs, p=probabilities)
    views = []
    for position, index in enumerate(chosen):
        is_paired = position < pairs
        if not is_paired and rng.random() < mosaic:
            others = rng.choice(len(images), size=3, p=probabilities)
            views.append(_mosaic([images[i] for i in (index, *others)], rng, width, height, cutouts))
        else:
            views.append(random_view(images[index], rng, width, height, cutouts))
        if is_paired:
            views.append(random_view(images[_neighbour(images, index, rng)], rng, width, height, cutouts))
    return collate(views, width, height)


def _neighbour(images: Sequence[LabelledImage], index: int, rng: np.random.Generator) -> int:
    """An image near ``index`` that shares objects with it, or the same image."""
    near = range(max(0, index - 3), min(len(images), index + 4))
    ids = images[index].object_ids
    sharing = [i for i in near if np.isin(images[i].object_ids, ids).any()]
    return int(rng.choice(sharing)) if sharing else index


def random_view(
    image: LabelledImage, rng: np.random.Generator, width: int, height: int, cutouts: Cutouts | None = None
) -> View:
    """A random crop or shrink of ``image``, mirrored at times, in random light, on a ``width`` x ``height`` canvas;
    with ``cutouts`` pasted in the share ``image.paste`` of the views."""
    image_height, image_width = image.image.shape[:2]
    fit = min(width / image_width, height / image_height)
    stretch = np.exp(rng.uniform(-0.12, 0.12))
    large = np.flatnonzero(image.boxes_xyxy_px[:, 3] - image.boxes_xyxy_px[:, 1] >= _MIN_NEAR_PX)
    if image.near and len(large) and rng.random() < image.near:
        box = image.boxes_xyxy_px[rng.choice(large)]
        wanted = np.exp(rng.uniform(*np.log(_NEAR_HEIGHTS))) * height / (box[3] - box[1])
        scale = float(np.clip(wanted, fit, _LARGEST_SCALE * fit))
        scale_x, scale_y = scale * stretch, scale / stretch
        size = (image_width * scale_x, image_height * scale_y)
        offset_x, offset_y = _cutting_offsets(box * np.array([scale_x, scale_y] * 2), size, rng, width, height)
    else:
        low, high = image.scale
        scale = fit * np.exp(rng.uniform(np.log(low), np.log(high)))
        scale_x, scale_y = scale * stretch, scale / stretch
        # What is larger than the canvas is cropped anywhere, what is smaller is placed anywhere.
        offset_x = rng.uniform(*sorted((0.0, width - image_width * scale_x)))
        offset_y = rng.uniform(*sorted((0.0, height - image_height * scale_y)))
    matrix = np.array([[scale_x, 0.0, offset_x], [0.0, scale_y, offset_y]])
    if rng.random() < 0.5:
        matrix[0] = -matrix[0]
        matrix[0, 2] += width
    source = image.image
    to_canvas = matrix.copy()
    if scale < 0.5:  # bilinear sampling of every other pixel would alias
        share = 0.5 ** np.floor(np.log2(1 / scale))
        source = np.asarray(cv2.resize(source, None, fx=share, fy=share, interpolation=cv2.INTER_AREA), np.uint8)
        to_canvas[:, :2] *= np.array([image_width / source.shape[1], image_height / source.shape[0]])
    picture = cv2.warpAffine(
        source, to_canvas, (width, height), flags=cv2.INTER_LINEAR, borderValue=(PADDING_GREY,) * 3
    )
    boxes, shares = _move_boxes(image.boxes_xyxy_px, matrix, width, height)
    ignored, ignored_shares = _move_boxes(image.ignore_xyxy_px, matrix, width, height)
    keep, cut = _are_objects(boxes, shares, view_px=width * height), shares > 0
    cut &= ~keep
    ignored_seen = ignored_shares > 0
    view = View(
        image=np.asarray(picture, np.uint8),
        boxes_xyxy=boxes[keep],
        labels=image.labels[keep],
        object_ids=image.object_ids[keep],
        ignore_xyxy=np.concatenate([ignored[ignored_seen], boxes[cut]]),
        ignore_labels=np.concatenate([image.ignore_labels[ignored_seen], image.labels[cut]]),
        exhaustive=image.exhaustive,
        distill=image.distill,
    )
    if cutouts is not None and rng.random() < image.paste:
        whole_picture = np.array([[0, 0, image_width, image_height]], np.float32)
        region, _ = _move_boxes(whole_picture, matrix, width, height)
        view = _with_pasted(view, shares[keep], region[0].round().astype(int), cutouts, rng)
    return replace(view, image=_light(view.image, rng))


def _cutting_offsets(
    box: FloatArray, size: tuple[float, float], rng: np.random.Generator, width: int, height: int
) -> tuple[float, float]:
    """Where a picture of ``size`` lies on the canvas when a border cuts ``box`` (4,), both enlarged already."""
    side = rng.choice(4, p=(0.4, 0.4, 0.15, 0.05))  # left, right, lower, upper
    share = rng.uniform(*_CUT_SHARES)
    starts, ends = box[:2], box[2:]
    limits = np.array([width, height], float)
    offsets = rng.uniform(0.15, 0.85, size=2) * limits - (starts + ends) / 2
    # Along the other axis the view shows no more padding than it must.
    offsets = np.clip(offsets, np.minimum(limits - size, 0), np.maximum(limits - size, 0))
    axis = 0 if side < 2 else 1
    inside = share * (ends - starts)[axis]
    offsets[axis] = inside - ends[axis] if side in (0, 3) else limits[axis] - inside - starts[axis]
    return float(offsets[0]), float(offsets[1])


def _with_pasted(
    view: View, shares: FloatArray, region_xyxy: IntArray, cutouts: Cutouts, rng: np.random.Generator
) -> View:
    """Cutouts in the part of a view that is no padding; ``shares`` (n,) of its objects could be seen before.

    What is mostly hidden now is no object to find any more, but no background either. The riders of pasted machines
    are part of them, where a picture's own riders may be pedestrians.
    """
    x1, y1, x2, y2 = region_xyxy
    if x1 >= x2 or y1 >= y2:
        return view
    pasted = cutouts.paste(view.image[y1:y2, x1:x2], rng)
    picture, cover = view.image.copy(), np.zeros(view.image.shape[:2], bool)
    picture[y1:y2, x1:x2], cover[y1:y2, x1:x2] = pasted.picture, pasted.cover
    is_there = pasted.shown_shares > 0
    added = pasted.boxes_xyxy[is_there] + np.array([x1, y1, x1, y1], np.float32)
    added_labels = pasted.labels[is_there]
    boxes, labels = np.concatenate([view.boxes_xyxy, added]), np.concatenate([view.labels, added_labels])
    ids = np.concatenate([view.object_ids, pasted.object_ids[is_there]])
    left = shares * (1 - covered_shares(view.boxes_xyxy, cover))
    view_px = view.image.shape[0] * view.image.shape[1]
    keep = _are_objects(boxes, np.concatenate([left, pasted.shown_shares[is_there]]), view_px=view_px)
    ridden = added[np.isin(added_labels, TWO_WHEELED_LABELS)]
    return replace(
        view,
        image=picture,
        boxes_xyxy=boxes[keep],
        labels=labels[keep],
        object_ids=ids[keep],
        ignore_xyxy=np.concatenate([view.ignore_xyxy, boxes[~keep], ridden]),
        ignore_labels=np.concatenate([view.ignore_labels, labels[~keep], np.full(len(ridden), PEDESTRIAN_LABEL)]),
        pasted_xyxy=added,
    )


def _move_boxes(boxes: FloatArray, matrix: FloatArray, width: int, height: int) -> tuple[FloatArray, FloatArray]:
    """Boxes (n, 4) on the canvas, and the share (n,) of each that lies on it."""
    corners = boxes.reshape(-1, 2, 2) * matrix[[0, 1], [0, 1]] + matrix[:, 2]
    whole = np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)
    clipped = clip_boxes(whole, (width, height))
    shares: FloatArray = box_areas(clipped) / np.maximum(box_areas(whole), 1e-9)
    return clipped.astype(np.float32), shares


def _are_objects(boxes: FloatArray, shares: FloatArray, *, view_px: int) -> NDArray[np.bool_]:
    """(n,): what is mostly outside, hidden or tiny is no object to find, but no background either."""
    sides = boxes[:, 2:] - boxes[:, :2]
    fills = (sides.prod(axis=1) > _LEAST_SHARE_OF_VIEW * view_px) & (shares > _LEAST_SHARE_OF_LARGE)
    return np.asarray((sides.min(axis=1) >= _MIN_SIDE_PX) & ((shares > _MIN_VISIBLE_SHARE) | fills))


def _light(picture: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Random brightness, contrast, gamma, colour balance, grey, blur and noise; at times as dark as at night."""
    levels = np.arange(256, dtype=np.float32) / 255
    gains = np.exp(rng.normal(0, 0.08, size=3)) * np.exp(rng.normal(0, 0.2))
    gamma = np.exp(rng.normal(0, 0.25))
    is_dark = rng.random() < _DARK_SHARE
    if is_dark:
        gains, gamma = gains * rng.uniform(0.3, 0.8), gamma * rng.uniform(1.2, 2.0)
    contrast = np.exp(rng.normal(0, 0.2))
    table = np.clip(((levels[:, None] ** gamma) * gains - 0.45) * contrast + 0.45, 0, 1)
    picture = cv2.LUT(picture, (table * 255).astype(np.uint8).reshape(256, 1, 3))  # type: ignore[assignment]
    if rng.random() < 0.3:
        grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)[..., None]
        amount = rng.uniform(0.3, 1.0)
        picture = cv2.addWeighted(picture, 1 - amount, np.repeat(grey, 3, axis=2), amount, 0)  # type: ignore[assignment]
    if rng.random() < 0.2:
        picture = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.4, 1.4))  # type: ignore[assignment]
    if is_dark or rng.random() < 0.2:
        noise = rng.normal(0, rng.uniform(2, 9), size=picture.shape[:2]).astype(np.int16)
        picture = np.clip(picture.astype(np.int16) + noise[..., None], 0, 255).astype(np.uint8)
    if rng.random() < 0.2:
        quality = int(rng.integers(25, 70))
        _, code = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
        picture = cv2.imdecode(code, cv2.IMREAD_COLOR)  # type: ignore[assignment]
    return picture


def _mosaic(
    images: Sequence[LabelledImage], rng: np.random.Generator, width: int, height: int, cutouts: Cutouts | None
) -> View:
    """Four views side by side, which meet at a random point: small objects and strange neighbours (YOLOv4)."""
    split_x = int(width * rng.uniform(0.3, 0.7))
    split_y = int(height * rng.uniform(0.3, 0.7))
    picture = np.empty((height, width, 3), np.uint8)
    cells = [
        (0, 0, split_x, split_y),
        (split_x, 0, width, split_y),
        (0, split_y, split_x, height),
        (split_x, split_y, width, height),
    ]
    views = []
    for image, (left, top, right, bottom) in zip(images, cells, strict=True):
        view = random_view(image, rng, right - left, bottom - top, cutouts)
        picture[top:bottom, left:right] = view.image
        shift = np.array([left, top, left, top], np.float32)
        cell = np.array([[left, top, right, bottom]], np.float32)
        gaps = np.flatnonzero(~view.exhaustive)
        views.append(
            replace(
                view,
                boxes_xyxy=view.boxes_xyxy + shift,
                ignore_xyxy=np.concatenate([view.ignore_xyxy + shift, np.repeat(cell, len(gaps), axis=0)]),
                ignore_labels=np.concatenate([view.ignore_labels, gaps]),
                pasted_xyxy=view.pasted_xyxy + shift,
            )
        )
    together = ("boxes_xyxy", "labels", "object_ids", "ignore_xyxy", "ignore_labels", "pasted_xyxy")
    labels = {name: np.concatenate([getattr(view, name) for view in views]) for name in together}
    distill = np.all([view.distill for view in views], axis=0)
    return View(image=picture, exhaustive=np.ones(len(images[0].exhaustive), bool), distill=distill, **labels)


def collate(views: Sequence[View], width: int, height: int) -> Batch:
    """Views of one size as a batch."""
    most = max(1, *(len(view.labels) for view in views))
    boxes = np.zeros((len(views), most, 4), np.float32)
    labels = np.zeros((len(views), most), np.int64)
    ids = np.zeros((len(views), most), np.int64)
    valid = np.zeros((len(views), most), bool)
    known = np.ones((len(views), len(views[0].exhaustive), height // KNOWN_STRIDE, width // KNOWN_STRIDE), bool)
    original = np.ones((len(views), 1, *known.shape[2:]), bool)
    for row, view in enumerate(views):
        count = len(view.labels)
        boxes[row, :count], labels[row, :count], ids[row, :count] = view.boxes_xyxy, view.labels, view.object_ids
        valid[row, :count] = True
        known[row] &= view.exhaustive[:, None, None]
        for label, (x1, y1, x2, y2) in zip(view.ignore_labels, _cells(view.ignore_xyxy), strict=True):
            known[row, label, y1:y2, x1:x2] = False
        for x1, y1, x2, y2 in _cells(view.pasted_xyxy):
            original[row, 0, y1:y2, x1:x2] = False
    images = np.stack([view.image for view in views])
    distill = np.array([view.distill for view in views])
    return Batch(*(torch.from_numpy(array) for array in (images, boxes, labels, ids, valid, known, original, distill)))


def _cells(boxes_xyxy: FloatArray) -> IntArray:
    """(n, 4): the cells of ``known`` that boxes (n, 4) touch."""
    cells = boxes_xyxy / KNOWN_STRIDE
    return np.concatenate([np.floor(cells[:, :2]), np.ceil(cells[:, 2:])], axis=1).astype(int)
