"""Which class is taken for which, by hand-made cases; and the curves beside the scores that they are made of."""

from __future__ import annotations

import numpy as np
import pytest
from support.evaluation_tables import disturbed, random_table, table

from perception.evaluation.detection.average_precision import evaluate_detection
from perception.evaluation.detection.confusion import confusion_matrix, count_confusions, pair_classes
from perception.evaluation.tracking.image import evaluate_tracking

HERE, THERE, ELSEWHERE = (0, 0, 20, 20), (100, 0, 120, 20), (200, 0, 220, 20)
CAR, TRUCK = 0, 1


def test_objects_are_counted_by_the_class_they_were_detected_as() -> None:
    truth = table([(0, 1, HERE), (0, 2, THERE)], labels=[TRUCK, CAR])
    found = table([(0, 1, HERE), (0, 2, ELSEWHERE)], labels=[CAR, CAR], scores=[0.9, 0.8])
    pairs = pair_classes(truth=truth, detections=found, images={("front", 0)}, score_threshold=0.5)
    matrix = confusion_matrix([count_confusions(pairs)], score_threshold=0.5)
    assert matrix is not None
    assert matrix.class_names == ("car", "truck")
    assert matrix.counts == ((0, 0, 1), (1, 0, 0), (1, 0, 0))


def test_a_truth_without_classes_has_no_confusions() -> None:
    truth = table([(0, 1, HERE)])
    pairs = pair_classes(truth=truth, detections=truth, images={("front", 0)}, score_threshold=0.5, grouping="any")
    assert pairs is None and confusion_matrix([], score_threshold=0.5) is None


def test_means_of_the_curves_are_the_scores() -> None:
    rng = np.random.default_rng(3)
    truth = random_table(rng, frames=30, objects=20, labels=range(3))
    found = disturbed(rng, truth, jitter_px=3.0)
    detection = evaluate_detection(truth=truth, detections=found)
    assert detection.curves
    for name, curve in detection.curves.items():
        assert np.mean(curve.precision_50) == pytest.approx(detection.per_class[name].ap50, abs=1e-6)
    tracking = evaluate_tracking(truth=truth, tracks=found)
    assert tracking.hota_curve is not None
    assert np.mean(tracking.hota_curve.hota) == pytest.approx(tracking.overall.hota, abs=1e-6)
    assert np.mean(tracking.hota_curve.ass_a) == pytest.approx(tracking.overall.ass_a, abs=1e-6)
