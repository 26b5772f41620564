"""Tracks to learn the future from: what was observed, and what then happened.

Observation and truth are kept apart: the past may come from our own tracker, with its errors, its gaps and the CNN's
features, while the future is always the truth. Futures lie on a grid of 30 boxes per second, whatever the track's rate.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from perception.evaluation import box_iou
from perception.forecasting.jaad import FRAME_RATE_FPS, JaadTracks
from perception.types import BoxTable, FloatArray, IntArray, Tracks

GRID_FPS = 30
GRID_STEPS = np.concatenate([np.arange(1, 46), np.arange(48, 91, 3)])
"""Steps of the grid that are learnt: each one up to 1.5 s, then every tenth of a second up to 3 s."""

_PEDESTRIAN = 5


@dataclass(frozen=True)
class TrackSet:
    """n tracks, M observed rows, S rows of futures.

    ``boxes`` (M, 4) centre and size over the image's; ``times_s``, ``unseen_s`` (M,); ``features`` (M, F), zero where
    there is none; track i is rows ``starts[i]`` to ``starts[i + 1]``, of class ``labels[i]``. ``truth`` (S, 4) has the
    futures on the grid, ``known`` (S,) where they are real; row m is at ``truth_rows[m]``, -1 where unknown, and its
    object's truth ends before ``truth_ends[m]``.
    """

    boxes: FloatArray
    times_s: FloatArray
    unseen_s: FloatArray
    features: FloatArray
    starts: IntArray
    labels: IntArray
    truth: FloatArray
    known: NDArray[np.bool_]
    truth_rows: IntArray
    truth_ends: IntArray

    @property
    def feature_size(self) -> int:
        return int(self.features.shape[1])

    def ends(self, length: int, stride: int) -> IntArray:
        """Rows at which ``length`` observations, every ``stride``-th, can end and the future is known."""
        first = np.repeat(self.starts[:-1], np.diff(self.starts))
        rows = np.arange(len(self.boxes))
        fits = rows - (length - 1) * stride >= first
        has_future = (self.truth_rows >= 0) & (self.truth_ends - self.truth_rows > GRID_FPS // 3)
        return np.flatnonzero(fits & has_future)


@dataclass(frozen=True)
class Windows:
    """N windows as tensors: ``boxes`` (N, L, 4), ``dt_s`` and ``unseen_s`` (N, L), ``features`` (N, L, F) or None,
    ``labels`` (N,), ``futures`` (N, T, 4), ``known`` (N, T), with T the length of ``GRID_STEPS``."""

    boxes: Tensor
    dt_s: Tensor
    unseen_s: Tensor
    features: Tensor | None
    labels: Tensor
    futures: Tensor
    known: Tensor


def windows_at(tracks: TrackSet, ends: IntArray, *, length: int, stride: int) -> Windows:
    """The windows whose last observation is row ``ends`` (N,)."""
    rows = ends[:, None] + np.arange(-(length - 1), 1) * stride
    times = tracks.times_s[rows]
    dt = np.concatenate([np.zeros((len(rows), 1)), np.diff(times, axis=1)], axis=1)
    steps = tracks.truth_rows[ends][:, None] + GRID_STEPS
    inside = steps < tracks.truth_ends[ends][:, None]
    steps = np.minimum(steps, tracks.truth_ends[ends][:, None] - 1)
    # What lies past the end is unknown; the last real box stands there and never counts.
    track_of_end = np.searchsorted(tracks.starts, ends, side="right") - 1
    return Windows(
        boxes=torch.from_numpy(tracks.boxes[rows]).float(),
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
        boxes=boxes,
        times_s=in_track / FRAME_RATE_FPS,
        unseen_s=np.zeros(count),
        features=np.zeros((count, 0), np.float32),
        starts=jaad.starts,
        labels=np.full(len(jaad.videos), _PEDESTRIAN),
        truth=boxes,
        known=np.ones(count, bool),
        truth_rows=np.arange(count),
        truth_ends=np.repeat(jaad.starts[1:], np.diff(jaad.starts)),
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
    series, valid, first_steps, offsets = _truth_series(truth, frame_times_s, image_size_px, max_gap_s)
    truth_times = np.array([frame_times_s[int(i)] for i in truth.frame_indices])
    columns: dict[str, list[NDArray[np.generic]]] = {
        name: [] for name in ("id", "box", "time", "unseen", "feature", "label", "truth")
    }
    for time_s, tracks in observed:
        present = truth[np.abs(truth_times - time_s) < 1e-6]
        matched = _match(tracks.boxes_xyxy_px, present.boxes_xyxy_px)
        objects = np.where(matched >= 0, present.ids[matched], -1) if len(present) else np.full(len(tracks), -1)
        for name, value in (
            ("id", tracks.ids),
            ("box", tracks.means[:, :4]),
            ("time", np.full(len(tracks), time_s)),
            ("unseen", tracks.unseen_s),
            ("feature", tracks.features),
            ("label", tracks.labels),
            ("truth", objects),
        ):
            columns[name].append(value)
    joined = {name: np.concatenate(values) for name, values in columns.items()}
    order = np.lexsort((joined["time"], joined["id"]))
    joined = {name: value[order] for name, value in joined.items()}
    ids, starts = np.unique(joined["id"], return_index=True)
    step = np.round(joined["time"] * GRID_FPS).astype(int)
    rows, ends = np.full(len(step), -1), np.zeros(len(step), int)
    for object_id, (offset, end) in offsets.items():
        mine = joined["truth"] == object_id
        rows[mine] = offset + step[mine] - first_steps[object_id]
        ends[mine] = end
    return TrackSet(
        boxes=joined["box"],
        times_s=joined["time"],
        unseen_s=joined["unseen"],
        features=joined["feature"].astype(np.float32),
        starts=np.append(starts, len(step)),
        labels=joined["label"][starts] if len(ids) else np.zeros(0, int),
        truth=series,
        known=valid,
        truth_rows=rows,
        truth_ends=ends,
    )


def _truth_series(
    truth: BoxTable, frame_times_s: dict[int, float], image_size_px: tuple[int, int], max_gap_s: float
) -> tuple[FloatArray, NDArray[np.bool_], dict[int, int], dict[int, tuple[int, int]]]:
    """Every object's boxes on the grid, where they are real, and per object its first step and range of rows."""
    boxes = to_centre_size(truth.boxes_xyxy_px, np.tile(image_size_px, (len(truth), 1)))
    times = np.array([frame_times_s[int(i)] for i in truth.frame_indices])
    series, valid, first_steps, offsets = [np.zeros((0, 4))], [np.zeros(0, bool)], {}, {}
    total = 0
    for object_id in np.unique(truth.ids):
        mine = truth.ids == object_id
        order = np.argsort(times[mine])
        at, box = times[mine][order], boxes[mine][order]
        steps = np.arange(round(at[0] * GRID_FPS), round(at[-1] * GRID_FPS) + 1)
        grid = steps / GRID_FPS
        after = np.clip(np.searchsorted(at, grid), 1, max(1, len(at) - 1))
        gap = at[after] - at[after - 1] if len(at) > 1 else np.full(len(grid), np.inf)
        nearest = np.abs(grid[:, None] - at).min(axis=1)
        series.append(np.stack([np.interp(grid, at, box[:, i]) for i in range(4)], axis=1))
        valid.append((gap <= max_gap_s) | (nearest <= 0.5 / GRID_FPS + 1e-6))
        first_steps[int(object_id)] = int(steps[0])
        offsets[int(object_id)] = (total, total + len(steps))
        total += len(steps)
    return np.concatenate(series), np.concatenate(valid), first_steps, offsets


