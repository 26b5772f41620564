"""The parts of the traffic that need no SUMO: plans, bodies, parked cars, the choice of the recording car."""

from __future__ import annotations

import numpy as np
import pytest

from perception.arrays import FloatArray
from perception.errors import PerceptionError, UsageError
from perception.simulation.traffic import road_network
from perception.simulation.traffic.ego_selection import choose_recording_car
from perception.simulation.traffic.fleet import BODY_KINDS, draw_fleet
from perception.simulation.traffic.motion import ActorPoses, Bodies, Snapshot
from perception.simulation.traffic.parking import park
from perception.simulation.traffic.routes import StreetGraph
from perception.simulation.traffic.streets import SIDE_STREET, Street, StreetPlan, draw_plan
from perception.simulation.traffic.town import offset_line
from perception.simulation.world import BODIES, Lane
from perception.taxonomy import CLASSES

CAR, PEDESTRIAN = CLASSES.index("car"), CLASSES.index("pedestrian")
STEP_S = 0.1


def snapshot(fronts_m: FloatArray, yaws_rad: FloatArray, speed_mps: float, *, is_braking: bool = False) -> Snapshot:
    count = len(fronts_m)
    return Snapshot(
        rows=np.arange(count),
        fronts_m=np.asarray(fronts_m, dtype=float),
        yaws_rad=np.asarray(yaws_rad, dtype=float),
        speeds_mps=np.full(count, speed_mps),
        is_braking=np.full(count, is_braking),
        indicators=np.zeros(count, np.int64),
    )


def poses(centres_m: FloatArray, yaws_rad: FloatArray, speeds_mps: FloatArray, travelled_m: FloatArray) -> ActorPoses:
    count = len(centres_m)
    return ActorPoses(
        rows=np.arange(count),
        centres_m=np.asarray(centres_m, dtype=float),
        rear_axles_m=np.asarray(centres_m, dtype=float),
        yaws_rad=np.asarray(yaws_rad, dtype=float),
        speeds_mps=np.asarray(speeds_mps, dtype=float),
        travelled_m=np.asarray(travelled_m, dtype=float),
        is_braking=np.zeros(count, dtype=bool),
        indicators=np.zeros(count, np.int64),
    )


def test_every_body_of_the_world_has_a_size_and_every_class_a_body() -> None:
    assert set(BODY_KINDS) == set(BODIES)
    assert {kind.label for kind in BODY_KINDS.values()} == set(CLASSES)


def test_a_fleet_keeps_to_the_sizes_of_its_bodies() -> None:
    fleet = draw_fleet({"car": 200, "pedestrian": 100}, np.random.default_rng(0))
    assert (fleet.labels[:200] == CAR).all() and (fleet.labels[200:] == PEDESTRIAN).all()
    for body, size in zip(fleet.bodies, fleet.sizes_lwh_m, strict=True):
        kind = BODY_KINDS[BODIES[body]]
        for value, (low, high) in zip(size, (kind.length_m, kind.width_m, kind.height_m), strict=True):
            assert low - 0.01 <= value <= high + 0.01
    assert len(np.unique(fleet.appearance_seeds)) > 290


@pytest.mark.parametrize("seed", range(5))
def test_a_plan_is_connected_and_has_lights_and_several_kinds_of_streets(seed: int) -> None:
    plan = draw_plan(np.random.default_rng(seed))
    reached, border = {0}, [0]
    while border:
        at = border.pop()
        for street in plan.streets_at(at):
            for junction in (street.start, street.end):
                if junction not in reached:
                    reached.add(junction)
                    border.append(junction)
    assert len(reached) == len(plan.junctions_m)
    assert plan.is_lit.sum() >= 4
    assert len({street.kind.name for street in plan.streets}) >= 3
    size_m = plan.junctions_m.max(axis=0) - plan.junctions_m.min(axis=0)
    assert (size_m > 400).all() and (size_m < 1000).all()


def test_an_offset_line_keeps_its_distance_around_a_corner() -> None:
    line = np.array([[0.0, 0], [10, 0], [10, 10]])
    np.testing.assert_allclose(offset_line(line, 2.0), [[0, 2], [8, 2], [8, 10]], atol=1e-9)
    np.testing.assert_allclose(offset_line(line, -1.0)[1], [11, -1], atol=1e-9)


def test_a_standing_car_lies_behind_its_front_bumper() -> None:
    seen = Bodies(np.array([CAR]), np.array([4.0]), STEP_S).advance(snapshot([[10.0, 5.0]], [np.pi / 2], 0.0))
    np.testing.assert_allclose(seen.centres_m, [[10, 3]], atol=1e-9)
    np.testing.assert_allclose(seen.rear_axles_m, [[10, 5 - 0.8 * 4]], atol=1e-9)
    np.testing.assert_allclose(seen.yaws_rad, [np.pi / 2])
    np.testing.assert_allclose(seen.travelled_m, [0])


