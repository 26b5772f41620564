"""How far from the truth tracks are placed on the ground, near and far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from perception.evaluation.core.ground_truth import GroundTable
from perception.evaluation.tracking.gt_track_matching import GtTrackMatches

BINS_M = ((0.0, 20.0), (20.0, 40.0), (40.0, 60.0))
"""Distances from the recording car that are looked at one by one."""

NEAR_M = (0.0, 40.0)
"""The distances that the summary speaks of."""

_NEAREST_M = 0.1

Float64 = NDArray[np.float64]


@dataclass(frozen=True)
class LocalizationErrors:
    """Errors of tracks on objects that truly are ``nearest_m`` to ``farthest_m`` from the recording car.

    ``count`` pairs of track and instant, of ``object_count`` objects. Medians and 90 % quantiles of the error in metres
    and as a share of the distance; ``along_m`` and ``across_m`` are the medians of its size along the ray from the car
    to the object and across it, ``along_bias_m`` and ``across_bias_m`` those with sign (too far, too far left).
    ``truth_count`` objects that count were there. None without pairs.
    """

    nearest_m: float
    farthest_m: float
    count: int
    object_count: int
    truth_count: int
    median_m: float | None = None
    p90_m: float | None = None
    median_share: float | None = None
    p90_share: float | None = None
    along_m: float | None = None
    across_m: float | None = None
    along_bias_m: float | None = None
    across_bias_m: float | None = None


@dataclass(frozen=True)
class LocalizationReport:
    """``near`` is nearer than 40 m, ``bins`` go on further.

    Track and object are a pair where their boxes overlap by at least 0.5 in a camera, however far apart they are on
    the ground.
    """

    near: LocalizationErrors
    bins: tuple[LocalizationErrors, ...]


def evaluate_localization(*, matches: GtTrackMatches, truth: GroundTable, tracks: GroundTable) -> LocalizationReport:
    """The errors of ``tracks`` that are seen now, each at its true object according to ``matches``.

    Of a track that is different objects in different cameras the larger box decides.
    """
    seen = matches[matches.track_ids >= 0]
    seen = seen[np.argsort(-seen.heights_px, kind="stable")]
    _, first = np.unique(np.stack([seen.instants, seen.track_ids], axis=1), axis=0, return_index=True)
    seen = seen[first]
    true_rows = truth.rows_of(instants=seen.instants, ids=seen.object_ids)
    rows = tracks.rows_of(instants=seen.instants, ids=seen.track_ids)
    is_pair = (true_rows >= 0) & (rows >= 0) & (truth.counts[true_rows] if len(truth) else False)
    true_pairs, pairs = truth[true_rows[is_pair]], tracks[rows[is_pair]]
    errors_m = pairs.positions_m - true_pairs.positions_m
    counted = truth[truth.counts]
    near, *bins = (_errors(true_pairs, errors_m, counted.distances_m, limits_m) for limits_m in (NEAR_M, *BINS_M))
    return LocalizationReport(near=near, bins=tuple(bins))


def _errors(
    truth: GroundTable, errors_m: Float64, counted_distances_m: Float64, limits_m: Sequence[float]
) -> LocalizationErrors:
    nearest_m, farthest_m = limits_m
    distances_m = truth.distances_m
    chosen = (distances_m >= nearest_m) & (distances_m < farthest_m)
    is_there = (counted_distances_m >= nearest_m) & (counted_distances_m < farthest_m)
    errors = LocalizationErrors(
        nearest_m=nearest_m,
        farthest_m=farthest_m,
        count=int(chosen.sum()),
        object_count=len(np.unique(truth.ids[chosen])),
        truth_count=int(is_there.sum()),
    )
    if not errors.count:
        return errors
    distances = np.maximum(distances_m[chosen], _NEAREST_M)
    rays = (truth.positions_m - truth.vehicle_m)[chosen] / distances[:, None]
    parts = errors_m[chosen]
    lengths = np.linalg.norm(parts, axis=1)
    along = (parts * rays).sum(axis=1)
    across = rays[:, 0] * parts[:, 1] - rays[:, 1] * parts[:, 0]
    return LocalizationErrors(
        nearest_m=nearest_m,
        farthest_m=farthest_m,
        count=errors.count,
        object_count=errors.object_count,
        truth_count=errors.truth_count,
        median_m=float(np.median(lengths)),
        p90_m=float(np.quantile(lengths, 0.9)),
        median_share=float(np.median(lengths / distances)),
        p90_share=float(np.quantile(lengths / distances, 0.9)),
        along_m=float(np.median(np.abs(along))),
        across_m=float(np.median(np.abs(across))),
        along_bias_m=float(np.median(along)),
        across_bias_m=float(np.median(across)),
    )
