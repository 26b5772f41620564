"""Notes on ground truth that lacks objects or holds hidden ones; silence where it is sound."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from perception.evaluation.failures.classify import match_detections
from perception.evaluation.failures.gt_plausibility import GtDoubts, gt_notes
from perception.types import BoxTable

FRAMES = 30


def _moving(count: int, *, scores: float = 0.9) -> BoxTable:
    """``count`` cars side by side, 50 px apart, in each of ``FRAMES`` frames; ids from 1."""
    frames, numbers = (part.ravel() for part in np.meshgrid(np.arange(FRAMES), np.arange(count), indexing="ij"))
    left = 100.0 * numbers + 2.0 * frames
    return BoxTable(
        frame_indices=frames,
        ids=numbers + 1,
        labels=np.zeros(len(frames), np.int64),
        scores=np.full(len(frames), scores),
        boxes_xyxy_px=np.stack([left, np.full_like(left, 50.0), left + 50, np.full_like(left, 90.0)], axis=1),
        cameras=np.full(len(frames), "front"),
    )


def _notes(truth: BoxTable, found: BoxTable) -> str:
    images = {("front", frame) for frame in range(FRAMES)}
    matched = match_detections(truth=truth, detections=found, images=images, grouping="both", score_threshold=0.3)
    return " ".join(gt_notes([GtDoubts.of(matched, found)]))


def test_tracks_of_confident_false_positives_make_the_truth_doubtful() -> None:
    found = _moving(4)
    assert _notes(found, found) == ""
    note = _notes(found[found.ids != 3], found)
    assert "incomplete" in note
    assert "30 confident false positives" in note
    assert "90 true boxes" in note


def test_false_positives_that_flicker_or_are_unsure_are_the_detectors() -> None:
    found = _moving(4)
    flickering = replace(found, ids=np.where(found.ids == 3, 100 + found.frame_indices, found.ids))
    truth = found[found.ids != 3]
    assert _notes(truth, flickering) == ""
    assert _notes(truth, replace(found, scores=np.full(len(found), 0.4))) == ""


@pytest.mark.parametrize("share", [0.75, 0.65])
def test_boxes_behind_nearer_ones_are_hidden(share: float) -> None:
    truth = _moving(2)
    boxes = truth.boxes_xyxy_px.copy()
    behind = truth.ids == 2
    boxes[behind] = boxes[~behind] + np.array([0.0, -40.0 * (1 - share), 0.0, -40.0 * (1 - share)])
    note = _notes(replace(truth, boxes_xyxy_px=boxes), truth[~behind])
    assert ("30 of 60 true boxes" in note) == (share > 0.7)
    assert ("covered to more than 70%" in note) == (share > 0.7)


def test_a_known_visible_share_is_believed() -> None:
    truth = _moving(2)
    shares = np.where(truth.ids == 2, 0.1, 1.0)
    assert "show less than 30%" in _notes(replace(truth, visible_shares=shares), truth)
    assert _notes(replace(truth, visible_shares=np.ones(len(truth))), truth) == ""
