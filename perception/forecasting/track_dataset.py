"""Tracks to learn the future from, or to be asked about it, and the windows that are cut out of them.

Observation and truth are kept apart: the past may come from our own tracker, with its errors, its gaps and the CNN's
features, while the future is always the truth. Futures lie on a grid of even steps, whatever the track's rate.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from perception.arrays import FloatArray, IntArray
from perception.geometry.turning import turned_boxes

XY = slice(0, 2)
"""The columns of an observation, in either reference frame, that hold the object's position."""


@dataclass(frozen=True)
class Grid:
    """Where futures are asked for: ``steps`` (T,) of ``rate_fps`` per second after the last observation."""

    rate_fps: float
    steps: tuple[int, ...]

    @property
    def times_s(self) -> FloatArray:
        """(T,) seconds ahead."""
        return np.array(self.steps) / self.rate_fps


IMAGE_GRID = Grid(30, (*range(1, 46), *range(48, 91, 3)))
"""Each frame of a video up to 1.5 s, then every tenth of a second up to 3 s."""

GROUND_GRID = Grid(10, tuple(range(41)))
"""Now, and each tenth of a second 4 s ahead."""


@dataclass(frozen=True)
class CameraViews:
    """How the camera pointed at each of S rows of true boxes: view ``rows[s]`` (S,) of V.

    ``world_from_camera`` (V, 3, 3), in one world for all that is compared; ``lenses`` (V, 4), see ``geometry.turning``.
    """

    rows: IntArray
    world_from_camera: FloatArray
    lenses: FloatArray

    @classmethod
    def unknown(cls, count: int) -> CameraViews:
        """Of ``count`` rows of a camera whose turning is not known, which is as if it did not turn."""
        return cls(np.zeros(count, int), np.eye(3)[None], np.array([[1.0, 1.0, 0.5, 0.5]]))

    def seen_from(self, now: IntArray, boxes: FloatArray, rows: IntArray) -> FloatArray:
        """(n, T, 4): the ``boxes`` (n, T, 4) of ``rows`` (n, T) as the camera would see them that points as at the
        rows ``now`` (n,); NaN for what is not before it then."""
        views, present = self.rows[rows], self.rows[now][:, None]
        now_from_world = self.world_from_camera[present].swapaxes(-1, -2)
        return turned_boxes(boxes, now_from_world @ self.world_from_camera[views], self.lenses[views])


