"""Road users cut out of recordings with masks and pasted into other pictures (Dwibedi et al. 2017).

Simulated drives show what real pictures lack, but only among simulated houses. Pasted, a simulated bicycle stands in a
real street, and what is around it does not tell that it is none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from perception.errors import UsageError
from perception.sources import open_source, read_truth
from perception.sources.masks import has_masks, read_mask
from perception.training.detection_data import object_ids
from perception.types import CLASSES, FloatArray, IntArray

_WHOLE_SHARE = 0.95
_MIN_HEIGHT_PX = 20.0
_BORDER_PX = 2.0

_MOST = 4
_MAX_ENLARGEMENT = 2.0
"""Enlarged by more, a cutout would be told from the picture by its blur."""

_HEIGHT_SHARES = (0.05, 0.6)
_FOOT_SHARES = (0.4, 1.15)
"""How high objects are, and where their feet stand, in heights of the picture."""

_GAINS = (0.4, 1.6)
_EDGE_BLUR_PX = 0.7
_OPAQUE = 128


@dataclass(frozen=True)
class Cutout:
    """``pixels`` (H, W, 4) uint8 RGBA of one object that nothing hides, its class, and its id over all data sets."""

    pixels: NDArray[np.uint8]
    label: int
    object_id: int


class Pasted(NamedTuple):
    """A picture (H, W, 3) with K cutouts in it: ``boxes_xyxy`` (K, 4) inside the picture, ``labels`` and
    ``object_ids`` (K,), ``shown_shares`` (K,) of their pixels that can be seen; ``cover`` (H, W) bool, where they
    are."""

    picture: NDArray[np.uint8]
    boxes_xyxy: FloatArray
    labels: IntArray
    object_ids: IntArray
    shown_shares: FloatArray
    cover: NDArray[np.bool_]


def read_cutouts(path: Path) -> list[Cutout]:
    """All road users of a recording with masks that are seen whole and not too small.

    Raises ``UsageError`` for a recording without masks or without truth.
    """
    truth = read_truth(path)
    if truth is None or truth.visible_shares is None or not has_masks(path):
        raise UsageError(f"{path}: has no masks to cut objects out by; simulate it with --masks.")
    boxes_px = truth.boxes_xyxy_px
    is_whole = (truth.visible_shares >= _WHOLE_SHARE) & (boxes_px[:, 3] - boxes_px[:, 1] >= _MIN_HEIGHT_PX)
    cutouts = []
    for frame_set in open_source([str(path)]):
        for frame in frame_set:
            height, width = frame.image.shape[:2]
            is_here = is_whole & (truth.frame_indices == frame.index) & (truth.cameras == frame.camera)
            is_here &= (boxes_px[:, :2] > _BORDER_PX).all(axis=1)
            is_here &= (boxes_px[:, 2:] < np.array([width, height]) - _BORDER_PX).all(axis=1)
            if not is_here.any():
                continue
            mask = read_mask(path, frame.camera, frame.index)
            objects = truth[is_here]
            for label, identity, scoped in zip(
                objects.labels, objects.ids, object_ids(str(path), objects.ids), strict=True
            ):
                pixels = _cut(frame.image, mask == 1 + identity)
                if pixels.size:
                    cutouts.append(Cutout(pixels, int(label), int(scoped)))
    return cutouts


class Cutouts:
    """Cutouts to draw from; every class that there is comes equally often.

    Raises ``UsageError`` where there are none.
    """

    def __init__(self, cutouts: Sequence[Cutout]) -> None:
        by_class = [[cutout for cutout in cutouts if cutout.label == label] for label in range(len(CLASSES))]
        self._by_class = [own for own in by_class if own]
        if not self._by_class:
            raise UsageError("cutouts: no road user of these recordings is seen whole and large enough.")

    def paste(self, picture: NDArray[np.uint8], rng: np.random.Generator) -> Pasted:
        """Put one to four of them into a picture (H, W, 3), the larger before the smaller."""
        height, width = picture.shape[:2]
        count = int(rng.integers(1, _MOST + 1))
        chosen = [self._draw(rng) for _ in range(count)]
        low, high = np.log(_HEIGHT_SHARES).tolist()
        wanted_px = np.sort(height * np.exp(rng.uniform(low, high, size=count)))
        feet_px, middles_px = height * rng.uniform(*_FOOT_SHARES, size=count), rng.uniform(0, width, size=count)
        picture, owners = picture.copy(), np.full((height, width), -1)
        whole_px, boxes = np.zeros(count), np.zeros((count, 4), np.float32)
        for index, cutout in enumerate(chosen):
            pixels = _resized(cutout.pixels, wanted_px[index] / len(cutout.pixels), rng)
            rows, columns = pixels.shape[:2]
            left, top = round(middles_px[index] - columns / 2), round(feet_px[index] - rows)
            boxes[index] = np.clip([left, top, left + columns, top + rows], 0, [width, height, width, height])
            whole_px[index] = (pixels[..., 3] >= _OPAQUE).sum()
            x1, y1, x2, y2 = boxes[index].astype(int)
            inside = pixels[y1 - top : y2 - top, x1 - left : x2 - left]
            if inside.size:
                picture[y1:y2, x1:x2] = _laid_over(picture[y1:y2, x1:x2], inside, rng)
                owners[y1:y2, x1:x2][inside[..., 3] >= _OPAQUE] = index
        shown_px = np.bincount(owners[owners >= 0], minlength=count)
        return Pasted(
            picture,
            boxes,
            np.array([cutout.label for cutout in chosen]),
            np.array([cutout.object_id for cutout in chosen]),
            shown_px / np.maximum(whole_px, 1),
            owners >= 0,
        )

    def _draw(self, rng: np.random.Generator) -> Cutout:
        own = self._by_class[int(rng.integers(len(self._by_class)))]
        return own[int(rng.integers(len(own)))]


def covered_shares(boxes_xyxy: FloatArray, cover: NDArray[np.bool_]) -> FloatArray:
    """(n,): how much of each box (n, 4) lies under ``cover`` (H, W)."""
    sums = cv2.integral(cover.astype(np.uint8))
    x1, y1, x2, y2 = np.round(boxes_xyxy).astype(int).T
    areas = np.maximum((x2 - x1) * (y2 - y1), 1)
    shares: FloatArray = (sums[y2, x2] - sums[y1, x2] - sums[y2, x1] + sums[y1, x1]) / areas
    return shares


def _cut(image: NDArray[np.uint8], is_object: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """The part of ``image`` (H, W, 3) around an object; opaque is the object."""
    left, top, width, height = cv2.boundingRect(is_object.astype(np.uint8))
    part = np.s_[top : top + height, left : left + width]
    return np.dstack([image[part], np.where(is_object[part], 255, 0).astype(np.uint8)])


def _resized(pixels: NDArray[np.uint8], scale: float, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Scaled, mirrored half of the time."""
    scale = min(scale, _MAX_ENLARGEMENT)
    size = (max(round(pixels.shape[1] * scale), 2), max(round(pixels.shape[0] * scale), 2))
    pixels = pixels[:, ::-1] if rng.random() < 0.5 else pixels
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR))


def _laid_over(ground: NDArray[np.uint8], pixels: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """``pixels`` (h, w, 4) on ``ground`` (h, w, 3), as light as that is at times."""
    opacity = cv2.GaussianBlur(pixels[..., 3], (0, 0), _EDGE_BLUR_PX)[..., None] / np.float32(255)
    ratio = (1 + ground.mean()) / (1 + pixels[..., :3].mean())
    gain = np.clip(ratio ** rng.uniform(0, 1), *_GAINS)
    mixed = (1 - opacity) * ground + opacity * np.minimum(gain * pixels[..., :3], 255)
    return np.asarray(mixed.round(), np.uint8)
