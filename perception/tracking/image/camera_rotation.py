"""Boxes of a camera that turns: they are carried along, and their rates stay those of the objects."""

from __future__ import annotations

import numpy as np

from perception.arrays import FloatArray
from perception.geometry.turning import bearings, rotational_flow, turned_points, turning_gradient
from perception.state_layout import POSITION, SIZE, SIZE_RATE, STATE_SIZE, VELOCITY
from perception.types import EgoMotion


def turn_states(means: FloatArray, covariances: FloatArray, motion: EgoMotion) -> tuple[FloatArray, FloatArray]:
    """States (N, 8), (N, 8, 8), over the image's width and height, as the camera sees them after it turned.

    Centres are carried exactly; sizes, rates and covariances by the gradient there. The rotation's own uncertainty
    goes into the centres' covariances.
    """
    camera_matrix = motion.camera_matrix / np.array([[*motion.image_size_px, 1.0]]).T
    centres, rotation = means[:, POSITION], motion.now_from_before
    gradients = turning_gradient(centres, rotation, camera_matrix)
    scales = np.diagonal(gradients, axis1=1, axis2=2)
    transition = np.zeros((len(means), STATE_SIZE, STATE_SIZE))
    transition[:, POSITION, POSITION] = transition[:, VELOCITY, VELOCITY] = gradients
    transition[:, SIZE, SIZE] = transition[:, SIZE_RATE, SIZE_RATE] = scales[:, :, None] * np.eye(2)
    turned = (transition @ means[:, :, None])[:, :, 0]
    turned[:, POSITION] = turned_points(centres, rotation, camera_matrix)
    spread = transition @ covariances @ transition.transpose(0, 2, 1)
    by_angle = camera_matrix[:2, :2] @ rotational_flow(bearings(turned[:, POSITION], camera_matrix))
    spread[:, POSITION, POSITION] += (by_angle * np.square(motion.rotation_stds_rad)) @ by_angle.transpose(0, 2, 1)
    return turned, spread
