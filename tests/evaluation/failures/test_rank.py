"""Which failures are the worst, and which of them show the same thing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from support.evaluation_tables import Row, table

from perception.evaluation.failures.classify import MatchedDetections
from perception.evaluation.failures.rank import NEARBY_FRAMES, worst_failures, worst_false_alarms, worst_misses


def square(size: float, left: float = 0.0) -> tuple[float, float, float, float]:
    return (left, 0.0, left + size, size)


def test_the_largest_visible_object_is_the_worst_miss() -> None:
    misses = table([(0, 1, square(10)), (0, 2, square(30)), (0, 3, square(20))])
    assert worst_misses(misses, ids_span_cameras=False).ids.tolist() == [2, 3, 1]
    # A third of 900 square pixels is less than all of 400.
    hidden = replace(misses, visible_shares=np.array([1.0, 0.3, 1.0]))
    assert worst_misses(hidden, ids_span_cameras=False).ids.tolist() == [3, 2, 1]


def test_an_object_is_shown_once_where_it_was_easiest_to_see() -> None:
    misses = table([(0, 7, square(10)), (1, 7, square(12)), (2, 7, square(11)), (1, 8, square(5))])
    worst = worst_misses(misses, ids_span_cameras=False)
    assert list(zip(worst.ids.tolist(), worst.frame_indices.tolist(), strict=True)) == [(7, 1), (8, 1)]


def test_an_id_belongs_to_one_camera_unless_it_spans_them() -> None:
    misses = table([(0, 7, square(10)), (0, 7, square(12))], cameras=["front", "back"])
    assert worst_misses(misses, ids_span_cameras=False).cameras.tolist() == ["back", "front"]
    assert worst_misses(misses, ids_span_cameras=True).cameras.tolist() == ["back"]


def test_false_alarms_go_by_their_score() -> None:
    alarms = table([(0, -1, square(10, left)) for left in (0, 100, 200)], scores=[0.5, 0.9, 0.7])
    assert worst_false_alarms(alarms).scores.tolist() == [0.9, 0.7, 0.5]


def test_a_false_alarm_that_stays_or_wanders_is_shown_once() -> None:
    stays: list[Row] = [(frame, -1, square(20, 300)) for frame in range(0, 90, 5)]
    wanders: list[Row] = [(frame, -1, square(20, 2.0 * frame)) for frame in range(0, 40, 4)]
    scores = np.linspace(0.3, 0.6, len(stays) + len(wanders))
    worst = worst_false_alarms(table(stays + wanders, scores=scores.tolist()))
    assert worst.boxes_xyxy_px[:, 0].tolist() == [72.0, 300.0]
    assert worst.scores.tolist() == [scores[-1], scores[len(stays) - 1]]


def test_another_time_or_camera_is_another_location() -> None:
    late = NEARBY_FRAMES + 1
    alarms = table([(0, -1, square(20)), (late, -1, square(20))], scores=[0.5, 0.6])
    assert worst_false_alarms(alarms).frame_indices.tolist() == [late, 0]
    assert len(worst_false_alarms(replace(alarms, frame_indices=np.array([0, NEARBY_FRAMES])))) == 1
    elsewhere = replace(alarms, frame_indices=np.array([0, 1]), cameras=np.array(["front", "back"]))
    assert len(worst_false_alarms(elsewhere)) == 2


def test_the_last_frames_of_one_camera_are_not_next_to_the_first_of_another() -> None:
    alarms = table([(40, -1, square(20)), (0, -1, square(20))], scores=[0.5, 0.6], cameras=["a", "b"])
    assert len(worst_false_alarms(alarms)) == 2


def test_single_images_share_a_location_only_at_the_same_site() -> None:
    alarms = table([(number, -1, square(20)) for number in range(4)], scores=[0.4, 0.5, 0.6, 0.7], cameras="0/val")
    sites = {("0/val", 0): "crossing", ("0/val", 1): None, ("0/val", 2): "crossing", ("0/val", 3): None}
    assert worst_false_alarms(alarms, sites=sites).frame_indices.tolist() == [3, 2, 1]
    # Two in one image are one thing all the same.
    twice = table([(0, -1, square(20)), (0, -1, square(22))], scores=[0.4, 0.5], cameras="0/val")
    assert worst_false_alarms(twice, sites={("0/val", 0): None}).scores.tolist() == [0.5]


def test_so_many_at_most_and_how_many_there_are() -> None:
    truth = table([(0, number, square(10 + number, 100.0 * number)) for number in range(5)])
    alarms = table([(0, -1, square(10, 100.0 * number)) for number in range(3)], scores=[0.3, 0.4, 0.5])
    matched = MatchedDetections(truth, np.array([False, True, False, False, False]), alarms)
    failures = worst_failures(matched, count=2)
    assert failures.misses.ids.tolist() == [4, 3]
    assert failures.false_alarms.scores.tolist() == [0.5, 0.4]
    assert (failures.miss_count, failures.false_alarm_count) == (4, 3)


def test_nothing_failed() -> None:
    nothing = table([])
    failures = worst_failures(MatchedDetections(nothing, np.zeros(0, bool), nothing), count=3)
    assert (len(failures.misses), len(failures.false_alarms)) == (0, 0)
