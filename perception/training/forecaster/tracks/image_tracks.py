"""Recordings as tracks with true futures, in the image: what our tracker observed, and what then happened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from perception.arrays import FloatArray, IntArray
from perception.forecasting.features.image_motion import ImageMotion
from perception.forecasting.track_dataset import IMAGE_GRID, CameraViews, Grid, TrackSet, same_width
from perception.geometry.boxes import normalized_cxcywh, pairwise_iou
from perception.geometry.turning import lens_of, pointing_at, pointings
from perception.types import BoxTable, EgoMotion, EgoMotions, Tracks

_MIN_KNOWN_SHARE = 0.9
"""Of the instants at which the camera's motion must be known."""


@dataclass(frozen=True)
class ObservedImage:
    """The ``tracks`` that our tracker had at a time, and how the camera moved since the time before, where known."""

    time_s: float
    tracks: Tracks
    ego_motions: EgoMotions | None = None


@dataclass(frozen=True)
class CameraPath:
    """How a camera pointed: ``world_from_camera`` (I, 3, 3) at ``times_s`` (I,); its ``lens`` (4,)."""

    times_s: FloatArray
    world_from_camera: FloatArray
    lens: FloatArray

    @classmethod
    def of(cls, times_s: Sequence[float], motions: Sequence[EgoMotion | None]) -> CameraPath | None:
        """From how the camera moved up to each time (I,); None where too little of that is known.

        In the few gaps it is taken not to turn.
        """
        known = [motion for motion in motions if motion is not None]
        if len(known) < _MIN_KNOWN_SHARE * (len(motions) - 1) or not known:
            return None
        path = pointings([None if motion is None else motion.now_from_before for motion in motions])
        lens = lens_of(known[0].camera_matrix, known[0].image_size_px)
        return cls(np.array(times_s), path, lens)

    def views(self, grid: Grid, steps: IntArray) -> CameraViews:
        """Of rows at the ``steps`` (S,) of the grid."""
        unique, rows = np.unique(steps, return_inverse=True)
        path = pointing_at(unique / grid.rate_fps, self.times_s, self.world_from_camera)
        return CameraViews(rows, path, np.tile(self.lens, (len(unique), 1)))


def from_recording(
    truth: BoxTable,
    frame_times_s: dict[int, float],
    image_size_px: tuple[int, int],
    observed: Sequence[ObservedImage],
    *,
    max_gap_s: float = 0.25,
    same_ids: bool = False,
    path: CameraPath | None = None,
) -> TrackSet:
    """One camera's recording: what our tracker had at each time.

    A track takes the future of the truth box that it overlaps by an IoU of at least 0.5 at that instant; with
    ``same_ids``, where the truth was made of the tracks themselves, its own. Between frames at most ``max_gap_s`` apart
    the truth is interpolated. With the camera's ``path`` its turning is taken out of the futures.
    """
    boxes = normalized_cxcywh(truth.boxes_xyxy_px, np.array(image_size_px))
    truth_times = np.array([frame_times_s[int(i)] for i in truth.frame_indices])
    instants = []
    for part in observed:
        present = truth[np.abs(truth_times - part.time_s) < 1e-6]
        objects = part.tracks.ids if same_ids else _true_ids(part.tracks.boxes_xyxy_px, present)
        seen = ImageMotion().observe(part.tracks, None, part.ego_motions)
        instants.append(Instant(part.time_s, part.tracks, seen, objects))
    futures = TrueFutures.on_grid(IMAGE_GRID, truth.ids, truth_times, boxes, max_gap_s=max_gap_s)
    tracks = with_futures(instants, futures)
    return tracks if path is None else replace(tracks, views=path.views(IMAGE_GRID, futures.steps))


def joined_motion(motions: Sequence[EgoMotion | None]) -> EgoMotion | None:
    """One after the other, as one; None where one of them is not known."""
    joined: EgoMotion | None = None
    for motion in motions:
        if motion is None:
            return None
        joined = motion if joined is None else motion.following(joined)
    return joined


def tracks_as_truth(seen: Sequence[tuple[int, Tracks]]) -> BoxTable:
    """Pairs of frame index and tracks as if they were the truth: pseudo-labels where nobody has labelled."""
    return BoxTable(
        frame_indices=np.concatenate([np.full(len(tracks), index) for index, tracks in seen]),
        ids=np.concatenate([tracks.ids for _, tracks in seen]),
        labels=np.concatenate([tracks.labels for _, tracks in seen]),
        scores=np.concatenate([tracks.scores for _, tracks in seen]),
        boxes_xyxy_px=np.concatenate([tracks.boxes_xyxy_px for _, tracks in seen]),
        cameras=np.concatenate([tracks.cameras for _, tracks in seen]),
    )


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

    @property
    def steps(self) -> IntArray:
        """(S,): the grid's step of each row."""
        lengths = np.diff(self.starts)
        in_object = np.arange(len(self.values)) - np.repeat(self.starts[:-1], lengths)
        steps: IntArray = np.repeat(self.first_steps, lengths) + in_object
        return steps

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
        features=same_width([part.features for part in tracks])[order].astype(np.float32),
        starts=np.append(starts, len(ids)),
        labels=labels[starts] if len(unique) else np.zeros(0, int),
        instants=np.repeat(np.arange(len(tracks)), [len(part) for part in tracks])[order],
        truth=futures.values,
        known=futures.known,
        truth_rows=rows[order],
        truth_ends=ends[order],
        grid=futures.grid,
    )


def _true_ids(boxes: FloatArray, present: BoxTable) -> IntArray:
    """For each box the id of the truth box that overlaps it best, -1 below an IoU of 0.5."""
    if not len(boxes) or not len(present):
        return np.full(len(boxes), -1)
    iou = pairwise_iou(boxes, present.boxes_xyxy_px)
    return np.where(iou.max(axis=1) >= 0.5, present.ids[iou.argmax(axis=1)], -1)
