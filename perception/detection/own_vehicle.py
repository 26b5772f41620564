"""The car's own bonnet: many dash-cams see it in every frame, and detectors take it for a car."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from perception.arrays import FloatArray, IntArray

_MIN_WIDTH_SHARE, _MAX_HEIGHT_SHARE, _MIN_BOTTOM_SHARE = 0.5, 0.42, 0.96
# Chosen on BDD100K val: of 63 such detections that score above 0.3 none is right, and no labelled object is of this
# shape.


def is_own_bonnet(boxes_xyxy_px: FloatArray, image_sizes_px: IntArray) -> NDArray[np.bool_]:
    """(N,): whether boxes (N, 4), in images of ``image_sizes_px`` (N, 2; width, height), are of the car itself.

    A road user that spans half of the image's width is so near that it reaches up to the horizon. What is as wide,
    touches the lower border and stays low is the bonnet below the camera.
    """
    shares = boxes_xyxy_px / np.tile(image_sizes_px, 2)
    widths, heights = shares[:, 2] - shares[:, 0], shares[:, 3] - shares[:, 1]
    is_bonnet: NDArray[np.bool_] = (
        (widths >= _MIN_WIDTH_SHARE) & (heights <= _MAX_HEIGHT_SHARE) & (shares[:, 3] >= _MIN_BOTTOM_SHARE)
    )
    return is_bonnet
