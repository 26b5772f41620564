"""Average precision over many recordings, a piece at a time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support.evaluation_tables import disturbed, random_table

from perception.evaluation.detection import ranked
from perception.evaluation.detection.average_precision import count_detection, detection_report


def test_pieces_give_the_figures_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        truth = random_table(rng, frames=15, objects=9, labels=(0, 1, 5), presence=0.7)
        parts.append(count_detection(truth=truth, detections=disturbed(rng, truth, jitter_px=4.0, extra=40)))
    whole = detection_report(parts)
    monkeypatch.setattr(ranked, "_AT_ONCE", 30)
    pieces = list(ranked.in_order([part.classes["car"].ranked for part in parts]))
    assert len(pieces) > 5 and max(map(len, pieces)) < 90
    scores = np.concatenate([piece.scores[:] for piece in pieces])
    assert (np.diff(scores) <= 0).all() and len(scores) == sum(len(part.classes["car"].ranked) for part in parts)
    assert detection_report(parts) == whole


def test_equal_scores_are_never_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    truth = random_table(rng, frames=40, objects=6)
    found = disturbed(rng, truth, jitter_px=4.0, extra=40)
    counts = count_detection(truth=truth, detections=found[np.argsort(found.boxes_xyxy_px[:, 0])])
    whole = detection_report([counts])
    monkeypatch.setattr(ranked, "_AT_ONCE", 10)
    assert detection_report([counts]) == whole


def test_the_order_of_a_files_rows_changes_no_figure() -> None:
    rng = np.random.default_rng(3)
    truth = random_table(rng, frames=20, objects=6)
    found = disturbed(rng, truth, jitter_px=4.0, extra=40)
    found = replace(found, scores=np.round(found.scores))
    by_image = found[np.lexsort((found.frame_indices, found.cameras))]
    backwards = found[np.lexsort((-found.frame_indices, found.cameras))]
    whole = detection_report([count_detection(truth=truth, detections=by_image)])
    assert detection_report([count_detection(truth=truth, detections=backwards)]) == whole
