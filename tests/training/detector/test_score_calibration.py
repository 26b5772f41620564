import numpy as np
import pytest
import torch
from support.training_images import bright_box_image

from perception.detection.roadnet.network import RoadNet, RoadNetConfig
from perception.training.detector.score_calibration import fit_platt, fold, match_detections, reliability
from perception.types import Detections


def _found(*objects: tuple[list[float], float, int]) -> Detections:
    return Detections(
        boxes_xyxy_px=np.array([box for box, _, _ in objects], np.float32),
        scores=np.array([score for _, score, _ in objects], np.float32),
        labels=np.array([label for _, _, label in objects]),
        features=np.zeros((len(objects), 0), np.float32),
        camera="image",
        image_size_px=(160, 96),
    )


def test_squeezed_scores_are_stretched_back():
    """Scores whose logit is a third of the honest one."""
    rng = np.random.default_rng(0)
    honest = rng.normal(0, 2, 20_000)
    right = (rng.random(len(honest)) < 1 / (1 + np.exp(-honest))).astype(float)
    squeezed = 1 / (1 + np.exp(-(honest / 3 - 0.5)))
    slope, shift = fit_platt(squeezed, right, np.full(len(right), 1 / len(right)))
    assert slope == pytest.approx(3, rel=0.05)
    assert shift == pytest.approx(1.5, abs=0.1)
    logits = np.log(squeezed / (1 - squeezed))
    for score, share in reliability(1 / (1 + np.exp(-(slope * logits + shift))), right):
        assert score == pytest.approx(share, abs=0.04)


def test_an_object_is_found_once_and_only_by_its_class():
    image = bright_box_image((60, 30, 110, 70))
    scores, right = match_detections(
        image, _found(([60, 30, 110, 70], 0.6, 0), ([61, 30, 110, 70], 0.9, 0), ([60, 30, 110, 70], 0.8, 3))
    )
    assert scores == pytest.approx([0.6, 0.9, 0.8])
    assert right.tolist() == [0, 1, 0]


def test_classes_that_are_labelled_in_part_are_not_judged():
    image = bright_box_image((60, 30, 110, 70), exhaustive=np.zeros(6, bool))
    scores, _ = match_detections(image, _found(([60, 30, 110, 70], 0.6, 0), ([0, 0, 9, 9], 0.9, 0)))
    assert len(scores) == 0


def test_folding_scales_every_logit_and_nothing_else():
    torch.manual_seed(0)
    model = RoadNet(RoadNetConfig()).eval()
    image = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        before = model(image)
        fold(model, 2.5, 0.75)
        after = model(image)
    torch.testing.assert_close(after.class_logits, before.class_logits * 2.5 + 0.75)
    torch.testing.assert_close(after.boxes_xyxy, before.boxes_xyxy)
    torch.testing.assert_close(after.embeddings, before.embeddings)
