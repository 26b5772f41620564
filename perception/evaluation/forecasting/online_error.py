"""The error of past forecasts against what then happened: measured in any run, without ground truth.

What happened is where our own tracker sees the object later, so that a track that jumps to another object counts
against the forecast; constant velocity, measured by the same tracks at the same moments, stands beside it. Forecasts in
an image hold for the camera as it pointed then: what its turning has moved since is taken out.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perception.arrays import FloatArray, IntArray
from perception.geometry.turning import Pointing
from perception.state_layout import POSITION
from perception.types import Forecasts, Scene, Tracks

HORIZONS_S = (1.0, 2.0, 3.0)
_LONGEST_GAP_NS = 500_000_000
"""Between two sightings further apart the object's position is unknown."""


@dataclass(frozen=True)
class OnlineErrorScores:
    """Mean distances at one horizon, in metres on the ground, in pixels in images: of the ``expected`` future, of the
    ``best`` of all, and of constant velocity, over ``count`` forecasts whose objects were still seen."""

    horizon_s: float
    count: int
    expected: float
    best: float
    constant_velocity: float


@dataclass(frozen=True)
class _Due:
    """The forecasts of one instant: of ``ids`` (N,), for each horizon (H,) where ``futures`` (N, H, K + 2, 2) will be:
    the expected one, constant velocity's, then all; divided by ``units`` (N, 2) they are in the tracks' own.
    ``cameras`` (N,) saw them, and pointed as in ``pointing``."""

    timestamp_ns: int
    ids: IntArray
    futures: FloatArray
    units: FloatArray
    cameras: NDArray[np.str_]
    pointing: Mapping[str, FloatArray]


class OnlineError:
    """Remembers the forecasts of the last seconds and, when their time has come, measures them against the tracks."""

    def __init__(self, horizons_s: Sequence[float] = HORIZONS_S) -> None:
        self._horizons_ns = [round(horizon_s * 1e9) for horizon_s in horizons_s]
        self._dues: deque[_Due] = deque()
        self._last_ns: int | None = None
        self._last: tuple[IntArray, FloatArray] = np.zeros(0, np.int64), np.zeros((0, 2))
        self._counts = np.zeros(len(horizons_s), np.int64)
        self._sums = np.zeros((len(horizons_s), 3))
        self._pointing, self._last_pointing = Pointing(), dict[str, FloatArray]()
        self.unit = ""

    def add(self, scene: Scene) -> None:
        """Take one instant: score what is due now, remember what is forecast now."""
        tracks = scene.tracks
        self.unit = "m" if tracks.reference_frame == "ground" else "px"
        seen = tracks[tracks.unseen_s == 0]
        now_ns, here = scene.timestamp_ns, (seen.ids, seen.positions.astype(np.float64))
        for camera, ego in scene.ego_motions.items() if self.unit == "px" else ():
            self._pointing.turn(camera, ego.now_from_before, ego.camera_matrix)
        pointing = {str(camera): self._pointing.of(str(camera)) for camera in np.unique(tracks.cameras)}
        if self._last_ns is not None and 0 < now_ns - self._last_ns <= _LONGEST_GAP_NS:
            for due in self._dues:
                for index, horizon_ns in enumerate(self._horizons_ns):
                    if self._last_ns < due.timestamp_ns + horizon_ns <= now_ns:
                        share = (due.timestamp_ns + horizon_ns - self._last_ns) / (now_ns - self._last_ns)
                        self._score(index, due, here, share, pointing)
        while self._dues and self._dues[0].timestamp_ns + self._horizons_ns[-1] <= now_ns:
            self._dues.popleft()
        self._dues.append(_due(tracks, scene.forecasts, now_ns, np.array(self._horizons_ns) / 1e9, pointing))
        self._last_ns, self._last, self._last_pointing = now_ns, here, pointing

    def scores(self) -> list[OnlineErrorScores]:
        """One entry for each horizon at which at least one forecast could be scored."""
        return [
            OnlineErrorScores(horizon_ns / 1e9, int(count), *(sums / count).tolist())
            for horizon_ns, count, sums in zip(self._horizons_ns, self._counts, self._sums, strict=True)
            if count
        ]

    def line(self) -> str:
        """ "off by 0.4, 1.1, 2.3 m after 1, 2, 3 s (constant velocity 0.5, 1.6, 3.9)"; empty before the first."""
        scores = self.scores()
        if not scores:
            return ""
        own, other = (
            ", ".join(f"{value:.{self._digits}f}" for value in values)
            for values in ([s.expected for s in scores], [s.constant_velocity for s in scores])
        )
        after = ", ".join(f"{score.horizon_s:g}" for score in scores)
        return f"off by {own} {self.unit} after {after} s (constant velocity {other})"

    def remark(self) -> str:
        """The farthest horizon alone, such as "2 s ahead: off by 1.1 m, constant velocity 1.6"; empty before it."""
        scores = self.scores()
        if not scores:
            return ""
        last = scores[-1]
        own, other = (f"{value:.{self._digits}f}" for value in (last.expected, last.constant_velocity))
        return f"{last.horizon_s:g} s ahead: off by {own} {self.unit}, constant velocity {other}"

    def to_json(self) -> dict[str, Any]:
        """For ``report.json``."""
        return {"unit": self.unit, "horizons": [vars(score) for score in self.scores()]}

    @property
    def _digits(self) -> int:
        return 1 if self.unit == "m" else 0

    def _score(
        self,
        index: int,
        due: _Due,
        here: tuple[IntArray, FloatArray],
        share: float,
        pointing: Mapping[str, FloatArray],
    ) -> None:
        """Where were they when the forecast was due, ``share`` of the way from the last instant to this one?"""
        both, at_last, at_now = np.intersect1d(self._last[0], here[0], assume_unique=True, return_indices=True)
        _, rows, found = np.intersect1d(due.ids, both, assume_unique=True, return_indices=True)
        if not len(rows):
            return
        units, cameras = due.units[rows], due.cameras[rows]
        start = self._as_due(self._last[1][at_last[found]] * units, cameras, self._last_pointing, due)
        end = self._as_due(here[1][at_now[found]] * units, cameras, pointing, due)
        actual = start + share * (end - start)
        misses = np.linalg.norm(due.futures[rows, index] - actual[:, None], axis=2)
        reached = np.isfinite(misses).all(axis=1)
        misses = misses[reached]
        self._counts[index] += len(misses)
        self._sums[index] += misses[:, 0].sum(), misses[:, 2:].min(axis=1).sum(), misses[:, 1].sum()

    def _as_due(
        self, points_px: FloatArray, cameras: NDArray[np.str_], then: Mapping[str, FloatArray], due: _Due
    ) -> FloatArray:
        """(N, 2): what ``cameras`` (N,) saw as they pointed ``then``, as they would have as they pointed at ``due``."""
        if self.unit == "m":
            return points_px
        turned = points_px.copy()
        for camera in then.keys() & due.pointing.keys():
            rows = np.flatnonzero(cameras == camera)
            turned[rows] = self._pointing.seen_from(camera, points_px[rows], then[camera], due.pointing[camera])
        return turned


