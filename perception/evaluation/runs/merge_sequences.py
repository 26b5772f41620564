"""Several runs as if they were one over one long recording.

Identities, frames and times of each are moved apart, so that nothing of one can be taken for something of another. All
metrics then count over all recordings, as their authors join sequences; intervals are over the objects of all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from perception.arrays import FloatArray, IntArray
from perception.errors import UsageError
from perception.evaluation.core.latency_statistics import WARMUP_INSTANT_COUNT
from perception.evaluation.core.records import InstantForecasts
from perception.evaluation.core.run_tables import RunTables, join_objects, join_tables
from perception.evaluation.core.timeline import Timeline
from perception.evaluation.runs.evaluated_run import EvaluatedRun
from perception.types import BoxTable, IgnoredRegions, ObjectTable

_PAUSE_NS = 60_000_000_000
"""Longer than any forecast: no future reaches into the next recording."""


@dataclass(frozen=True)
class _Shift:
    """What is added to the frames, instants, times and identities of one run."""

    frames: int = 0
    instants: int = 0
    time_ns: int = 0
    truth_ids: int = 0
    box_ids: int = 0
    track_ids: int = 0


def merge_runs(runs: Sequence[EvaluatedRun], *, title: str) -> EvaluatedRun:
    """One run that holds all of ``runs``; a single one as it is.

    Raises ``UsageError`` where some are on the ground and others are not, ``ValueError`` without any.
    """
    if not runs:
        raise ValueError("runs: expected at least one, got none")
    if len(runs) == 1:
        return replace(runs[0], title=title)
    kinds = {(run.run.objects is None, run.objects is None, run.gt_records is None, run.run.lacks) for run in runs}
    if len(kinds) > 1:
        raise UsageError(
            "The recordings are not of one kind (some have calibrated cameras, objects3d.csv, tracks or detections, "
            "others do not): "
            "evaluate them one by one."
        )
    shift, moved = _Shift(), []
    for run in runs:
        first_ns, last_ns = _span_ns(run)
        shift = replace(shift, time_ns=shift.time_ns - first_ns)
        moved.append(_moved(run, shift))
        shift = _Shift(
            frames=shift.frames + _frame_count(run),
            instants=shift.instants + len(run.timeline.timestamps_ns),
            time_ns=shift.time_ns + last_ns + _PAUSE_NS,
            truth_ids=shift.truth_ids + _id_count(run.truth.ids, *([] if run.objects is None else [run.objects.ids])),
            box_ids=shift.box_ids + _id_count(run.by_instant.ids),
            track_ids=shift.track_ids
            + _id_count(
                run.run.tracks.ids,
                *([] if run.run.objects is None else [run.run.objects.ids]),
                *(r.track_ids for r in run.run.records),
            ),
        )
    return _joined(moved, title)


def _joined(runs: Sequence[EvaluatedRun], title: str) -> EvaluatedRun:
    tracked = [run.run.objects for run in runs if run.run.objects is not None]
    objects = [run.objects for run in runs if run.objects is not None]
    gt_records = [record for run in runs for record in run.gt_records or ()]
    return EvaluatedRun(
        title=title,
        run=RunTables(
            detections=join_tables([run.run.detections for run in runs]),
            tracks=join_tables([run.run.tracks for run in runs]),
            records=tuple(record for run in runs for record in run.run.records),
            # Each run warms up; the report leaves out the first one's start itself.
            stage_ms=(
                *runs[0].run.stage_ms,
                *(times for run in runs[1:] for times in run.run.stage_ms[WARMUP_INSTANT_COUNT:]),
            ),
            objects=join_objects(tracked) if tracked else None,
            lacks=runs[0].run.lacks,
        ),
        truth=join_tables([run.truth for run in runs]),
        by_instant=join_tables([run.by_instant for run in runs]),
        timeline=_joined_timeline([run.timeline for run in runs]),
        objects=join_objects(objects) if objects else None,
        gt_records=tuple(gt_records) if runs[0].gt_records is not None else None,
        ignored=IgnoredRegions.joined([run.ignored for run in runs]),
        notes=tuple(dict.fromkeys(note for run in runs for note in run.notes)),
    )


def _joined_timeline(timelines: Sequence[Timeline]) -> Timeline:
    """Of timelines whose frames already follow one another."""
    frames: dict[str, NDArray[np.int64]] = {}
    for timeline in timelines:
        for camera, of_frame in timeline.instant_of_frame.items():
            before = frames.get(camera, np.zeros(0, np.int64))
            frames[camera] = np.concatenate([before, of_frame[len(before) :]])
    return Timeline(
        timestamps_ns=np.concatenate([timeline.timestamps_ns for timeline in timelines]),
        instant_of_frame=frames,
        image_sizes_px={name: size for timeline in timelines for name, size in timeline.image_sizes_px.items()},
        vehicle_poses={instant: pose for timeline in timelines for instant, pose in timeline.vehicle_poses.items()},
    )


def _moved(run: EvaluatedRun, shift: _Shift) -> EvaluatedRun:
    true_ids = shift.truth_ids if run.on_the_ground else shift.box_ids
    timeline = run.timeline
    return EvaluatedRun(
        title=run.title,
        run=RunTables(
            detections=_moved_boxes(run.run.detections, shift.frames, 0),
            tracks=_moved_boxes(run.run.tracks, shift.frames, shift.track_ids),
            records=tuple(_moved_record(record, shift, shift.track_ids) for record in run.run.records),
            stage_ms=run.run.stage_ms,
            objects=_moved_objects(run.run.objects, shift.time_ns, shift.track_ids),
            lacks=run.run.lacks,
        ),
        truth=_moved_boxes(run.truth, shift.frames, shift.truth_ids),
        by_instant=_moved_boxes(run.by_instant, shift.instants, shift.box_ids),
        timeline=Timeline(
            timestamps_ns=timeline.timestamps_ns + shift.time_ns,
            instant_of_frame={
                camera: np.concatenate(
                    [np.full(shift.frames, -1, np.int64), np.where(instants >= 0, instants + shift.instants, -1)]
                )
                for camera, instants in timeline.instant_of_frame.items()
            },
            image_sizes_px=timeline.image_sizes_px,
            vehicle_poses=_moved_poses(timeline, shift.instants),
        ),
        objects=_moved_objects(run.objects, shift.time_ns, shift.truth_ids),
        gt_records=None
        if run.gt_records is None
        else tuple(_moved_record(record, shift, true_ids) for record in run.gt_records),
        ignored=replace(run.ignored, frame_indices=run.ignored.frame_indices + shift.frames),
        notes=run.notes,
    )


def _moved_poses(timeline: Timeline, instants: int) -> dict[int, FloatArray]:
    """A recording without any pose stands still in its own world, also among others that move."""
    poses = timeline.vehicle_poses or dict.fromkeys(range(len(timeline.timestamps_ns)), np.eye(4))
    return {instant + instants: pose for instant, pose in poses.items()}


def _moved_boxes(table: BoxTable, frames: int, ids: int) -> BoxTable:
    return replace(table, frame_indices=table.frame_indices + frames, ids=table.ids + ids)


def _moved_objects(table: ObjectTable | None, time_ns: int, ids: int) -> ObjectTable | None:
    if table is None:
        return None
    return replace(table, timestamps_ns=table.timestamps_ns + time_ns, ids=table.ids + ids)


def _moved_record(record: InstantForecasts, shift: _Shift, ids: int) -> InstantForecasts:
    return replace(
        record,
        frame_index=record.frame_index + shift.instants,
        timestamp_ns=record.timestamp_ns + shift.time_ns,
        track_ids=record.track_ids + ids,
        forecasts=replace(record.forecasts, track_ids=record.forecasts.track_ids + ids),
    )


def _span_ns(run: EvaluatedRun) -> tuple[int, int]:
    """The first and the last time that the run or its truth speaks of."""
    own = [run.timeline.timestamps_ns] + ([] if run.objects is None else [run.objects.timestamps_ns])
    times_ns = np.concatenate([np.zeros(0, np.int64), *own])
    return (int(times_ns.min()), int(times_ns.max())) if len(times_ns) else (0, 0)


def _frame_count(run: EvaluatedRun) -> int:
    own = [len(of_frame) for of_frame in run.timeline.instant_of_frame.values()]
    tables = (run.truth, run.run.tracks, run.run.detections)
    return max([*own, *(int(table.frame_indices.max(initial=-1)) + 1 for table in tables)], default=0)


def _id_count(*ids: IntArray) -> int:
    """One more than the largest."""
    return max((int(some.max(initial=-1)) for some in ids), default=-1) + 1
