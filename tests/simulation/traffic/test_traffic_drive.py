"""Whole drives by SUMO: what moves, where it moves, and that the same seed gives the same."""

from __future__ import annotations

import sys
import tempfile
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from perception.arrays import FloatArray
from perception.errors import UsageError
from perception.simulation.traffic.traffic_drive import open_traffic
from perception.simulation.world import BODIES, Lane, RoadUsers, Town, WorldState
from perception.taxonomy import CLASSES

pytestmark = pytest.mark.skipif(
    find_spec("libsumo") is None or find_spec("sumo") is None, reason="SUMO is not installed (extra [simulation])"
)

SEED, DURATION_S, FPS = 3, 4.0, 10.0
VEHICLES = 3
"""Labels below this are cars, trucks and buses."""


@pytest.fixture(scope="module")
def recorded() -> tuple[Town, list[WorldState]]:
    with open_traffic(SEED, DURATION_S, FPS) as open_drive:
        return open_drive.town, list(open_drive.states())


@pytest.fixture(scope="module")
def town(recorded: tuple[Town, list[WorldState]]) -> Town:
    return recorded[0]


@pytest.fixture(scope="module")
def states(recorded: tuple[Town, list[WorldState]]) -> list[WorldState]:
    return recorded[1]


def assert_same(one: WorldState, other: WorldState) -> None:
    for name in RoadUsers.__dataclass_fields__:
        np.testing.assert_allclose(getattr(one.road_users, name), getattr(other.road_users, name), atol=1e-6)
    np.testing.assert_allclose(one.town_from_vehicle, other.town_from_vehicle, atol=1e-6)
    assert one.signals == other.signals


def corners_m(centres_m: FloatArray, yaws_rad: FloatArray, sizes_m: FloatArray) -> FloatArray:
    """(N, 4, 2): the corners of the footprints."""
    along = np.stack([np.cos(yaws_rad), np.sin(yaws_rad)], axis=1)[:, None] * sizes_m[:, None, :1] / 2
    across = np.stack([-np.sin(yaws_rad), np.cos(yaws_rad)], axis=1)[:, None] * sizes_m[:, None, 1:2] / 2
    ahead, left = np.array([1, 1, -1, -1])[:, None], np.array([1, -1, -1, 1])[:, None]
    corners: FloatArray = centres_m[:, None] + ahead * along + left * across
    return corners


def is_inside(points_m: FloatArray, polygons: list[FloatArray]) -> np.ndarray:
    """(N,): whether a point lies in one of the polygons."""
    shapes = [polygon.astype(np.float32)[:, None] for polygon in polygons]
    return np.array(
        [any(cv2.pointPolygonTest(shape, (float(x), float(y)), False) >= 0 for shape in shapes) for x, y in points_m]
    )


def is_on(points_m: FloatArray, lanes: list[Lane], slack_m: float) -> np.ndarray:
    """(N,): whether a point lies on one of the lanes, or within ``slack_m`` of it."""
    found = np.zeros(len(points_m), dtype=bool)
    for lane in lanes:
        starts, ends = lane.centre_line_m[:-1], lane.centre_line_m[1:]
        along = ends - starts
        share = ((points_m[:, None] - starts) * along).sum(-1) / (along**2).sum(-1)
        nearest = starts + np.clip(share, 0, 1)[..., None] * along
        found |= np.linalg.norm(points_m[:, None] - nearest, axis=2).min(axis=1) < lane.width_m / 2 + slack_m
    return found


def test_there_are_as_many_instants_as_asked_for(states: list[WorldState]) -> None:
    np.testing.assert_allclose([state.time_s for state in states], np.arange(40) / 10)


def test_nobody_appears_or_vanishes_and_all_classes_are_there(states: list[WorldState]) -> None:
    users = states[0].road_users
    assert len(np.unique(users.ids)) == len(users)
    assert set(users.labels) == set(range(len(CLASSES)))
    assert users.appearance_seeds.dtype == np.uint32
    for state in states:
        for name in ("ids", "labels", "bodies", "appearance_seeds", "sizes_lwh_m"):
            np.testing.assert_array_equal(getattr(state.road_users, name), getattr(users, name))


