import numpy as np
import pytest
import torch
from support.training_images import bright_box_image, found_objects

from perception.detection.roadnet.network import RoadNet, RoadNetConfig
from perception.taxonomy import CLASSES
from perception.training.detector.score_calibration import (
    Platt,
    fit_platt_by_class,
    fold,
    match_detections,
    reliability,
)


def _squeezed(count: int, slope: float, shift: float, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Logits, scores of which the honest logit is ``slope`` times as large plus ``shift``, and what was right."""
    rng = np.random.default_rng(seed)
    honest = rng.normal(0, 2, count)
    right = (rng.random(count) < 1 / (1 + np.exp(-honest))).astype(float)
    logits = (honest - shift) / slope
    return logits, 1 / (1 + np.exp(-logits)), right


def test_squeezed_scores_are_stretched_back_class_by_class():
    cars, buses = _squeezed(20_000, 3, 1.5, seed=0), _squeezed(20_000, 2, -0.5, seed=1)
    scores, right = np.concatenate([cars[1], buses[1]]), np.concatenate([cars[2], buses[2]])
    labels = np.repeat([0, 2], 20_000)
    platt = fit_platt_by_class(scores, labels, right, np.ones(len(scores)))
    assert platt.slopes[[0, 2]] == pytest.approx([3, 2], rel=0.05)
    assert platt.shifts[[0, 2]] == pytest.approx([1.5, -0.5], abs=0.1)
    for label, (logits, _, right) in ((0, cars), (2, buses)):
        calibrated = 1 / (1 + np.exp(-(platt.slopes[label] * logits + platt.shifts[label])))
        for score, share in reliability(calibrated, right):
            assert score == pytest.approx(share, abs=0.04)


def test_a_class_of_few_detections_stays_near_the_others():
    many, few = _squeezed(20_000, 2, 1, seed=0), _squeezed(12, 2, -4, seed=1)
    scores, right = np.concatenate([many[1], few[1]]), np.concatenate([many[2], few[2]])
    platt = fit_platt_by_class(scores, np.repeat([0, 4], [20_000, 12]), right, np.ones(len(scores)))
    assert platt.shifts[4] == pytest.approx(1, abs=1)
    assert (platt.slopes[3], platt.shifts[3]) == pytest.approx((platt.slopes[0], platt.shifts[0]), abs=0.02)  # none


def test_an_object_is_found_once_and_only_by_its_class():
    image = bright_box_image((60, 30, 110, 70))
    scores, labels, right = match_detections(
        image, found_objects(([60, 30, 110, 70], 0.6, 0), ([61, 30, 110, 70], 0.9, 0), ([60, 30, 110, 70], 0.8, 3))
    )
    assert scores == pytest.approx([0.6, 0.9, 0.8])
    assert labels.tolist() == [0, 0, 3]
    assert right.tolist() == [0, 1, 0]


def test_classes_that_are_labelled_in_part_are_not_judged():
    image = bright_box_image((60, 30, 110, 70), exhaustive=np.zeros(6, bool))
    scores, _, _ = match_detections(image, found_objects(([60, 30, 110, 70], 0.6, 0), ([0, 0, 9, 9], 0.9, 0)))
    assert len(scores) == 0


def test_folding_scales_the_logits_by_class_and_nothing_else():
    torch.manual_seed(0)
    model = RoadNet(RoadNetConfig()).eval()
    image = torch.randn(1, 3, 64, 64)
    slopes, shifts = np.linspace(0.5, 3, 6), np.linspace(-1, 1, 6)
    with torch.no_grad():
        before = model(image)
        fold(model, Platt(slopes, shifts))
        after = model(image)
    torch.testing.assert_close(
        after.class_logits, before.class_logits * torch.tensor(slopes).float() + torch.tensor(shifts).float()
    )
    torch.testing.assert_close(after.boxes_xyxy, before.boxes_xyxy)
    torch.testing.assert_close(after.embeddings, before.embeddings)


@pytest.mark.parametrize("is_correct", [np.zeros(20), np.ones(20), np.zeros(0)])
def test_without_both_kinds_of_detections_scores_stay(is_correct) -> None:
    count = len(is_correct)
    platt = fit_platt_by_class(np.linspace(0.1, 0.9, count), np.zeros(count, int), is_correct, np.ones(count))
    assert platt.slopes.tolist() == [1.0] * len(CLASSES) and platt.shifts.tolist() == [0.0] * len(CLASSES)
