"""Tracks to learn the future from: what was observed, and what then happened.

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

from perception.evaluation import box_iou
from perception.forecasting.jaad import FRAME_RATE_FPS, JaadTracks
from perception.types import BoxTable, FloatArray, IntArray, Tracks

_PEDESTRIAN = 5


@dataclass(frozen=True)
class Grid:
    """Where futures are learnt: ``steps`` (T,) of ``rate_fps`` per second after the last observation."""

    rate_fps: int
    steps: tuple[int, ...]

    @property
    def times_s(self) -> FloatArray:
        """(T,) seconds ahead."""
        return np.array(self.steps) / self.rate_fps


IMAGE_GRID = Grid(30, (*range(1, 46), *range(48, 91, 3)))
"""Each frame of a video up to 1.5 s, then every tenth of a second up to 3 s."""


@dataclass(frozen=True)
class TrackSet:
    """n tracks, M observed rows, S rows of futures.

    ``observations`` (M, O) as ``Motion.observe`` gives them; ``times_s``, ``unseen_s`` (M,); ``features`` (M, F), zero
    where there is none; track i is rows ``starts[i]`` to ``starts[i + 1]``, of class ``labels[i]``. ``truth`` (S, D)
    has the futures on the ``grid``, ``known`` (S,) where they are real; row m is at ``truth_rows[m]``, -1 where
    unknown, and its object's truth ends before ``truth_ends[m]``.
    """

    observations: FloatArray
    times_s: FloatArray
    unseen_s: FloatArray
    features: FloatArray
    starts: IntArray
    labels: IntArray
    truth: FloatArray
    known: NDArray[np.bool_]
    truth_rows: IntArray
    truth_ends: IntArray
    grid: Grid

    @property
    def feature_size(self) -> int:
        return int(self.features.shape[1])

    @cached_property
    def _rows_before(self) -> IntArray:
        """(M,) observations of the same track before each; -1 where the future is not known."""
        before = np.arange(len(self.observations)) - np.repeat(self.starts[:-1], np.diff(self.starts))
        has_future = (self.truth_rows >= 0) & (self.truth_ends - self.truth_rows > self.grid.rate_fps // 3)
        return np.where(has_future, before, -1)

    def ends(self, length: int, stride: int) -> IntArray:
        """Rows at which ``length`` observations, every ``stride``-th, can end and the future is known."""
        return np.flatnonzero(self._rows_before >= (length - 1) * stride)


@dataclass(frozen=True)
class Windows:
    """N windows as tensors: ``observations`` (N, L, O), ``dt_s`` and ``unseen_s`` (N, L), ``features`` (N, L, F) or
    None, ``labels`` (N,), ``futures`` (N, T, D), ``known`` (N, T), with T the length of the grid."""

    observations: Tensor
    dt_s: Tensor
    unseen_s: Tensor
    features: Tensor | None
    labels: Tensor
    futures: Tensor
    known: Tensor

    def to(self, device: torch.device) -> Windows:
        """The same on another device."""
        parts: dict[str, Any] = {name: part if part is None else part.to(device) for name, part in vars(self).items()}
        return Windows(**parts)


def windows_at(tracks: TrackSet, ends: IntArray, *, length: int, stride: int) -> Windows:
    """The windows whose last observation is row ``ends`` (N,)."""
    rows = ends[:, None] + np.arange(-(length - 1), 1) * stride
    times = tracks.times_s[rows]
    dt = np.concatenate([np.zeros((len(rows), 1)), np.diff(times, axis=1)], axis=1)
    steps = tracks.truth_rows[ends][:, None] + np.array(tracks.grid.steps)
    inside = steps < tracks.truth_ends[ends][:, None]
    steps = np.minimum(steps, tracks.truth_ends[ends][:, None] - 1)
    # What lies past the end is unknown; the last real position stands there and never counts.
    track_of_end = np.searchsorted(tracks.starts, ends, side="right") - 1
    return Windows(
        observations=torch.from_numpy(tracks.observations[rows]).float(),
        dt_s=torch.from_numpy(dt).float(),
        unseen_s=torch.from_numpy(tracks.unseen_s[rows]).float(),
        features=torch.from_numpy(tracks.features[rows]).float() if tracks.feature_size else None,
        labels=torch.from_numpy(tracks.labels[track_of_end]),
        futures=torch.from_numpy(tracks.truth[steps]).float(),
        known=torch.from_numpy(inside & tracks.known[steps]),
    )


def from_jaad(jaad: JaadTracks) -> TrackSet:
    """JAAD's boxes, which are their own futures; one row is one step of the grid."""
    boxes = to_centre_size(jaad.boxes_xyxy_px, np.repeat(jaad.sizes_px, np.diff(jaad.starts), axis=0))
    count = len(boxes)
    in_track = np.arange(count) - np.repeat(jaad.starts[:-1], np.diff(jaad.starts))
    return TrackSet(
        observations=boxes,
        times_s=in_track / FRAME_RATE_FPS,
        unseen_s=np.zeros(count),
        features=np.zeros((count, 0), np.float32),
        starts=jaad.starts,
        labels=np.full(len(jaad.videos), _PEDESTRIAN),
        truth=boxes,
        known=np.ones(count, bool),
        truth_rows=np.arange(count),
        truth_ends=np.repeat(jaad.starts[1:], np.diff(jaad.starts)),
        grid=IMAGE_GRID,
    )


