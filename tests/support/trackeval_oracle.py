"""TrackEval as the oracle of our tracking scores."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from perception.evaluation.tracking.mot_metrics import TrackingScores

Side = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Instants (M,), ids (M,), and boxes (M, 4) or positions (M, 2)."""


def box_similarity(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """TrackEval's overlap of boxes."""
    return _dataset()._calculate_box_ious(ours, theirs, box_format="x0y0x1y1")


def position_similarity(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """TrackEval's similarity of positions, zero from 4 m on."""
    return _dataset()._calculate_euclidean_similarity(ours, theirs, zero_distance=4.0)


def sequence(truth: Side, tracks: Side, similarity: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> dict[str, Any]:
    """One sequence as TrackEval's metrics want it."""
    dense = [np.unique(ids, return_inverse=True)[1] for _, ids, _ in (truth, tracks)]
    last = max(instants.max(initial=-1) for instants, _, _ in (truth, tracks))
    at = [[np.flatnonzero(side[0] == instant) for instant in range(last + 1)] for side in (truth, tracks)]
    return {
        "num_timesteps": last + 1,
        "num_gt_dets": len(truth[1]),
        "num_tracker_dets": len(tracks[1]),
        "num_gt_ids": len(np.unique(truth[1])),
        "num_tracker_ids": len(np.unique(tracks[1])),
        "gt_ids": [dense[0][rows] for rows in at[0]],
        "tracker_ids": [dense[1][rows] for rows in at[1]],
        "similarity_scores": [similarity(truth[2][rows], tracks[2][others]) for rows, others in zip(*at, strict=True)],
    }


def scores_of(sequences: dict[str, dict[str, Any]]) -> dict[str, float]:
    """HOTA, IDF1 and CLEAR of several sequences together."""
    trackeval = pytest.importorskip("trackeval")
    metrics = [
        trackeval.metrics.HOTA(),
        trackeval.metrics.Identity({"PRINT_CONFIG": False}),
        trackeval.metrics.CLEAR({"PRINT_CONFIG": False}),
    ]
    joined = [
        metric.combine_sequences({name: metric.eval_sequence(data) for name, data in sequences.items()})
        for metric in metrics
    ]
    return {name: float(np.mean(value)) for result in joined for name, value in result.items()}


def assert_equal_to_trackeval(ours: TrackingScores, theirs: dict[str, float]) -> None:
    names = {
        "hota": "HOTA",
        "det_a": "DetA",
        "ass_a": "AssA",
        "loc_a": "LocA",
        "idf1": "IDF1",
        "idp": "IDP",
        "idr": "IDR",
        "mota": "MOTA",
        "motp": "MOTP",
        "false_positive_count": "CLR_FP",
        "false_negative_count": "CLR_FN",
        "id_switch_count": "IDSW",
    }
    for our_name, their_name in names.items():
        assert getattr(ours, our_name) == pytest.approx(theirs[their_name], abs=1e-6), our_name


def _dataset() -> Any:
    return pytest.importorskip("trackeval").datasets._base_dataset._BaseDataset