def _due(
    tracks: Tracks, forecasts: Forecasts, now_ns: int, horizons_s: FloatArray, pointing: Mapping[str, FloatArray]
) -> _Due:
    """What is forecast now for the tracks that are seen; NaN beyond the forecasts' reach."""
    ids, rows, own = np.intersect1d(tracks.ids, forecasts.track_ids, assume_unique=True, return_indices=True)
    is_seen = tracks.unseen_s[rows] == 0
    ids, rows, own = ids[is_seen], rows[is_seen], own[is_seen]
    seen = tracks[rows]
    on_ground = tracks.reference_frame == "ground"
    units = np.ones((len(rows), 2)) if on_ground else tracks.image_sizes_px[rows].astype(np.float64)
    paths = np.concatenate([forecasts.expected[own][:, None], forecasts.means[own]], axis=1)[..., POSITION]
    steady = seen.positions[:, None] + seen.velocities[:, None] * horizons_s[:, None]
    at_horizons = np.insert(_at(paths, horizons_s / forecasts.dt_s), 1, steady, axis=2)
    return _Due(now_ns, ids, at_horizons * units[:, None, None], units, seen.cameras, pointing)


def _at(paths: FloatArray, steps: FloatArray) -> FloatArray:
    """(N, H, K, 2): ``paths`` (N, K, T, 2), whose first point is step 1, at ``steps`` (H,); NaN beyond their end."""
    last = paths.shape[2]
    low = np.clip(np.floor(steps + 1e-9).astype(int), 1, last)
    share = np.where(low < last, np.clip(steps - low, 0, 1), 0.0)
    points = paths[:, :, low - 1] + share[:, None] * (paths[:, :, np.minimum(low, last - 1)] - paths[:, :, low - 1])
    points = np.where((steps <= last + 1e-6)[:, None], points, np.nan)
    return np.moveaxis(points, 2, 1)
