"""Simulated traffic, tracked as a real drive would be: cheap histories and true futures in any number."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from perception.arrays import FloatArray
from perception.evaluation.core.ground_truth import GroundTable
from perception.evaluation.runs.gt_tracks_ground import gt_ground_tracks
from perception.forecasting.track_dataset import TrackSet
from perception.geometry.cameras import Rig, inverse_rigid, transform_points, yaw_rad
from perception.simulation.traffic.traffic_drive import open_traffic
from perception.simulation.world import RoadUsers, WorldState
from perception.sources import read_rig
from perception.tracking import GroundTracker
from perception.training.forecaster.tracks.ground_tracks import from_drive
from perception.training.forecaster.tracks.simulated_detections import SimulatedDetector
from perception.types import Detections, ObjectTable

RATE_FPS = 10.0
SEEN_RANGE_M, TRUTH_RANGE_M = 60.0, 120.0


@dataclass(frozen=True)
class TrafficInstant:
    """What the cameras see at ``timestamp_ns`` from the car at ``world_from_vehicle`` (4, 4)."""

    timestamp_ns: int
    detections: list[Detections]
    world_from_vehicle: FloatArray


def track_traffic(
    seed: int, rig: str, *, duration_s: float, strides: tuple[int, ...] = (1,), with_gt_history: bool = False
) -> tuple[list[TrackSet], TrackSet | None]:
    """One simulated drive, tracked on the ground at every ``stride``-th instant of 10 per second.

    With ``with_gt_history`` the same drive follows with the true objects as tracks, else None. Raises ``UsageError``
    when SUMO is not installed or the ``rig`` (a name or a file) is unknown.
    """
    cameras, objects, instants = simulate_traffic(seed, read_rig(rig), duration_s=duration_s)
    return _tracked(cameras, objects, instants, strides), _gt_tracks(objects, instants) if with_gt_history else None


def _tracked(
    rig: Rig, objects: ObjectTable, instants: list[TrafficInstant], strides: tuple[int, ...]
) -> list[TrackSet]:
    sets = []
    for stride in strides:
        tracker = GroundTracker(rig)
        observed = []
        for instant in instants[::stride]:
            now_ns, pose = instant.timestamp_ns, instant.world_from_vehicle
            observed.append((now_ns, tracker.update(instant.detections, now_ns, pose), pose))
        sets.append(from_drive(objects, observed))
    return sets


def _gt_tracks(objects: ObjectTable, instants: list[TrafficInstant]) -> TrackSet:
    """The true objects as tracks: what a forecaster gets from a perfect tracker."""
    times_ns = np.array([instant.timestamp_ns for instant in instants])
    at = np.searchsorted(times_ns, objects.timestamps_ns)
    cars_m = np.stack([instant.world_from_vehicle[:2, 3] for instant in instants])
    table = GroundTable(
        instants=at,
        ids=objects.ids,
        labels=objects.labels,
        positions_m=objects.centres_m[:, :2],
        vehicle_m=cars_m[at],
        counts=np.ones(len(at), bool),
        object_rows=np.arange(len(at)),
    )
    tracks = gt_ground_tracks(
        objects=objects,
        truth=table,
        timestamps_ns=times_ns,
        instants=range(len(instants)),
        max_distance_m=SEEN_RANGE_M,
    )
    return from_drive(
        objects, [(instants[i].timestamp_ns, gt_tracks, instants[i].world_from_vehicle) for i, gt_tracks in tracks]
    )


def simulate_traffic(seed: int, rig: Rig, *, duration_s: float) -> tuple[Rig, ObjectTable, list[TrafficInstant]]:
    """The rig with the size of the simulated images, the true objects, and what the cameras see of them.

    The world is the car's own axes at the start.
    """
    detector = SimulatedDetector(rig, np.random.default_rng([seed, 1]))
    instants: list[TrafficInstant] = []
    tables: list[ObjectTable] = []
    with open_traffic(seed, duration_s, RATE_FPS) as traffic:
        for state in traffic.states():
            if not instants:
                world_from_town = inverse_rigid(state.town_from_vehicle)
            timestamp_ns = round(state.time_s * 1e9)
            seen = users_within(state, SEEN_RANGE_M)
            detections = detector.detect(seen, state.town_from_vehicle, state.time_s)
            instants.append(TrafficInstant(timestamp_ns, detections, world_from_town @ state.town_from_vehicle))
            tables.append(true_objects_of(users_within(state, TRUTH_RANGE_M), timestamp_ns, world_from_town))
    columns = {name: np.concatenate([getattr(table, name) for table in tables]) for name in vars(tables[0])}
    return detector.rig, ObjectTable(**columns), instants


def users_within(state: WorldState, range_m: float) -> RoadUsers:
    """The road users at most ``range_m`` from the car."""
    users = state.road_users
    near = np.linalg.norm(users.positions_m[:, :2] - state.town_from_vehicle[:2, 3], axis=1) <= range_m
    return replace(users, **{name: column[near] for name, column in vars(users).items()})


def true_objects_of(users: RoadUsers, timestamp_ns: int, world_from_town: FloatArray) -> ObjectTable:
    """The road users of an instant as ground truth in the world."""
    middles_m = users.positions_m + np.array([0, 0, 0.5]) * users.sizes_lwh_m
    return ObjectTable(
        timestamps_ns=np.full(len(users), timestamp_ns),
        ids=users.ids,
        labels=users.labels,
        scores=np.ones(len(users)),
        centres_m=transform_points(world_from_town, middles_m),
        sizes_lwh_m=users.sizes_lwh_m,
        yaws_rad=users.yaws_rad + yaw_rad(world_from_town),
        speeds_mps=users.speeds_mps,
    )
