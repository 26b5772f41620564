"""Where each track, and the car itself, has been in the last seconds, for drawing."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np

from perception.arrays import FloatArray
from perception.geometry.boxes import box_feet
from perception.geometry.cameras import yaw_rad
from perception.geometry.rotation import unit_vectors, wrap_angle_rad
from perception.geometry.turning import Pointing
from perception.types import Scene, Tracks

_WORLD = ""
_MIN_SPEED_SPAN_S = 0.15
_SPEED_SPAN_S = 0.6
_MAX_CARRIED_S = 1.0

_Points = deque[tuple[float, ...]]
"""Time stamps in nanoseconds with what was known then: x, y, for the car its heading too."""


class TrackHistory:
    """The last ``span_s`` seconds of every live track: of its foot point (bottom centre of its box) in pixels in the
    image frame, of its centre in the world in the ground frame; and of the car, where its pose is known.

    Where the camera's turning is known, foot points are where it would have seen them as it points now. Memory is
    bounded: at most ``max_points`` per track (a faster stream is thinned), and a track that the tracker
    has given up is forgotten. When time runs backwards (a recording that starts again) all is forgotten.
    """

    def __init__(self, *, span_s: float = 2.0, max_points: int = 64) -> None:
        if span_s <= 0 or max_points < 2:
            raise ValueError(f"expected span_s > 0 and max_points >= 2, got {span_s} and {max_points}")
        self.span_s = span_s
        self._max_points = max_points
        self._spacing_ns = int(span_s * 1e9 / max_points)
        self._points: dict[tuple[int, str], _Points] = {}
        self._pointing = Pointing()
        self._pasts: dict[str, dict[int, FloatArray]] = {}
        self._own = self._no_points()
        self._now_ns: int | None = None
        self.first_timestamp_ns: int | None = None

    def __len__(self) -> int:
        """Number of tracks remembered; one that is known in two cameras' images counts in each."""
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
        self._turn(scene)
        points, keys = _points_now(tracks)
        kept: dict[tuple[int, str], _Points] = {}
        for track_id, key, (x, y) in zip(tracks.ids.tolist(), keys, points.tolist(), strict=True):
            known = self._points.get((track_id, key)) or self._no_points()
            self._remember(known, (x, y))
            kept[track_id, key] = known
        self._points = kept
        pose = scene.frame_set.world_from_vehicle
        if pose is not None:
            self._remember(self._own, (float(pose[0, 3]), float(pose[1, 3]), yaw_rad(pose)))

    def path(self, track_id: int, camera: str) -> tuple[FloatArray, FloatArray]:
        """Foot points (P, 2) in pixels of the camera's image, oldest first, and their ages in seconds (P,)."""
        points = self._points.get((track_id, camera))
        feet, ages_s = self._path(points)
        pasts = self._pasts.get(camera)
        if not points or pasts is None:
            return feet, ages_s
        now = self._pointing.of(camera)
        then = np.stack([pasts.get(int(known[0]), np.eye(3)) for known in points])
        return self._pointing.seen_from(camera, feet, then, now), ages_s

    def world_path(self, track_id: int) -> tuple[FloatArray, FloatArray]:
        """Centres (P, 2) in the world in metres, oldest first, and their ages in seconds (P,)."""
        return self._path(self._points.get((track_id, _WORLD)))

    def world_paths(self, track_ids: Sequence[int], ages_s: FloatArray, now_m: FloatArray) -> FloatArray:
        """(N, P, 2): where each track was ``ages_s`` (P,) ago in the world; before it was seen, where it was first.

        A track that is not remembered has always been at ``now_m`` (N, 2).
        """
        moved = np.repeat(now_m[:, None].astype(np.float64), len(ages_s), axis=1)
        for row, track_id in enumerate(track_ids):
            points, known_ages_s = self.world_path(track_id)
            for axis in (0, 1) if len(points) else ():
                moved[row, :, axis] = np.interp(-ages_s, -known_ages_s, points[:, axis])
        return moved

    def own_path(self) -> tuple[FloatArray, FloatArray]:
        """Where the car has been (P, 2) in the world in metres, oldest first, and the ages in seconds (P,)."""
        return self._path(self._own)

    def own_pose(self, world_from_vehicle: FloatArray | None) -> tuple[FloatArray, float]:
        """The car's position (2,) and heading in the world: as given, else its last motion carried on for up to a
        second; where its pose was never known, the world is the vehicle."""
        if world_from_vehicle is not None:
            return np.asarray(world_from_vehicle[:2, 3], dtype=np.float64), yaw_rad(world_from_vehicle)
        if not self._own:
            return np.zeros(2), 0.0
        before, last = np.array(self._own[max(0, len(self._own) - 2)]), np.array(self._own[-1])
        step_s = (last[0] - before[0]) / 1e9
        if step_s <= 0:
            return last[1:3], float(last[3])
        change = last[1:] - before[1:]
        change[2] = wrap_angle_rad(change[2])
        gap_s = min(_MAX_CARRIED_S, ((self._now_ns or 0) - self._own[-1][0]) / 1e9)
        carried = last[1:] + change * gap_s / step_s
        return carried[:2], float(carried[2])

    def own_speed_mps(self, heading_rad: float) -> float | None:
        """The car's speed towards its heading over the last half second; None where its pose was not known twice."""
        points, ages_s = self.own_path()
        recent = ages_s <= _SPEED_SPAN_S
        points, ages_s = points[recent], ages_s[recent]
        if len(points) < 2 or ages_s[0] - ages_s[-1] < _MIN_SPEED_SPAN_S:
            return None
        return float((points[-1] - points[0]) @ unit_vectors(heading_rad) / (ages_s[0] - ages_s[-1]))

    def clear(self) -> None:
        """Forget everything."""
        self._points.clear()
        self._own.clear()
        self._pointing, self._pasts = Pointing(), {}
        self._now_ns = None
        self.first_timestamp_ns = None

    def _turn(self, scene: Scene) -> None:
        """Remember how the cameras point now, as long as the points that they see now."""
        for camera, ego in scene.ego_motions.items():
            self._pointing.turn(camera, ego.now_from_before, ego.camera_matrix)
        oldest_ns = scene.timestamp_ns - int(self.span_s * 1e9)
        for camera in self._pasts.keys() | scene.ego_motions.keys():
            kept = self._pasts.get(camera, {})
            self._pasts[camera] = {time_ns: past for time_ns, past in kept.items() if time_ns >= oldest_ns}
            self._pasts[camera][scene.timestamp_ns] = self._pointing.of(camera)

    def _no_points(self) -> _Points:
        return deque(maxlen=self._max_points)

    def _remember(self, points: _Points, known: tuple[float, ...]) -> None:
        now_ns = self._now_ns or 0
        while points and points[0][0] < now_ns - int(self.span_s * 1e9):
            points.popleft()
        if not points or now_ns - points[-1][0] >= self._spacing_ns:
            points.append((now_ns, *known))

    def _path(self, points: _Points | None) -> tuple[FloatArray, FloatArray]:
        if not points or self._now_ns is None:
            return np.zeros((0, 2)), np.zeros(0)
        ages_s = np.array([(self._now_ns - known[0]) / 1e9 for known in points])
        return np.array([known[1:3] for known in points]), ages_s


def _points_now(tracks: Tracks) -> tuple[FloatArray, list[str]]:
    """(N, 2): what is remembered of each track now, and the picture or world that it lies in."""
    if tracks.reference_frame == "ground":
        return tracks.positions, [_WORLD] * len(tracks)
    return box_feet(tracks.boxes_xyxy_px), [str(camera) for camera in tracks.cameras]
