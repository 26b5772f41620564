"""True objects on the ground as tracks: what a forecaster can do when detection and tracking are perfect."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from perception.evaluation.core.ground_truth import GroundTable
from perception.evaluation.core.gt_interpolation import previous_rows
from perception.evaluation.runs.gt_tracks_image import GtStates, differenced_states
from perception.state_layout import SIZE_RATE
from perception.types import ObjectTable, Tracks

POSITION_STD_M = 0.03
"""How well simulations and people locate an object; from it follow the spreads of states and rates."""

_UNKNOWN_RATE_STD_MPS = 5.0

Float64 = NDArray[np.float64]


def gt_ground_tracks(
    *,
    objects: ObjectTable,
    truth: GroundTable,
    timestamps_ns: NDArray[np.int64],
    instants: Sequence[int],
    max_distance_m: float,
) -> Iterator[tuple[int, Tracks]]:
    """The objects of ``truth`` nearer than ``max_distance_m`` at each of ``instants`` (growing), seen or hidden.

    ``truth`` was made of ``objects``, ``timestamps_ns`` (I,) are the times of all instants. Velocities are backward
    differences, zero at first; there are no boxes in cameras and no features.
    """
    near = truth[truth.distances_m <= max_distance_m]
    near = near[np.argsort(near.instants, kind="stable")]
    states = _states(near, objects[near.object_rows], timestamps_ns[near.instants])
    starts = np.searchsorted(near.instants, instants, side="left")
    ends = np.searchsorted(near.instants, instants, side="right")
    for instant, start, end in zip(instants, starts.tolist(), ends.tolist(), strict=True):
        rows, count = slice(start, end), end - start
        yield (
            instant,
            Tracks(
                ids=near.ids[rows],
                labels=near.labels[rows],
                scores=np.ones(count),
                means=states.means[rows],
                covariances=states.covariances[rows],
                boxes_xyxy_px=np.zeros((count, 4)),
                cameras=np.full(count, "", dtype="U1"),
                image_sizes_px=np.ones((count, 2), np.int64),
                ages_s=states.ages_s[rows],
                unseen_s=np.zeros(count),
                features=np.zeros((count, 0), np.float32),
                reference_frame="ground",
                headings_rad=objects.yaws_rad[near.object_rows[rows]].astype(np.float64),
            ),
        )


def _states(near: GroundTable, objects: ObjectTable, times_ns: NDArray[np.int64]) -> GtStates:
    shown_m = np.stack([_shown_widths_m(near, objects), objects.sizes_lwh_m[:, 2]], axis=1)
    states = differenced_states(
        measured=np.concatenate([near.positions_m, shown_m], axis=1),
        variances=np.full((len(near), 4), POSITION_STD_M**2),
        unknown_rate_std=_UNKNOWN_RATE_STD_MPS,
        previous=previous_rows(cameras=np.zeros(len(near), "U1"), ids=near.ids, timestamps_ns=times_ns),
        ids=near.ids,
        times_ns=times_ns,
    )
    # What an object shows changes only because it turns, which no rate describes.
    states.means[:, SIZE_RATE] = 0.0
    return states


def _shown_widths_m(near: GroundTable, objects: ObjectTable) -> Float64:
    """(M,) how wide each object looks from the recording car."""
    rays = near.positions_m - near.vehicle_m
    turned_rad = objects.yaws_rad - np.arctan2(rays[:, 1], rays[:, 0])
    length_m, width_m = objects.sizes_lwh_m[:, 0], objects.sizes_lwh_m[:, 1]
    widths_m: Float64 = np.abs(length_m * np.sin(turned_rad)) + np.abs(width_m * np.cos(turned_rad))
    return widths_m
