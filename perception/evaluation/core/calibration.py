"""Whether forecast spreads and mode probabilities are calibrated: how often the truth lies where they put it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp, ndtr

from perception.arrays import FloatArray

Float64 = NDArray[np.float64]

CENTRAL_SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
"""The central intervals of the forecast at which coverage is measured."""

_SMALLEST_STD = 1e-9


@dataclass(frozen=True)
class Calibration:
    """``coverage[a][i]``: the share of the truth inside the central ``CENTRAL_SHARES[i]`` of the forecast along axis a.
    Equal to it where spreads are right, less where they are too narrow. ``nll``: the mean negative log likelihood of
    what happened under the whole mixture, in nats per squared unit of the positions; lower is better.
    ``mode_confidence`` is the mean probability of the most probable mode, ``mode_accuracy`` how often that mode was the
    nearest to the truth."""

    coverage: tuple[tuple[float, ...], tuple[float, ...]]
    nll: float
    mode_confidence: float
    mode_accuracy: float

    def within(self, share: float) -> tuple[float, float]:
        """The coverage of one of the ``CENTRAL_SHARES``, along both axes."""
        first, second = (axis[CENTRAL_SHARES.index(share)] for axis in self.coverage)
        return first, second


@dataclass(frozen=True)
class CalibrationSamples:
    """N targets at H times.

    ``quantiles`` (N, H, A): the forecast's cumulative probability at the truth along each axis; ``log_densities``
    (N, H): the log likelihood of the truth; NaN where no spread is claimed. ``top_modes`` (N, H, 2): the probability of
    the most probable mode, and 1 where it was the nearest.
    """

    quantiles: Float64
    log_densities: Float64
    top_modes: Float64

    @classmethod
    def join(cls, parts: Sequence[CalibrationSamples], *, times: int, axes: int = 2) -> CalibrationSamples:
        """All targets of several instants."""
        return cls(
            np.concatenate([np.zeros((0, times, axes)), *(part.quantiles for part in parts)]),
            np.concatenate([np.zeros((0, times)), *(part.log_densities for part in parts)]),
            np.concatenate([np.zeros((0, times, 2)), *(part.top_modes for part in parts)]),
        )

    def __getitem__(self, rows: NDArray[np.bool_]) -> CalibrationSamples:
        """Some of the targets."""
        return CalibrationSamples(self.quantiles[rows], self.log_densities[rows], self.top_modes[rows])


def sample_calibration(
    probabilities: FloatArray, means: FloatArray, stds: FloatArray, future: FloatArray
) -> CalibrationSamples:
    """How what happened lies in a mixture of K modes with ``probabilities`` (N, K).

    ``means`` and ``stds`` (N, K, H, A), ``future`` (N, H, A), in any unit; positions are the first two axes.
    """
    safe = np.maximum(stds, _SMALLEST_STD)
    away = future[:, None] - means
    deviations = away / safe
    quantiles: Float64 = np.einsum("nk,nkha->nha", probabilities, ndtr(deviations))
    each = -(0.5 * deviations**2 + np.log(safe) + 0.5 * np.log(2 * np.pi)).sum(axis=-1)
    density: Float64 = logsumexp(each, b=np.asarray(probabilities)[:, :, None], axis=1)
    claims = (stds > 0).any(axis=1)
    top_mode = probabilities.argmax(axis=1)
    is_nearest = np.linalg.norm(away[..., :2], axis=-1).argmin(axis=1) == top_mode[:, None]
    confidence = np.broadcast_to(probabilities.max(axis=1)[:, None], is_nearest.shape)
    return CalibrationSamples(
        np.where(claims, quantiles, np.nan),
        np.where(claims.all(axis=-1), density, np.nan),
        np.stack([confidence, is_nearest], axis=-1).astype(np.float64),
    )


@dataclass(frozen=True)
class CalibrationSums:
    """N targets at one time, added up: those ``inside`` the ``CENTRAL_SHARES`` (9, A), of their log likelihoods, and of
    what ``top_modes`` states (2,). ``inside`` is None as soon as one forecast claims no spread: a share over the others
    would flatter."""

    count: int
    inside: NDArray[np.int64] | None
    log_densities: float
    top_modes: Float64

    @classmethod
    def of(cls, samples: CalibrationSamples, time: int) -> CalibrationSums:
        """Of all targets at one of their times."""
        quantiles = samples.quantiles[:, time]
        return cls(
            count=len(quantiles),
            inside=None if np.isnan(quantiles).any() else _inside(quantiles),
            log_densities=float(samples.log_densities[:, time].sum()),
            top_modes=samples.top_modes[:, time].sum(axis=0),
        )


def central_coverage(quantiles: Float64) -> Float64 | None:
    """(9, A): the shares of ``quantiles`` (N, A) inside the ``CENTRAL_SHARES``.

    None as soon as one forecast claims no spread: a share over the others would flatter.
    """
    if not len(quantiles) or np.isnan(quantiles).any():
        return None
    return np.asarray(_inside(quantiles) / len(quantiles))


def _inside(quantiles: Float64) -> NDArray[np.int64]:
    from_middle = np.abs(quantiles - 0.5)[:, None]
    return np.asarray((from_middle <= np.array(CENTRAL_SHARES)[:, None] / 2 + 1e-12).sum(axis=0), np.int64)


def calibration_of(parts: Sequence[CalibrationSums]) -> Calibration | None:
    """Of all targets together; None without any, or where one forecast claims no spread."""
    inside = [part.inside for part in parts if part.inside is not None]
    count = sum(part.count for part in parts)
    if not count or len(inside) < len(parts):
        return None
    first, second = (tuple(column.tolist()) for column in (np.sum(inside, axis=0) / count).T)
    confidence, accuracy = (np.sum([part.top_modes for part in parts], axis=0) / count).tolist()
    nll = -sum(part.log_densities for part in parts) / count
    return Calibration((first, second), nll, confidence, accuracy)


def calibration_note(found: Calibration, axes: tuple[str, str], unit: str) -> str:
    """The curve and the likelihood as a sentence."""
    named = " ".join(f"{100 * share:.0f}" for share in CENTRAL_SHARES)
    curves = ", ".join(
        f"{' '.join(f'{100 * share:.0f}' for share in part)} % ({axis})"
        for part, axis in zip(found.coverage, axes, strict=True)
    )
    return (
        f"Coverage of the central {named} % intervals: {curves}; NLL {found.nll:.2f} nats per square {unit}. "
        f"Most probable mode: mean probability {found.mode_confidence:.0%}, accuracy {found.mode_accuracy:.0%}."
    )
