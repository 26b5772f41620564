"""What makes K futures, their order, probabilities and spreads good; the same in the image and on the ground.

Futures are nested: the first alone is to be good, the first few together, and all K together, so that the most probable
one is a prediction of its own and few are worth nearly as much as many. Of each nested set only the best learns
(Guzman-Rivera et al. 2012), and all follow with a small weight, so that none is left where nothing ever happens
(Rupprecht et al. 2017). Spreads learn from the likelihood of the whole mixture with means and probabilities held, so
that variety does not shrink for their sake.
"""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from perception.geometry.rotation import rotate


class LossWeights(BaseModel):
    """``nested`` sizes of the sets of futures of which the best one learns; the weights of the other parts."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    nested: tuple[Annotated[int, Field(gt=0)], ...] = (1, 3, 6)
    relaxation: float = Field(0.05, ge=0, le=1, description="weight of the error of all futures")
    mean: float = Field(0.5, ge=0, description="weight of the error of the mean over the futures")
    choice: float = Field(0.1, ge=0, description="weight of the probabilities")
    choice_temperature: float = Field(
        0.5, gt=0, description="a future whose error is this much larger is e times less right"
    )
    likelihood: float = Field(0.1, ge=0, description="weight of the spreads")


def futures_loss(
    *,
    errors: Tensor,
    mean_errors: Tensor,
    likelihoods: Tensor,
    log_probabilities: Tensor,
    weights: LossWeights,
    judged: Tensor | None = None,
) -> dict[str, Tensor]:
    """Scalars, ``total`` among them.

    ``errors`` (N, K) of the futures, ``mean_errors`` (N,) of their mean, ``likelihoods`` (N,) negative and logarithmic,
    ``log_probabilities`` (N, K). ``judged`` (N, K) says which future came true where that is not told by ``errors``.
    """
    judged = errors.detach() if judged is None else judged
    best = weights.relaxation * errors.mean(dim=1)
    for size in weights.nested:
        winner = judged[:, :size].argmin(dim=1, keepdim=True)
        best = best + errors.gather(1, winner)[:, 0]
    right = (-judged / weights.choice_temperature).softmax(dim=1)
    choice = -(right * log_probabilities).sum(dim=1)
    parts = {"best": best, "mean": mean_errors, "choice": choice, "likelihood": likelihoods}
    losses = {name: part.mean() for name, part in parts.items()}
    total = losses["best"] + weights.mean * losses["mean"] + weights.choice * losses["choice"]
    return {"total": total + weights.likelihood * losses["likelihood"], **losses}


def mixture_log_likelihoods(differences: Tensor, stds: Tensor, log_probabilities: Tensor) -> Tensor:
    """(N, T): of the truth, ``differences`` (N, K, T, D) from the means, per dimension, under the mixture.

    The gradient reaches the spreads alone.
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
