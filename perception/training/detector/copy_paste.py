"""Road users cut out of recordings with masks and pasted into other pictures (Dwibedi et al. 2017).

Simulated drives show what real pictures lack, but only among simulated houses. Pasted, a simulated bicycle stands in a
real street, and what is around it does not show that it is none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from perception.arrays import FloatArray, IntArray
from perception.errors import UsageError
from perception.sources import open_source, read_truth
from perception.sources.files.masks import has_masks, read_mask
from perception.taxonomy import CLASSES
from perception.training.detector.dataset import object_ids

_WHOLE_SHARE = 0.99
_MIN_HEIGHT_PX = 20.0
_BORDER_PX = 2.0
_MARGIN_PX = 3
"""Around a cutout, so that its edge can be soft."""

_MOST = 4
_MAX_ENLARGEMENT = 2.0
"""Enlarged by more, a cutout would be recognisable by its blur."""

_HEIGHT_SHARES = (0.05, 0.6)
_FOOT_SHARES = (0.4, 1.15)
"""How high objects are, and where their feet stand, in heights of the picture."""

_GAINS = (0.4, 1.6)
_EDGE_BLUR_PX = 0.7
_OPAQUE = 128


@dataclass(frozen=True)
class Cutout:
    """``pixels`` (H, W, 4) uint8 RGBA of one object that nothing hides, its class, and its id over all data sets.

    The colours go on beyond the object's edge, where it is transparent.
    """

    pixels: NDArray[np.uint8]
    label: int
    object_id: int

    @property
    def height_px(self) -> int:
        return _bounds(self.pixels)[3]


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

    Raises ``UsageError`` for a recording without masks, or whose truth does not know what can be seen.
    """
    truth = read_truth(path)
    if truth is None or truth.visible_shares is None:
        raise UsageError(f"{path}: has no ground truth with visibility.")
    if not has_masks(path):
        raise UsageError(f"{path}: has no masks to cut objects out by; simulate it with `masks`.")
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
            if mask.shape != (height, width):
                raise UsageError(f"{path}: the masks of {frame.camera} have another size than its pictures.")
            objects = truth[is_here]
            ids = object_ids(str(path), objects.ids)
            for label, number, object_id in zip(objects.labels, objects.ids, ids, strict=True):
                is_object = mask == 1 + number
                if is_object.any():
                    cutouts.append(Cutout(_cut(frame.image, is_object), int(label), int(object_id)))
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
        """Put one to four of them into a picture (H, W, 3), larger ones in front of smaller ones."""
        height, width = picture.shape[:2]
        chosen = [self._draw(rng) for _ in range(int(rng.integers(1, _MOST + 1)))]
        count = len(chosen)
        low, high = np.log(_HEIGHT_SHARES).tolist()
        own_px = np.array([cutout.height_px for cutout in chosen])
        wanted_px = np.minimum(height * np.exp(rng.uniform(low, high, size=count)), _MAX_ENLARGEMENT * own_px)
        order = np.argsort(wanted_px)
        chosen, scales = [chosen[index] for index in order], (wanted_px / own_px)[order]
        feet_px, middles_px = height * rng.uniform(*_FOOT_SHARES, size=count), rng.uniform(0, width, size=count)
        picture, owners = picture.copy(), np.full((height, width), -1)
        whole_px, boxes = np.zeros(count), np.zeros((count, 4), np.float32)
        for index, cutout in enumerate(chosen):
            pixels = _resized(cutout.pixels, scales[index], mirrored=bool(rng.random() < 0.5))
            x, y, columns, rows = _bounds(pixels)
            left, top = round(middles_px[index] - columns / 2), round(feet_px[index] - rows)
            boxes[index] = np.clip([left, top, left + columns, top + rows], 0, [width, height, width, height])
            is_object = pixels[..., 3] >= _OPAQUE
            whole_px[index] = is_object.sum()
            there, part = _shared((height, width), pixels.shape[:2], left=left - x, top=top - y)
            if is_object[part].any():
                picture[there] = _laid_over(picture[there], pixels[part], rng)
                owners[there][is_object[part]] = index
        return Pasted(
            picture,
            boxes,
            np.array([cutout.label for cutout in chosen]),
            np.array([cutout.object_id for cutout in chosen]),
            np.bincount(owners[owners >= 0], minlength=count) / np.maximum(whole_px, 1),
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
    """The object with a transparent margin, in which the colours of its edge go on: a soft edge shall show nothing of
    where it was cut out."""
    left, top, width, height = cv2.boundingRect(is_object.astype(np.uint8))
    part = np.s_[top : top + height, left : left + width]
    opaque = np.pad(is_object[part], _MARGIN_PX)
    nearest = distance_transform_edt(~opaque, return_distances=False, return_indices=True)
    colours = np.pad(image[part], ((_MARGIN_PX, _MARGIN_PX), (_MARGIN_PX, _MARGIN_PX), (0, 0)))[tuple(nearest)]
    return np.dstack([colours, np.where(opaque, 255, 0).astype(np.uint8)])


def _bounds(pixels: NDArray[np.uint8]) -> tuple[int, int, int, int]:
    """Left, top, width and height of what is opaque."""
    x, y, width, height = cv2.boundingRect((pixels[..., 3] >= _OPAQUE).astype(np.uint8))
    return x, y, width, height


def _resized(pixels: NDArray[np.uint8], scale: float, *, mirrored: bool) -> NDArray[np.uint8]:
    size = (max(round(pixels.shape[1] * scale), 2), max(round(pixels.shape[0] * scale), 2))
    pixels = np.ascontiguousarray(pixels[:, ::-1]) if mirrored else pixels
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR))


def _shared(
    size: tuple[int, int], part_size: tuple[int, int], *, left: int, top: int
) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Where a part (rows, columns) at ``left``, ``top`` lies in a picture (rows, columns), and what of it does."""
    there, part = [], []
    for whole, length, start in zip(size, part_size, (top, left), strict=True):
        low, high = np.clip([start, start + length], 0, whole).tolist()
        there.append(slice(low, high))
        part.append(slice(low - start, high - start))
    return (there[0], there[1]), (part[0], part[1])


def _laid_over(ground: NDArray[np.uint8], pixels: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """``pixels`` (h, w, 4) on ``ground`` (h, w, 3), in between as light as they are and as it is."""
    is_object = pixels[..., 3] >= _OPAQUE
    ratio = (1 + ground[is_object].mean()) / (1 + pixels[is_object, :3].mean())
    gain = np.clip(ratio ** rng.uniform(0, 1), *_GAINS)
    opacity = cv2.GaussianBlur(pixels[..., 3], (0, 0), _EDGE_BLUR_PX)[..., None] / np.float32(255)
    mixed = (1 - opacity) * ground + opacity * np.minimum(gain * pixels[..., :3], 255)
    return np.asarray(mixed.round(), np.uint8)
