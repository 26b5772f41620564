"""HOTA, IDF1 and CLEAR on the ground."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.ground_runs import FRAME_NS, SyntheticDrive, line, turn
from support.trackeval_oracle import assert_equal_to_trackeval, position_similarity, scores_of, sequence

from perception.errors import UsageError
from perception.evaluation.core.ground_truth import (
    GroundScope,
    GroundTable,
    tracked_objects,
    true_objects,
    vehicle_positions_m,
)
from perception.evaluation.core.table_boxes import Grouping
from perception.evaluation.tracking.ground import GroundTrackingReport, evaluate_ground_tracking

SCOPE = GroundScope()
AHEAD = line((0.0, 0.0), (20.0, 0.0))


def ground_table(rows: list[tuple[int, int, float, float]], *, counts: bool | list[bool] = True) -> GroundTable:
    """Rows of instant, id, x and y; the recording car stands at the origin."""
    count = len(rows)
    return GroundTable(
        instants=np.array([row[0] for row in rows], np.int64),
        ids=np.array([row[1] for row in rows], np.int64),
        labels=np.zeros(count, np.int64),
        positions_m=np.array([row[2:] for row in rows], np.float64).reshape(count, 2),
        vehicle_m=np.zeros((count, 2)),
        counts=np.broadcast_to(np.array(counts, bool), (count,)).copy(),
        object_rows=np.arange(count),
    )


def random_tables(rng: np.random.Generator, *, instants: int = 15, objects: int = 7) -> tuple[GroundTable, GroundTable]:
    """Objects on their ways, and tracks of a mediocre tracker: moved, missed, renamed, invented."""
    starts, steps = rng.uniform(-20, 20, (objects, 2)), rng.normal(0, 1, (objects, 2))
    truth = ground_table(
        [
            (instant, identity, *(starts[identity] + instant * steps[identity]))
            for instant in range(instants)
            for identity in range(objects)
            if rng.uniform() < 0.8
        ]
    )
    kept = truth[rng.uniform(size=len(truth)) < 0.8]
    ids = np.where(rng.uniform(size=len(kept)) < 0.15, kept.ids + 100 + kept.instants, kept.ids + 50)
    moved = kept.positions_m + rng.normal(0, rng.uniform(0.1, 2.0), (len(kept), 2))
    return truth, replace(kept, ids=ids, positions_m=moved)


def evaluate(truth: GroundTable, tracks: GroundTable, *, grouping: Grouping = "each") -> GroundTrackingReport:
    return evaluate_ground_tracking(truth=truth, tracks=tracks, scope=SCOPE, instant_count=15, grouping=grouping)


@pytest.mark.parametrize("seed", range(10))
def test_equals_trackeval(seed: int) -> None:
    truth, tracks = random_tables(np.random.default_rng(seed))
    sides = [(table.instants, table.ids, table.positions_m) for table in (truth, tracks)]
    theirs = scores_of({"drive": sequence(*sides, position_similarity)})
    assert_equal_to_trackeval(evaluate(truth, tracks).overall, theirs)


def test_likeness_falls_with_the_distance() -> None:
    truth = ground_table([(instant, 1, 20.0, 0.0) for instant in range(4)])
    for away_m, hota, mota in ((0.0, 1.0, 1.0), (1.0, 15 / 19, 1.0), (1.9, 10 / 19, 1.0), (2.1, 9 / 19, -1.0)):
        scores = evaluate(truth, replace(truth, positions_m=truth.positions_m + np.array([0.0, away_m]))).overall
        # All 19 thresholds up to the similarity are met.
        assert (scores.hota, scores.mota) == pytest.approx((hota, mota))
    assert evaluate(truth, replace(truth, positions_m=truth.positions_m + 4.0)).overall.hota == 0.0


def test_who_follows_what_does_not_count_is_neither_right_nor_wrong() -> None:
    near = [(instant, 1, 20.0, 0.0) for instant in range(4)]
    hidden = [(instant, 2, 30.0, 0.0) for instant in range(4)]
    truth = ground_table(near + hidden, counts=[True] * 4 + [False] * 4)
    for tracks in (ground_table(near + hidden), ground_table(near)):
        report = evaluate(truth, tracks)
        assert (report.overall.hota, report.overall.mota) == pytest.approx((1.0, 1.0))
        assert (report.ignored_truth_count, report.ignored_result_count) == (4, len(tracks) - 4)
    # Where nothing is, a track is an alarm, but not further away than anybody asked.
    invented = [(0, 9, 40.0, 0.0), (1, 9, 90.0, 0.0)]
    report = evaluate(truth, ground_table(near + invented, counts=[True] * 5 + [False]))
    assert (report.overall.false_positive_count, report.ignored_result_count) == (1, 1)


def test_one_identity_across_cameras_is_what_counts() -> None:
    drive = SyntheticDrive({1: turn(8.0, (10.0, -12.0), 0.8), 2: AHEAD}, instants=60)
    kept = drive.evaluated(drive.scenes())
    renamed = drive.evaluated(drive.scenes(identity=lambda instant, identity: identity + 10 * (instant >= 30)))
    for evaluated, expected in ((kept, 1.0), (renamed, 0.5)):
        assert evaluated.run.objects is not None
        tracks = tracked_objects(objects=evaluated.run.objects, timeline=evaluated.timeline, scope=SCOPE)
        scores = evaluate(evaluated.ground_truth(SCOPE), tracks).overall
        assert scores.det_a == pytest.approx(1.0)
        assert scores.ass_a == pytest.approx(expected, abs=0.01)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_names_order_and_the_origin_of_the_world_do_not_matter(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth, tracks = random_tables(rng, instants=6, objects=4)
    expected = evaluate(truth, tracks).overall
    angle = rng.uniform(0, 2 * np.pi)
    turned = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    others = [
        replace(table, positions_m=table.positions_m @ turned.T + [500.0, -70.0])[rng.permutation(len(table))]
        for table in (truth, tracks)
    ]
    names = rng.permutation(1000)
    found = evaluate(others[0], replace(others[1], ids=names[others[1].ids])).overall
    assert (found.hota, found.idf1, found.mota) == pytest.approx((expected.hota, expected.idf1, expected.mota))


def test_classes_and_vehicles_as_one() -> None:
    truth = ground_table([(0, 1, 20.0, 0.0), (0, 2, 30.0, 0.0)])
    truth = replace(truth, labels=np.array([0, 5]))
    as_truck = replace(truth, labels=np.array([1, 5]))
    each = evaluate(truth, as_truck)
    assert set(each.per_class) == {"car", "truck", "pedestrian"}
    assert each.overall.false_positive_count == each.overall.false_negative_count == 1
    as_one = evaluate(truth, as_truck, grouping="vehicles")
    assert as_one.overall.mota == 1.0
    assert (as_one.other_class_truth_count, as_one.other_class_result_count) == (1, 1)


def test_an_object_counts_where_a_camera_sees_it_well_enough_and_near() -> None:
    drive = SyntheticDrive({1: AHEAD, 2: line((0.0, 0.0), (70.0, 0.0)), 3: line((0.0, 0.0), (0.0, 30.0))}, instants=4)
    shares = {0: 1.0, 1: 0.5, 2: 0.49, 3: 0.0}
    truth = drive.boxes(visible=lambda instant, identity, camera: shares[instant] if identity == 1 else 1.0)
    table = drive.evaluated(drive.scenes(), truth=truth).ground_truth(SCOPE)
    counts = {identity: table.counts[table.ids == identity].tolist() for identity in (1, 2, 3)}
    assert counts == {1: [True, True, False, False], 2: [False] * 4, 3: [True] * 4}
    high = drive.evaluated(drive.scenes(), truth=truth).ground_truth(GroundScope(0.0, 20.0, 100.0))
    # 320 px * 1.6 m / 20 m = 26 px, at 70 m 7 px, at 30 m 17 px.
    assert {identity: high.counts[high.ids == identity].all() for identity in (1, 2, 3)} == {
        1: True,
        2: False,
        3: False,
    }


def test_objects_are_moved_to_the_time_of_the_instant() -> None:
    drive = SyntheticDrive({1: line((10.0, 0.0), (20.0, 0.0))}, instants=5)
    objects = drive.objects()
    late = replace(objects, timestamps_ns=objects.timestamps_ns + FRAME_NS // 4)
    table = true_objects(objects=late, truth=drive.boxes(), timeline=drive.timeline(), instants=[1, 3], scope=SCOPE)
    # What is said a quarter of a frame late was not yet so far at the instant.
    assert table.instants.tolist() == [1, 3]
    assert table.positions_m[:, 0] == pytest.approx([20.75, 22.75])
    slow = late[::2]
    assert true_objects(
        objects=slow, truth=drive.boxes(), timeline=drive.timeline(), instants=[0, 2], scope=SCOPE
    ).instants.tolist() == [0, 2]


def test_without_any_pose_the_car_stands_at_the_origin_and_with_some_the_others_are_unknown() -> None:
    drive = SyntheticDrive({1: AHEAD}, instants=3, car=line((5.0, 0.0), (0.0, 0.0)))
    timeline = drive.timeline()
    assert vehicle_positions_m(timeline)[:, 0] == pytest.approx([0.0, 0.5, 1.0])
    assert (vehicle_positions_m(replace(timeline, vehicle_poses={})) == 0).all()
    some = replace(timeline, vehicle_poses={0: timeline.vehicle_poses[0]})
    assert np.isnan(vehicle_positions_m(some)[1:]).all()
    table = true_objects(objects=drive.objects(), truth=drive.boxes(), timeline=some, instants=[0, 1], scope=SCOPE)
    assert table.counts.tolist() == [True, False]


def test_nothing_found_and_nothing_there() -> None:
    truth, nothing = ground_table([(0, 1, 20.0, 0.0)]), ground_table([])
    assert evaluate(truth, nothing).overall.hota == 0.0
    alarm = evaluate(nothing, truth).overall
    assert (alarm.hota, alarm.false_positive_count) == (None, 1)


def test_rejects_what_cannot_be() -> None:
    truth = ground_table([(0, 1, 20.0, 0.0), (0, 1, 25.0, 0.0)])
    with pytest.raises(UsageError, match="id 1 twice at instant 0"):
        evaluate(truth, truth[:1])
    drive = SyntheticDrive({1: AHEAD}, instants=3)
    objects = drive.objects()
    other = replace(objects, timestamps_ns=objects.timestamps_ns + 10**12)
    arguments = {"truth": drive.boxes(), "timeline": drive.timeline(), "instants": [0, 1], "scope": SCOPE}
    with pytest.raises(UsageError, match="none at any time of the run"):
        true_objects(objects=other, **arguments)
    with pytest.raises(UsageError, match="label 9"):
        true_objects(objects=replace(objects, labels=objects.labels + 9), **arguments)
    with pytest.raises(UsageError, match="times that the recording does not have"):
        tracked_objects(objects=other, timeline=drive.timeline(), scope=SCOPE)
    with pytest.raises(UsageError, match="greatest distance"):
        GroundScope(max_distance_m=0.0)
    with pytest.raises(UsageError, match="visible share"):
        GroundScope(min_visible_share=-0.1)
