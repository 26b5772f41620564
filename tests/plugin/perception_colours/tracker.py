"""The nearest box is the same object: what ``--tracker nearest`` opens."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from perception import Detections, TrackerCounts, Tracks
from perception.arrays import FloatArray
from perception.plugins import TrackerRequest
from perception.types import EgoMotions


class NearestTracker:
    """A detection continues the nearest box that its camera saw last, within a quarter of the image, else is new."""

    reference_frame = "image"

    def __init__(self) -> None:
        self.reset()

    @property
    def counts(self) -> TrackerCounts:
        return TrackerCounts()

    def reset(self) -> None:
        self._next_id = 1
        self._last: dict[str, list[tuple[int, FloatArray, int, int]]] = {}

    def update(
        self,
        detections: Sequence[Detections],
        timestamp_ns: int,
        world_from_vehicle: FloatArray | None = None,
        ego_motions: EgoMotions | None = None,
    ) -> Tracks:
        """Centre and size over image width and height; the velocity is the last displacement over its time."""
        rows = []
        for found in detections:
            waiting, seen = self._last.get(found.camera, []), []
            scale = np.array([*found.image_size_px, *found.image_size_px], np.float64)
            corners = found.boxes_xyxy_px / scale
            states = np.concatenate([(corners[:, :2] + corners[:, 2:]) / 2, corners[:, 2:] - corners[:, :2]], axis=1)
            for row, state in enumerate(states):
                nearest = min(waiting, key=lambda old: float(np.hypot(*(old[1] - state)[:2])), default=None)
                velocity = np.zeros(4)
                if nearest is None or np.hypot(*(nearest[1] - state)[:2]) > 0.25:
                    track_id, first_ns, self._next_id = self._next_id, timestamp_ns, self._next_id + 1
                else:
                    waiting.remove(nearest)
                    track_id, before, first_ns, last_ns = nearest
                    velocity = (state - before) / max((timestamp_ns - last_ns) / 1e9, 1e-3)
                seen.append((track_id, state, first_ns, timestamp_ns))
                rows.append((track_id, found[row], np.concatenate([state, velocity]), first_ns))
            self._last[found.camera] = seen
        return _tracks(rows, timestamp_ns) if rows else Tracks.empty()


def _tracks(rows: list[tuple[int, Detections, FloatArray, int]], timestamp_ns: int) -> Tracks:
    ids, found, states, first_ns = zip(*rows, strict=True)
    return Tracks(
        ids=np.array(ids),
        labels=np.concatenate([one.labels for one in found]),
        scores=np.concatenate([one.scores for one in found]),
        means=np.stack(states),
        covariances=np.tile(np.eye(8) * 1e-4, (len(ids), 1, 1)),
        boxes_xyxy_px=np.concatenate([one.boxes_xyxy_px for one in found]).astype(np.float64),
        cameras=np.array([one.camera for one in found]),
        image_sizes_px=np.array([one.image_size_px for one in found]),
        ages_s=(timestamp_ns - np.array(first_ns)) / 1e9,
        unseen_s=np.zeros(len(ids)),
        features=np.zeros((len(ids), 0), np.float32),
    )


def open_tracker(request: TrackerRequest) -> NearestTracker:
    """Whatever the detector and the cameras are."""
    return NearestTracker()
