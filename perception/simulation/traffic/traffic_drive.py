"""Traffic: a town full of road users, a recording car among them, instant by instant."""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

import numpy as np

from perception.arrays import FloatArray
from perception.errors import PerceptionError, UsageError
from perception.geometry.rotation import rotation_2d
from perception.simulation.traffic.ego_selection import choose_recording_car
from perception.simulation.traffic.fleet import RECORDING_BODIES, draw_fleet
from perception.simulation.traffic.motion import ActorPoses, Bodies
from perception.simulation.traffic.parking import park
from perception.simulation.traffic.road_network import build_network, require_sumo
from perception.simulation.traffic.routes import StreetGraph, write_routes
from perception.simulation.traffic.streets import draw_plan
from perception.simulation.traffic.sumo import STEP_S, Sumo
from perception.simulation.traffic.town import read_town
from perception.simulation.worker import Worker
from perception.simulation.world import BODIES, RoadUsers, SignalColour, Town, WorldState

_COUNTS = {"car": 66, "truck": 13, "bus": 9, "motorcycle": 16, "bicycle": 32, "pedestrian": 150}
_WARM_UP_S = 35.0
_SETTLE_S = 3.0
"""The bodies follow SUMO's points for this long before the first of them is seen."""
_LATEST_START_S = 20.0
_JUDGED_S = 20.0
"""A recording car is chosen by what it will do in this time, so a long drive is known only in its beginning."""
_MAX_FPS = 60.0

Step = tuple[ActorPoses, list[SignalColour]]
"""The bodies after one of SUMO's steps, and the colours of the lights."""


def open_traffic(seed: int, duration_s: float, fps: float) -> TrafficDrive:
    """Open the traffic of a drive: another ``seed``, another town and other road users.

    Raises ``UsageError`` for a duration or rate that makes no drive and when SUMO is not installed,
    ``PerceptionError`` when SUMO fails.
    """
    if not (math.isfinite(duration_s) and duration_s > 0):
        raise UsageError(f"duration: expected a positive number of seconds, got {duration_s:g}.")
    if not 0 < fps <= _MAX_FPS:
        raise UsageError(f"fps: expected more than 0 and at most {_MAX_FPS:g}, got {fps:g}.")
    if seed < 0:
        raise UsageError(f"seed: expected 0 or more, got {seed}.")
    require_sumo()
    return TrafficDrive(seed, duration_s, fps)


