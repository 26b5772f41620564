"""A finished run's tables, read back for measuring."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from perception.arrays import FloatArray
from perception.evaluation.core.gt_interpolation import previous_rows
from perception.evaluation.core.records import InstantForecasts
from perception.evaluation.core.run_tables import RunTables, join_tables
from perception.geometry.rotation import unit_vectors
from perception.results import ForecastRecord, Results
from perception.state_layout import POSITION, STATE_SIZE, VELOCITY
from perception.types import ObjectTable

SAVED_VELOCITIES = (
    "A saved run does not hold the tracker's velocities: constant velocity goes with the saved speed along the heading."
)


def saved_tables(results: Results) -> RunTables:
    """What a run wrote. In the image the tracker's states are not there, on the ground they are made of its
    positions."""
    states = None if results.objects is None else _states(results, results.objects)
    rows = zip(*(values.tolist() for values in results.stage_ms.values()), strict=True)
    return RunTables(
        detections=join_tables(list(results.detections.values())),
        tracks=results.tracks,
        records=saved_records(results.forecasts, states),
        # A stage that an instant did not run is saved as 0.
        stage_ms=tuple({name: ms for name, ms in zip(results.stage_ms, row, strict=True) if ms} for row in rows),
        objects=results.objects,
    )


def saved_records(
    forecasts: Sequence[ForecastRecord], states: Sequence[FloatArray] | None = None
) -> tuple[InstantForecasts, ...]:
    """The forecasts of each instant; ``states`` (N, 8) of the tracks of each where they are known."""
    return tuple(
        InstantForecasts(
            frame_index=record.index,
            timestamp_ns=record.timestamp_ns,
            track_ids=record.forecasts.track_ids,
            boxes_xyxy_px=record.boxes_xyxy_px,
            cameras=record.cameras,
            image_sizes_px=record.image_sizes_px,
            forecasts=record.forecasts,
            state_means=state,
            detected_cameras=record.detected_cameras,
            ego_motions=record.ego_motions,
        )
        for record, state in zip(forecasts, [None] * len(forecasts) if states is None else states, strict=True)
    )


def _states(results: Results, objects: ObjectTable) -> Sequence[FloatArray]:
    """For each instant (N, 8): positions of the tracks and their velocities; sizes are zero.

    A track that is seen moves with its speed along its heading. One that is not is carried on by the tracker at its
    velocity, which is then the difference to the instant before.
    """
    records = results.forecasts
    counts = [len(record.forecasts) for record in records]
    ids = np.concatenate([np.zeros(0, np.int64), *(record.forecasts.track_ids for record in records)])
    positions = [np.zeros((0, 2)) if record.positions_m is None else record.positions_m for record in records]
    times_ns = np.repeat(np.array([record.timestamp_ns for record in records], np.int64), counts)
    states = np.zeros((len(ids), STATE_SIZE))
    states[:, POSITION] = np.concatenate([np.zeros((0, 2)), *positions])
    previous = previous_rows(cameras=np.zeros(len(ids), "U1"), ids=ids, timestamps_ns=times_ns)
    known = previous >= 0
    elapsed_s = (times_ns[known] - times_ns[previous[known]])[:, None] * 1e-9
    states[known, VELOCITY] = (states[known, POSITION] - states[previous[known], POSITION]) / elapsed_s
    seen = {key: row for row, key in enumerate(zip(objects.timestamps_ns.tolist(), objects.ids.tolist(), strict=True))}
    rows = np.array([seen.get(key, -1) for key in zip(times_ns.tolist(), ids.tolist(), strict=True)], np.int64)
    is_seen, rows = rows >= 0, rows[rows >= 0]
    states[is_seen, VELOCITY] = objects.speeds_mps[rows, None] * unit_vectors(objects.yaws_rad[rows])
    return np.split(states, np.cumsum(counts)[:-1]) if counts else []
