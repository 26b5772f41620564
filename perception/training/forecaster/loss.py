"""The forecaster's losses: winner takes all for K futures, and the likelihood of the mixture that they form.

Futures are nested: the first alone is to be good, the first few together, and all K together, so that the most probable
one is a prediction of its own and few are worth nearly as much as many. Of each nested set only the best learns
(winner takes all, Guzman-Rivera et al. 2012), and all follow with a small weight, so that none is left where nothing
ever happens (Rupprecht et al. 2017). Standard deviations learn from the likelihood of the whole mixture with means and
probabilities held, so that variety does not shrink for their sake.
"""

from __future__ import annotations

import math
from typing import Annotated

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from perception.benchmarks.jaad import PREDICTED
from perception.forecasting.features.ground_motion import AXIS, VELOCITY, XY
from perception.forecasting.features.image_motion import ImageMotion
from perception.forecasting.features.motion import MotionState
from perception.forecasting.track_dataset import GROUND_GRID, IMAGE_GRID, Windows
from perception.forecasting.trajectory_gru import Futures
from perception.geometry.rotation import rotate

_REFERENCE_SIZE_PX = (1920.0, 1080.0)
_RMSE_SCALE_PX = 20.0
_BLEND_TIME_S = 0.5
_FULL_SPEED_MPS = 10.0
"""From here on an error counts half, for a fast car's position cannot be predicted to the metre."""


