"""Scores that mean what they say: a score of 0.7 should be right seven times in ten.

Platt scaling (Platt 1999): a logistic regression from the network's logit to whether the detection was right, on
validation images. It is monotone, so that average precision stays as it is, and linear in the logit, so that it
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
    """Fit on the validation ``sets``, which count alike, and fold the result into ``model``; returns (slope, shift)."""
    detector = RoadNetDetector(
        RoadNetTorchEngine(copy.deepcopy(model), device=device),
        DetectionSettings(confidence=_LOWEST_SCORE),
        name="calibration",
        feature_space="calibration",
    )
    scores, right, weights = [], [], []
    for images in filter(None, sets.values()):
        found = [match_detections(image, detector.detect([Frame(image.image, "image", 0, 0)])[0]) for image in images]
        set_scores, set_right = (np.concatenate(parts) for parts in zip(*found, strict=True))
        scores.append(set_scores)
        right.append(set_right)
        weights.append(np.full(len(set_scores), 1 / max(1, len(set_scores))))
    slope, shift = fit_platt(np.concatenate(scores), np.concatenate(right), np.concatenate(weights))
    fold(model, slope, shift)
    return slope, shift


def match_detections(image: LabelledImage, found: Detections) -> tuple[FloatArray, FloatArray]:
    """Scores (n,) and whether each detection is right (n,); those that nobody can judge are left out.

    Right is the best detection of an object of its class, IoU at least 0.5.
    """
    right = np.zeros(len(found))
    if len(image.labels) and len(found):
        overlap = pairwise_iou(found.boxes_xyxy_px, image.boxes_xyxy_px)
        overlap[found.labels[:, None] != image.labels[None]] = 0
        for row in np.argsort(-found.scores):
            column = overlap[row].argmax()
            if overlap[row, column] >= 0.5:
                right[row] = 1
                overlap[:, column] = 0
    # Where a class is labelled in part, only its right detections could be told, which would flatter all scores.
    judgeable = image.exhaustive[found.labels]
    return found.scores[judgeable], right[judgeable]


def fit_platt(scores: FloatArray, right: FloatArray, weights: FloatArray) -> tuple[float, float]:
    """(slope, shift) of the logit that make ``scores`` (n,) in 0..1 the most likely chances of being ``right`` (n,)."""
    scores = np.clip(np.asarray(scores, np.float64), 1e-6, 1 - 1e-6)
    logits = np.log(scores / (1 - scores))

    def loss(parameters: FloatArray) -> float:
        scaled = parameters[0] * logits + parameters[1]
        return float((weights * (np.logaddexp(0, scaled) - right * scaled)).sum())

    slope, shift = minimize(loss, np.array([1.0, 0.0]), method="Nelder-Mead").x
    return float(max(slope, 1e-3)), float(shift)


@torch.no_grad()
def fold(model: AnyRoadNet, slope: float, shift: float) -> None:
    """Make every class logit of ``model`` ``slope`` times as large plus ``shift``."""
    for head in model.heads:
        assert isinstance(head, AnyHead) and head.classes.bias is not None
        head.classes.weight.mul_(slope)
        head.classes.bias.mul_(slope).add_(shift)


def reliability(scores: FloatArray, right: Sequence[float] | FloatArray, bins: int = 10) -> list[tuple[float, float]]:
    """(mean score, share right) in each tenth of the scores: the reliability curve."""
    order = np.argsort(scores)
    parts = np.array_split(order, bins)
    return [(float(scores[part].mean()), float(np.asarray(right)[part].mean())) for part in parts if len(part)]
