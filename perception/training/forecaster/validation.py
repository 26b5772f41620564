"""Displacement errors of forecasts on whole sets of tracks, in the image and on the ground."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

import numpy as np
import torch

from perception.arrays import FloatArray, IntArray
from perception.forecasting.batch_prediction import predict_windows
from perception.forecasting.features.ground_motion import VELOCITY, XY
from perception.forecasting.features.motion import MotionState
from perception.forecasting.interaction import NEIGHBOURS
from perception.forecasting.track_dataset import GROUND_GRID, IMAGE_GRID, TrackSet, Windows, windows_at
from perception.forecasting.trajectory_gru import Futures, TrajectoryGRU
from perception.training.forecaster.loss import LossWeights, ground_loss

ERRORS_AT_S = (1, 2, 3, 4)
"""Seconds ahead at which errors on the ground are given."""

MAX_HISTORY = 32
"""Observations on the ground that are read at most; hidden states remember more, but old ones hardly matter."""

GROUND_ROWS = 6000
_IMAGE_SECONDS = (1, 2, 3)
_BATCH = 1024


class FigureKey(NamedTuple):
    """A mean displacement error: its ``metric`` at ``horizon_s`` seconds ahead; ``str`` is its name in the history."""

    metric: Literal["minFDE", "FDE", "CV"]
    horizon_s: int
    unit: str = ""

    def __str__(self) -> str:
        return f"{self.metric} {self.horizon_s} s" + (f" ({self.unit})" if self.unit else "")


IMAGE_UNIT = "1/1000"
"""Of errors in the image: thousandths of the image."""


def evenly_chosen(ends: IntArray, rows: int) -> IntArray:
    """At least ``rows`` of ``ends``, evenly chosen, or all of them."""
    return ends[:: max(1, len(ends) // rows)]


_IMAGE_METRICS: tuple[Literal["FDE", "CV"], ...] = ("FDE", "CV")
_GROUND_METRICS: tuple[Literal["minFDE", "FDE", "CV"], ...] = ("minFDE", "FDE", "CV")


@torch.inference_mode()
def image_displacements(model: TrajectoryGRU, tracks: TrackSet, *, history: int = 10) -> dict[FigureKey, float]:
    """Mean distance of the centre, in thousandths of the image, at 1, 2 and 3 s over all rows with a known future.

    "FDE" of the mean over the futures, "CV" of the velocity over the last half second, continued.
    """
    grid_steps = np.array(IMAGE_GRID.steps)
    steps = [int(np.flatnonzero(30 * second == grid_steps)[0]) for second in _IMAGE_SECONDS]
    times = torch.from_numpy(IMAGE_GRID.times_s[steps]).float()
    sums, counts, ends = np.zeros((2, 3)), np.zeros(3), tracks.ends(2, 1)
    for start in range(0, len(ends), _BATCH):
        neighbours = NEIGHBOURS if model.config.interaction_dim else 0
        windows = windows_at(tracks, ends[start : start + _BATCH], length=history, neighbours=neighbours)
        futures, state = predict_windows(model, windows, times)
        straight = state.observations[:, None, :2] + model.motion.velocities(state)[:, 1, None, :2] * times[:, None]
        known = windows.known[:, steps].numpy()
        for row, positions in enumerate((futures.expected[..., :2], straight)):
            distance = (positions - windows.futures[:, steps, :2]).norm(dim=-1).numpy() * 1000
            sums[row] += (distance * known).sum(axis=0)
        counts += known.sum(axis=0)
    means = sums / np.maximum(counts, 1)
    return {
        FigureKey(metric, second, IMAGE_UNIT): float(means[row, column])
        for row, metric in enumerate(_IMAGE_METRICS)
        for column, second in enumerate(_IMAGE_SECONDS)
    }


@torch.inference_mode()
def ground_displacements(
    model: TrajectoryGRU, tracks: TrackSet, *, weights: LossWeights | None = None, rows: int = GROUND_ROWS
) -> tuple[dict[FigureKey, float], float]:
    """Mean distances in metres at 1 to 4 s of about ``rows`` rows whose future is known, and the loss on them.

    "minFDE" of the best of the K futures, "FDE" of the mean one, "CV" of the tracker's velocity, continued.
    """
    ends = evenly_chosen(tracks.ends(2, 1), rows)
    errors_m, loss = [], 0.0
    for chosen, futures, windows, state in _predicted(model, tracks, ends):
        total = ground_loss(futures, windows, state, weights=weights or LossWeights())["total"]
        loss += float(total) * len(chosen) / len(ends)
        errors_m.append(_errors_m(futures, windows))
    errors = np.concatenate([np.zeros((3, 0, len(ERRORS_AT_S))), *errors_m], axis=1)
    means = np.nansum(errors, axis=1) / np.maximum(np.isfinite(errors).sum(axis=1), 1)
    figures = {
        FigureKey(metric, second): float(means[row, column])
        for row, metric in enumerate(_GROUND_METRICS)
        for column, second in enumerate(ERRORS_AT_S)
    }
    return figures, loss


@torch.inference_mode()
def ground_errors_m(model: TrajectoryGRU, tracks: TrackSet, ends: IntArray) -> FloatArray:
    """(3, N, 4): for the rows ``ends`` (N,), at ``ERRORS_AT_S``, how far the best of the K futures, the mean one and
    the tracker's velocity, continued, are from the truth; NaN where that is not known."""
    predicted = _predicted(model, tracks, ends)
    parts = [_errors_m(futures, windows)[:, : len(rows)] for rows, futures, windows, _ in predicted]
    return np.concatenate([np.zeros((3, 0, len(ERRORS_AT_S))), *parts], axis=1)


def ground_windows(tracks: TrackSet, ends: IntArray, neighbours: int) -> Iterator[tuple[IntArray, Windows]]:
    """The rows ``ends`` in batches, and their windows; the windows of their ``neighbours`` follow in each batch."""
    for start in range(0, len(ends), _BATCH):
        chosen = ends[start : start + _BATCH]
        yield chosen, windows_at(tracks, chosen, length=MAX_HISTORY, neighbours=neighbours)


def _predicted(
    model: TrajectoryGRU, tracks: TrackSet, ends: IntArray
) -> Iterator[tuple[IntArray, Futures, Windows, MotionState]]:
    times = torch.from_numpy(GROUND_GRID.times_s).float()
    for chosen, windows in ground_windows(tracks, ends, NEIGHBOURS if model.config.interaction_dim else 0):
        futures, state = predict_windows(model, windows, times)
        yield chosen, futures, windows, state


def _errors_m(futures: Futures, windows: Windows) -> FloatArray:
    """(3, N, 4): see ``ground_errors_m``."""
    steps = [GROUND_GRID.steps.index(round(GROUND_GRID.rate_fps * second)) for second in ERRORS_AT_S]
    true = windows.futures[:, steps]
    now = windows.observations[:, -1]
    ahead_s = torch.tensor(ERRORS_AT_S, dtype=now.dtype)
    straight = now[:, None, XY] + now[:, None, VELOCITY] * ahead_s[:, None]
    best = (futures.means[:, :, steps] - true[:, None]).norm(dim=-1).min(dim=1).values
    errors = torch.stack([best, (futures.expected[:, steps] - true).norm(dim=-1), (straight - true).norm(dim=-1)])
    known: FloatArray = torch.where(windows.known[:, steps], errors, torch.nan).numpy()
    return known
