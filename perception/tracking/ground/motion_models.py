"""Standing or moving: two Kalman filters for each track, mixed as interacting multiple models (Blom & Bar-Shalom 1988).

What stands has no speed at all, so what is measured of it for seconds fixes its place. What moves has a constant
velocity, which white noise drives. The probability of each model follows from how well it predicted what was measured.

Errors of lifting that last would look like motion: a car that is taller than usual seems too near, and the more so the
farther away it is. So each state has two more numbers beside those of ``state_layout``: how wrong the lifting is along
and across the line of sight, in standard deviations (``lasting`` in ``lifting``). They fade slowly, as coloured noise
does (Bar-Shalom, Li & Kirubarajan 2001, section 8.2).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from perception.arrays import FloatArray, IntArray, StructOfArrays
from perception.state_layout import MEASURED, MEASUREMENT_SIZE, POSITION, RATES, STATE_SIZE, VELOCITY
from perception.tracking.common import kalman
from perception.tracking.ground.settings import GroundMotionNoise

STANDING, MOVING = 0, 1
"""The models."""

LASTING_ERRORS = 2
BIAS = slice(STATE_SIZE, STATE_SIZE + LASTING_ERRORS)
"""Columns of a model's state behind those of ``state_layout``."""

MODEL_STATE_SIZE = STATE_SIZE + LASTING_ERRORS

_MOST_EVIDENCE = 1.0
"""One observation changes the logarithm of the ratio of the probabilities by this at most: boxes have outliers."""

_LEAST_PROBABILITY = 1e-3