def test_the_rear_wheels_of_a_car_never_slip_sideways() -> None:
    """On a circle of radius R, the rear axle runs on a smaller one, and moves where the car points."""
    radius_m, speed_mps, length_m = 12.0, 6.0, 4.5
    bodies = Bodies(np.array([CAR]), np.array([length_m]), STEP_S)
    steps = [
        bodies.advance(
            snapshot(
                [[radius_m * np.cos(a), radius_m * np.sin(a)]], [a + np.pi / 2 - length_m / 2 / radius_m], speed_mps
            )
        )
        for a in np.arange(200) * speed_mps * STEP_S / radius_m
    ]
    axles_m = np.concatenate([step.rear_axles_m for step in steps])[-50:]
    yaws_rad = np.concatenate([step.yaws_rad for step in steps])[-50:]
    radii_m = np.linalg.norm(axles_m, axis=1)
    assert np.ptp(radii_m) < 0.01
    assert 10.0 < radii_m.mean() < 12.0
    moves_m = np.diff(axles_m, axis=0)
    middle_rad = yaws_rad[:-1] + ((yaws_rad[1:] - yaws_rad[:-1] + np.pi) % (2 * np.pi) - np.pi) / 2
    sideways_m = moves_m[:, 1] * np.cos(middle_rad) - moves_m[:, 0] * np.sin(middle_rad)
    assert np.abs(sideways_m).max() < 0.02


def test_a_shift_aside_becomes_a_way_that_can_be_walked() -> None:
    bodies = Bodies(np.array([PEDESTRIAN]), np.array([0.5]), STEP_S)
    bodies.advance(snapshot([[0.0, 0.0]], [0.0], 1.4))
    ways_m = [bodies.advance(snapshot([[0.14 * step, 1.0]], [0.0], 1.4)).centres_m[0] for step in range(1, 40)]
    moves_m = np.linalg.norm(np.diff(ways_m, axis=0), axis=1)
    assert moves_m.max() <= STEP_S * (1.25 * 1.4 + 0.4) + 1e-9
    assert abs(ways_m[-1][1] - 1.0) < 0.02


def test_who_is_set_to_another_position_has_not_travelled_there() -> None:
    bodies = Bodies(np.array([CAR]), np.array([4.0]), STEP_S)
    bodies.advance(snapshot([[0.0, 0.0]], [0.0], 5.0))
    moved = bodies.advance(snapshot([[100.0, 50.0]], [np.pi], 5.0))
    np.testing.assert_allclose(moved.centres_m, [[102, 50]], atol=1e-9)
    np.testing.assert_allclose(moved.travelled_m, [0])


def test_brake_lamps_do_not_flicker() -> None:
    bodies = Bodies(np.array([CAR]), np.array([4.0]), STEP_S)
    place, yaw = np.zeros((1, 2)), np.zeros(1)
    flicker = [bodies.advance(snapshot(place, yaw, 0, is_braking=step % 2 == 0)).is_braking[0] for step in range(6)]
    held = [bodies.advance(snapshot(place, yaw, 0, is_braking=True)).is_braking[0] for _ in range(4)]
    freed = [bodies.advance(snapshot(place, yaw, 0)).is_braking[0] for _ in range(8)]
    assert np.abs(np.diff(np.array(flicker, dtype=int))).sum() <= 1
    assert held[-1] and freed[0] and not freed[-1]


def test_between_two_steps_angles_take_the_short_way() -> None:
    here = poses([[0.0, 0]], [np.pi - 0.1], [2.0], [0.0])
    there = poses([[1.0, 2]], [-np.pi + 0.1], [4.0], [2.0])
    half = here.blended(there, 0.5)
    np.testing.assert_allclose(half.centres_m, [[0.5, 1]])
    np.testing.assert_allclose(np.abs(half.yaws_rad), [np.pi])
    np.testing.assert_allclose(half.speeds_mps, [3])


def test_who_is_gone_a_step_later_stays_where_it_was() -> None:
    here = poses([[0.0, 0], [5, 5]], [0.0, 1.0], [1.0, 1.0], [0.0, 0.0])
    there = poses([[1.0, 0]], [0.0], [1.0], [1.0])
    np.testing.assert_allclose(here.blended(there, 0.5).centres_m, [[0.5, 0], [5, 5]])