@dataclass(frozen=True)
class TrackSet:
    """n tracks, M observed rows, S rows of futures.

    ``observations`` (M, O) as ``Motion.observe`` gives them; ``times_s``, ``unseen_s`` (M,); ``features`` (M, F), zero
    where there is none; track i is rows ``starts[i]`` to ``starts[i + 1]``, of class ``labels[i]``. ``instants`` (M,):
    rows of the same one were observed together, and see one another. ``truth`` (S, D) has the futures on the ``grid``,
    ``known`` (S,) where they are real; row m is at ``truth_rows[m]``, -1 where unknown, and its object's truth ends
    before ``truth_ends[m]``. With ``views`` of the rows of futures, these are seen by a camera that does not turn on.
    """

    observations: FloatArray
    times_s: FloatArray
    unseen_s: FloatArray
    features: FloatArray
    starts: IntArray
    labels: IntArray
    instants: IntArray
    truth: FloatArray
    known: NDArray[np.bool_]
    truth_rows: IntArray
    truth_ends: IntArray
    grid: Grid
    views: CameraViews | None = None

    @property
    def feature_size(self) -> int:
        return int(self.features.shape[1])

    def futures(self, now: IntArray, rows: IntArray) -> FloatArray:
        """(n, T, D): the truth's ``rows`` (n, T), seen from where its rows ``now`` (n,) were seen; NaN where that shows
        nothing of it."""
        truth: FloatArray = self.truth[rows]
        return truth if self.views is None else self.views.seen_from(now, truth, rows)

    @cached_property
    def rows_before(self) -> IntArray:
        """(M,) observations of the same track before each."""
        before: IntArray = np.arange(len(self.observations)) - np.repeat(self.starts[:-1], np.diff(self.starts))
        return before

    @cached_property
    def _usable_before(self) -> IntArray:
        """(M,) the same; -1 where at least a third of a second of the future is not known."""
        ahead = self.truth_ends - self.truth_rows
        has_future = (self.truth_rows >= 0) & (ahead > max(1, int(self.grid.rate_fps) // 3))
        return np.where(has_future, self.rows_before, -1)

    def ends(self, length: int, stride: int) -> IntArray:
        """Rows at which ``length`` observations, every ``stride``-th, can end and the future is known."""
        return np.flatnonzero(self._usable_before >= (length - 1) * stride)

    @cached_property
    def _by_instant(self) -> tuple[IntArray, IntArray, IntArray]:
        """Rows in the order of their instants, where each instant starts there, and each row's instant."""
        order = np.argsort(self.instants, kind="stable")
        _, starts, index = np.unique(self.instants[order], return_index=True, return_inverse=True)
        instant_of_row = np.empty(len(order), int)
        instant_of_row[order] = index
        return order, np.append(starts, len(order)), instant_of_row

    def rows_together(self, rows: IntArray) -> IntArray:
        """(n,) rows to the rows (n, P) of the same instants, their own among them; -1 fills up."""
        order, starts, instant_of_row = self._by_instant
        instant = instant_of_row[rows]
        first, count = starts[instant], starts[instant + 1] - starts[instant]
        columns = np.arange(count.max(initial=0))
        inside = columns < count[:, None]
        return np.where(inside, order[np.where(inside, first[:, None] + columns, 0)], -1)

    def sample(
        self,
        ends: IntArray,
        count: int,
        rng: np.random.Generator,
        *,
        together: bool,
        weights: FloatArray | None = None,
    ) -> IntArray:
        """About ``count`` of the ``ends``, each as often as any other, or by its weight (n,).

        With ``together`` those of few instants, for they are one another's neighbours: instants are drawn, so that one
        row comes as often in a crowd as alone.
        """
        if not together:
            return rng.choice(ends, size=count, p=None if weights is None else weights / weights.sum())
        order, starts, instant_of_row = self._by_instant
        instant_of_end, is_end = instant_of_row[ends], np.zeros(len(order), bool)
        is_end[ends] = True
        counts = np.bincount(instant_of_end)
        instants = np.flatnonzero(counts)
        shares = np.ones(len(instants))
        if weights is not None:
            shares = np.bincount(instant_of_end, weights)[instants] / counts[instants]
        drawn = rng.choice(instants, size=count, p=shares / shares.sum())
        drawn = drawn[np.sort(np.unique(drawn, return_index=True)[1])]
        rows = self.rows_together(order[starts[drawn]])
        return rows[(rows >= 0) & is_end[rows]][:count]

    def neighbours_of(self, rows: IntArray, count: int) -> IntArray:
        """(n, count): the nearest rows of the same instant, nearest first; -1 fills up."""
        together = self.rows_together(rows)
        away = self.observations[together][..., XY] - self.observations[rows][:, None, XY]
        distance = np.square(away).sum(axis=-1)
        distance[(together < 0) | (together == rows[:, None])] = np.inf
        nearest = np.argsort(distance, axis=1)[:, :count]
        found = np.where(
            np.isfinite(np.take_along_axis(distance, nearest, axis=1)),
            np.take_along_axis(together, nearest, axis=1),
            -1,
        )
        return np.pad(found, ((0, 0), (0, count - found.shape[1])), constant_values=-1)


@dataclass(frozen=True)
class Windows:
    """N windows as tensors, each with its first ``lengths`` (N,) observations; what follows repeats the last one.

    ``observations`` (N, L, O), ``dt_s`` and ``unseen_s`` (N, L), ``features`` (N, L, F) or None, ``labels`` (N,),
    ``neighbours`` (N, M) windows that were observed together with each, -1 for none. ``futures`` (N, T, D) and
    ``known`` (N, T), with T the length of the grid; windows that are only neighbours know none.
    """

    observations: Tensor
    dt_s: Tensor
    unseen_s: Tensor
    features: Tensor | None
    labels: Tensor
    lengths: Tensor
    neighbours: Tensor
    futures: Tensor
    known: Tensor

    def to(self, device: torch.device) -> Windows:
        """The same on another device."""
        parts: dict[str, Any] = {name: part if part is None else part.to(device) for name, part in vars(self).items()}
        return Windows(**parts)


def windows_at(tracks: TrackSet, ends: IntArray, *, length: int, stride: int = 1, neighbours: int = 0) -> Windows:
    """The windows whose last observation is row ``ends`` (n,), of at most ``length`` observations.

    With ``neighbours`` the nearest of each are linked, and those that are not among ``ends`` follow as windows n to N.
    """
    linked = tracks.neighbours_of(ends, neighbours)
    company = np.setdiff1d(linked[linked >= 0], ends)
    rows = np.concatenate([ends, company]).astype(int)
    lengths = np.minimum(tracks.rows_before[rows] // stride + 1, length)
    positions = np.minimum(np.arange(length), lengths[:, None] - 1)
    observed = rows[:, None] + (positions - lengths[:, None] + 1) * stride
    times = tracks.times_s[observed]
    truth_rows = tracks.truth_rows[rows][:, None]
    steps = truth_rows + np.array(tracks.grid.steps)
    # What lies past the end is unknown; the last real position stands there and never counts.
    inside = (steps < tracks.truth_ends[rows][:, None]) & (truth_rows >= 0)
    inside[len(ends) :] = False
    steps = np.where(truth_rows >= 0, np.minimum(steps, tracks.truth_ends[rows][:, None] - 1), 0)
    futures = tracks.futures(np.maximum(truth_rows[:, 0], 0), steps)
    inside &= np.isfinite(futures).all(axis=-1)
    futures = np.where(np.isfinite(futures), futures, tracks.truth[steps])
    return Windows(
        observations=torch.from_numpy(tracks.observations[observed]).float(),
        dt_s=torch.from_numpy(np.diff(times, axis=1, prepend=times[:, :1])).float(),
        unseen_s=torch.from_numpy(tracks.unseen_s[observed]).float(),
        features=torch.from_numpy(tracks.features[observed]).float() if tracks.feature_size else None,
        labels=torch.from_numpy(tracks.labels[np.searchsorted(tracks.starts, rows, side="right") - 1]),
        lengths=torch.from_numpy(lengths),
        neighbours=torch.from_numpy(_positions(linked, rows, len(rows))),
        futures=torch.from_numpy(futures).float(),
        known=torch.from_numpy(inside & tracks.known[steps]),
    )


def _positions(linked: IntArray, rows: IntArray, count: int) -> IntArray:
    """(n, M) linked rows as their positions among ``rows`` (N,), padded with -1 to (``count``, M)."""
    order = np.argsort(rows, kind="stable")
    found = order[np.minimum(np.searchsorted(rows, linked, sorter=order), count - 1)] if count else linked
    positions = np.where(linked >= 0, found, -1)
    return np.pad(positions, ((0, count - len(linked)), (0, 0)), constant_values=-1)


def same_width(parts: Sequence[FloatArray]) -> FloatArray:
    """(m, F) each to (M, F): no feature becomes a feature of zeros, which means the same."""
    width = max(part.shape[1] for part in parts)
    return np.concatenate([np.pad(part, ((0, 0), (0, width - part.shape[1]))) for part in parts])


def join(sets: Iterable[TrackSet]) -> TrackSet:
    """Several sets of one grid as one."""
    parts = list(sets)
    rows = np.cumsum([0] + [len(part.observations) for part in parts])
    truths = np.cumsum([0] + [len(part.truth) for part in parts])
    instants = np.cumsum([0] + [int(part.instants.max(initial=-1)) + 1 for part in parts])
    starts = np.concatenate([part.starts[:-1] + row for part, row in zip(parts, rows, strict=False)] + [rows[-1:]])
    return TrackSet(
        **{
            name: np.concatenate([getattr(part, name) for part in parts])
            for name in ("observations", "times_s", "unseen_s", "labels", "truth", "known")
        },
        features=same_width([part.features for part in parts]),
        starts=starts,
        instants=np.concatenate([part.instants + first for part, first in zip(parts, instants, strict=False)]),
        truth_rows=np.concatenate(
            [np.where(part.truth_rows >= 0, part.truth_rows + t, -1) for part, t in zip(parts, truths, strict=False)]
        ),
        truth_ends=np.concatenate([part.truth_ends + t for part, t in zip(parts, truths, strict=False)]),
        grid=parts[0].grid,
        views=_joined_views(parts),
    )


def _joined_views(parts: Sequence[TrackSet]) -> CameraViews | None:
    if all(part.views is None for part in parts):
        return None
    views = [part.views or CameraViews.unknown(len(part.truth)) for part in parts]
    first = np.cumsum([0] + [len(part.lenses) for part in views])
    return CameraViews(
        rows=np.concatenate([part.rows + start for part, start in zip(views, first, strict=False)]),
        world_from_camera=np.concatenate([part.world_from_camera for part in views]),
        lenses=np.concatenate([part.lenses for part in views]),
    )