class LossWeights(BaseModel):
    """``nested`` sizes of the sets of futures of which the best one learns; the weights of the other parts."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    nested: tuple[Annotated[int, Field(gt=0)], ...] = (1, 3, 6)
    relaxation: float = Field(0.05, ge=0, le=1, description="weight of the error of all futures")
    mean: float = Field(0.5, ge=0, description="weight of the error of the mean over the futures")
    mode_nll: float = Field(0.1, ge=0, description="weight of the likelihood of the modes, which trains probabilities")
    mode_temperature: float = Field(
        0.5, gt=0, description="softmax temperature of the mode targets, in units of the error"
    )
    mixture_nll: float = Field(
        0.1, ge=0, description="weight of the likelihood of the mixture, which trains standard deviations"
    )


def image_loss(futures: Futures, windows: Windows, state: MotionState, *, weights: LossWeights) -> dict[str, Tensor]:
    """Root mean squared errors of the corners, up to 1.5 s and in all, in units of some pixels.

    Roots, so that one near pedestrian, whose box is large, does not outweigh the others. See ``winner_takes_all_loss``.
    """
    known = windows.known.float()
    is_near = torch.from_numpy(np.array(IMAGE_GRID.steps) <= PREDICTED).to(known.device) * known
    some = known.sum(dim=1) > 0

    def errors(boxes: Tensor, true: Tensor, known: Tensor, near: Tensor) -> Tensor:
        squared = (_corners_px(boxes) - _corners_px(true)).square().mean(dim=-1)
        roots = [(masked_mean(squared, mask) + 1e-2).sqrt() for mask in (near, known)]
        return (roots[0] + 0.5 * roots[1]) / _RMSE_SCALE_PX

    scale = ImageMotion().scale(state)[:, None, None, :]
    differences = (windows.futures[:, None] - futures.means) / scale
    likelihoods = mixture_log_likelihoods(differences, futures.stds / scale, futures.log_probabilities)
    return winner_takes_all_loss(
        errors=errors(futures.means, windows.futures[:, None], known[:, None], is_near[:, None])[some],
        mean_errors=errors(futures.expected, windows.futures, known, is_near)[some],
        mixture_nll=-masked_mean(likelihoods, known)[some],
        log_probabilities=futures.log_probabilities[some],
        weights=weights,
    )


def ground_loss(futures: Futures, windows: Windows, state: MotionState, *, weights: LossWeights) -> dict[str, Tensor]:
    """Distances in metres, less for what is fast; see ``winner_takes_all_loss``.

    The winner among the K is chosen by displacement from the start, not by position: else the K would spread over the
    tracker's errors instead of what the object may do. Distances are not squared: one car that turns where all others
    went straight must not outweigh them.
    """
    now, true = state.observations, windows.futures
    known = windows.known.float()
    some = known.sum(dim=1) > 0
    with torch.no_grad():
        displacements = (futures.means - futures.means[:, :, :1]) - (true - true[:, :1])[:, None]
        selection_errors = masked_mean(lengths_of(displacements), known[:, None])
    importance = 1 / (1 + now[:, VELOCITY].norm(dim=-1) / _FULL_SPEED_MPS)
    target = _blended(now[:, None, XY], true)
    differences = target[:, None] - futures.means
    likelihoods = mixture_log_likelihoods(
        turned_along(differences, now[:, AXIS]), futures.stds, futures.log_probabilities
    )
    return winner_takes_all_loss(
        errors=(masked_mean(lengths_of(differences), known[:, None]) * importance[:, None])[some],
        mean_errors=(masked_mean(lengths_of(futures.expected - target), known) * importance)[some],
        mixture_nll=-masked_mean(likelihoods, known)[some],
        log_probabilities=futures.log_probabilities[some],
        weights=weights,
        selection_errors=selection_errors[some],
    )


def benchmark_loss(
    futures: Futures, windows: Windows, state: MotionState, *, weights: LossWeights
) -> dict[str, Tensor]:
    """Mean distances in metres; see ``winner_takes_all_loss``."""
    known = windows.known.float()
    some = known.sum(dim=1) > 0
    differences = windows.futures[:, None] - futures.means
    along = turned_along(differences, state.observations[:, AXIS])
    likelihoods = mixture_log_likelihoods(along, futures.stds, futures.log_probabilities)
    return winner_takes_all_loss(
        errors=masked_mean(lengths_of(differences), known[:, None])[some],
        mean_errors=masked_mean(lengths_of(futures.expected - windows.futures), known)[some],
        mixture_nll=-masked_mean(likelihoods, known)[some],
        log_probabilities=futures.log_probabilities[some],
        weights=weights,
    )


def winner_takes_all_loss(
    *,
    errors: Tensor,
    mean_errors: Tensor,
    mixture_nll: Tensor,
    log_probabilities: Tensor,
    weights: LossWeights,
    selection_errors: Tensor | None = None,
) -> dict[str, Tensor]:
    """Scalars: ``total``, and its parts ``winner``, ``mean``, ``mode_nll`` and ``mixture_nll``.

    ``errors`` (N, K) of the futures, ``mean_errors`` (N,) of their mean, ``mixture_nll`` (N,) negative log-likelihoods,
    ``log_probabilities`` (N, K). ``selection_errors`` (N, K) choose the winner where ``errors`` do not.
    """
    selection_errors = errors.detach() if selection_errors is None else selection_errors
    winner = weights.relaxation * errors.mean(dim=1)
    for size in weights.nested:
        index = selection_errors[:, :size].argmin(dim=1, keepdim=True)
        winner = winner + errors.gather(1, index)[:, 0]
    mode_targets = (-selection_errors / weights.mode_temperature).softmax(dim=1)
    mode_nll = -(mode_targets * log_probabilities).sum(dim=1)
    parts = {"winner": winner, "mean": mean_errors, "mode_nll": mode_nll, "mixture_nll": mixture_nll}
    losses = {name: part.mean() for name, part in parts.items()}
    total = losses["winner"] + weights.mean * losses["mean"] + weights.mode_nll * losses["mode_nll"]
    return {"total": total + weights.mixture_nll * losses["mixture_nll"], **losses}


def mixture_log_likelihoods(differences: Tensor, stds: Tensor, log_probabilities: Tensor) -> Tensor:
    """(N, T): of the truth, ``differences`` (N, K, T, D) from the means, per dimension, under the mixture.

    The gradient reaches the standard deviations alone.
    """
    deviations = (differences.detach() / stds).square().clamp(max=100.0)
    gaussian = (-0.5 * deviations - stds.log() - 0.5 * math.log(2 * math.pi)).sum(dim=-1)
    mixed: Tensor = (gaussian + log_probabilities.detach()[..., None]).logsumexp(dim=1)
    return mixed / differences.shape[-1]


def lengths_of(vectors: Tensor) -> Tensor:
    """(..., 2) to (...), with a gradient at zero, too."""
    return (vectors.square().sum(dim=-1) + 1e-4).sqrt()


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Over the last dimension, where ``mask`` (float) is 1."""
    return (values * mask).sum(dim=-1) / mask.sum(dim=-1).clamp(min=1)


def turned_along(vectors: Tensor, axes_rad: Tensor) -> Tensor:
    """(N, ..., 2) in the world to along and across each object's direction (N,)."""
    shape = (-1, *[1] * (vectors.ndim - 2))
    return rotate(vectors, -axes_rad.view(shape))


def _corners_px(boxes: Tensor) -> Tensor:
    """(..., 4) centre and size to corners, in pixels of the reference size."""
    half = boxes[..., 2:] / 2
    corners = torch.cat([boxes[..., :2] - half, boxes[..., :2] + half], dim=-1)
    return corners * boxes.new_tensor(_REFERENCE_SIZE_PX * 2)


def _blended(observed: Tensor, true: Tensor) -> Tensor:
    """(N, T, 2): from where the tracker sees the objects (N, 1, 2) now, over to where they will be (N, T, 2).

    Where the tracker is wrong in a way that can be foreseen, a future would start with a jump without this.
    """
    ahead_s = torch.tensor(GROUND_GRID.times_s, dtype=true.dtype, device=true.device)
    return true + (observed - true[:, :1]) * (-ahead_s / _BLEND_TIME_S).exp()[:, None]
