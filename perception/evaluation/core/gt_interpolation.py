"""Where objects truly went, and where they would have gone at constant velocity."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from perception.arrays import FloatArray, IntArray
from perception.errors import UsageError
from perception.geometry.boxes import box_centres
from perception.state_layout import VELOCITY
from perception.types import BoxTable

MAX_GAP_S = 0.5
"""Between two labelled frames further apart than this, the truth is taken as unknown."""

RECENT_S = 0.25
"""The velocity of one short step is mostly noise; over this time it is not, and is still that of the present."""

TURNING_REMOVED = f"CV {RECENT_S:g} s, turning removed"
"""The name of the baseline that also knows how the camera turns."""

Float64 = NDArray[np.float64]


@dataclass(frozen=True)
class GtPaths:
    """The paths of all true objects, ready to be asked for any time.

    Objects are numbered from 0: ``object_of_row`` (M,) for each row of the truth. ``keys`` (M,) join object and time
    into one sorted integer; with them go ``times_ns`` (M,) since the first and ``centres`` (M, 2), in pixels or in
    metres on the ground. The truth is unknown between two rows further apart than ``max_gap_s``.
    """

    object_of_row: NDArray[np.int64]
    keys: NDArray[np.int64]
    times_ns: NDArray[np.int64]
    centres: Float64
    start_ns: int
    span_ns: int
    max_gap_s: float = MAX_GAP_S

    @classmethod
    def from_truth(cls, *, truth: BoxTable, frame_timestamps_ns: IntArray) -> GtPaths:
        """Centres of boxes in pixels, an object being a (camera, id).

        ``frame_timestamps_ns`` (F,) are the times of the recording's frames. Raises ``UsageError`` when they do not
        grow, or when the truth has a frame that they do not.
        """
        timestamps = np.asarray(frame_timestamps_ns, np.int64)
        if (np.diff(timestamps) <= 0).any():
            raise UsageError(
                "The recording's time stamps do not grow from frame to frame: repair them in recording.yaml."
            )
        if len(truth) and not (truth.frame_indices.min() >= 0 and truth.frame_indices.max() < len(timestamps)):
            raise UsageError(
                f"The ground truth has boxes in frame {truth.frame_indices.max()}, the recording has "
                f"{len(timestamps)} frames: evaluate with the ground truth of this recording."
            )
        _, camera_index = np.unique(truth.cameras, return_inverse=True)
        _, object_of_row = np.unique(np.stack([camera_index, truth.ids], axis=1), axis=0, return_inverse=True)
        return cls.from_paths(
            objects=object_of_row.reshape(-1),
            timestamps_ns=timestamps[truth.frame_indices] if len(truth) else np.zeros(0, np.int64),
            centres=box_centres(truth.boxes_xyxy_px),
        )

    @classmethod
    def from_paths(
        cls, *, objects: IntArray, timestamps_ns: IntArray, centres: Float64, max_gap_s: float = MAX_GAP_S
    ) -> GtPaths:
        """From ``centres`` (M, 2) of ``objects`` (M,), numbered from 0, at ``timestamps_ns`` (M,), in any order."""
        start_ns = int(timestamps_ns.min()) if len(timestamps_ns) else 0
        span_ns = int(timestamps_ns.max()) - start_ns if len(timestamps_ns) else 0
        times = timestamps_ns.astype(np.int64) - start_ns
        numbers: NDArray[np.int64] = objects.astype(np.int64)
        keys = numbers * (span_ns + 2) + times
        order = np.argsort(keys, kind="stable")
        return cls(
            object_of_row=numbers,
            keys=keys[order],
            times_ns=times[order],
            centres=centres[order],
            start_ns=start_ns,
            span_ns=span_ns,
            max_gap_s=max_gap_s,
        )

    def centres_at(self, *, objects: IntArray, timestamps_ns: IntArray) -> Float64:
        """Centres (N, E, 2) of ``objects`` (N,) at ``timestamps_ns`` (N, E), linear between what is known.

        NaN before an object's first row, after its last, and in wide gaps.
        """
        shape = timestamps_ns.shape
        if len(self.keys) == 0:
            return np.full((*shape, 2), np.nan)
        # One outside the span can be no time of a row: what lies there finds no row before or after it.
        times = np.clip(np.asarray(timestamps_ns, np.int64) - self.start_ns, -1, self.span_ns + 1)
        wanted = np.asarray(objects, np.int64)[:, None]
        keys = wanted * (self.span_ns + 2) + times
        last = len(self.keys) - 1
        before = np.clip(np.searchsorted(self.keys, keys, side="right") - 1, 0, last)
        is_exact = self.keys[before] == keys
        after = np.where(is_exact, before, np.minimum(before + 1, last))
        gap_ns = self.times_ns[after] - self.times_ns[before]
        first_key = wanted * (self.span_ns + 2)
        belongs = (self.keys[before] >= first_key) & (self.keys[after] < first_key + self.span_ns + 2)
        is_known = belongs & (self.keys[before] <= keys) & (self.keys[after] >= keys) & (gap_ns <= self.max_gap_s * 1e9)
        share = np.where(gap_ns > 0, (times - self.times_ns[before]) / np.maximum(gap_ns, 1), 0.0)
        centres = self.centres[before] + share[..., None] * (self.centres[after] - self.centres[before])
        return np.where(is_known[..., None], centres, np.nan)


def previous_rows(*, cameras: NDArray[np.str_], ids: IntArray, timestamps_ns: IntArray) -> NDArray[np.int64]:
    """(M,) for each row of tracks the row of the same track's instant before, -1 at its first."""
    order = np.lexsort((timestamps_ns, ids, cameras))
    continues = (ids[order][1:] == ids[order][:-1]) & (cameras[order][1:] == cameras[order][:-1])
    previous = np.full(len(order), -1, np.int64)
    previous[order[1:][continues]] = order[:-1][continues]
    return previous


