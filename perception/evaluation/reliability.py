"""Whether spreads and probabilities mean what they say: how much of the truth lies where they put it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp, ndtr

from perception.types import FloatArray

Float64 = NDArray[np.float64]

SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
"""The middles of the forecast that are looked at."""

_SMALLEST_STD = 1e-9


@dataclass(frozen=True)
class Reliability:
    """``inside[a][i]``: the share of the truth inside the middle ``SHARES[i]`` of the forecast along axis a; equal to
    it where spreads are right, less where they are too narrow. ``nll``: the mean negative logarithm of the probability
    density that the whole mixture gave to what happened, in nats per squared unit of the places; lower is better."""

    inside: tuple[tuple[float, ...], tuple[float, ...]]
    nll: float

    def within(self, share: float) -> tuple[float, float]:
        """The shares of the truth inside that one of the middle ``SHARES``, along both axes."""
        first, second = (axis[SHARES.index(share)] for axis in self.inside)
        return first, second


def judged_by_truth(
    probabilities: FloatArray, means: FloatArray, stds: FloatArray, future: FloatArray
) -> tuple[Float64, Float64]:
    """The mixture's cumulative probability at the truth, per axis (N, H, A), and the logarithm of its density (N, H).

    ``means`` and ``stds`` (N, K, H, A), ``future`` (N, H, A), in any unit; NaN where no spread is claimed.
    """
    safe = np.maximum(stds, _SMALLEST_STD)
    deviations = (future[:, None] - means) / safe
    levels: Float64 = np.einsum("nk,nkha->nha", probabilities, ndtr(deviations))
    each = -(0.5 * deviations**2 + np.log(safe) + 0.5 * np.log(2 * np.pi)).sum(axis=-1)
    density: Float64 = logsumexp(each, b=np.asarray(probabilities)[:, :, None], axis=1)
    claims = (stds > 0).any(axis=1)
    return np.where(claims, levels, np.nan), np.where(claims.all(axis=-1), density, np.nan)


def inside_middles(levels: Float64) -> Float64 | None:
    """(9, A): the shares of ``levels`` (N, A) inside the middle ``SHARES``.

    None as soon as one forecast claims no spread: a share over the others would flatter.
    """
    if not len(levels) or np.isnan(levels).any():
        return None
    from_middle = np.abs(levels - 0.5)[:, None]
    inside: Float64 = (from_middle <= np.array(SHARES)[:, None] / 2 + 1e-12).mean(axis=0)
    return inside


def reliability_of(levels: Float64, log_densities: Float64) -> Reliability | None:
    """Of N targets, ``levels`` (N, 2) and ``log_densities`` (N,) as ``judged_by_truth`` gives them; None where one
    forecast claims no spread."""
    inside = inside_middles(levels)
    if inside is None:
        return None
    first, second = (tuple(column.tolist()) for column in inside.T)
    return Reliability((first, second), float(-log_densities.mean()))


def reliability_note(found: Reliability, axes: tuple[str, str], unit: str) -> str:
    """The curve and the likelihood as a sentence."""
    named = " ".join(f"{100 * share:.0f}" for share in SHARES)
    curves = ", ".join(
        f"{' '.join(f'{100 * share:.0f}' for share in part)} % ({axis})"
        for part, axis in zip(found.inside, axes, strict=True)
    )
    return f"Inside the middle {named} % of the forecast lie {curves}; NLL {found.nll:.2f} nats per square {unit}."
