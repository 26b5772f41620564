"""How far from the truth tracks are placed on the ground, near and far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from perception.arrays import Column
from perception.evaluation.core.ground_truth import GroundTable
from perception.evaluation.tracking.gt_track_matching import GtTrackMatches

BINS_M = ((0.0, 20.0), (20.0, 40.0), (40.0, 60.0))
"""Distances from the recording car that are looked at one by one."""

NEAR_M = (0.0, 40.0)
"""The distances that the summary speaks of."""

LIMITS_M = (NEAR_M, *BINS_M)
"""All of them, those of the summary first."""

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


@dataclass(frozen=True)
class LocalizationCounts:
    """What ``localization_report`` needs of one recording: its P pairs of track and object at an instant.

    ``distances_m``, ``lengths_m`` of the errors, ``along_m`` and ``across_m`` the ray (P,). By the places of
    ``LIMITS_M``: the objects among the pairs, and the true objects that were there.
    """

    distances_m: Column
    lengths_m: Column
    along_m: Column
    across_m: Column
    object_counts: tuple[int, ...]
    truth_counts: tuple[int, ...]


def evaluate_localization(*, matches: GtTrackMatches, truth: GroundTable, tracks: GroundTable) -> LocalizationReport:
    """The errors of ``tracks`` that are seen now, each at its true object according to ``matches``.

    Of a track that is different objects in different cameras the larger box decides.
    """
    return localization_report([count_localization(matches=matches, truth=truth, tracks=tracks)])


def count_localization(*, matches: GtTrackMatches, truth: GroundTable, tracks: GroundTable) -> LocalizationCounts:
    """What ``evaluate_localization`` needs of one recording."""
    seen = matches[matches.track_ids >= 0]
    seen = seen[np.argsort(-seen.heights_px, kind="stable")]
    _, first = np.unique(np.stack([seen.instants, seen.track_ids], axis=1), axis=0, return_index=True)
    seen = seen[first]
    true_rows = truth.rows_of(instants=seen.instants, ids=seen.object_ids)
    rows = tracks.rows_of(instants=seen.instants, ids=seen.track_ids)
    is_pair = (true_rows >= 0) & (rows >= 0) & (truth.counts[true_rows] if len(truth) else False)
    true_pairs, pairs = truth[true_rows[is_pair]], tracks[rows[is_pair]]
    errors_m, distances_m = pairs.positions_m - true_pairs.positions_m, true_pairs.distances_m
    rays = (true_pairs.positions_m - true_pairs.vehicle_m) / np.maximum(distances_m, _NEAREST_M)[:, None]
    counted_m = truth[truth.counts].distances_m
    return LocalizationCounts(
        distances_m=distances_m,
        lengths_m=np.linalg.norm(errors_m, axis=1),
        along_m=(errors_m * rays).sum(axis=1),
        across_m=rays[:, 0] * errors_m[:, 1] - rays[:, 1] * errors_m[:, 0],
        object_counts=tuple(len(np.unique(true_pairs.ids[_is_within(distances_m, one)])) for one in LIMITS_M),
        truth_counts=tuple(int(_is_within(counted_m, one).sum()) for one in LIMITS_M),
    )


def localization_report(parts: Sequence[LocalizationCounts]) -> LocalizationReport:
    """The errors in all recordings together."""
    near, *bins = (_errors(parts, index) for index in range(len(LIMITS_M)))
    return LocalizationReport(near=near, bins=tuple(bins))


def _is_within(distances_m: Float64, limits_m: Sequence[float]) -> NDArray[np.bool_]:
    nearest_m, farthest_m = limits_m
    return np.asarray((distances_m >= nearest_m) & (distances_m < farthest_m))


def _errors(parts: Sequence[LocalizationCounts], index: int) -> LocalizationErrors:
    """Between the limits ``LIMITS_M[index]``."""
    nearest_m, farthest_m = LIMITS_M[index]

    def column(name: str) -> Float64:
        return np.concatenate(
            [getattr(part, name)[:][is_within] for part, is_within in zip(parts, chosen, strict=True)]
        )

    chosen = [_is_within(part.distances_m[:], LIMITS_M[index]) for part in parts]
    errors = LocalizationErrors(
        nearest_m=nearest_m,
        farthest_m=farthest_m,
        count=sum(int(is_within.sum()) for is_within in chosen),
        object_count=sum(part.object_counts[index] for part in parts),
        truth_count=sum(part.truth_counts[index] for part in parts),
    )
    if not errors.count:
        return errors
    lengths = column("lengths_m")
    shares = lengths / np.maximum(column("distances_m"), _NEAREST_M)
    along, across = column("along_m"), column("across_m")
    return replace(
        errors,
        median_m=float(np.median(lengths)),
        p90_m=float(np.quantile(lengths, 0.9)),
        median_share=float(np.median(shares)),
        p90_share=float(np.quantile(shares, 0.9)),
        along_m=float(np.median(np.abs(along))),
        across_m=float(np.median(np.abs(across))),
        along_bias_m=float(np.median(along)),
        across_bias_m=float(np.median(across)),
    )
