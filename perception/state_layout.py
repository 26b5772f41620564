"""Layout of the state vector: eight numbers for each object, in this order everywhere.

    centre x, y | width, height | rates of x, y | rates of width, height

Image frame: over the image's width and height, per second. Ground frame: the centre in the world and the width and
height that the object shows to the cameras, in metres, per second.
"""

from __future__ import annotations

import numpy as np

from perception.arrays import FloatArray

POSITION, SIZE, VELOCITY, SIZE_RATE = slice(0, 2), slice(2, 4), slice(4, 6), slice(6, 8)
"""Columns of a state."""

MEASURED, RATES = slice(0, 4), slice(4, 8)
"""What a detection measures, and how fast that changes."""

MEASUREMENT_SIZE, STATE_SIZE = 4, 8


class ObjectStates:
    """Names for the columns of ``means`` (N, 8) and the blocks of ``covariances`` (N, 8, 8); views, not copies."""

    means: FloatArray
    covariances: FloatArray

    @property
    def positions(self) -> FloatArray:
        """(N, 2): centres x, y."""
        return self.means[:, POSITION]

    @property
    def sizes(self) -> FloatArray:
        """(N, 2): width and height."""
        return self.means[:, SIZE]

    @property
    def velocities(self) -> FloatArray:
        """(N, 2): rates of x and y per second."""
        return self.means[:, VELOCITY]

    @property
    def boxes_cxcywh(self) -> FloatArray:
        """(N, 4): centre x, y, width and height."""
        return self.means[:, MEASURED]

    @property
    def rates(self) -> FloatArray:
        """(N, 4): those of centre x, y, width and height per second."""
        return self.means[:, RATES]

    @property
    def speeds_mps(self) -> FloatArray:
        """(N,): the speeds of objects in the ground frame."""
        return np.asarray(np.linalg.norm(self.velocities, axis=1))

    @property
    def directions_rad(self) -> FloatArray:
        """(N,): where objects move to, counter-clockwise from x; in the ground frame that is a world direction."""
        return np.asarray(np.arctan2(self.means[:, VELOCITY.start + 1], self.means[:, VELOCITY.start]))

    @property
    def position_covariances(self) -> FloatArray:
        """(N, 2, 2)."""
        return self.covariances[:, POSITION, POSITION]

    @property
    def velocity_covariances(self) -> FloatArray:
        """(N, 2, 2)."""
        return self.covariances[:, VELOCITY, VELOCITY]

    @property
    def variances(self) -> FloatArray:
        """(N, 8): of each number of the state."""
        return np.diagonal(self.covariances, axis1=1, axis2=2)
