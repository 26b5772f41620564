"""What a tracker knows of its objects, one row each."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from perception.arrays import FloatArray, IntArray, StructOfArrays
from perception.state_layout import STATE_SIZE, ObjectStates
from perception.taxonomy import CLASSES

GROUP_OF_LABEL: IntArray = np.array([0, 0, 0, 1, 1, 2])
"""Labels of one group are mistaken for one another (car, truck and bus; motorcycle and bicycle), others are not."""

SelfState = TypeVar("SelfState", bound="TrackState")


@dataclass(frozen=True, kw_only=True)
class TrackState(ObjectStates, StructOfArrays):
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
    def empty(cls, feature_size: int = 0) -> TrackState:
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

    def joined(self: SelfState, other: SelfState) -> SelfState:
        """The tracks of both, in this order."""
        columns = {c.name: np.concatenate([getattr(self, c.name), getattr(other, c.name)]) for c in fields(self)}
        return type(self)(**columns)

    def with_rows(self: SelfState, indices: IntArray, rows: SelfState) -> SelfState:
        """The same tracks with ``rows`` in the places of ``indices`` (K,)."""
        if len(indices) == 0:
            return self
        columns = {c.name: getattr(self, c.name).copy() for c in fields(self)}
        for name, column in columns.items():
            column[indices] = getattr(rows, name)
        return type(self)(**columns)

    def corrected(
        self: SelfState,
        *,
        means: FloatArray,
        covariances: FloatArray,
        label_votes: FloatArray,
        scores: FloatArray,
        features: FloatArray,
        hits: IntArray,
        timestamp_ns: int,
        **more: Any,
    ) -> SelfState:
        """The same tracks after each was detected at ``timestamp_ns``: the posterior and what was seen, one row each.

        ``label_votes`` (N, 6) are added; ``more`` replaces other columns.
        """
        return replace(
            self,
            means=means,
            covariances=covariances,
            label_votes=self.label_votes + label_votes,
            scores=scores,
            features=features,
            hits=hits,
            last_ns=np.full(len(self), timestamp_ns, np.int64),
            **more,
        )

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

    def ages_s(self, timestamp_ns: int) -> FloatArray:
        """Seconds since the first detection (N,)."""
        return (timestamp_ns - self.first_ns) / 1e9

    def unseen_s(self, timestamp_ns: int) -> FloatArray:
        """Seconds since the last detection (N,)."""
        return (timestamp_ns - self.last_ns) / 1e9


def label_votes(labels: IntArray, scores: FloatArray) -> FloatArray:
    """(M, 6): the score of each observation (M,), in the column of its label."""
    votes: FloatArray = np.eye(len(CLASSES))[labels] * scores[:, None]
    return votes
