"""A constant-velocity Kalman filter over boxes, all tracks in one batch.

A state has eight numbers: centre x, y, width and height, then their rates per second. One step moves it by ``dt_s``
seconds, so the frame rate may be anything and may change. Acceleration is continuous white noise (Bar-Shalom, Li &
Kirubarajan 2001, section 6.2.2), which makes two half steps equal to a whole one.

``step`` and ``correct`` serve both frames. ``predict`` and ``update`` are those of the image frame, where a state is
over the image's width and height; the noise there is in units of the object's own size, because a near car moves and
jitters by more pixels than a far one.
"""

from __future__ import annotations

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, PositiveFloat

from perception.arrays import FloatArray, IntArray

MEASUREMENT_SIZE = 4
STATE_SIZE = 8

MIN_SIDE_PX = 1.0
"""A filtered box never becomes thinner than this."""


class MotionNoise(BaseModel):
    """How far boxes stray from constant velocity and detectors from the truth.

    The measurement's standard deviations were measured: boxes of YOLOX-nano (COCO weights, 416 px input, scores above
    0.1) on both training recordings of the motorway camera, each against the ground-truth box that it overlaps by
    IoU > 0.5, away from the image's edge. What counts for a filter is how the error changes from one frame to the
    next, not the part that stays (how a human draws the box): the values are that change over the root of two,
    3,815 pairs of frames, as 1.4826 times the median of its absolute value, since the tails are wrong matches. In
    plain standard deviations the whole error is twice as large: 0.057, 0.103, 0.120, 0.207. Scores above 0.5 stray
    about 0.8 as far as all, scores below 0.3 about 1.2 times as far; the line ``1.2 - 0.6 * score`` says so.

    The acceleration's densities and the initial rates were chosen by HOTA and IDF1 on those recordings and
    ``val_morning`` (1.25, 5 and 10 frames per second).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    centre_acceleration_density: PositiveFloat = Field(
        default=0.6, description="white noise driving the centre's rate, in object sizes / s^1.5"
    )
    side_acceleration_density: PositiveFloat = Field(
        default=0.6, description="white noise driving the rates of width and height, in object sizes / s^1.5"
    )
    initial_speed_std: PositiveFloat = Field(
        default=0.6, description="spread of a new object's speed, in object sizes / s"
    )
    initial_side_rate_std: PositiveFloat = Field(
        default=0.3, description="spread of a new object's rate of width and height, in object sizes / s"
    )
    measurement_std: tuple[PositiveFloat, PositiveFloat, PositiveFloat, PositiveFloat] = Field(
        default=(0.032, 0.054, 0.063, 0.104),
        description="spread of a measured centre x, y, width and height, in widths and heights of the box",
    )


def object_sizes(boxes_cxcywh: FloatArray, image_sizes_px: IntArray) -> FloatArray:
    """(N, 4): the object's size, the root of its area in pixels, over the image's width, height, width, height."""
    sizes_px = np.sqrt(np.prod(boxes_cxcywh[:, 2:4] * image_sizes_px, axis=1))
    relative: FloatArray = sizes_px[:, None] / np.tile(image_sizes_px, 2)
    return relative


def measurement_stds(boxes_cxcywh: FloatArray, scores: FloatArray, noise: MotionNoise) -> FloatArray:
    """Standard deviations (N, 4) of measured boxes (N, 4) with scores (N,)."""
    sides = np.tile(boxes_cxcywh[:, 2:4], 2)
    stds: FloatArray = sides * np.asarray(noise.measurement_std) * (1.2 - 0.6 * scores.astype(np.float64))[:, None]
    return stds


def initial_state(
    boxes_cxcywh: FloatArray, scores: FloatArray, image_sizes_px: IntArray, noise: MotionNoise
) -> tuple[FloatArray, FloatArray]:
    """Means (N, 8) and covariances (N, 8, 8) of objects that were measured once: at rest, with an unknown speed."""
    rate_stds = object_sizes(boxes_cxcywh, image_sizes_px) * np.repeat(
        [noise.initial_speed_std, noise.initial_side_rate_std], 2
    )
    stds = np.concatenate([measurement_stds(boxes_cxcywh, scores, noise), rate_stds], axis=1)
    means = np.concatenate([boxes_cxcywh, np.zeros_like(boxes_cxcywh)], axis=1)
    return means, np.square(stds)[:, :, None] * np.eye(STATE_SIZE)


def predict(
    means: FloatArray, covariances: FloatArray, dt_s: float, image_sizes_px: IntArray, noise: MotionNoise
) -> tuple[FloatArray, FloatArray]:
    """Means (N, 8) and covariances (N, 8, 8) ``dt_s`` seconds later."""
    densities = object_sizes(means, image_sizes_px) * np.repeat(
        [noise.centre_acceleration_density, noise.side_acceleration_density], 2
    )
    means, covariances = step(means, covariances, dt_s, densities)
    return with_positive_sides(means, image_sizes_px), covariances


def update(
    means: FloatArray, covariances: FloatArray, measured_cxcywh: FloatArray, stds: FloatArray, image_sizes_px: IntArray
) -> tuple[FloatArray, FloatArray]:
    """Posterior of states (N, 8), (N, 8, 8) after measurements (N, 4) with standard deviations (N, 4)."""
    measured_noise = np.square(stds)[:, :, None] * np.eye(MEASUREMENT_SIZE)
    means, covariances = correct(means, covariances, measured_cxcywh, measured_noise)
    return with_positive_sides(means, image_sizes_px), covariances


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
    innovation = covariances[:, :MEASUREMENT_SIZE, :MEASUREMENT_SIZE] + measured_noise
    gain = np.linalg.solve(innovation, covariances[:, :MEASUREMENT_SIZE, :]).transpose(0, 2, 1)
    residual = measured - means[:, :MEASUREMENT_SIZE]
    posterior = means + (gain @ residual[:, :, None])[:, :, 0]
    kept = np.broadcast_to(np.eye(STATE_SIZE), covariances.shape).copy()
    kept[:, :, :MEASUREMENT_SIZE] -= gain
    joseph = kept @ covariances @ kept.transpose(0, 2, 1) + gain @ measured_noise @ gain.transpose(0, 2, 1)
    return posterior, _symmetric(joseph)


def squared_mahalanobis(
    means: FloatArray, covariances: FloatArray, measured_cxcywh: FloatArray, stds: FloatArray
) -> FloatArray:
    """(N, M): squared distance of each of M measurements from each of N predictions, in standard deviations.

    Only the diagonal of the innovation's covariance counts: the four columns move independently in this filter.
    """
    variances = np.diagonal(covariances, axis1=1, axis2=2)
    total: FloatArray = np.zeros((len(means), len(measured_cxcywh)))
    for k in range(MEASUREMENT_SIZE):
        residual = np.subtract.outer(means[:, k], measured_cxcywh[:, k])
        total += np.square(residual) / np.add.outer(variances[:, k], np.square(stds[:, k]))
    return total


def with_positive_sides(means: FloatArray, image_sizes_px: IntArray) -> FloatArray:
    """States (N, 8) with width and height of at least ``MIN_SIDE_PX``; a side held there no longer shrinks."""
    floors = MIN_SIDE_PX / image_sizes_px
    held = means[:, 2:4] < floors
    bounded = means.copy()
    bounded[:, 2:4] = np.where(held, floors, means[:, 2:4])
    bounded[:, 6:8] = np.where(held, np.maximum(means[:, 6:8], 0.0), means[:, 6:8])
    return bounded


def _symmetric(matrices: FloatArray) -> FloatArray:
    return (matrices + matrices.transpose(0, 2, 1)) / 2
