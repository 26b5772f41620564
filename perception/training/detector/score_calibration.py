"""Calibrated scores: of the detections that score 0.7, seven in ten should be true positives.

Platt scaling (Platt 1999): a logistic regression from the network's logit to whether the detection is a true positive,
on validation images. It is monotone, so that average precision stays as it is, and linear in the logit, so that it
disappears into the weights of the last layer.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
import torch
from scipy.optimize import minimize

from perception.arrays import FloatArray
from perception.detection.roadnet.detector import RoadNetDetector
from perception.detection.roadnet.engines import RoadNetTorchEngine
from perception.detection.roadnet.shuffle import AnyHead, AnyRoadNet
from perception.detection.settings import DetectionSettings
from perception.geometry.boxes import pairwise_iou
from perception.training.detector.dataset import LabelledImage
from perception.types import Detections, Frame

_LOWEST_SCORE = 0.05


def calibrate(model: AnyRoadNet, sets: dict[str, list[LabelledImage]], device: torch.device) -> tuple[float, float]:
    """Fit on the validation ``sets``, of equal weight, and fold the result into ``model``; returns (slope, shift)."""
    detector = RoadNetDetector(
        RoadNetTorchEngine(copy.deepcopy(model), device=device),
        DetectionSettings(confidence=_LOWEST_SCORE),
        name="calibration",
        feature_space="calibration",
    )
    scores, is_correct, weights = [], [], []
    for images in filter(None, sets.values()):
        found = [match_detections(image, detector.detect([Frame(image.image, "image", 0, 0)])[0]) for image in images]
        set_scores, set_is_correct = (np.concatenate(parts) for parts in zip(*found, strict=True))
        scores.append(set_scores)
        is_correct.append(set_is_correct)
        weights.append(np.full(len(set_scores), 1 / max(1, len(set_scores))))
    slope, shift = fit_platt(np.concatenate(scores), np.concatenate(is_correct), np.concatenate(weights))
    fold(model, slope, shift)
    return slope, shift


def match_detections(image: LabelledImage, found: Detections) -> tuple[FloatArray, FloatArray]:
    """Scores (n,) and whether each detection is a true positive (n,); those that cannot be judged are left out.

    That is the best detection of an object of its class, IoU at least 0.5.
    """
    is_correct = np.zeros(len(found))
    if len(image.labels) and len(found):
        overlap = pairwise_iou(found.boxes_xyxy_px, image.boxes_xyxy_px)
        overlap[found.labels[:, None] != image.labels[None]] = 0
        for row in np.argsort(-found.scores):
            column = overlap[row].argmax()
            if overlap[row, column] >= 0.5:
                is_correct[row] = 1
                overlap[:, column] = 0
    # Where a class is labelled in part, only its true positives could be judged, which would bias all scores upwards.
    can_be_judged = image.exhaustive[found.labels]
    return found.scores[can_be_judged], is_correct[can_be_judged]


def fit_platt(scores: FloatArray, is_correct: FloatArray, weights: FloatArray) -> tuple[float, float]:
    """(slope, shift) of the logit that make ``scores`` (n,) in 0..1 the most likely probabilities of ``is_correct``
    (n,)."""
    scores = np.clip(np.asarray(scores, np.float64), 1e-6, 1 - 1e-6)
    logits = np.log(scores / (1 - scores))

    def loss(parameters: FloatArray) -> float:
        scaled = parameters[0] * logits + parameters[1]
        return float((weights * (np.logaddexp(0, scaled) - is_correct * scaled)).sum())

    slope, shift = minimize(loss, np.array([1.0, 0.0]), method="Nelder-Mead").x
    return float(max(slope, 1e-3)), float(shift)


@torch.no_grad()
def fold(model: AnyRoadNet, slope: float, shift: float) -> None:
    """Make every class logit of ``model`` ``slope`` times as large plus ``shift``."""
    for head in model.heads:
        assert isinstance(head, AnyHead) and head.classes.bias is not None
        head.classes.weight.mul_(slope)
        head.classes.bias.mul_(slope).add_(shift)


def reliability(
    scores: FloatArray, is_correct: Sequence[float] | FloatArray, bins: int = 10
) -> list[tuple[float, float]]:
    """(mean score, precision) in each tenth of the scores: the reliability curve."""
    order = np.argsort(scores)
    parts = np.array_split(order, bins)
    return [(float(scores[part].mean()), float(np.asarray(is_correct)[part].mean())) for part in parts if len(part)]
