"""COCO average precision, precision and recall."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.evaluation_tables import disturbed, random_table, read_motchallenge, table
from support.pycocotools_oracle import coco_scores

from perception.errors import UsageError
from perception.evaluation.detection.average_precision import evaluate_detection
from perception.geometry.boxes import pairwise_iou
from perception.taxonomy import CLASSES
from perception.types import BoxTable

A, B, FAR = (0.0, 0.0, 20.0, 20.0), (100.0, 0.0, 120.0, 20.0), (300.0, 300.0, 320.0, 320.0)
LOW = (200.0, 0.0, 208.0, 8.0)


def brute_force_average_precision(truth: BoxTable, detections: BoxTable, threshold: float) -> float:
    """COCO's 101-point average precision of one class, written down as slowly as it is defined."""
    taken: set[int] = set()
    hits: list[bool] = []
    for row in np.argsort(-detections.scores, kind="stable"):
        best, best_overlap = -1, threshold
        for candidate in range(len(truth)):
            same_image = truth.frame_indices[candidate] == detections.frame_indices[row]
            overlap = pairwise_iou(detections.boxes_xyxy_px[[row]], truth.boxes_xyxy_px[[candidate]])[0, 0]
            if same_image and candidate not in taken and overlap >= best_overlap:
                best, best_overlap = candidate, overlap
        taken.add(best)
        hits.append(best >= 0)
    found = np.cumsum(hits)
    recalls, precisions = found / len(truth), found / np.arange(1, len(hits) + 1)
    return float(np.mean([max(precisions[recalls >= level], default=0.0) for level in np.linspace(0, 1, 101)]))