def test_parked_cars_stand_in_their_strip_one_behind_the_other() -> None:
    strip = Lane("park", np.array([[0.0, 0], [60, 0], [120, 0]]), 2.2)
    parked = park([strip, Lane("drive", np.array([[0.0, 3], [120, 3]]), 3.0)], np.random.default_rng(1))
    half_m = parked.cars.sizes_lwh_m[:, 0] / 2
    assert len(parked.cars) >= 4
    assert np.abs(parked.centres_m[:, 1]).max() < 0.1
    assert (parked.centres_m[0, 0] - half_m[0]) >= 4.9 and (parked.centres_m[-1, 0] + half_m[-1]) <= 112
    gaps_m = (parked.centres_m[1:, 0] - half_m[1:]) - (parked.centres_m[:-1, 0] + half_m[:-1])
    assert (gaps_m > 0.5).all()


def test_a_town_without_parking_has_no_parked_cars() -> None:
    assert len(park([Lane("drive", np.array([[0.0, 3], [120, 3]]), 3.0)], np.random.default_rng(1)).cars) == 0


def test_routes_avoid_streets_from_which_one_cannot_go_on() -> None:
    corners_m = np.array([[0.0, 0], [100, 0], [100, 100], [0, 100], [200, 0]])
    ends = [(0, 1), (1, 2), (2, 3), (3, 0), (1, 4)]
    streets = tuple(Street(a, b, SIDE_STREET, corners_m[[a, b]]) for a, b in ends)
    round_the_block = [("0-1", "1-2"), ("1-2", "2-3"), ("2-3", "3-0"), ("3-0", "0-1"), ("0-1", "1-4")]
    graph = StreetGraph(StreetPlan(corners_m, np.zeros(5, dtype=bool), streets), round_the_block)
    ways = graph.walk((0, 1), 900, np.ones(len(graph.ways)), np.random.default_rng(0))
    assert ways == [(0, 1), (1, 2), (2, 3), (3, 0)] * 2 + [(0, 1)]
    assert set(graph.drivable) == {(0, 1), (1, 2), (2, 3), (3, 0)}


def history(count: int) -> list[ActorPoses]:
    """Car 0 stands; car 1 drives straight and alone; car 2 drives, waits and turns; the rest stands along its way."""
    steps = []
    turned_rad, travelled_m = 0.0, 0.0
    for step in range(count):
        waits = 30 <= step % 100 < 45
        speed = 0.0 if waits else 8.0
        travelled_m += speed * STEP_S
        turned_rad += 0.0 if waits else 0.02
        centres_m = np.concatenate([[[500.0, 0]], [[-500, 8.0 * step * STEP_S]], [[travelled_m, 0]], CROWD_M])
        yaws_rad = np.concatenate([[0.0, np.pi / 2, turned_rad], np.zeros(len(CROWD_M))])
        speeds_mps = np.concatenate([[0.0, 8.0, speed], np.zeros(len(CROWD_M))])
        travelled = np.concatenate([[0.0, 8 * step * STEP_S, travelled_m], np.zeros(len(CROWD_M))])
        steps.append(poses(centres_m, yaws_rad, speeds_mps, travelled))
    return steps


CROWD_M = np.stack([np.linspace(0, 200, 60), np.full(60, 5.0)], axis=1)
ALL_CARS = np.zeros(63, dtype=np.int64)


def test_the_recording_car_is_the_one_with_most_to_see() -> None:
    steps = history(200)
    may_record = np.arange(63) < 3
    start, row = choose_recording_car(steps, ALL_CARS, may_record, 100, STEP_S, np.random.default_rng(0))
    assert row == 2
    assert 0 <= start <= 100 and steps[start].speeds_mps[2] > 0


def test_among_equals_the_car_beside_which_the_classes_vary_is_chosen() -> None:
    here = history(1)[0]
    twice = poses(
        np.concatenate([here.centres_m, here.centres_m + np.array([0, 1000])]),
        np.tile(here.yaws_rad, 2),
        np.tile(here.speeds_mps, 2),
        np.tile(here.travelled_m, 2),
    )
    labels = np.concatenate([ALL_CARS, np.arange(63) % len(CLASSES)])
    may_record = np.isin(np.arange(126), [2, 2 + 63])
    chosen = {
        choose_recording_car([twice], labels, may_record, 1, STEP_S, np.random.default_rng(i))[1] for i in range(9)
    }
    assert chosen == {2 + 63}


def test_only_cars_that_may_record_are_chosen() -> None:
    may_record = np.arange(63) == 0
    assert choose_recording_car(history(120), ALL_CARS, may_record, 100, STEP_S, np.random.default_rng(0))[1] == 0


def test_no_car_to_choose_is_an_error() -> None:
    with pytest.raises(PerceptionError, match="another seed"):
        choose_recording_car(history(120), ALL_CARS, np.zeros(63, dtype=bool), 100, STEP_S, np.random.default_rng(0))


def test_a_missing_sumo_is_reported_with_the_remedy() -> None:
    with pytest.raises(UsageError, match=r"pip install 'perception\[simulation\]'"):
        road_network.sumo_module("sumo_that_is_not_there")
