"""What the tracker remembers of its objects, one row each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from perception.arrays import FloatArray, IntArray, StructOfArrays
from perception.geometry.boxes import normalized_cxcywh
from perception.taxonomy import CLASSES
from perception.tracking.common.kalman import (
    STATE_SIZE,
    MotionNoise,
    initial_state,
    measurement_stds,
)
from perception.types import Detections

GROUP_OF_LABEL: IntArray = np.array([0, 0, 0, 1, 1, 2])
"""Labels of one group are mistaken for one another (car, truck and bus; motorcycle and bicycle), others are not."""

SelfMemory = TypeVar("SelfMemory", bound="TrackMemory")


@dataclass(frozen=True)
class Observations(StructOfArrays):
    """The detections of one instant, of all cameras: boxes (M, 4) as centre and size over the image's, their spread."""

    boxes_cxcywh: FloatArray
    stds: FloatArray
    scores: FloatArray
    labels: IntArray
    features: FloatArray
    cameras: NDArray[np.str_]
    image_sizes_px: IntArray

    @classmethod
    def join(cls, detections: Sequence[Detections], *, noise: MotionNoise, feature_size: int) -> Observations:
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
    def groups(self) -> IntArray:
        return GROUP_OF_LABEL[self.labels]


@dataclass(frozen=True)
class TrackMemory(StructOfArrays):
    """All tracks, tentative and confirmed. ``ids`` are 0 until a track is confirmed.

    ``label_votes`` (N, 6) sums the scores with which each label was seen, ``hits`` (N,) counts detections,
    ``first_ns`` and ``last_ns`` (N,) are the times of the first and the last of them.
    """

    ids: IntArray
    means: FloatArray
    covariances: FloatArray
    label_votes: FloatArray
    scores: FloatArray
    features: FloatArray
    cameras: NDArray[np.str_]
    image_sizes_px: IntArray
    hits: IntArray
    first_ns: IntArray
    last_ns: IntArray

    @classmethod
    def born(cls, observations: Observations, timestamp_ns: int, noise: MotionNoise) -> TrackMemory:
        """Tentative tracks that start at ``observations``."""
        count = len(observations)
        means, covariances = initial_state(
            observations.boxes_cxcywh, observations.scores, observations.image_sizes_px, noise
        )
        return cls(
            ids=np.zeros(count, np.int64),
            means=means,
            covariances=covariances,
            label_votes=label_votes(observations),
            scores=observations.scores,
            features=observations.features,
            cameras=observations.cameras,
            image_sizes_px=observations.image_sizes_px,
            hits=np.ones(count, np.int64),
            first_ns=np.full(count, timestamp_ns, np.int64),
            last_ns=np.full(count, timestamp_ns, np.int64),
        )

    @classmethod
    def empty(cls, feature_size: int = 0) -> TrackMemory:
        return cls(
            ids=np.zeros(0, np.int64),
            means=np.zeros((0, STATE_SIZE)),
            covariances=np.zeros((0, STATE_SIZE, STATE_SIZE)),
            label_votes=np.zeros((0, len(CLASSES))),
            scores=np.zeros(0, np.float32),
            features=np.zeros((0, feature_size), np.float32),
            cameras=np.zeros(0, "U1"),
            image_sizes_px=np.zeros((0, 2), np.int64),
            hits=np.zeros(0, np.int64),
            first_ns=np.zeros(0, np.int64),
            last_ns=np.zeros(0, np.int64),
        )

    def joined(self: SelfMemory, other: SelfMemory) -> SelfMemory:
        """The tracks of both, in this order."""
        columns = {c.name: np.concatenate([getattr(self, c.name), getattr(other, c.name)]) for c in fields(self)}
        return type(self)(**columns)

    def with_rows(self: SelfMemory, indices: IntArray, rows: SelfMemory) -> SelfMemory:
        """The same tracks with ``rows`` in the places of ``indices`` (K,)."""
        if len(indices) == 0:
            return self
        columns = {c.name: getattr(self, c.name).copy() for c in fields(self)}
        for name, column in columns.items():
            column[indices] = getattr(rows, name)
        return type(self)(**columns)

    @property
    def is_confirmed(self) -> NDArray[np.bool_]:
        return self.ids > 0

    @property
    def labels(self) -> IntArray:
        """The label with most votes (N,)."""
        winners: IntArray = self.label_votes.argmax(axis=1)
        return winners

    @property
    def groups(self) -> IntArray:
        return GROUP_OF_LABEL[self.labels]

    def unseen_s(self, timestamp_ns: int) -> FloatArray:
        """Seconds since the last detection (N,)."""
        return (timestamp_ns - self.last_ns) / 1e9


def label_votes(observations: Observations) -> FloatArray:
    """(M, 6): each observation's score, in the column of its label."""
    return np.eye(len(CLASSES))[observations.labels] * observations.scores[:, None]
