"""What the image tracker sees at an instant, and the tracks that start there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from perception.arrays import FloatArray, IntArray, StructOfArrays
from perception.geometry.boxes import normalized_cxcywh, xyxy_from_cxcywh
from perception.tracking.common.track_state import GROUP_OF_LABEL, TrackState, label_votes
from perception.tracking.image.box_filter import MotionNoise, initial_state, measurement_stds
from perception.types import Detections


@dataclass(frozen=True, kw_only=True)
class ImageObservations(StructOfArrays):
    """The detections of one instant, of all cameras: boxes (M, 4) as centre and size over the image's, their spread."""

    boxes_cxcywh: FloatArray
    stds: FloatArray
    scores: FloatArray
    labels: IntArray
    features: FloatArray
    cameras: NDArray[np.str_]
    image_sizes_px: IntArray

    @classmethod
    def join(cls, detections: Sequence[Detections], *, noise: MotionNoise, feature_size: int) -> ImageObservations:
        """One table of all cameras' detections, whose features have ``feature_size`` numbers where there are any."""
        found = [part for part in detections if len(part)]
        counts = [len(part) for part in found]
        sizes_px = np.repeat(np.array([part.image_size_px for part in found], np.int64).reshape(-1, 2), counts, axis=0)
        boxes_px = np.concatenate([np.zeros((0, 4)), *(part.boxes_xyxy_px for part in found)])
        boxes_cxcywh = normalized_cxcywh(boxes_px, sizes_px)
        scores = np.concatenate([np.zeros(0, np.float32), *(part.scores for part in found)])
        return cls(
            boxes_cxcywh=boxes_cxcywh,
            stds=measurement_stds(boxes_cxcywh, scores, noise),
            scores=scores,
            labels=np.concatenate([np.zeros(0, np.int64), *(part.labels for part in found)]),
            features=np.concatenate([np.zeros((0, feature_size), np.float32), *(part.features for part in found)]),
            cameras=np.repeat(np.array([part.camera for part in found], dtype=np.str_), counts),
            image_sizes_px=sizes_px,
        )

    @property
    def boxes_xyxy(self) -> FloatArray:
        """(M, 4): corners over the image's width and height."""
        return xyxy_from_cxcywh(self.boxes_cxcywh)

    @property
    def label_votes(self) -> FloatArray:
        """(M, 6): each observation's score, in the column of its label."""
        return label_votes(self.labels, self.scores)

    @property
    def groups(self) -> IntArray:
        return GROUP_OF_LABEL[self.labels]


def spawn_tracks(observations: ImageObservations, timestamp_ns: int, noise: MotionNoise) -> TrackState:
    """Tentative tracks that start at ``observations``."""
    count = len(observations)
    means, covariances = initial_state(
        observations.boxes_cxcywh, observations.scores, observations.image_sizes_px, noise
    )
    return TrackState(
        ids=np.zeros(count, np.int64),
        means=means,
        covariances=covariances,
        label_votes=observations.label_votes,
        scores=observations.scores,
        features=observations.features,
        cameras=observations.cameras,
        image_sizes_px=observations.image_sizes_px,
        hits=np.ones(count, np.int64),
        first_ns=np.full(count, timestamp_ns, np.int64),
        last_ns=np.full(count, timestamp_ns, np.int64),
    )
