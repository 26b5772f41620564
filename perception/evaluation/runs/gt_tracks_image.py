"""Ground truth as tracks: what a forecaster can do when detection and tracking are perfect."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perception.evaluation.core.gt_interpolation import previous_rows
from perception.evaluation.core.timeline import Timeline
from perception.geometry.boxes import normalized_cxcywh
from perception.types import BoxTable, Tracks

BOX_STD_PX = 1.0
"""How well people draw a box's centre and size; from it follow the spreads of states and rates."""

_UNKNOWN_RATE_STD_PER_S = 0.5

Float64 = NDArray[np.float64]


@dataclass(frozen=True)
class GtStates:
    """Of M sights: states (M, 8), their covariances (M, 8, 8) and the seconds since the object's first sight (M,)."""

    means: Float64
    covariances: Float64
    ages_s: Float64


def gt_tracks(*, truth: BoxTable, timeline: Timeline, instants: Sequence[int]) -> Iterator[tuple[int, Tracks]]:
    """The true objects at each of ``instants`` (growing), as (instant, tracks) with the truth's ids.

    ``truth`` is that of ``timeline.at_instants``. Rates are backward differences to the object's box before, zero at
    its first; only boxes at ``instants`` are looked at, as a tracker would. There are no features.
    """
    seen = truth[np.isin(truth.frame_indices, np.asarray(instants, np.int64))]
    seen = seen[np.argsort(seen.frame_indices, kind="stable")]
    sizes_px = np.array([timeline.image_sizes_px[str(camera)] for camera in seen.cameras], np.int64).reshape(-1, 2)
    times_ns = timeline.timestamps_ns[seen.frame_indices]
    states = _states(seen, sizes_px, times_ns)
    starts = np.searchsorted(seen.frame_indices, instants, side="left")
    ends = np.searchsorted(seen.frame_indices, instants, side="right")
    for instant, start, end in zip(instants, starts.tolist(), ends.tolist(), strict=True):
        rows = slice(start, end)
        yield (
            instant,
            Tracks(
                ids=seen.ids[rows],
                labels=seen.labels[rows],
                scores=seen.scores[rows],
                means=states.means[rows],
                covariances=states.covariances[rows],
                boxes_xyxy_px=seen.boxes_xyxy_px[rows],
                cameras=seen.cameras[rows],
                image_sizes_px=sizes_px[rows],
                ages_s=states.ages_s[rows],
                unseen_s=np.zeros(end - start),
                features=np.zeros((end - start, 0), np.float32),
            ),
        )


def differenced_states(
    *,
    measured: Float64,
    variances: Float64,
    unknown_rate_std: float,
    previous: NDArray[np.int64],
    ids: NDArray[np.integer[Any]],
    times_ns: NDArray[np.int64],
) -> GtStates:
    """States whose rates are the backward differences of ``measured`` (M, 4) to the row ``previous`` (M,), -1 for none.

    ``variances`` (M, 4) are those of ``measured``; a first sight has rate zero with ``unknown_rate_std``.
    """
    known = previous >= 0
    elapsed_s = (times_ns[known] - times_ns[previous[known]])[:, None] * 1e-9
    rates = np.zeros_like(measured)
    rates[known] = (measured[known] - measured[previous[known]]) / elapsed_s
    # A difference of two independent measurements over the time between them.
    rate_variances = np.full_like(measured, unknown_rate_std**2)
    rate_variances[known] = 2 * variances[known] / elapsed_s**2
    cross = np.zeros_like(measured)
    cross[known] = variances[known] / elapsed_s
    covariances = np.zeros((len(measured), 8, 8))
    position, rate = np.arange(4), np.arange(4, 8)
    covariances[:, position, position] = variances
    covariances[:, rate, rate] = rate_variances
    covariances[:, position, rate] = covariances[:, rate, position] = cross
    _, objects = np.unique(ids, return_inverse=True)
    first_ns = np.full(len(measured), np.iinfo(np.int64).max)
    np.minimum.at(first_ns, objects, times_ns)
    return GtStates(np.concatenate([measured, rates], axis=1), covariances, (times_ns - first_ns[objects]) * 1e-9)


def _states(seen: BoxTable, sizes_px: NDArray[np.int64], times_ns: NDArray[np.int64]) -> GtStates:
    scale = np.concatenate([sizes_px, sizes_px], axis=1)
    return differenced_states(
        measured=normalized_cxcywh(seen.boxes_xyxy_px, sizes_px),
        variances=(BOX_STD_PX / scale) ** 2,
        unknown_rate_std=_UNKNOWN_RATE_STD_PER_S,
        previous=previous_rows(cameras=seen.cameras, ids=seen.ids, timestamps_ns=times_ns),
        ids=seen.ids,
        times_ns=times_ns,
    )
