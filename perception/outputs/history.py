"""Where each track has been in the last seconds, for drawing."""

from __future__ import annotations

from collections import deque

import numpy as np

from perception.types import FloatArray, Scene


class TrackHistory:
    """The last ``span_s`` seconds of every live track's foot point (bottom centre of its box), in pixels.

    Memory is bounded: at most ``max_points`` per track (a faster stream is thinned), and a track that the tracker
    has given up is forgotten. When time runs backwards (a recording that starts again) all is forgotten.
    """

    def __init__(self, *, span_s: float = 2.0, max_points: int = 64) -> None:
        if span_s <= 0 or max_points < 2:
            raise ValueError(f"expected span_s > 0 and max_points >= 2, got {span_s} and {max_points}")
        self.span_s = span_s
        self._max_points = max_points
        self._spacing_ns = int(span_s * 1e9 / max_points)
        self._points: dict[tuple[int, str], deque[tuple[int, float, float]]] = {}
        self._now_ns: int | None = None
        self.first_timestamp_ns: int | None = None

    def __len__(self) -> int:
        """Number of tracks remembered; one that is known in two cameras counts in each."""
        return len(self._points)

    def update(self, scene: Scene) -> None:
        """Remember the tracks of one instant; call once per instant, in the order of time."""
        now_ns = scene.timestamp_ns
        if self._now_ns is not None and now_ns < self._now_ns:
            self.clear()
        if self.first_timestamp_ns is None:
            self.first_timestamp_ns = now_ns
        self._now_ns = now_ns
        tracks = scene.tracks
        boxes = tracks.boxes_xyxy_px
        feet = np.stack([(boxes[:, 0] + boxes[:, 2]) / 2, boxes[:, 3]], axis=1).tolist()
        oldest_ns = now_ns - int(self.span_s * 1e9)
        kept: dict[tuple[int, str], deque[tuple[int, float, float]]] = {}
        for track_id, camera, (x, y) in zip(tracks.ids.tolist(), tracks.cameras.tolist(), feet, strict=True):
            points = self._points.get((track_id, camera), deque(maxlen=self._max_points))
            while points and points[0][0] < oldest_ns:
                points.popleft()
            if not points or now_ns - points[-1][0] >= self._spacing_ns:
                points.append((now_ns, x, y))
            kept[track_id, camera] = points
        self._points = kept

    def path(self, track_id: int, camera: str) -> tuple[FloatArray, FloatArray]:
        """Foot points (P, 2) in pixels of the camera's image, oldest first, and their ages in seconds (P,)."""
        points = self._points.get((track_id, camera))
        if not points or self._now_ns is None:
            return np.zeros((0, 2)), np.zeros(0)
        ages_s = np.array([(self._now_ns - stamp_ns) / 1e9 for stamp_ns, _, _ in points])
        return np.array([(x, y) for _, x, y in points]), ages_s

    def clear(self) -> None:
        """Forget everything."""
        self._points.clear()
        self._now_ns = None
        self.first_timestamp_ns = None