def from_recording(
    truth: BoxTable,
    frame_times_s: dict[int, float],
    image_size_px: tuple[int, int],
    observed: Sequence[tuple[float, Tracks]],
    *,
    max_gap_s: float = 0.25,
) -> TrackSet:
    """One camera's recording: ``observed`` pairs of time and the tracks that our tracker had then.

    A track takes the future of the truth box that it overlaps by an IoU of at least 0.5 at that instant. Between
    frames at most ``max_gap_s`` apart the truth is interpolated.
    """
    boxes = to_centre_size(truth.boxes_xyxy_px, np.tile(image_size_px, (len(truth), 1)))
    truth_times = np.array([frame_times_s[int(i)] for i in truth.frame_indices])
    instants = []
    for time_s, tracks in observed:
        present = truth[np.abs(truth_times - time_s) < 1e-6]
        matched = _match(tracks.boxes_xyxy_px, present.boxes_xyxy_px)
        objects = np.where(matched >= 0, present.ids[matched], -1) if len(present) else np.full(len(tracks), -1)
        instants.append(Instant(time_s, tracks, tracks.means[:, :4], objects))
    futures = TrueFutures.on_grid(IMAGE_GRID, truth.ids, truth_times, boxes, max_gap_s=max_gap_s)
    return with_futures(instants, futures)


@dataclass(frozen=True)
class Instant:
    """The ``tracks`` at a time, what is observed of them (N, O), the true object of each (N,), -1 where there is none.

    True ids count from 0.
    """

    time_s: float
    tracks: Tracks
    observations: FloatArray
    objects: IntArray


@dataclass(frozen=True)
class TrueFutures:
    """Where n true objects were, on the ``grid``'s steps: ``values`` (S, D), ``known`` (S,) where they are real.

    Object i has ``ids[i]``, rows ``starts[i]`` to ``starts[i + 1]``; the first of them is step ``first_steps[i]``.
    """

    grid: Grid
    values: FloatArray
    known: NDArray[np.bool_]
    ids: IntArray
    starts: IntArray
    first_steps: IntArray

    @classmethod
    def on_grid(
        cls, grid: Grid, ids: IntArray, times_s: FloatArray, values: FloatArray, *, max_gap_s: float
    ) -> TrueFutures:
        """From M rows of id, time and values (M, D); interpolated between rows at most ``max_gap_s`` apart."""
        series, valid, first_steps = [np.zeros((0, values.shape[1]))], [np.zeros(0, bool)], []
        objects = np.unique(ids)
        for object_id in objects:
            mine = np.flatnonzero(ids == object_id)
            mine = mine[np.argsort(times_s[mine])]
            at = times_s[mine]
            steps = np.arange(round(at[0] * grid.rate_fps), round(at[-1] * grid.rate_fps) + 1)
            wanted = steps / grid.rate_fps
            after = np.clip(np.searchsorted(at, wanted), 1, max(1, len(at) - 1))
            gap = at[after] - at[after - 1] if len(at) > 1 else np.full(len(wanted), np.inf)
            nearest = np.abs(wanted[:, None] - at).min(axis=1)
            series.append(np.stack([np.interp(wanted, at, column) for column in values[mine].T], axis=1))
            valid.append((gap <= max_gap_s + 1e-6) | (nearest <= 0.5 / grid.rate_fps + 1e-6))
            first_steps.append(int(steps[0]))
        starts = np.cumsum([len(part) for part in series])
        return cls(grid, np.concatenate(series), np.concatenate(valid), objects, starts, np.array(first_steps, int))

    def rows(self, objects: IntArray, times_s: FloatArray) -> tuple[IntArray, IntArray]:
        """Row of each object (M,) at its time (M,), -1 for no object, and where its object's rows end."""
        index = np.minimum(np.searchsorted(self.ids, objects), max(len(self.ids) - 1, 0))
        if not len(self.ids):
            return np.full(len(objects), -1), np.zeros(len(objects), int)
        is_object = self.ids[index] == objects
        steps = np.round(times_s * self.grid.rate_fps).astype(int)
        rows = np.where(is_object, self.starts[index] + steps - self.first_steps[index], -1)
        return rows, np.where(is_object, self.starts[index + 1], 0)


