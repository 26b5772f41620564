"""Weighted boxes fusion by hand."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from support.training_images import found_objects

from perception.taxonomy import CLASSES
from perception.training.detector.pseudo_labels import fuse_boxes
from perception.training.detector.pseudo_labels.fusion import MIN_IOU
from perception.types import Detections

CAR, TRUCK, BUS, MOTORCYCLE, BICYCLE, PEDESTRIAN = range(6)
ALL, PERSONS = [True] * 6, [False] * 5 + [True]


def fused(*detectors: Detections, known: list[list[bool]] | None = None) -> list[tuple[list[float], float, int]]:
    boxes, scores, labels = fuse_boxes(detectors, np.array(known or [ALL] * len(detectors)))
    return [
        ([round(side, 4) for side in box], round(score, 4), label)
        for box, score, label in zip(boxes.tolist(), scores.tolist(), labels.tolist(), strict=True)
    ]


def _random_detections(rng: np.random.Generator, count: int) -> Detections:
    starts = rng.uniform(0, 60, (count, 2))
    boxes = np.concatenate([starts, starts + rng.uniform(15, 60, (count, 2))], axis=1)
    scores, labels = rng.uniform(0.05, 0.95, count), rng.integers(0, 6, count)
    return found_objects(*zip(boxes.tolist(), scores.tolist(), labels.tolist(), strict=True))


def test_agreement_is_the_weighted_mean_and_the_mean_score() -> None:
    first, second = found_objects(([0, 0, 40, 20], 0.6, CAR)), found_objects(([4, 0, 44, 20], 0.2, CAR))
    assert fused(first, second) == [([1, 0, 41, 20], 0.4, CAR)]


def test_what_one_of_four_saw_scores_a_quarter() -> None:
    nothing = found_objects()
    assert fused(found_objects(([0, 0, 40, 20], 0.8, CAR)), nothing, nothing, nothing) == [([0, 0, 40, 20], 0.2, CAR)]


def test_a_detector_that_does_not_know_the_class_is_not_missed() -> None:
    person, car = ([0, 0, 20, 60], 0.9, PEDESTRIAN), ([60, 0, 100, 20], 0.8, CAR)
    both, persons_only = found_objects(person, car), found_objects(([0, 0, 20, 60], 0.8, PEDESTRIAN))
    assert fused(both, persons_only, known=[ALL, PERSONS]) == [
        ([0, 0, 20, 60], 0.85, PEDESTRIAN),
        ([60, 0, 100, 20], 0.8, CAR),
    ]


def test_classes_of_a_group_vote_and_those_of_two_groups_stay_apart() -> None:
    box = [0, 0, 40, 20]
    first, second, third = (
        found_objects((box, score, label)) for score, label in ((0.5, TRUCK), (0.4, CAR), (0.3, CAR))
    )
    assert fused(first, second, third) == [(box, 0.4, CAR)]
    assert fused(found_objects((box, 0.5, MOTORCYCLE)), found_objects((box, 0.4, PEDESTRIAN))) == [
        (box, 0.25, MOTORCYCLE),
        (box, 0.2, PEDESTRIAN),
    ]
    assert fused(found_objects((box, 0.5, MOTORCYCLE)), found_objects((box, 0.3, BICYCLE))) == [(box, 0.4, MOTORCYCLE)]


def test_a_score_never_exceeds_one_where_a_detector_knows_another_class_of_the_group() -> None:
    box = [0, 0, 40, 20]
    cars_only = [True] + [False] * 5
    assert fused(found_objects((box, 0.9, TRUCK)), found_objects((box, 0.7, CAR)), known=[ALL, cars_only]) == [
        (box, 0.8, TRUCK)
    ]


def test_a_detector_gives_an_object_one_box_and_its_weaker_ones_nearby_are_dropped() -> None:
    twice = found_objects(([0, 0, 40, 20], 0.8, CAR), ([2, 0, 42, 20], 0.4, TRUCK))
    assert fused(twice, found_objects(([0, 0, 40, 20], 0.4, CAR))) == [([0, 0, 40, 20], 0.6, CAR)]


def test_a_box_joins_the_object_that_it_overlaps_most_of_those_that_are_free() -> None:
    # Two objects side by side of the first detector; the second's box overlaps the left by 3/4, the right by 3/5.
    first = found_objects(([0, 0, 40, 20], 0.9, CAR), ([15, 0, 55, 20], 0.8, CAR))
    second = found_objects(([5, 0, 45, 20], 0.6, CAR))
    assert fused(first, second) == [([2, 0, 42, 20], 0.75, CAR), ([15, 0, 55, 20], 0.4, CAR)]
    # A third box of that detector finds the left one taken and goes to the right one.
    both = found_objects(([5, 0, 45, 20], 0.6, CAR), ([7, 0, 47, 20], 0.4, CAR))
    assert [label for *_, label in fused(first, both)] == [CAR, CAR]
    assert fused(first, both)[1] == ([12.3333, 0, 52.3333, 20], 0.6, CAR)


def test_the_overlap_is_with_the_fused_box_and_counts_from_055_on() -> None:
    first = found_objects(([0, 0, 100, 10], 0.5, CAR))
    for shift, count in ((29, 1), (30, 2)):  # IoU 71/129 = 0.5504, 70/130 = 0.538
        assert len(fused(first, found_objects(([shift, 0, 100 + shift, 10], 0.4, CAR)))) == count


def test_the_order_of_detectors_does_not_matter_where_scores_differ() -> None:
    rng = np.random.default_rng(0)
    detectors = [_random_detections(rng, 12) for _ in range(4)]
    boxes, scores, labels = fuse_boxes(detectors, np.array([ALL] * 4))
    other_boxes, other_scores, other_labels = fuse_boxes(detectors[::-1], np.array([ALL] * 4))
    np.testing.assert_allclose(boxes, other_boxes)
    np.testing.assert_allclose(scores, other_scores)
    np.testing.assert_array_equal(labels, other_labels)
    assert (np.diff(scores) <= 0).all() and scores.max() <= 1


@pytest.mark.parametrize("count", [1, 3])
def test_nothing_found_is_nothing(count: int) -> None:
    boxes, scores, labels = fuse_boxes([found_objects()] * count, np.array([ALL] * count))
    assert boxes.shape == (0, 4) and scores.shape == labels.shape == (0,)
    assert fused(found_objects(([0, 0, 9, 9], 0.0, CAR))) == []
    assert len(CLASSES) == len(ALL)


@pytest.mark.shared
def test_the_fusion_is_that_of_an_independent_program(shared_dir: Path) -> None:
    spec = importlib.util.spec_from_file_location("teacher", shared_dir / "teachers" / "ensemble" / "teacher.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    reference = object.__new__(module.Teacher)
    rng, count = np.random.default_rng(1), 5
    for _ in range(5):
        detectors = [_random_detections(rng, 40) for _ in range(count)]
        answers = [(one.boxes_xyxy_px, one.scores, one.labels) for one in detectors]
        reference.thr = MIN_IOU
        reference.nets = [(str(i), lambda image, answer=one: answer, (1, 1, 1)) for i, one in enumerate(answers)]
        boxes, scores, labels, _ = reference(None)
        mine = fuse_boxes(detectors, np.array([ALL] * count))
        assert len(mine.scores) == len(scores) > 30
        np.testing.assert_allclose(mine.scores, scores, atol=1e-6)
        np.testing.assert_allclose(mine.boxes_xyxy_px, boxes, atol=1e-3)
        np.testing.assert_array_equal(mine.labels, labels)