def recent_rows(*, cameras: NDArray[np.str_], ids: IntArray, timestamps_ns: IntArray) -> NDArray[np.int64]:
    """(M,) for each row of tracks the same track's latest row that is at least ``RECENT_S`` old, else its first.

    -1 at a track's first row.
    """
    order = np.lexsort((timestamps_ns, ids, cameras))
    times_ns = timestamps_ns[order] - (timestamps_ns.min() if len(order) else 0)
    is_first = np.ones(len(order), bool)
    is_first[1:] = (np.diff(ids[order]) != 0) | (cameras[order][1:] != cameras[order][:-1])
    track = np.cumsum(is_first) - 1
    span_ns = int(times_ns.max(initial=0)) + 1
    keys = track * span_ns + times_ns
    # In every track a time before its first one is that of the first.
    wanted = track * span_ns + np.maximum(times_ns - round(RECENT_S * 1e9), 0)
    found = np.maximum(np.searchsorted(keys, wanted, side="right") - 1, np.flatnonzero(is_first)[track])
    recent = np.full(len(order), -1, np.int64)
    recent[order[~is_first]] = order[found[~is_first]]
    return recent


def last_difference_paths(
    *,
    boxes_xyxy_px: FloatArray,
    previous_boxes_xyxy_px: FloatArray,
    elapsed_s: FloatArray,
    times_s: FloatArray,
) -> Float64:
    """Centres (N, E, 2) in pixels, ``times_s`` (E,) after now, at the velocity of the last backward difference.

    ``boxes_xyxy_px`` and ``previous_boxes_xyxy_px`` (N, 4) are a track's boxes now and ``elapsed_s`` (N,) before.
    Raises ``ValueError`` when no time has passed between them.
    """
    elapsed = np.asarray(elapsed_s, np.float64)
    if (elapsed <= 0).any():
        raise ValueError(f"elapsed_s: expected positive numbers, got {elapsed.min()}")
    centres = box_centres(boxes_xyxy_px)
    velocities = (centres - box_centres(previous_boxes_xyxy_px)) / elapsed[:, None]
    return constant_velocity_paths(centres, velocities, times_s)


def kalman_velocity_paths(
    *, boxes_xyxy_px: FloatArray, state_means: FloatArray, image_sizes_px: IntArray, times_s: FloatArray
) -> Float64:
    """Centres (N, E, 2) in pixels, ``times_s`` (E,) after now, at the velocity that the tracker's filter holds.

    ``state_means`` (N, 8) are those of ``Tracks`` in the image frame, ``image_sizes_px`` (N, 2) width and height.
    """
    velocities_px_per_s = np.asarray(state_means, np.float64)[:, VELOCITY] * image_sizes_px
    return constant_velocity_paths(box_centres(boxes_xyxy_px), velocities_px_per_s, times_s)


def constant_velocity_paths(centres: Float64, velocities_per_s: Float64, times_s: FloatArray) -> Float64:
    """Centres (N, E, 2), ``times_s`` (E,) after now, from ``centres`` and ``velocities_per_s`` (N, 2) of any unit."""
    return centres[:, None, :] + velocities_per_s[:, None, :] * np.asarray(times_s)[None, :, None]