def with_futures(instants: Sequence[Instant], futures: TrueFutures) -> TrackSet:
    """The tracks of all ``instants``, each row with the future of its object."""
    tracks = [instant.tracks for instant in instants]
    ids = np.concatenate([part.ids for part in tracks])
    times_s = np.concatenate([np.full(len(instant.tracks), instant.time_s) for instant in instants])
    order = np.lexsort((times_s, ids))
    unique, starts = np.unique(ids[order], return_index=True)
    rows, ends = futures.rows(np.concatenate([instant.objects for instant in instants]), times_s)
    labels = np.concatenate([part.labels for part in tracks])[order]
    return TrackSet(
        observations=np.concatenate([instant.observations for instant in instants])[order].astype(np.float32),
        times_s=times_s[order],
        unseen_s=np.concatenate([part.unseen_s for part in tracks])[order],
        features=_same_width([part.features for part in tracks])[order].astype(np.float32),
        starts=np.append(starts, len(ids)),
        labels=labels[starts] if len(unique) else np.zeros(0, int),
        truth=futures.values,
        known=futures.known,
        truth_rows=rows[order],
        truth_ends=ends[order],
        grid=futures.grid,
    )


def _match(boxes: FloatArray, truth: FloatArray) -> IntArray:
    """For each box the truth box that overlaps it best, -1 below an IoU of 0.5."""
    if not len(boxes) or not len(truth):
        return np.full(len(boxes), -1)
    iou = box_iou(boxes, truth)
    best: IntArray = iou.argmax(axis=1)
    return np.where(iou.max(axis=1) >= 0.5, best, -1)


def _same_width(parts: Sequence[FloatArray]) -> FloatArray:
    """(m, F) each to (M, F): no feature becomes a feature of zeros, which means the same."""
    width = max(part.shape[1] for part in parts)
    return np.concatenate([np.pad(part, ((0, 0), (0, width - part.shape[1]))) for part in parts])


def join(sets: Iterable[TrackSet]) -> TrackSet:
    """Several sets of one grid as one."""
    parts = list(sets)
    rows = np.cumsum([0] + [len(part.observations) for part in parts])
    truths = np.cumsum([0] + [len(part.truth) for part in parts])
    starts = np.concatenate([part.starts[:-1] + row for part, row in zip(parts, rows, strict=False)] + [rows[-1:]])
    return TrackSet(
        **{
            name: np.concatenate([getattr(part, name) for part in parts])
            for name in ("observations", "times_s", "unseen_s", "labels", "truth", "known")
        },
        features=_same_width([part.features for part in parts]),
        starts=starts,
        truth_rows=np.concatenate(
            [np.where(part.truth_rows >= 0, part.truth_rows + t, -1) for part, t in zip(parts, truths, strict=False)]
        ),
        truth_ends=np.concatenate([part.truth_ends + t for part, t in zip(parts, truths, strict=False)]),
        grid=parts[0].grid,
    )


def to_centre_size(boxes_xyxy_px: FloatArray, sizes_px: IntArray) -> FloatArray:
    """(M, 4) corners in pixels to centre and size over the image's width and height (M, 2)."""
    corners = boxes_xyxy_px / np.tile(sizes_px, 2)
    return np.concatenate([(corners[:, :2] + corners[:, 2:]) / 2, corners[:, 2:] - corners[:, :2]], axis=1)


def to_corners(boxes: FloatArray, sizes_px: IntArray) -> FloatArray:
    """The inverse of ``to_centre_size`` for boxes (..., 4) and sizes (2,) or broadcastable (..., 2)."""
    half = boxes[..., 2:] / 2
    corners: FloatArray = np.concatenate([boxes[..., :2] - half, boxes[..., :2] + half], axis=-1)
    scaled: FloatArray = corners * np.concatenate([sizes_px, sizes_px], axis=-1)
    return scaled