def _match(boxes: FloatArray, truth: FloatArray) -> IntArray:
    """For each box the truth box that overlaps it best, -1 below an IoU of 0.5."""
    if not len(boxes) or not len(truth):
        return np.full(len(boxes), -1)
    iou = box_iou(boxes, truth)
    best: IntArray = iou.argmax(axis=1)
    return np.where(iou.max(axis=1) >= 0.5, best, -1)


def join(sets: Iterable[TrackSet]) -> TrackSet:
    """Several sets as one."""
    parts = list(sets)
    rows = np.cumsum([0] + [len(part.boxes) for part in parts])
    truths = np.cumsum([0] + [len(part.truth) for part in parts])
    starts = np.concatenate([part.starts[:-1] + row for part, row in zip(parts, rows, strict=False)] + [rows[-1:]])
    return TrackSet(
        **{
            name: np.concatenate([getattr(part, name) for part in parts])
            for name in ("boxes", "times_s", "unseen_s", "features", "labels", "truth", "known")
        },
        starts=starts,
        truth_rows=np.concatenate(
            [np.where(part.truth_rows >= 0, part.truth_rows + t, -1) for part, t in zip(parts, truths, strict=False)]
        ),
        truth_ends=np.concatenate([part.truth_ends + t for part, t in zip(parts, truths, strict=False)]),
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
