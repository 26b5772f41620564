"""What TrajectoryGRU learns on the ground: drives tracked in metres, and cheap simulated traffic."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from perception.arrays import FloatArray, IntArray
from perception.errors import UsageError
from perception.forecasting.batch_prediction import predict_windows
from perception.forecasting.features.ground_motion import (
    AXIS,
    CAR_IS_KNOWN,
    CAR_PLACE,
    CAR_YAW,
    COVARIANCE,
    OBSERVATION_SIZE,
    PLACE,
    VARIANCE,
    VELOCITY,
)
from perception.forecasting.features.motion import MotionState
from perception.forecasting.interaction import NEIGHBOURS
from perception.forecasting.track_dataset import GROUND_GRID, TrackSet, Windows, windows_at
from perception.forecasting.trajectory_gru import Futures, TrajectoryGRU
from perception.taxonomy import CLASSES
from perception.training.engine.trainer import Validation
from perception.training.forecaster.config import ForecasterTraining
from perception.training.forecaster.loss import (
    LossWeights,
    futures_loss,
    lengths_of,
    masked_mean,
    mixture_log_likelihoods,
    turned_along,
)

_LONGEST = 32
"""Observations that are read at most; hidden states remember more, but old ones hardly matter."""

ERRORS_AT_S = (1, 2, 3, 4)
_VALIDATED_ROWS = 6000
_BATCH = 1024
_CHOSEN_BY_S = 3
_JOINS_AFTER_S = 0.5
_FULL_SPEED_MPS = 10.0
"""From here on an error counts half, for nobody can say to the metre where a fast car will be."""

EXACT = "exact"
"""The validation set whose pasts are the truth."""

MIRRORED = np.ones(OBSERVATION_SIZE, np.float32)
MIRRORED[[PLACE.stop - 1, VELOCITY.stop - 1, AXIS, COVARIANCE, CAR_PLACE.stop - 1, CAR_YAW]] = -1
"""The columns of an observation that change their sign when left and right are swapped."""


class GroundLessons:
    """Batches, loss and choice of weights on the ground; see ``Lessons``.

    ``sets`` are learnt from, each with its share of the batches; ``validation`` sets, by name, choose the weights.
    """

    grid = GROUND_GRID

    def __init__(
        self,
        config: ForecasterTraining,
        sets: list[tuple[float, TrackSet]],
        validation: Mapping[str, TrackSet],
    ) -> None:
        self._config = config
        self._sets = [(share, tracks) for share, tracks in sets if share > 0]
        self._validation = validation

    def draw(self, rng: np.random.Generator) -> Windows:
        """One batch: pasts of a random length, most of them short, because every track was young once."""
        if not self._sets:
            raise UsageError("The configuration names neither drives (train) nor traffic to train from.")
        shares = np.array([share for share, _ in self._sets])
        tracks = self._sets[int(rng.choice(len(self._sets), p=shares / shares.sum()))][1]
        length = 1 + int(_LONGEST * rng.random() ** 2)
        while not len(ends := tracks.ends(length, 1)):
            if length == 1:
                raise UsageError("The drives: no track lies near a true object whose future is known.")
            length //= 2
        heard = NEIGHBOURS if self._config.interaction_dim and rng.random() >= self._config.neighbour_dropout else 0
        chosen = tracks.sample(ends, self._config.settings.batch_size, rng, together=heard > 0)
        windows = windows_at(tracks, chosen, length=length, neighbours=heard)
        return _augment(windows, rng, self._config.mirror_share, self._config.feature_dropout)

    def loss(self, futures: Futures, windows: Windows, state: MotionState) -> dict[str, Tensor]:
        """See ``ground_loss``."""
        return ground_loss(futures, windows, state, weights=self._config.loss)

    @torch.inference_mode()
    def validate(self, model: TrajectoryGRU) -> Validation:
        """Chosen by the best future's and the mean future's error at 3 s over that of constant velocity."""
        figures: dict[str, float] = {}
        losses, scores = [], []
        for name, tracks in self._validation.items():
            displacements, loss = ground_displacements(model, tracks, weights=self._config.loss)
            figures |= {f"{name} {figure}": value for figure, value in displacements.items()}
            straight = displacements[f"CV {_CHOSEN_BY_S} s"]
            best, mean = (displacements[f"{figure} {_CHOSEN_BY_S} s"] for figure in ("minFDE", "FDE"))
            scores.append(-float(np.log(max(best * mean, 1e-12) / max(straight, 1e-6) ** 2)))
            losses.append(loss)
        if not scores:
            raise UsageError("The configuration names neither drives (validation) nor traffic to choose by.")
        return Validation(float(np.mean(losses)), float(np.mean(scores)), figures)

    def unlearnt(self) -> dict[str, list[Windows]]:
        """Windows of tracked objects. Pasts without errors are another world, in which nobody drives."""
        heard = NEIGHBOURS if self._config.interaction_dim else 0
        return {
            name: [windows for _, windows in _batches(tracks, _some_ends(tracks, _VALIDATED_ROWS), heard)]
            for name, tracks in self._validation.items()
            if name != EXACT
        }


def _some_ends(tracks: TrackSet, rows: int) -> IntArray:
    """About ``rows`` of those that were seen twice and whose future is known."""
    ends = tracks.ends(2, 1)
    return ends[:: max(1, len(ends) // rows)]


def _batches(tracks: TrackSet, ends: IntArray, heard: int) -> Iterator[tuple[IntArray, Windows]]:
    """The ``ends`` in batches, and their windows; those of the neighbours that are heard follow."""
    for start in range(0, len(ends), _BATCH):
        chosen = ends[start : start + _BATCH]
        yield chosen, windows_at(tracks, chosen, length=_LONGEST, neighbours=heard)


def ground_loss(futures: Futures, windows: Windows, state: MotionState, *, weights: LossWeights) -> dict[str, Tensor]:
    """Distances in metres, less for what is fast; see ``futures_loss``.

    Which of the K came true is judged by the way that was gone, not by where the tracker thought that it began: else
    the K would spread over the tracker's errors instead of what the object may do. Distances are not squared: one car
    that turns where all others went straight must not outweigh them.
    """
    now, true = state.observations, windows.futures
    known = windows.known.float()
    some = known.sum(dim=1) > 0
    with torch.no_grad():
        ways = (futures.means - futures.means[:, :, :1]) - (true - true[:, :1])[:, None]
        judged = masked_mean(lengths_of(ways), known[:, None])
    importance = 1 / (1 + now[:, VELOCITY].norm(dim=-1) / _FULL_SPEED_MPS)
    target = _joined(now[:, None, PLACE], true)
    differences = target[:, None] - futures.means
    likelihoods = mixture_log_likelihoods(
        turned_along(differences, now[:, AXIS]), futures.stds, futures.log_probabilities
    )
    return futures_loss(
        errors=(masked_mean(lengths_of(differences), known[:, None]) * importance[:, None])[some],
        mean_errors=(masked_mean(lengths_of(futures.expected - target), known) * importance)[some],
        likelihoods=-masked_mean(likelihoods, known)[some],
        log_probabilities=futures.log_probabilities[some],
        weights=weights,
        judged=judged[some],
    )


def _joined(seen: Tensor, true: Tensor) -> Tensor:
    """(N, T, 2): from where the tracker sees the objects (N, 1, 2) now, over to where they will be (N, T, 2).

    Where the tracker is wrong in a way that can be foreseen, a future would start with a jump without this.
    """
    ahead_s = torch.tensor(GROUND_GRID.times_s, dtype=true.dtype, device=true.device)
    return true + (seen - true[:, :1]) * (-ahead_s / _JOINS_AFTER_S).exp()[:, None]


def _augment(windows: Windows, rng: np.random.Generator, mirror_share: float, feature_dropout: float) -> Windows:
    """Mirror a share of the windows, shake a third, change some classes, take the features or the car from some.

    Where neighbours are heard, all windows of the batch are mirrored or none. Mirrored ones lose their features, which
    tell left from right: an indicator, a heading.
    """
    count = len(windows.labels)
    seen = windows.observations.numpy().copy()
    futures = windows.futures.numpy().copy()
    mirror = rng.random(count) < mirror_share
    if windows.neighbours.shape[1]:
        mirror[:] = mirror[0]
    seen[mirror] *= MIRRORED
    futures[mirror, :, 1] *= -1
    stds_m = np.sqrt(seen[..., VARIANCE]) * 0.3 * (rng.random(count) < 0.33)[:, None, None]
    seen[..., PLACE] += stds_m * rng.normal(size=stds_m.shape)
    lost = rng.random(count) < 0.1
    seen[lost, :, CAR_PLACE.start : CAR_IS_KNOWN + 1] = 0
    features = windows.features
    if features is not None:
        features = features * torch.from_numpy((rng.random(count) >= feature_dropout) & ~mirror)[:, None, None]
    other = torch.from_numpy(rng.integers(len(CLASSES), size=count))
    labels = torch.where(torch.from_numpy(rng.random(count) < 0.1), other, windows.labels)
    return replace(
        windows,
        observations=torch.from_numpy(seen).float(),
        features=features,
        labels=labels,
        futures=torch.from_numpy(futures),
    )


@torch.inference_mode()
def ground_displacements(
    model: TrajectoryGRU, tracks: TrackSet, *, weights: LossWeights | None = None, rows: int = _VALIDATED_ROWS
) -> tuple[dict[str, float], float]:
    """Mean distances in metres at 1 to 4 s of about ``rows`` rows whose future is known, and the loss on them.

    "minFDE" of the best of the K futures, "FDE" of the mean one, "CV" of the tracker's velocity, continued.
    """
    ends = _some_ends(tracks, rows)
    apart_m, loss = [], 0.0
    for chosen, futures, windows, state in _predicted(model, tracks, ends):
        total = ground_loss(futures, windows, state, weights=weights or LossWeights())["total"]
        loss += float(total) * len(chosen) / len(ends)
        apart_m.append(_apart_m(futures, windows))
    apart = np.concatenate([np.zeros((3, 0, len(ERRORS_AT_S))), *apart_m], axis=1)
    means = np.nansum(apart, axis=1) / np.maximum(np.isfinite(apart).sum(axis=1), 1)
    figures = {
        f"{name} {second} s": float(means[row, column])
        for row, name in enumerate(("minFDE", "FDE", "CV"))
        for column, second in enumerate(ERRORS_AT_S)
    }
    return figures, loss


@torch.inference_mode()
def ground_errors_m(model: TrajectoryGRU, tracks: TrackSet, ends: IntArray) -> FloatArray:
    """(3, N, 4): for the rows ``ends`` (N,), at ``ERRORS_AT_S``, how far the best of the K futures, the mean one and
    the tracker's velocity, continued, are from the truth; NaN where that is not known."""
    predicted = _predicted(model, tracks, ends)
    parts = [_apart_m(futures, windows)[:, : len(rows)] for rows, futures, windows, _ in predicted]
    return np.concatenate([np.zeros((3, 0, len(ERRORS_AT_S))), *parts], axis=1)


