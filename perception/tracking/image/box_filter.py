"""The Kalman filter of boxes in an image.

A state is over the image's width and height. The noise is in units of the object's own size, because a near car moves
and jitters by more pixels than a far one.
"""

from __future__ import annotations

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, PositiveFloat

from perception.arrays import FloatArray, IntArray
from perception.state_layout import MEASUREMENT_SIZE, SIZE, STATE_SIZE
from perception.tracking.common.kalman import correct, step, with_min_sizes

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
    about 0.8 as far as all, scores below 0.3 about 1.2 times as far; the line ``1.2 - 0.6 * score`` fits this.

    The acceleration's densities and the initial rates were chosen by HOTA and IDF1 on those recordings and
    ``val_morning`` (1.25, 5 and 10 frames per second).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    centre_acceleration_density: PositiveFloat = Field(
        default=0.6, description="white noise driving the centre's rate, in object sizes / s^1.5"
    )
    size_acceleration_density: PositiveFloat = Field(
        default=0.6, description="white noise driving the rates of width and height, in object sizes / s^1.5"
    )
    initial_speed_std: PositiveFloat = Field(
        default=0.6, description="spread of a new object's speed, in object sizes / s"
    )
    initial_size_rate_std: PositiveFloat = Field(
        default=0.3, description="spread of a new object's rate of width and height, in object sizes / s"
    )
    measurement_std: tuple[PositiveFloat, PositiveFloat, PositiveFloat, PositiveFloat] = Field(
        default=(0.032, 0.054, 0.063, 0.104),
        description="spread of a measured centre x, y, width and height, in widths and heights of the box",
    )


def object_sizes(boxes_cxcywh: FloatArray, image_sizes_px: IntArray) -> FloatArray:
    """(N, 4): the object's size, the root of its area in pixels, over the image's width, height, width, height."""
    sizes_px = np.sqrt(np.prod(boxes_cxcywh[:, SIZE] * image_sizes_px, axis=1))
    relative: FloatArray = sizes_px[:, None] / np.tile(image_sizes_px, 2)
    return relative


def measurement_stds(boxes_cxcywh: FloatArray, scores: FloatArray, noise: MotionNoise) -> FloatArray:
    """Standard deviations (N, 4) of measured boxes (N, 4) with scores (N,)."""
    sides = np.tile(boxes_cxcywh[:, SIZE], 2)
    stds: FloatArray = sides * np.asarray(noise.measurement_std) * (1.2 - 0.6 * scores.astype(np.float64))[:, None]
    return stds


def initial_state(
    boxes_cxcywh: FloatArray, scores: FloatArray, image_sizes_px: IntArray, noise: MotionNoise
) -> tuple[FloatArray, FloatArray]:
    """Means (N, 8) and covariances (N, 8, 8) of objects that were measured once: at rest, with an unknown speed."""
    rate_stds = object_sizes(boxes_cxcywh, image_sizes_px) * np.repeat(
        [noise.initial_speed_std, noise.initial_size_rate_std], 2
    )
    stds = np.concatenate([measurement_stds(boxes_cxcywh, scores, noise), rate_stds], axis=1)
    means = np.concatenate([boxes_cxcywh, np.zeros_like(boxes_cxcywh)], axis=1)
    return means, np.square(stds)[:, :, None] * np.eye(STATE_SIZE)


def predict(
    means: FloatArray, covariances: FloatArray, dt_s: float, image_sizes_px: IntArray, noise: MotionNoise
) -> tuple[FloatArray, FloatArray]:
    """Means (N, 8) and covariances (N, 8, 8) ``dt_s`` seconds later."""
    densities = object_sizes(means, image_sizes_px) * np.repeat(
        [noise.centre_acceleration_density, noise.size_acceleration_density], 2
    )
    means, covariances = step(means, covariances, dt_s, densities)
    return with_min_sizes(means, MIN_SIDE_PX / image_sizes_px), covariances


def update(
    means: FloatArray, covariances: FloatArray, measured_cxcywh: FloatArray, stds: FloatArray, image_sizes_px: IntArray
) -> tuple[FloatArray, FloatArray]:
    """Posterior of states (N, 8), (N, 8, 8) after measurements (N, 4) with standard deviations (N, 4)."""
    measured_noise = np.square(stds)[:, :, None] * np.eye(MEASUREMENT_SIZE)
    means, covariances = correct(means, covariances, measured_cxcywh, measured_noise)
    return with_min_sizes(means, MIN_SIDE_PX / image_sizes_px), covariances


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
