"""Drives as tracks with true futures, on the ground, in metres."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from perception.arrays import FloatArray, IntArray
from perception.forecasting.track_dataset import GROUND_GRID, TrackSet
from perception.forecasting.trajectory_gru import motion_of
from perception.training.forecaster.tracks.image_tracks import Instant, TrueFutures, with_futures
from perception.types import ObjectTable, Tracks

ObservedInstant = tuple[int, Tracks, "FloatArray | None"]
"""``timestamp_ns``, the tracks of the ground frame that our tracker had then, ``world_from_vehicle`` (4, 4) or None."""

CLASS_GROUPS = np.array([0, 0, 0, 1, 1, 2])
"""Of each label: vehicles, two-wheelers, people. A track learns the future of an object of its own group only."""

_NEAREST_M, _NEAREST_SHARE = 2.0, 0.15
_SAME_INSTANT_S = 0.01


def from_drive(
    objects: ObjectTable, observed: Sequence[ObservedInstant], *, max_gap_s: float = 0.6, same_ids: bool = False
) -> TrackSet:
    """``observed`` instants of a drive whose true ``objects`` are known in the same world.

    A track takes the future of the nearest true object of its group of classes, if that is at most 2 m, or 15 % of its
    distance from the car, away at that instant; with ``same_ids``, where the objects were made of the tracks
    themselves, its own. Between rows at most ``max_gap_s`` apart the truth is interpolated.
    """
    start_ns = min([int(objects.timestamps_ns.min())] if len(objects) else [observed[0][0]])
    truth_times = (objects.timestamps_ns - start_ns) * 1e-9
    motion = motion_of("ground")
    instants = []
    for timestamp_ns, tracks, world_from_vehicle in observed:
        time_s = (timestamp_ns - start_ns) * 1e-9
        present = objects[np.abs(truth_times - time_s) < _SAME_INSTANT_S]
        car_m = np.zeros(2) if world_from_vehicle is None else world_from_vehicle[:2, 3]
        true_ids = tracks.ids if same_ids else true_objects(tracks, present, car_m)
        instants.append(Instant(time_s, tracks, motion.observe(tracks, world_from_vehicle), true_ids))
    ids, centres_m = objects.ids, objects.centres_m[:, :2]
    futures = TrueFutures.on_grid(GROUND_GRID, ids, truth_times, centres_m, max_gap_s=max_gap_s)
    return with_futures(instants, futures)


def true_objects(tracks: Tracks, present: ObjectTable, car_m: FloatArray) -> IntArray:
    """(N,): the id of the true object that each track is, -1 where none is near enough; ``car_m`` (2,) the car."""
    if not len(present) or not len(tracks):
        return np.full(len(tracks), -1)
    positions_m = tracks.positions
    apart_m = np.linalg.norm(positions_m[:, None] - present.centres_m[None, :, :2], axis=2)
    apart_m[CLASS_GROUPS[tracks.labels][:, None] != CLASS_GROUPS[present.labels]] = np.inf
    limit_m = np.maximum(_NEAREST_M, _NEAREST_SHARE * np.linalg.norm(positions_m - car_m, axis=1))
    return np.where(apart_m.min(axis=1) <= limit_m, present.ids[apart_m.argmin(axis=1)], -1)