def _predicted(
    model: TrajectoryGRU, tracks: TrackSet, ends: IntArray
) -> Iterator[tuple[IntArray, Futures, Windows, MotionState]]:
    """Batches of ``ends``, and what is foreseen there; the windows of neighbours follow theirs."""
    times = torch.from_numpy(GROUND_GRID.times_s).float()
    for chosen, windows in _batches(tracks, ends, NEIGHBOURS if model.config.interaction_dim else 0):
        futures, state = predict_windows(model, windows, times)
        yield chosen, futures, windows, state


def _apart_m(futures: Futures, windows: Windows) -> FloatArray:
    """(3, N, 4): see ``ground_errors_m``."""
    steps = [GROUND_GRID.steps.index(round(GROUND_GRID.rate_fps * second)) for second in ERRORS_AT_S]
    true = windows.futures[:, steps]
    now = windows.observations[:, -1]
    ahead_s = torch.tensor(ERRORS_AT_S, dtype=now.dtype)
    straight = now[:, None, PLACE] + now[:, None, VELOCITY] * ahead_s[:, None]
    best = (futures.means[:, :, steps] - true[:, None]).norm(dim=-1).min(dim=1).values
    apart = torch.stack([best, (futures.expected[:, steps] - true).norm(dim=-1), (straight - true).norm(dim=-1)])
    known: FloatArray = torch.where(windows.known[:, steps], apart, torch.nan).numpy()
    return known