def test_columns_have_the_shapes_of_the_contract(states: list[WorldState], town: Town) -> None:
    for state in states[::10]:
        users = state.road_users
        count = len(users)
        for name in RoadUsers.__dataclass_fields__:
            expected = (count, 3) if name in ("positions_m", "sizes_lwh_m") else (count,)
            assert getattr(users, name).shape == expected, name
        assert users.is_braking.dtype == bool
        assert set(users.indicators) <= {-1, 0, 1, 2}
        assert (users.bodies < len(BODIES)).all()
        assert (users.positions_m[:, 2] == 0).all()
        assert len(state.signals) == len(town.lights)
        assert set(state.signals) <= {"red", "red-yellow", "green", "yellow", "off"}


def test_nobody_jumps_and_the_way_adds_up(states: list[WorldState]) -> None:
    for before, after in pairwise(states):
        one, other = before.road_users, after.road_users
        moves_m = np.linalg.norm(other.positions_m - one.positions_m, axis=1)
        assert (moves_m <= 1.5 * np.maximum(one.speeds_mps, other.speeds_mps) / FPS + 0.15).all()
        assert (other.travelled_m >= one.travelled_m).all()


def test_the_recording_car_moves_as_a_car_can(states: list[WorldState]) -> None:
    poses = np.stack([state.town_from_vehicle for state in states])
    turned = poses[:, :3, :3]
    np.testing.assert_allclose(turned @ turned.transpose(0, 2, 1), np.tile(np.eye(3), (40, 1, 1)), atol=1e-9)
    np.testing.assert_array_equal(poses[:, 2, 3], 0)
    velocities = np.diff(poses[:, :2, 3], axis=0) * FPS
    accelerations = np.diff(velocities, axis=0) * FPS
    assert np.linalg.norm(velocities, axis=1).sum() / FPS > 3
    assert np.linalg.norm(accelerations, axis=1).max() < 9
    sideways_mps = velocities[:, 1] * poses[1:, 0, 0] - velocities[:, 0] * poses[1:, 1, 0]
    assert np.abs(sideways_mps).max() < 0.5


def test_nobody_stands_inside_the_recording_car(states: list[WorldState]) -> None:
    for state in states:
        users, pose = state.road_users, state.town_from_vehicle
        middle_m = pose[:2, 3] + 1.3 * pose[:2, 0]
        boxes = corners_m(users.positions_m[:, :2], users.yaws_rad, users.sizes_lwh_m)
        near = np.linalg.norm(users.positions_m[:, :2] - middle_m, axis=1) < 12
        assert not is_inside(middle_m[None], list(boxes[near])).any()


def test_vehicles_are_on_the_road_and_people_beside_it(states: list[WorldState], town: Town) -> None:
    users = states[-1].road_users
    positions_m = users.positions_m[:, :2]
    roads = [lane for lane in town.lanes if lane.use in ("drive", "cycle", "park")]
    pavements = [lane for lane in town.lanes if lane.use == "walk"]
    is_vehicle = users.labels < VEHICLES
    is_on_road = is_on(positions_m[is_vehicle], roads, 0.3) | is_inside(positions_m[is_vehicle], list(town.junctions_m))
    assert is_on_road.mean() > 0.98
    people_m = positions_m[users.labels == CLASSES.index("pedestrian")]
    beside = [*town.pavements_m, *town.crossings_m]
    assert (is_on(people_m, pavements, 0.3) | is_inside(people_m, beside)).mean() > 0.9
    assert is_on(people_m, pavements, 0.3).mean() > 0.5