@pytest.mark.parametrize("seed", range(6))
def test_average_precision_equals_brute_force(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = random_table(rng, frames=10, objects=5)
    found = disturbed(rng, truth, jitter_px=4.0)
    # Scores without ties: the order of equal scores is not part of the definition.
    found = replace(found, scores=rng.permutation(len(found)) / len(found))
    scores = evaluate_detection(truth=truth, detections=found).overall
    thresholds = np.linspace(0.5, 0.95, 10)
    assert scores.ap50 == pytest.approx(brute_force_average_precision(truth, found, 0.5), abs=1e-6)
    expected = np.mean([brute_force_average_precision(truth, found, threshold) for threshold in thresholds])
    assert scores.ap == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("seed", range(6))
def test_equals_pycocotools_on_random_boxes(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = random_table(rng, frames=15, objects=9, labels=(0, 1, 5), presence=rng.uniform(0.3, 1.0))
    detections = disturbed(rng, truth, jitter_px=rng.uniform(0, 12), extra=20)
    _assert_equal_to_pycocotools(truth, detections)


@pytest.mark.shared
def test_equals_pycocotools_on_the_motorway(shared_dir: Path) -> None:
    truth = read_motchallenge(shared_dir / "real/motorway/val_morning/gt.txt")
    _assert_equal_to_pycocotools(truth, disturbed(np.random.default_rng(0), truth, jitter_px=4.0, extra=200))


def _assert_equal_to_pycocotools(truth: BoxTable, detections: BoxTable) -> None:
    rng = np.random.default_rng(0)
    detections = replace(detections, scores=rng.uniform(size=len(detections)))
    report = evaluate_detection(truth=truth, detections=detections)
    oracle = coco_scores(truth, detections)
    assert oracle
    for label, expected in oracle.items():
        ours = report.per_class[CLASSES[label]]
        assert (ours.ap, ours.ap50, ours.ar) == pytest.approx(tuple(expected.values()), abs=1e-6)
    names = ("ap", "ap50", "ar")
    means = tuple(float(np.mean([expected[name] for expected in oracle.values()])) for name in names)
    assert (report.overall.ap, report.overall.ap50, report.overall.ar) == pytest.approx(means, abs=1e-6)


def test_perfect_detections_score_one_without_a_print(capsys: pytest.CaptureFixture[str]) -> None:
    truth = random_table(np.random.default_rng(0), labels=(0, 3, 5))
    report = evaluate_detection(truth=truth, detections=truth)
    assert set(report.per_class) == {"car", "motorcycle", "pedestrian"}
    for scores in (report.overall, *report.per_class.values()):
        shares = (scores.ap, scores.ap50, scores.ar, scores.precision, scores.recall, scores.recall_at_half_false_alarm)
        assert shares == pytest.approx((1.0,) * 6)
    assert capsys.readouterr().out == ""


def test_precision_and_recall_at_the_threshold() -> None:
    truth = table([(0, 1, A), (0, 2, B)])
    found = table([(0, 0, A), (0, 0, FAR), (0, 0, B)], scores=[0.9, 0.8, 0.3])
    at_half = evaluate_detection(truth=truth, detections=found).overall
    assert (at_half.precision, at_half.recall) == (0.5, 0.5)
    counts = (at_half.true_positive_count, at_half.false_positive_count, at_half.false_negative_count)
    assert counts == (1, 1, 1)
    low = evaluate_detection(truth=truth, detections=found, score_threshold=0.2).overall
    assert (low.precision, low.recall) == pytest.approx((2 / 3, 1.0))


def test_a_second_detection_of_the_same_object_is_a_false_alarm() -> None:
    found = table([(0, 0, A), (0, 0, (1.0, 0.0, 21.0, 20.0))], scores=[0.9, 0.8])
    scores = evaluate_detection(truth=table([(0, 1, A)]), detections=found).overall
    assert (scores.true_positive_count, scores.false_positive_count) == (1, 1)


def test_recall_at_half_a_false_alarm_per_image() -> None:
    truth = table([(frame, 1, A) for frame in range(4)])
    hits = [(frame, 0, A) for frame in range(4)]
    alarms = [(frame, 0, FAR) for frame in range(4)]
    # By falling score: hit, alarm, hit, alarm, hit, alarm, ... Two alarms in four images are allowed.
    found = table(
        [row for pair in zip(hits, alarms, strict=True) for row in pair],
        scores=[0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2],
    )
    assert evaluate_detection(truth=truth, detections=found).overall.recall_at_half_false_alarm == 0.75
    # With equal scores no threshold lies between a hit and an alarm: all four alarms or no hit.
    tied = replace(found, scores=np.full(8, 0.5))
    assert evaluate_detection(truth=truth, detections=tied).overall.recall_at_half_false_alarm == 0.0


def test_vehicles_as_one_class_forgive_the_wrong_name() -> None:
    truth = table([(0, 1, A), (0, 2, B), (0, 3, FAR)], labels=[0, 2, 5])
    found = table([(0, 0, A), (0, 0, B), (0, 0, FAR)], labels=[1, 2, 5])
    each = evaluate_detection(truth=truth, detections=found)
    assert each.per_class["car"].ap == 0.0
    assert each.per_class["truck"].ap is None
    assert each.overall.ap == pytest.approx(2 / 3)  # mean over car, bus and pedestrian, which the truth has
    vehicles = evaluate_detection(truth=truth, detections=found, grouping="vehicles")
    assert vehicles.overall.ap == 1.0
    assert (vehicles.other_class_truth_count, vehicles.other_class_detection_count) == (1, 1)


def test_objects_below_the_minimum_height_are_neither_miss_nor_false_alarm() -> None:
    truth = table([(0, 1, A), (0, 2, LOW)])
    missed = evaluate_detection(truth=truth, detections=table([(0, 0, A)]), min_height_px=10).overall
    assert (missed.recall, missed.precision, missed.ap, missed.ignored_truth_count) == (1.0, 1.0, 1.0, 1)
    higher = (200.0, -2.0, 208.0, 8.5)
    for other in (LOW, higher, (400.0, 0.0, 405.0, 5.0)):
        found = table([(0, 0, A), (0, 0, other)], scores=[0.8, 0.9])
        scores = evaluate_detection(truth=truth, detections=found, min_height_px=10).overall
        assert (scores.precision, scores.ap50, scores.ignored_detection_count) == (1.0, 1.0, 1)
    counted = evaluate_detection(truth=truth, detections=table([(0, 0, A)])).overall
    assert counted.recall == 0.5
    alarm = table([(0, 0, A), (0, 0, FAR)], scores=[0.8, 0.9])
    assert evaluate_detection(truth=truth, detections=alarm, min_height_px=10).overall.precision == 0.5


def test_hidden_objects_are_neither_miss_nor_false_alarm() -> None:
    truth = replace(table([(0, 1, A), (0, 2, B)]), visible_shares=np.array([0.5, 0.49]))
    for found in (table([(0, 0, A)]), table([(0, 0, A), (0, 0, B)], scores=[0.8, 0.9])):
        report = evaluate_detection(truth=truth, detections=found, min_visible_share=0.5)
        scores = report.overall
        assert (scores.recall, scores.precision, scores.ap, scores.ignored_truth_count) == (1.0, 1.0, 1.0, 1)
        assert scores.ignored_detection_count == len(found) - 1
        assert report.min_visible_share == 0.5
    assert evaluate_detection(truth=truth, detections=table([(0, 0, A)])).overall.recall == 0.5
    alarm = table([(0, 0, A), (0, 0, FAR)], scores=[0.8, 0.9])
    assert evaluate_detection(truth=truth, detections=alarm, min_visible_share=0.5).overall.precision == 0.5
    # Both limits hold together, and a truth that does not know what is visible counts all of it.
    both = evaluate_detection(truth=truth, detections=truth, min_visible_share=0.5, min_height_px=30).overall
    assert (both.truth_count, both.ignored_truth_count, both.ignored_detection_count) == (0, 2, 2)
    unknown = replace(truth, visible_shares=None)
    assert evaluate_detection(truth=unknown, detections=truth, min_visible_share=0.5).overall.truth_count == 2


def test_unmatched_detections_of_a_class_that_is_not_exhaustive_are_ignored() -> None:
    truth = table([(0, 1, A), (1, 1, A)])
    found = table([(0, 0, A), (0, 0, FAR), (1, 0, A), (1, 0, FAR)], scores=[0.8, 0.9, 0.8, 0.9])
    complete = evaluate_detection(truth=truth, detections=found)
    assert (complete.overall.precision, complete.overall.ap50) == pytest.approx((0.5, 0.5), abs=0.01)
    nowhere = {("front", 0): [5], ("front", 1): []}
    partial = evaluate_detection(truth=truth, detections=found, exhaustive_labels=nowhere)
    assert (partial.overall.precision, partial.overall.recall, partial.overall.ap50) == (1.0, 1.0, 1.0)
    assert partial.partly_labelled_image_count == 2
    assert partial.overall.ignored_detection_count == 2
    assert partial.overall.recall_at_half_false_alarm is None
    one = evaluate_detection(truth=truth, detections=found, exhaustive_labels={("front", 0): [0], ("front", 1): []})
    assert one.overall.precision == pytest.approx(2 / 3)
    assert one.per_class["car"].image_count == 1
    # As one class, an image counts as complete only where all kinds of vehicles are.
    only_cars = {("front", 0): [0], ("front", 1): [0, 1, 2]}
    merged = evaluate_detection(truth=truth, detections=found, grouping="vehicles", exhaustive_labels=only_cars)
    assert merged.overall.precision == pytest.approx(2 / 3)


def test_images_without_any_box_count_for_the_false_alarms() -> None:
    truth, found = table([(0, 1, A)]), table([(0, 0, FAR), (0, 0, A)], scores=[0.9, 0.8])
    assert evaluate_detection(truth=truth, detections=found).overall.recall_at_half_false_alarm == 0.0
    report = evaluate_detection(truth=truth, detections=found, images=[("front", 0), ("front", 1)])
    assert report.overall.recall_at_half_false_alarm == 1.0


def test_nothing_found_and_nothing_to_find() -> None:
    truth, nothing = table([(0, 1, A)]), table([])
    missed = evaluate_detection(truth=truth, detections=nothing).overall
    assert (missed.ap, missed.recall, missed.precision) == (0.0, 0.0, None)
    alarm = evaluate_detection(truth=nothing, detections=truth, images=[("front", 0)]).overall
    assert (alarm.ap, alarm.recall, alarm.precision) == (None, None, 0.0)
    empty = evaluate_detection(truth=nothing, detections=nothing, images=[])
    assert (empty.overall.ap, empty.image_count) == (None, 0)


def test_rejects_bad_input() -> None:
    truth = table([(0, 1, A)])
    with pytest.raises(UsageError, match=r"score threshold is 1\.5"):
        evaluate_detection(truth=truth, detections=truth, score_threshold=1.5)
    with pytest.raises(UsageError, match="minimum height is -1"):
        evaluate_detection(truth=truth, detections=truth, min_height_px=-1)
    with pytest.raises(UsageError, match=r"visible share is 1\.5"):
        evaluate_detection(truth=truth, detections=truth, min_visible_share=1.5)
    with pytest.raises(UsageError, match="no boxes"):
        evaluate_detection(truth=table([]), detections=truth)
    with pytest.raises(UsageError, match=r"camera 'front'.*same recording"):
        evaluate_detection(truth=replace(truth, cameras=np.array(["rear"])), detections=truth)
