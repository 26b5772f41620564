"""MatchedDetections object by object, the counts are those of precision and recall."""

from __future__ import annotations

import numpy as np
import pytest
from support.evaluation_tables import disturbed, random_table, table

from perception.evaluation.core.table_boxes import Grouping, image_keys
from perception.evaluation.detection.average_precision import evaluate_detection
from perception.evaluation.failures.classify import match_detections
from perception.types import BoxTable

BOX = (10.0, 10.0, 30.0, 30.0)
ELSEWHERE = (60.0, 10.0, 80.0, 30.0)


def random_case(seed: int) -> tuple[BoxTable, BoxTable]:
    rng = np.random.default_rng(seed)
    truth = random_table(rng, labels=(0, 1, 2, 5))
    found = disturbed(rng, truth, extra=30)
    labels = np.where(rng.uniform(size=len(found)) < 0.2, rng.integers(0, 6, len(found)), found.labels)
    return truth, BoxTable(**{**vars(found), "labels": labels})


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("grouping", ["vehicles", "each"])
def test_misses_and_false_alarms_are_as_many_as_the_report_counts(seed: int, grouping: Grouping) -> None:
    truth, found = random_case(seed)
    images = image_keys(truth) | image_keys(found)
    exhaustive = {key: {0, 1, 2} for key in sorted(images)[:4]}
    limits = {"score_threshold": 0.4, "min_height_px": 25.0, "exhaustive_labels": exhaustive}
    matched = match_detections(truth=truth, detections=found, images=images, grouping=grouping, **limits)
    scores = evaluate_detection(truth=truth, detections=found, images=images, grouping=grouping, **limits).overall
    assert len(matched.truth) == scores.truth_count
    assert matched.is_found.sum() == scores.true_positive_count
    assert len(matched.false_alarms) == scores.false_positive_count


def test_both_takes_vehicles_together_and_the_others_apart() -> None:
    truth = table([(0, 1, BOX), (0, 2, ELSEWHERE)], labels=[1, 5])
    found = table([(0, -1, BOX), (0, -1, ELSEWHERE)], labels=[0, 4], scores=0.9)
    images = image_keys(truth)
    both = match_detections(truth=truth, detections=found, images=images, grouping="both", score_threshold=0.25)
    # A truck found as a car is found; a pedestrian found as a bicycle is not. The labels stay those of the tables.
    assert both.truth.labels.tolist() == [1, 5]
    assert both.is_found.tolist() == [True, False]
    assert both.false_alarms.labels.tolist() == [4]
    each = match_detections(truth=truth, detections=found, images=images, grouping="each", score_threshold=0.25)
    assert each.is_found.tolist() == [False, False]
    assert each.false_alarms.labels.tolist() == [0, 4]
    vehicles = match_detections(truth=truth, detections=found, images=images, grouping="vehicles", score_threshold=0.25)
    assert vehicles.truth.ids.tolist() == [1]
    assert len(vehicles.false_alarms) == 0


def test_a_detection_below_the_threshold_finds_nothing_and_is_no_false_alarm() -> None:
    truth = table([(0, 1, BOX), (0, 2, ELSEWHERE)])
    found = table([(0, -1, BOX), (0, -1, (0, 50, 20, 70))], scores=[0.25, 0.24])
    matched = match_detections(
        truth=truth, detections=found, images={("front", 0)}, grouping="both", score_threshold=0.25
    )
    assert matched.is_found.tolist() == [True, False]
    assert len(matched.false_alarms) == 0


def test_what_counts_neither_way_is_left_out() -> None:
    truth = table([(0, 1, BOX), (0, 2, (60, 10, 80, 15)), (1, 3, BOX)])
    matched = match_detections(
        truth=truth,
        detections=table([(0, -1, (60, 10, 80, 15))]),
        images={("front", 0)},
        grouping="both",
        score_threshold=0.25,
        min_height_px=10,
    )
    # Object 2 is too low, 3 lies in an image that is not looked at.
    assert matched.truth.ids.tolist() == [1]
    assert len(matched.false_alarms) == 0


def test_without_any_box() -> None:
    nothing = table([])
    matched = match_detections(
        truth=nothing, detections=nothing, images={("front", 0)}, grouping="both", score_threshold=0.25
    )
    assert (len(matched.truth), len(matched.is_found), len(matched.false_alarms)) == (0, 0, 0)