def test_vehicles_point_along_the_lane_on_which_they_drive(states: list[WorldState], town: Town) -> None:
    users = states[-1].road_users
    moves = (users.speeds_mps > 3) & (users.labels < VEHICLES)
    positions_m, yaws_rad = users.positions_m[moves, :2], users.yaws_rad[moves]
    lanes = [lane for lane in town.lanes if lane.use == "drive"]
    starts = np.concatenate([lane.centre_line_m[:-1] for lane in lanes])
    along = np.concatenate([np.diff(lane.centre_line_m, axis=0) for lane in lanes])
    share = np.clip(((positions_m[:, None] - starts) * along).sum(-1) / (along**2).sum(-1), 0, 1)
    distances_m = np.linalg.norm(positions_m[:, None] - starts - share[..., None] * along, axis=2)
    nearest = distances_m.argmin(axis=1)
    angle_rad = np.arctan2(along[nearest, 1], along[nearest, 0]) - yaws_rad
    is_clear = distances_m.min(axis=1) < 0.8
    assert is_clear.sum() > 10
    assert np.median(np.cos(angle_rad[is_clear])) > 0.995
    assert (np.cos(angle_rad[is_clear]) > 0.5).mean() > 0.95


def test_lights_stand_at_the_right_kerb_and_face_the_drivers(town: Town) -> None:
    assert len(town.lights) >= 8
    ends_m = np.array([lane.centre_line_m[-1] for lane in town.lanes if lane.use == "drive"])
    along = np.array([lane.centre_line_m[-1] - lane.centre_line_m[-2] for lane in town.lanes if lane.use == "drive"])
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    for light in town.lights:
        nearest = np.linalg.norm(ends_m - light.position_m, axis=1).argmin()
        facing = np.array([np.cos(light.facing_rad), np.sin(light.facing_rad)])
        right = np.array([along[nearest, 1], -along[nearest, 0]])
        assert facing @ along[nearest] < -0.97
        assert 1.5 < (light.position_m - ends_m[nearest]) @ right < 6


def test_another_rate_shows_the_same_drive(states: list[WorldState]) -> None:
    with open_traffic(SEED, DURATION_S, 25.0) as again:
        finer = list(again.states())
    assert len(finer) == 100
    for index in range(0, 40, 2):
        assert_same(states[index], finer[index * 5 // 2])
    between = finer[1].town_from_vehicle[:2, 3]
    np.testing.assert_allclose(
        between, 0.6 * states[0].town_from_vehicle[:2, 3] + 0.4 * states[1].town_from_vehicle[:2, 3], atol=1e-6
    )


def test_another_seed_is_another_town_and_its_states_are_read_once(states: list[WorldState], town: Town) -> None:
    with open_traffic(SEED + 1, 0.1, 10.0) as other:
        assert not np.array_equal(other.town.junctions_m[0], town.junctions_m[0])
        (first,) = list(other.states())
        with pytest.raises(UsageError, match="read once"):
            next(other.states())
    assert len(first.road_users) != len(states[0].road_users) or not np.array_equal(
        first.road_users.appearance_seeds, states[0].road_users.appearance_seeds
    )


def test_drives_side_by_side_do_not_disturb_each_other() -> None:
    with open_traffic(1, 1.0, 10.0) as first:
        alone = list(first.states())
    with open_traffic(1, 1.0, 10.0) as first, open_traffic(2, 1.0, 10.0) as second:
        for expected, state, other in zip(alone, first.states(), second.states(), strict=True):
            assert_same(state, expected)
            assert not np.array_equal(other.town_from_vehicle, expected.town_from_vehicle)


def test_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    first = open_traffic(1, 1.0, 10.0)
    assert any(tmp_path.iterdir())
    first.close()
    first.close()
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("seed", "duration_s", "fps", "name"),
    [(0, 0.0, 10.0, "duration"), (0, float("nan"), 10.0, "duration"), (0, 5.0, 0.0, "fps"), (-1, 5.0, 10.0, "seed")],
)
def test_what_makes_no_drive_is_refused(seed: int, duration_s: float, fps: float, name: str) -> None:
    with pytest.raises(UsageError, match=name):
        open_traffic(seed, duration_s, fps)


def test_without_sumo_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "libsumo", None)
    with pytest.raises(UsageError, match=r"pip install 'perception\[simulation\]'"):
        open_traffic(0, 1.0, 10.0)
