"""A constant-velocity Kalman filter, all tracks in one batch; both reference frames use it.

States are those of ``state_layout``. A step moves them by ``dt_s`` seconds, so the frame rate may be anything
and may change. Acceleration is continuous white noise (Bar-Shalom, Li & Kirubarajan 2001, section 6.2.2), which makes
two half steps equal to a whole one.
"""

from __future__ import annotations

import numpy as np

from perception.arrays import FloatArray
from perception.state_layout import MEASURED, MEASUREMENT_SIZE, SIZE, SIZE_RATE, STATE_SIZE


def step(
    means: FloatArray, covariances: FloatArray, dt_s: float, densities: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Means (N, 8) and covariances (N, 8, 8) ``dt_s`` seconds later.

    ``densities`` (N, 4) drive the rates: each one's spread grows by its density in the first second.
    """
    identity = np.eye(MEASUREMENT_SIZE)
    transition = np.block([[identity, dt_s * identity], [np.zeros_like(identity), identity]])
    growth = np.kron(np.array([[dt_s**3 / 3, dt_s**2 / 2], [dt_s**2 / 2, dt_s]]), identity)
    process = np.tile(np.square(densities), 2)[:, :, None] * growth
    return means @ transition.T, _symmetric(transition @ covariances @ transition.T + process)


def correct(
    means: FloatArray, covariances: FloatArray, measured: FloatArray, measured_noise: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Posterior of states (N, 8), (N, 8, 8) after measurements (N, 4) with covariances (N, 4, 4).

    The covariance is in Joseph's form, which stays positive definite under rounding.
    """
    innovation = covariances[:, MEASURED, MEASURED] + measured_noise
    gain = np.linalg.solve(innovation, covariances[:, MEASURED, :]).transpose(0, 2, 1)
    residual = measured - means[:, MEASURED]
    posterior = means + (gain @ residual[:, :, None])[:, :, 0]
    kept = np.broadcast_to(np.eye(STATE_SIZE), covariances.shape).copy()
    kept[:, :, MEASURED] -= gain
    joseph = kept @ covariances @ kept.transpose(0, 2, 1) + gain @ measured_noise @ gain.transpose(0, 2, 1)
    return posterior, _symmetric(joseph)


def with_min_sizes(means: FloatArray, smallest: FloatArray | float) -> FloatArray:
    """States (N, 8) with width and height of at least ``smallest`` (N, 2); a side held there no longer shrinks."""
    is_held = means[:, SIZE] < smallest
    bounded = means.copy()
    bounded[:, SIZE] = np.where(is_held, smallest, means[:, SIZE])
    bounded[:, SIZE_RATE] = np.where(is_held, np.maximum(means[:, SIZE_RATE], 0.0), means[:, SIZE_RATE])
    return bounded


def _symmetric(matrices: FloatArray) -> FloatArray:
    return (matrices + matrices.transpose(0, 2, 1)) / 2