class TrafficDrive:
    """An open drive; use as a context manager or ``close`` it. Made by ``open_traffic``.

    Nobody appears or vanishes: all road users have been in the town since before the start, when it was given time to
    become busy. Of all cars, and beginnings within a short time, that one is recorded from which there is most to see.
    """

    def __init__(self, seed: int, duration_s: float, fps: float) -> None:
        self._count = max(1, round(duration_s * fps))
        self._fps = fps
        self._parts = ExitStack()
        try:
            folder = Path(self._parts.enter_context(tempfile.TemporaryDirectory(prefix="perception-traffic-")))
            # Streams of their own: more cars in a later version leave the towns as they are.
            streets, people, ways, kerbs, choices = np.random.default_rng(seed).spawn(5)
            plan = draw_plan(streets)
            network = build_network(plan, folder)
            self._sumo_town = read_town(network)
            self._fleet = draw_fleet(_COUNTS, people)
            self._parked = park(self.town.lanes, kerbs)
            routes = folder / "town.rou.xml"
            end_s = _WARM_UP_S + _LATEST_START_S + max(duration_s, _JUDGED_S) + 5
            graph = StreetGraph(plan, self._sumo_town.turns)
            write_routes(self._fleet, graph, routes, end_s=end_s, random=ways)
            # Otherwise libsumo prints a warning about pyarrow, which has no part in a drive.
            environment = {**os.environ, "LIBSUMO_AS_TRACI": "quiet"}
            sumo = Worker(Sumo, network, routes, seed, does="moves the traffic", environment=environment)
            self._sumo = self._parts.enter_context(sumo)
        except BaseException:
            self._parts.close()
            raise
        self._bodies = Bodies(self._fleet.labels, self._fleet.sizes_lwh_m[:, 0], STEP_S)
        self._may_record = np.isin(self._fleet.bodies, [BODIES.index(name) for name in RECORDING_BODIES])
        self._choices = choices
        self._car = 0
        self._is_started = False

    @property
    def town(self) -> Town:
        """The part of the world that does not move."""
        return self._sumo_town.town

    def __enter__(self) -> TrafficDrive:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the simulation and remove its temporary files; may be called twice."""
        self._parts.close()

    def states(self) -> Iterator[WorldState]:
        """The drive's instants, ``1 / fps`` apart, the first at 0 s; can be iterated over once.

        Raises ``PerceptionError`` when SUMO fails or the recording car is lost, ``UsageError`` the second time.
        """
        if self._is_started:
            raise UsageError("The states of a drive can be read once: open the drive again with the same seed.")
        self._is_started = True
        steps = self._steps()
        (now, signals), following = next(steps), None
        passed = 0
        for index in range(self._count):
            time_s = index / self._fps
            at_step = round(time_s / STEP_S, 6)
            while passed < int(at_step):
                now, signals = following or next(steps)
                following = None
                passed += 1
            share = at_step - passed
            if share > 0:
                following = following or next(steps)
                yield self._state(time_s, now.blended(following[0], share), signals)
            else:
                yield self._state(time_s, now, signals)

    def _steps(self) -> Iterator[Step]:
        """The world after each of SUMO's steps, from the recording's start on; chooses the recording car."""
        self._sumo.call(Sumo.step, round((_WARM_UP_S - _SETTLE_S) / STEP_S))
        for _ in range(round(_SETTLE_S / STEP_S)):
            self._advanced()
        judged = round(min(self._count / self._fps, _JUDGED_S) / STEP_S) + 1
        known = [self._advanced() for _ in range(round(_LATEST_START_S / STEP_S) + judged)]
        start, self._car = choose_recording_car(
            [poses for poses, _ in known], self._fleet.labels, self._may_record, judged, STEP_S, self._choices
        )
        yield from known[start:]
        del known
        while True:
            yield self._advanced()

    def _advanced(self) -> Step:
        snapshot, signals = self._sumo.call(Sumo.advance, self._sumo_town.signal_links)
        return self._bodies.advance(snapshot), signals

    def _state(self, time_s: float, poses: ActorPoses, signals: list[SignalColour]) -> WorldState:
        is_other = poses.rows != self._car
        if is_other.all():
            raise PerceptionError("The recording car got lost in the traffic; use another seed.")
        car = int(np.argmin(is_other))
        others = poses.rows[is_other]
        fleet, parked = self._fleet, self._parked
        count = len(parked.cars)
        centres_m = np.concatenate([poses.centres_m[is_other], parked.centres_m])
        users = RoadUsers(
            ids=np.concatenate([others, len(fleet) + np.arange(count)]),
            labels=np.concatenate([fleet.labels[others], parked.cars.labels]),
            bodies=np.concatenate([fleet.bodies[others], parked.cars.bodies]),
            appearance_seeds=np.concatenate([fleet.appearance_seeds[others], parked.cars.appearance_seeds]),
            positions_m=np.concatenate([centres_m, np.zeros((len(centres_m), 1))], axis=1),
            yaws_rad=np.concatenate([poses.yaws_rad[is_other], parked.yaws_rad]),
            sizes_lwh_m=np.concatenate([fleet.sizes_lwh_m[others], parked.cars.sizes_lwh_m]),
            speeds_mps=np.concatenate([poses.speeds_mps[is_other], np.zeros(count)]),
            is_braking=np.concatenate([poses.is_braking[is_other], np.zeros(count, dtype=bool)]),
            indicators=np.concatenate([poses.indicators[is_other], np.zeros(count, dtype=np.int64)]),
            travelled_m=np.concatenate([poses.travelled_m[is_other], np.zeros(count)]),
        )
        pose = _pose(poses.rear_axles_m[car], float(poses.yaws_rad[car]))
        return WorldState(time_s, users, pose, float(poses.speeds_mps[car]), signals)


def _pose(position_m: FloatArray, yaw_rad: float) -> FloatArray:
    """(4, 4): a car on the flat road at ``position_m`` (2,)."""
    pose = np.eye(4)
    pose[:2, :2] = rotation_2d(yaw_rad)
    pose[:2, 3] = position_m
    return pose
