"""Axis-aligned boxes: overlap, area, centre and size, clipping; the one place that computes them.

Boxes are (..., 4), corners (``xyxy``: left, top, right, bottom) unless a name contains ``cxcywh``: centre x, y, width
and height. Any unit will do. numpy arrays are computed in float64, PyTorch tensors in their own precision.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import NDArray

from perception.arrays import FloatArray, IntArray
from perception.geometry.array_library import array_library

if TYPE_CHECKING:
    from torch import Tensor

Float64 = NDArray[np.float64]


@overload
def pairwise_iou(first_xyxy: FloatArray, second_xyxy: FloatArray) -> Float64: ...
@overload
def pairwise_iou(first_xyxy: Tensor, second_xyxy: Tensor) -> Tensor: ...
def pairwise_iou(first_xyxy: Any, second_xyxy: Any) -> Any:
    """Intersection over union of every pair: (..., A, 4) and (..., B, 4) to (..., A, B) in 0..1.

    A box without area overlaps none.
    """
    return paired_iou(first_xyxy[..., :, None, :], second_xyxy[..., None, :, :])


@overload
def paired_iou(first_xyxy: FloatArray, second_xyxy: FloatArray) -> Float64: ...
@overload
def paired_iou(first_xyxy: Tensor, second_xyxy: Tensor) -> Tensor: ...
def paired_iou(first_xyxy: Any, second_xyxy: Any) -> Any:
    """Intersection over union of boxes whose leading axes are broadcast together; otherwise as ``pairwise_iou``."""
    shared, union = intersections_and_unions(first_xyxy, second_xyxy)
    return shared / array_library(union).where(union > 0, union, 1.0)


@overload
def intersections_and_unions(first_xyxy: FloatArray, second_xyxy: FloatArray) -> tuple[Float64, Float64]: ...
@overload
def intersections_and_unions(first_xyxy: Tensor, second_xyxy: Tensor) -> tuple[Tensor, Tensor]: ...
def intersections_and_unions(first_xyxy: Any, second_xyxy: Any) -> tuple[Any, Any]:
    """The areas (...) that boxes share and that they cover together; leading axes are broadcast together."""
    library = array_library(first_xyxy)
    first, second = _exact(first_xyxy), _exact(second_xyxy)
    # Axis by axis: arrays (A, B) are several times faster here than one of (A, B, 2).
    width, height = (
        library.minimum(first[..., axis + 2], second[..., axis + 2])
        - library.maximum(first[..., axis], second[..., axis])
        for axis in (0, 1)
    )
    shared = width.clip(min=0) * height.clip(min=0)
    return shared, box_areas(first) + box_areas(second) - shared


@overload
def box_areas(boxes_xyxy: FloatArray) -> Float64: ...
@overload
def box_areas(boxes_xyxy: Tensor) -> Tensor: ...
def box_areas(boxes_xyxy: Any) -> Any:
    """(...): the areas of boxes (..., 4)."""
    boxes = _exact(boxes_xyxy)
    return (boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1])


def box_centres(boxes_xyxy: FloatArray) -> Float64:
    """(..., 2): the centres of boxes (..., 4)."""
    boxes: Float64 = np.asarray(boxes_xyxy, np.float64)
    return (boxes[..., :2] + boxes[..., 2:]) / 2


def box_sizes(boxes_xyxy: FloatArray) -> Float64:
    """(..., 2): width and height of boxes (..., 4)."""
    boxes: Float64 = np.asarray(boxes_xyxy, np.float64)
    return boxes[..., 2:] - boxes[..., :2]


def box_feet(boxes_xyxy: FloatArray) -> FloatArray:
    """(..., 2): the middle of the lower edge of boxes (..., 4), where an object stands on the road."""
    return np.stack([(boxes_xyxy[..., 0] + boxes_xyxy[..., 2]) / 2, boxes_xyxy[..., 3]], axis=-1)


def cxcywh_from_xyxy(boxes_xyxy: FloatArray) -> Float64:
    """(..., 4): corners to centre x, y, width and height."""
    return np.concatenate([box_centres(boxes_xyxy), box_sizes(boxes_xyxy)], axis=-1)


def xyxy_from_cxcywh(boxes_cxcywh: FloatArray) -> FloatArray:
    """(..., 4): the inverse of ``cxcywh_from_xyxy``, of the first four columns of (..., 4 or more)."""
    centres, half_sizes = boxes_cxcywh[..., :2], boxes_cxcywh[..., 2:4] / 2
    return np.concatenate([centres - half_sizes, centres + half_sizes], axis=-1)


def normalized_cxcywh(boxes_xyxy_px: FloatArray, image_sizes_px: IntArray) -> Float64:
    """(..., 4): centre and size over the image's width and height, of boxes (..., 4) in pixels.

    ``image_sizes_px`` is (2,) or (..., 2), width and height.
    """
    return cxcywh_from_xyxy(boxes_xyxy_px.astype(np.float64) / _twice(image_sizes_px))


def xyxy_px_from_normalized(boxes_cxcywh: FloatArray, image_sizes_px: IntArray) -> FloatArray:
    """(..., 4): the inverse of ``normalized_cxcywh``, of the first four columns of (..., 4 or more)."""
    corners: FloatArray = xyxy_from_cxcywh(boxes_cxcywh) * _twice(image_sizes_px)
    return corners


def clip_boxes(boxes_xyxy_px: FloatArray, image_sizes_px: IntArray | tuple[int, int]) -> FloatArray:
    """(..., 4): what of boxes lies inside images of (2,) or (..., 2) width and height."""
    clipped: FloatArray = np.clip(boxes_xyxy_px, 0, _twice(np.asarray(image_sizes_px)))
    return clipped


def _twice(image_sizes_px: IntArray) -> IntArray:
    """(..., 4): width, height, width, height."""
    return np.concatenate([image_sizes_px, image_sizes_px], axis=-1)


def _exact(boxes: Any) -> Any:
    """numpy arrays in float64; tensors as they are."""
    return np.asarray(boxes, np.float64) if array_library(boxes) is np else boxes