@dataclass(frozen=True, kw_only=True)
class MotionModels(StructOfArrays):
    """``means`` (N, 2, 10), ``covariances`` (N, 2, 10, 10) and ``probabilities`` (N, 2) of N tracks, by model."""

    means: FloatArray
    covariances: FloatArray
    probabilities: FloatArray

    @classmethod
    def spawned(
        cls, measured: FloatArray, jitters: FloatArray, lasting: FloatArray, groups: IntArray, motion: GroundMotionNoise
    ) -> MotionModels:
        """From the first measurements (N, 4); see ``GroundObservations`` for their errors."""
        count = len(measured)
        speeds = np.asarray(motion.initial_speed_stds_mps)[groups]
        rate_stds = np.column_stack([speeds, speeds, np.full((count, 2), motion.initial_size_rate_std_mps)])
        means, covariances = np.zeros((count, MODEL_STATE_SIZE)), np.zeros((count, MODEL_STATE_SIZE, MODEL_STATE_SIZE))
        means[:, MEASURED] = measured
        covariances[:, MEASURED, MEASURED] = jitters + lasting @ lasting.transpose(0, 2, 1)
        covariances[:, MEASURED, BIAS], covariances[:, BIAS, MEASURED] = -lasting, -lasting.transpose(0, 2, 1)
        covariances[:, BIAS, BIAS] = np.eye(LASTING_ERRORS)
        covariances[:, RATES, RATES] = np.square(rate_stds)[:, :, None] * np.eye(MEASUREMENT_SIZE)
        shares = np.asarray(motion.standing_shares)[groups]
        return cls(
            means=np.stack([means, means], axis=1),
            covariances=np.stack((*_at_rest(means, covariances)[1:], covariances), axis=1),
            probabilities=np.column_stack([shares, 1 - shares]),
        )

    @property
    def is_standing(self) -> NDArray[np.bool_]:
        """(N,): that is the more probable model."""
        is_standing: NDArray[np.bool_] = self.probabilities[:, STANDING] > 0.5
        return is_standing

    def predicted(self, dt_s: float, groups: IntArray, motion: GroundMotionNoise) -> MotionModels:
        """``dt_s`` seconds later: what stood may have started, what moved may have stopped."""
        mixed = self._mixed(dt_s, groups, motion)
        accelerations = np.asarray(motion.acceleration_densities)[groups]
        sides = np.full((len(self), 2), motion.size_acceleration_density)
        densities = np.stack(
            [np.column_stack([speeding, speeding, sides]) for speeding in (0 * accelerations, accelerations)], axis=1
        )
        kept = np.exp(-dt_s / motion.bias_lasts_s)
        transition, noise = np.eye(MODEL_STATE_SIZE), np.zeros_like(mixed.covariances)
        transition[:STATE_SIZE, :STATE_SIZE] = kalman.transition(dt_s)
        transition[BIAS, BIAS] *= kept
        noise[..., :STATE_SIZE, :STATE_SIZE] = kalman.process_noise(densities, dt_s)
        noise[..., BIAS, BIAS] = (1 - kept**2) * np.eye(LASTING_ERRORS)
        return MotionModels(
            means=mixed.means @ transition.T,
            covariances=transition @ mixed.covariances @ transition.T + noise,
            probabilities=mixed.probabilities,
        )

    def corrected(
        self, measured: FloatArray, jitters: FloatArray, lasting: FloatArray, outlier_gate: float
    ) -> MotionModels:
        """After measurements (N, 4) with errors as in ``GroundObservations``.

        One that no model predicts within ``outlier_gate``, a squared Mahalanobis distance on the ground, may be half
        hidden or have a wrong edge: it counts as much as if it stood at the gate.
        """
        measured, jitters, observation = measured[:, None], jitters[:, None], _observation(lasting)[:, None]
        predicted = (observation @ self.means[..., None])[..., 0]
        spreads = observation @ self.covariances @ observation.swapaxes(-1, -2) + jitters
        residuals = (measured - predicted)[..., POSITION, None]
        scaled = np.linalg.solve(spreads[..., POSITION, POSITION], residuals)
        distances = (residuals * scaled).sum(axis=(-2, -1)).min(axis=1, initial=np.inf)
        noise = jitters * np.maximum(distances / outlier_gate, 1.0)[:, None, None, None]
        posterior = kalman.update(self.means, self.covariances, measured, noise, observation)
        evidence = posterior.log_likelihoods - posterior.log_likelihoods.max(axis=1, keepdims=True, initial=-np.inf)
        weights = self.probabilities * np.exp(np.maximum(evidence, -_MOST_EVIDENCE))
        weights = np.maximum(weights / weights.sum(axis=1, keepdims=True), _LEAST_PROBABILITY)
        return MotionModels(
            means=posterior.means,
            covariances=posterior.covariances,
            probabilities=weights / weights.sum(axis=1, keepdims=True),
        )

    def apparent(self, lasting: FloatArray) -> tuple[FloatArray, FloatArray]:
        """States (N, 8) and covariances (N, 8, 8) of both models together where lifting puts them, with its errors
        ``lasting`` (N, 4, 2); what stands has no speed."""
        means, covariances = _moments(self.means, self.covariances, self.probabilities)
        means[self.is_standing, VELOCITY] = 0.0
        shows = np.tile(np.eye(STATE_SIZE, MODEL_STATE_SIZE), (len(self), 1, 1))
        shows[:, MEASURED, BIAS] = lasting
        return (shows @ means[:, :, None])[:, :, 0], shows @ covariances @ shows.transpose(0, 2, 1)

    def _mixed(self, dt_s: float, groups: IntArray, motion: GroundMotionNoise) -> MotionModels:
        """Each model starts from what both believe, weighted by how probably a track comes from there."""
        started, stopped = _switching(dt_s, motion)
        switches = np.array([[1 - started, started], [stopped, 1 - stopped]])
        joint = self.probabilities[:, :, None] * switches
        probabilities = joint.sum(axis=1)
        sources = joint / probabilities[:, None, :]
        starting = self.covariances[:, STANDING].copy()
        starts_mps = np.asarray(motion.starting_speed_stds_mps)[groups]
        starting[:, VELOCITY, VELOCITY] = np.square(starts_mps)[:, None, None] * np.eye(2)
        resting = _at_rest(self.means[:, MOVING], self.covariances[:, MOVING])
        to_standing = _moments(
            np.stack([self.means[:, STANDING], resting[0]], axis=1),
            np.stack([self.covariances[:, STANDING], resting[1]], axis=1),
            sources[:, :, STANDING],
        )
        to_moving = _moments(
            self.means, np.stack([starting, self.covariances[:, MOVING]], axis=1), sources[:, :, MOVING]
        )
        return MotionModels(
            means=np.stack([to_standing[0], to_moving[0]], axis=1),
            covariances=np.stack([to_standing[1], to_moving[1]], axis=1),
            probabilities=probabilities,
        )


def _switching(dt_s: float, motion: GroundMotionNoise) -> tuple[float, float]:
    """The probabilities of starting and of stopping within ``dt_s``: a Markov chain in continuous time."""
    starts, stops = 1 / motion.stands_s, 1 / motion.moves_s
    any_switch = 1 - np.exp(-dt_s * (starts + stops))
    return starts / (starts + stops) * any_switch, stops / (starts + stops) * any_switch


def _at_rest(means: FloatArray, covariances: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The same states without speed."""
    means, covariances = means.copy(), covariances.copy()
    means[:, VELOCITY] = 0.0
    covariances[:, VELOCITY, :] = covariances[:, :, VELOCITY] = 0.0
    return means, covariances


def _observation(lasting: FloatArray) -> FloatArray:
    """(N, 4, 10): what is measured of a state."""
    observation = np.zeros((len(lasting), MEASUREMENT_SIZE, MODEL_STATE_SIZE))
    observation[:, :, MEASURED] = np.eye(MEASUREMENT_SIZE)
    observation[:, :, BIAS] = lasting
    return observation


def _moments(means: FloatArray, covariances: FloatArray, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean (N, S) and covariance (N, S, S) of mixtures of ``means`` (N, 2, S) with ``weights`` (N, 2)."""
    middle = np.einsum("nk,nks->ns", weights, means)
    apart = means - middle[:, None]
    spread = covariances + apart[..., :, None] * apart[..., None, :]
    return middle, np.einsum("nk,nkst->nst", weights, spread)
