"""Images of any size into one batch, and boxes back into the pixels of each image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from perception.arrays import FloatArray
from perception.geometry.boxes import clip_boxes

PADDING_GREY = 114
_NONE_IS_MISSED_FROM = 0.5

PixelsT = TypeVar("PixelsT", NDArray[np.uint8], Tensor, covariant=True)


@dataclass(frozen=True)
class Letterbox(Generic[PixelsT]):
    """A batch of images, each scaled into the top left corner of a canvas: without distortion, or stretched.

    ``images`` (B, H, W, 3) uint8 RGB; ``scales`` (B,) canvas pixels per image pixel, (B, 2) in x and y where they are
    stretched; ``sizes_px`` (B, 2) width and height of the original images.
    """

    images: PixelsT
    scales: FloatArray
    sizes_px: NDArray[np.int64]

    def boxes_to_images(self, boxes_xyxy: FloatArray, image_indices: NDArray[np.integer]) -> FloatArray:
        """Boxes (N, 4) in canvas pixels to pixels of the image each belongs to, clipped to it."""
        scales = self.scales[image_indices]
        boxes = boxes_xyxy / (scales[:, None] if scales.ndim == 1 else np.tile(scales, 2))
        return clip_boxes(boxes, self.sizes_px[image_indices]).astype(np.float32)


def canvas_size(sizes_px: Sequence[tuple[int, int]], *, long_side_px: int, multiple: int) -> tuple[int, int]:
    """(width, height) of the smallest canvas of whole ``multiple`` that holds every image at ``long_side_px``."""
    widths_heights = np.array(sizes_px, dtype=np.float64)
    scaled = widths_heights * (long_side_px / widths_heights.max(axis=1, keepdims=True))
    width, height = np.ceil(np.maximum(np.round(scaled.max(axis=0)), 1) / multiple).astype(int) * multiple
    return int(width), int(height)


def fit(size_px: tuple[int, int], *, width: int, height: int) -> tuple[float, int, int]:
    """Canvas pixels per image pixel, and the (width, height) that the image then has on the canvas."""
    scale = min(width / size_px[0], height / size_px[1])
    return scale, max(1, min(width, round(size_px[0] * scale))), max(1, min(height, round(size_px[1] * scale)))


def takes_area(scale: float) -> bool:
    """Whether a picture shrinks so much that each new pixel has to be the mean of those that it covers.

    Between half and whole size two neighbours in each axis miss none, and take a seventh of the time; public detectors
    scale so, too.
    """
    return scale < _NONE_IS_MISSED_FROM


def letterbox(images: Sequence[NDArray[np.uint8]], *, width: int, height: int) -> Letterbox[NDArray[np.uint8]]:
    """Scale each image (H, W, 3) into a canvas of ``width`` x ``height`` pixels; the rest is grey."""
    canvas = np.full((len(images), height, width, 3), PADDING_GREY, np.uint8)
    scales = np.empty(len(images))
    for index, image in enumerate(images):
        scale, new_width, new_height = fit((image.shape[1], image.shape[0]), width=width, height=height)
        how = cv2.INTER_AREA if takes_area(scale) else cv2.INTER_LINEAR
        canvas[index, :new_height, :new_width] = cv2.resize(image, (new_width, new_height), interpolation=how)
        scales[index] = scale
    sizes_px = np.array([(image.shape[1], image.shape[0]) for image in images], dtype=np.int64).reshape(-1, 2)
    return Letterbox(canvas, scales, sizes_px)


def stretch(images: Sequence[NDArray[np.uint8]], *, width: int, height: int) -> Letterbox[NDArray[np.uint8]]:
    """Scale each image (H, W, 3) to ``width`` x ``height`` pixels, whatever its shape."""
    sizes_px = np.array([(image.shape[1], image.shape[0]) for image in images], dtype=np.int64).reshape(-1, 2)
    scales = np.array([width, height]) / sizes_px
    canvas = np.empty((len(images), height, width, 3), np.uint8)
    for index, (image, scale) in enumerate(zip(images, scales.min(axis=1).tolist(), strict=True)):
        how = cv2.INTER_AREA if takes_area(scale) else cv2.INTER_LINEAR
        canvas[index] = cv2.resize(image, (width, height), interpolation=how)
    return Letterbox(canvas, scales, sizes_px)
