"""Hand-made tracks."""

from __future__ import annotations

import numpy as np

from perception.types import Tracks


def make_tracks(
    boxes: np.ndarray,
    ids: np.ndarray,
    *,
    rates: np.ndarray | None = None,
    features: np.ndarray | None = None,
    space: str = "",
) -> Tracks:
    """Tracks of cars in a 640x360 image from boxes (N, 4), centre and size over the image's."""
    count = len(ids)
    rates = np.zeros((count, 4)) if rates is None else rates
    half = boxes[:, 2:] / 2
    corners = np.concatenate([boxes[:, :2] - half, boxes[:, :2] + half], axis=1) * [640, 360, 640, 360]
    return Tracks(
        ids=np.asarray(ids, np.int64),
        labels=np.zeros(count, np.int64),
        scores=np.ones(count),
        means=np.concatenate([boxes, rates], axis=1).astype(float),
        covariances=np.tile(np.eye(8) * 1e-4, (count, 1, 1)),
        boxes_xyxy_px=corners,
        cameras=np.full(count, "front"),
        image_sizes_px=np.tile([640, 360], (count, 1)),
        ages_s=np.zeros(count),
        unseen_s=np.zeros(count),
        features=np.zeros((count, 0), np.float32) if features is None else features,
        feature_space=space,
    )
