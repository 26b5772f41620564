"""Hand-made windows and tracks to cut windows out of."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from perception.forecasting.features.image_motion import OBSERVATION_SIZE
from perception.forecasting.track_dataset import Grid, TrackSet, Windows


def make_windows(
    observations: Tensor,
    *,
    dt_s: Tensor | None = None,
    unseen_s: Tensor | None = None,
    labels: Tensor | None = None,
    features: Tensor | None = None,
    lengths: Tensor | None = None,
    neighbours: Tensor | None = None,
    futures: Tensor | None = None,
    known: Tensor | None = None,
) -> Windows:
    """Windows of observations (N, L, O), 0.1 s apart, of cars; whole, alone and without a future if not said."""
    count, length = observations.shape[:2]
    if dt_s is None:
        dt_s = torch.full((count, length), 0.1)
        dt_s[:, 0] = 0
    futures = torch.zeros(count, 0, 2) if futures is None else futures
    return Windows(
        observations=observations,
        dt_s=dt_s,
        unseen_s=torch.zeros(count, length) if unseen_s is None else unseen_s,
        features=features,
        labels=torch.zeros(count, dtype=torch.long) if labels is None else labels,
        lengths=torch.full((count,), length) if lengths is None else lengths,
        neighbours=torch.zeros(count, 0, dtype=torch.long) if neighbours is None else neighbours,
        futures=futures,
        known=torch.ones(futures.shape[:2], dtype=torch.bool) if known is None else known,
    )


def make_track_set(
    positions: list[np.ndarray], first_instants: list[int], *, steps: tuple[int, ...] = (1, 2), rate_fps: float = 10.0
) -> TrackSet:
    """Tracks of positions (L_i, 2), each its own truth, one row per instant from the i-th of ``first_instants`` on."""
    lengths = [len(track) for track in positions]
    instants = np.concatenate([first + np.arange(n) for first, n in zip(first_instants, lengths, strict=True)])
    starts = np.concatenate([[0], np.cumsum(lengths)])
    count = int(starts[-1])
    every = np.concatenate(positions).astype(float)
    return TrackSet(
        observations=every,
        times_s=instants / rate_fps,
        unseen_s=np.zeros(count),
        features=np.zeros((count, 0), np.float32),
        starts=starts,
        labels=np.arange(len(positions)) % 6,
        instants=instants,
        truth=every,
        known=np.ones(count, bool),
        truth_rows=np.arange(count),
        truth_ends=np.repeat(starts[1:], lengths),
        grid=Grid(rate_fps, steps),
    )


def image_observations(boxes: Tensor, stds: Tensor | None = None) -> Tensor:
    """(..., O) of boxes (..., 4) and their standard deviations, of cameras of which nothing is known."""
    stds = torch.zeros_like(boxes) if stds is None else stds
    return torch.nn.functional.pad(torch.cat([boxes, stds], dim=-1), (0, OBSERVATION_SIZE - 8))
