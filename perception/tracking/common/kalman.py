"""A constant-velocity Kalman filter, all tracks in one batch; both reference frames use it.

States are those of ``state_layout``. A step moves them by ``dt_s`` seconds, so the frame rate may be anything
and may change. Acceleration is continuous white noise (Bar-Shalom, Li & Kirubarajan 2001, section 6.2.2), which makes
two half steps equal to a whole one.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from perception.arrays import FloatArray
from perception.state_layout import MEASUREMENT_SIZE, SIZE, SIZE_RATE, STATE_SIZE


class Posterior(NamedTuple):
    """States (..., S), their covariances (..., S, S), and the logarithm (...) of how probable the measurement was."""

    means: FloatArray
    covariances: FloatArray
    log_likelihoods: FloatArray


def transition(dt_s: float) -> FloatArray:
    """(8, 8): how ``dt_s`` seconds move a state."""
    identity = np.eye(MEASUREMENT_SIZE)
    return np.block([[identity, dt_s * identity], [np.zeros_like(identity), identity]])


def process_noise(densities: FloatArray, dt_s: float) -> FloatArray:
    """(..., 8, 8): what ``dt_s`` seconds add to the covariance of a state.

    ``densities`` (..., 4) drive the rates: each one's spread grows by its density in the first second.
    """
    growth = np.kron(np.array([[dt_s**3 / 3, dt_s**2 / 2], [dt_s**2 / 2, dt_s]]), np.eye(MEASUREMENT_SIZE))
    noise: FloatArray = np.concatenate([np.square(densities)] * 2, axis=-1)[..., :, None] * growth
    return noise


def step(
    means: FloatArray, covariances: FloatArray, dt_s: float, densities: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Means (N, 8) and covariances (N, 8, 8) ``dt_s`` seconds later; for ``densities`` see ``process_noise``."""
    moves = transition(dt_s)
    return means @ moves.T, _symmetric(moves @ covariances @ moves.T + process_noise(densities, dt_s))


def correct(
    means: FloatArray, covariances: FloatArray, measured: FloatArray, measured_noise: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Posterior of states (N, 8), (N, 8, 8) after measurements (N, 4) with covariances (N, 4, 4)."""
    posterior = update(means, covariances, measured, measured_noise, np.eye(MEASUREMENT_SIZE, STATE_SIZE))
    return posterior.means, posterior.covariances


def update(
    means: FloatArray,
    covariances: FloatArray,
    measured: FloatArray,
    measured_noise: FloatArray,
    observation: FloatArray,
) -> Posterior:
    """Posterior of states (..., S) after measurements (..., M) of ``observation`` (..., M, S) times the state.

    Leading axes go together by broadcasting. The covariance is in Joseph's form, which stays positive definite under
    rounding.
    """
    crossed = observation @ covariances
    innovation = crossed @ _transposed(observation) + measured_noise
    gain = _transposed(np.linalg.solve(innovation, crossed))
    residual = (measured - (observation @ means[..., None])[..., 0])[..., None]
    kept = np.eye(means.shape[-1]) - gain @ observation
    joseph = kept @ covariances @ _transposed(kept) + gain @ measured_noise @ _transposed(gain)
    distances = (_transposed(residual) @ np.linalg.solve(innovation, residual))[..., 0, 0]
    return Posterior(
        means=means + (gain @ residual)[..., 0],
        covariances=_symmetric(joseph),
        log_likelihoods=-(distances + np.linalg.slogdet(2 * np.pi * innovation).logabsdet) / 2,
    )


def with_min_sizes(means: FloatArray, smallest: FloatArray | float) -> FloatArray:
    """States (..., 8) with width and height of at least ``smallest`` (..., 2); a side held there no longer shrinks."""
    is_held = means[..., SIZE] < smallest
    bounded = means.copy()
    bounded[..., SIZE] = np.where(is_held, smallest, means[..., SIZE])
    bounded[..., SIZE_RATE] = np.where(is_held, np.maximum(means[..., SIZE_RATE], 0.0), means[..., SIZE_RATE])
    return bounded


def _symmetric(matrices: FloatArray) -> FloatArray:
    return (matrices + _transposed(matrices)) / 2


def _transposed(matrices: FloatArray) -> FloatArray:
    return np.swapaxes(matrices, -1, -2)
