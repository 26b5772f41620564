"""Whether spreads and probabilities mean what they say: how much of the truth lies where they put it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp, ndtr

from perception.arrays import FloatArray

Float64 = NDArray[np.float64]

SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
"""The middles of the forecast that are looked at."""

_SMALLEST_STD = 1e-9


@dataclass(frozen=True)
class Reliability:
    """``inside[a][i]``: the share of the truth inside the middle ``SHARES[i]`` of the forecast along axis a; equal to
    it where spreads are right, less where they are too narrow. ``nll``: the mean negative logarithm of the probability
    density that the whole mixture gave to what happened, in nats per squared unit of the places; lower is better.
    ``first_said`` is how probable the most probable future was called in the mean, ``first_came`` how often it came
    nearest."""

    inside: tuple[tuple[float, ...], tuple[float, ...]]
    nll: float
    first_said: float
    first_came: float

    def within(self, share: float) -> tuple[float, float]:
        """The shares of the truth inside that one of the middle ``SHARES``, along both axes."""
        first, second = (axis[SHARES.index(share)] for axis in self.inside)
        return first, second


@dataclass(frozen=True)
class Judged:
    """N targets at H times.

    ``levels`` (N, H, A): how much of the forecast's probability lies before the truth along each axis;
    ``log_densities`` (N, H): how likely the truth was; NaN where no spread is claimed. ``firsts`` (N, H, 2): how
    probable the most probable future was called, and 1 where it came nearest.
    """

    levels: Float64
    log_densities: Float64
    firsts: Float64

    @classmethod
    def join(cls, parts: Sequence[Judged], *, times: int, axes: int = 2) -> Judged:
        """All targets of several instants."""
        return cls(
            np.concatenate([np.zeros((0, times, axes)), *(part.levels for part in parts)]),
            np.concatenate([np.zeros((0, times)), *(part.log_densities for part in parts)]),
            np.concatenate([np.zeros((0, times, 2)), *(part.firsts for part in parts)]),
        )

    def __getitem__(self, rows: NDArray[np.bool_]) -> Judged:
        """Some of the targets."""
        return Judged(self.levels[rows], self.log_densities[rows], self.firsts[rows])


def judged_by_truth(probabilities: FloatArray, means: FloatArray, stds: FloatArray, future: FloatArray) -> Judged:
    """What happened, under a mixture of K futures with ``probabilities`` (N, K).

    ``means`` and ``stds`` (N, K, H, A), ``future`` (N, H, A), in any unit; places are the first two axes.
    """
    safe = np.maximum(stds, _SMALLEST_STD)
    away = future[:, None] - means
    deviations = away / safe
    levels: Float64 = np.einsum("nk,nkha->nha", probabilities, ndtr(deviations))
    each = -(0.5 * deviations**2 + np.log(safe) + 0.5 * np.log(2 * np.pi)).sum(axis=-1)
    density: Float64 = logsumexp(each, b=np.asarray(probabilities)[:, :, None], axis=1)
    claims = (stds > 0).any(axis=1)
    first = probabilities.argmax(axis=1)
    came = np.linalg.norm(away[..., :2], axis=-1).argmin(axis=1) == first[:, None]
    said = np.broadcast_to(probabilities.max(axis=1)[:, None], came.shape)
    return Judged(
        np.where(claims, levels, np.nan),
        np.where(claims.all(axis=-1), density, np.nan),
        np.stack([said, came], axis=-1).astype(np.float64),
    )


def inside_middles(levels: Float64) -> Float64 | None:
    """(9, A): the shares of ``levels`` (N, A) inside the middle ``SHARES``.

    None as soon as one forecast claims no spread: a share over the others would flatter.
    """
    if not len(levels) or np.isnan(levels).any():
        return None
    from_middle = np.abs(levels - 0.5)[:, None]
    inside: Float64 = (from_middle <= np.array(SHARES)[:, None] / 2 + 1e-12).mean(axis=0)
    return inside


def reliability_of(judged: Judged, time: int) -> Reliability | None:
    """Of all targets at one of their times; None where one forecast claims no spread."""
    inside = inside_middles(judged.levels[:, time])
    if inside is None:
        return None
    first, second = (tuple(column.tolist()) for column in inside.T)
    said, came = judged.firsts[:, time].mean(axis=0).tolist()
    return Reliability((first, second), float(-judged.log_densities[:, time].mean()), said, came)


def reliability_note(found: Reliability, axes: tuple[str, str], unit: str) -> str:
    """The curve and the likelihood as a sentence."""
    named = " ".join(f"{100 * share:.0f}" for share in SHARES)
    curves = ", ".join(
        f"{' '.join(f'{100 * share:.0f}' for share in part)} % ({axis})"
        for part, axis in zip(found.inside, axes, strict=True)
    )
    return (
        f"Inside the middle {named} % of the forecast lie {curves}; NLL {found.nll:.2f} nats per square {unit}. "
        f"The most probable future is given {found.first_said:.0%}; it is nearest in {found.first_came:.0%} of cases."
    )
