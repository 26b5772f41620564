"""Calibrated scores: of the detections that score 0.7, seven in ten should be true positives.

Platt scaling (Platt 1999): a logistic regression from the network's logit to whether the detection is a true positive,
on validation images, for each class. It is linear in the logit, so that it disappears into the weights of the last
layer. Where classes compete for a grid point, the more probable one is then the one of the higher score.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import minimize

from perception.arrays import FloatArray, IntArray
from perception.detection.roadnet.detector import RoadNetDetector
from perception.detection.roadnet.engines import RoadNetTorchEngine
from perception.detection.roadnet.network import RoadNet
from perception.detection.settings import DetectionSettings
from perception.geometry.boxes import pairwise_iou
from perception.taxonomy import CLASSES
from perception.training.detector.dataset import LabelledImage, as_road_users
from perception.types import Detections, Frame

_LOWEST_SCORE = 0.05
_CLASS_STDS = np.array([0.2, 0.5])
"""How far the slope and shift of a class may lie from those of all classes, unless many detections say so."""


@dataclass(frozen=True)
class Platt:
    """The calibrated logit of class c is ``slopes[c]`` times the network's plus ``shifts[c]``; both (C,)."""

    slopes: FloatArray
    shifts: FloatArray

    def __str__(self) -> str:
        rows = zip(CLASSES, self.slopes, self.shifts, strict=True)
        return ", ".join(f"{name} {slope:.2f} x {shift:+.2f}" for name, slope, shift in rows)


def calibrate(model: RoadNet, sets: dict[str, list[LabelledImage]], device: torch.device) -> Platt:
    """Fit on the validation ``sets``, of equal weight, and fold the result into ``model``."""
    detector = RoadNetDetector(
        RoadNetTorchEngine(copy.deepcopy(model), device=device),
        DetectionSettings(confidence=_LOWEST_SCORE),
        name="calibration",
        feature_space="calibration",
    )
    scores, labels, is_correct, weights = [], [], [], []
    parts = [images for images in sets.values() if images]
    for images in parts:
        own = [as_road_users(image, model.config.stands_for) for image in images]
        found = [match_detections(image, detector.detect([Frame(image.image, "image", 0, 0)])[0]) for image in own]
        set_scores, set_labels, set_is_correct = (np.concatenate(columns) for columns in zip(*found, strict=True))
        scores.append(set_scores)
        labels.append(set_labels)
        is_correct.append(set_is_correct)
        weights.append(np.full(len(set_scores), 1 / max(1, len(set_scores))))
    count = sum(map(len, scores))
    platt = fit_platt_by_class(
        np.concatenate(scores),
        np.concatenate(labels),
        np.concatenate(is_correct),
        np.concatenate(weights) * count / max(1, len(parts)),
    )
    fold(model, platt)
    return platt


def match_detections(image: LabelledImage, found: Detections) -> tuple[FloatArray, IntArray, FloatArray]:
    """Scores (n,), labels (n,), and whether each detection is a true positive (n,); those that cannot be judged are
    left out.

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
    return found.scores[can_be_judged], found.labels[can_be_judged], is_correct[can_be_judged]


def fit_platt_by_class(scores: FloatArray, labels: IntArray, is_correct: FloatArray, weights: FloatArray) -> Platt:
    """Slopes and shifts by class that make ``scores`` (n,) in 0..1 probabilities of ``is_correct`` (n,).

    ``weights`` (n,) count detections. A class of few detections keeps near what fits all classes together: its slope
    and shift have a normal prior around that. Without both true and false positives scores stay as they are.
    """
    scores = np.clip(np.asarray(scores, np.float64), 1e-6, 1 - 1e-6)
    logits = np.log(scores / (1 - scores))
    unchanged = np.array([1.0, 0.0])
    if np.all(is_correct == is_correct[:1]):
        # Where none, or all, are true positives, no slope and shift fit best: scores would become all 0, or all 1.
        return Platt(*np.tile(unchanged[:, None], len(CLASSES)))
    everything = _fit(logits, is_correct, weights, around=unchanged, stds=np.array([np.inf, np.inf]))
    rows = []
    for label in range(len(CLASSES)):
        ours = labels == label
        rows.append(_fit(logits[ours], is_correct[ours], weights[ours], around=everything, stds=_CLASS_STDS))
    slopes, shifts = np.array(rows).T
    return Platt(np.maximum(slopes, 1e-3), shifts)


def _fit(
    logits: FloatArray, is_correct: FloatArray, weights: FloatArray, around: FloatArray, stds: FloatArray
) -> FloatArray:
    """(2,): the slope and shift of highest posterior probability."""

    def loss(parameters: FloatArray) -> float:
        scaled = parameters[0] * logits + parameters[1]
        prior = 0.5 * (((parameters - around) / stds) ** 2).sum()
        return float((weights * (np.logaddexp(0, scaled) - is_correct * scaled)).sum() + prior)

    fitted: FloatArray = minimize(loss, around, method="Nelder-Mead").x
    return fitted


@torch.no_grad()
def fold(model: RoadNet, platt: Platt) -> None:
    """Make the logits of each class of ``model`` the slope of its road user times as large plus its shift."""
    labels = [None if ours is None else CLASSES.index(ours) for ours in model.config.stands_for]
    row_slopes = [1.0 if label is None else platt.slopes[label] for label in labels]
    row_shifts = [0.0 if label is None else platt.shifts[label] for label in labels]
    for head in model.heads:
        assert head.classes.bias is not None
        weight, bias = head.classes.weight, head.classes.bias
        slopes = torch.as_tensor(row_slopes, dtype=weight.dtype, device=weight.device)
        shifts = torch.as_tensor(row_shifts, dtype=weight.dtype, device=weight.device)
        weight.mul_(slopes.reshape(-1, 1, 1, 1))
        bias.mul_(slopes).add_(shifts)


def reliability(
    scores: FloatArray, is_correct: Sequence[float] | FloatArray, bins: int = 10
) -> list[tuple[float, float]]:
    """(mean score, precision) in each tenth of the scores: the reliability curve."""
    order = np.argsort(scores)
    parts = np.array_split(order, bins)
    return [(float(scores[part].mean()), float(np.asarray(is_correct)[part].mean())) for part in parts if len(part)]
