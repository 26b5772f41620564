"""Motion on the road: positions in the world in metres, read along and across each object's own heading.

So nothing that the network reads changes when the world is turned or moved. The recording car is seen from the object,
too: where it is, where it points, how it moves; or "none" where its pose is unknown.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from perception.arrays import FloatArray
from perception.forecasting.features.motion import TIME_CONSTANTS_S, TIME_INPUTS, MotionState, symlog, time_inputs
from perception.geometry.cameras import yaw_rad
from perception.geometry.rotation import rotate, unit_vectors, wrap_angle_rad
from perception.state_layout import POSITION
from perception.types import EgoMotions, Tracks

XY, VELOCITY, SIZE, AXIS = slice(0, 2), slice(2, 4), slice(4, 6), 6
"""Columns of an observation: x, y in the world, the tracker's velocity, apparent width and height, direction."""
VARIANCE, COVARIANCE = slice(7, 9), 9
"""Of the position: of x and y, and between the two, in square metres."""
CAR_XY, CAR_YAW, CAR_IS_KNOWN = slice(10, 12), 12, 13
"""The recording car's pose, zeros where it is unknown."""
OBSERVATION_SIZE = 14

_TRUSTED_SPEED_MPS = 0.5
_CAR_INPUTS = 9
_MIN_STD_M = 0.01


def motion_axes_rad(tracks: Tracks) -> FloatArray:
    """(N,): where each object of the ground frame moves to, or, as it comes to a stand, where it points."""
    pull = tracks.velocities
    if tracks.headings_rad is not None:
        # A sum instead of a threshold: the direction never jumps while an object stops or starts.
        pull = pull + _TRUSTED_SPEED_MPS * unit_vectors(tracks.headings_rad)
    axes_rad: FloatArray = np.arctan2(pull[:, 1], pull[:, 0])
    return axes_rad


class GroundMotion:
    """An observation has the columns above (O = 14), a future x and y in the world (D = 2); see ``Motion``."""

    dimensions = 2
    candidates = len(TIME_CONSTANTS_S) + 1
    relation_size = 9
    input_size = 2 + 2 * (2 * candidates - 1) + len(TIME_CONSTANTS_S) + 2 + 2 + _CAR_INPUTS + TIME_INPUTS

    def observe(
        self, tracks: Tracks, world_from_vehicle: FloatArray | None, ego_motions: EgoMotions | None = None
    ) -> FloatArray:
        observations = np.zeros((len(tracks), OBSERVATION_SIZE))
        observations[:, XY] = tracks.positions
        observations[:, VELOCITY] = tracks.velocities
        observations[:, SIZE] = tracks.sizes
        observations[:, AXIS] = motion_axes_rad(tracks)
        observations[:, VARIANCE] = tracks.variances[:, POSITION]
        observations[:, COVARIANCE] = tracks.position_covariances[:, 0, 1]
        if world_from_vehicle is not None:
            observations[:, CAR_XY] = world_from_vehicle[:2, 3]
            observations[:, CAR_YAW] = yaw_rad(world_from_vehicle)
            observations[:, CAR_IS_KNOWN] = 1
        return observations

    def example(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        observations = torch.rand(count, OBSERVATION_SIZE, generator=generator) + 0.1
        observations[:, XY] *= 50
        observations[:, VELOCITY] *= 5
        observations[:, COVARIANCE] = 0
        observations[:, CAR_IS_KNOWN] = 1
        return observations

    def start(self, observations: Tensor) -> MotionState:
        """Position and direction are what is followed (P = 3)."""
        return MotionState.start(observations, coordinates=3)

    def advance(
        self, state: MotionState, observations: Tensor, dt_s: Tensor, unseen_s: Tensor
    ) -> tuple[MotionState, Tensor]:
        last, axes_rad = state.observations, observations[..., AXIS]
        is_first = (dt_s <= 0)[..., None]
        turned = wrap_angle_rad(axes_rad - last[..., AXIS])[..., None]
        moved = torch.cat([observations[..., XY] - last[..., XY], turned], dim=-1)
        moved = torch.where(is_first, torch.zeros_like(moved), moved)
        new = state.after(observations, moved, dt_s)
        rates = new.mean_rates()
        velocities = self.velocities(new)
        inputs = [
            symlog(rotate(moved[..., :2], -axes_rad) * 2),
            symlog(velocities / 3).flatten(-2),
            # How the velocity changes: compressed apart, for at 20 m/s the compressed velocities hardly differ.
            symlog((velocities[..., :-1, :] - velocities[..., 1:, :]) * 2).flatten(-2),
            symlog(rates[..., 2] * 2),
            observations[..., SIZE].clamp(min=0.1).log(),
            _stds_along_axes(observations).log() * 0.5,
            _car_inputs(last, observations, dt_s),
            time_inputs(dt_s, unseen_s),
        ]
        return new, torch.cat(inputs, dim=-1)

    def velocities(self, state: MotionState) -> Tensor:
        """The averaged ones, and the tracker's own."""
        tracked = state.observations[..., None, VELOCITY]
        velocities = torch.cat([state.mean_rates()[..., :2], tracked], dim=-2)
        return rotate(velocities, -state.observations[..., AXIS, None])

    def scale(self, state: MotionState) -> Tensor:
        """A few metres, more for what is fast: far along, less far across."""
        speed_mps = state.observations[..., VELOCITY].norm(dim=-1)
        return torch.stack([4 + speed_mps, 2 + 0.5 * speed_mps], dim=-1)

    def position(self, state: MotionState, moved: Tensor) -> Tensor:
        now = state.observations[:, None, None, :]
        return now[..., XY] + rotate(moved, now[..., AXIS])

    def relate(self, state: MotionState, neighbours: Tensor) -> Tensor:
        """Where a neighbour is, how far, how it moves and where it points, along and across the object's direction."""
        now, others = state.observations, state.observations[neighbours.clamp(min=0)]
        axes_rad = now[:, None, AXIS]
        away = others[..., XY] - now[:, None, XY]
        drift = others[..., VELOCITY] - now[:, None, VELOCITY]
        direction = others[..., AXIS] - axes_rad
        return torch.cat(
            [
                symlog(rotate(away, -axes_rad) / 3),
                symlog(away.norm(dim=-1, keepdim=True) / 3),
                symlog(rotate(others[..., VELOCITY], -axes_rad) / 2),
                symlog(rotate(drift, -axes_rad) / 2),
                unit_vectors(direction),
            ],
            dim=-1,
        )

    def axes_rad(self, state: MotionState) -> Tensor:
        return state.observations[..., AXIS]


def _car_inputs(last: Tensor, now: Tensor, dt_s: Tensor) -> Tensor:
    """(N, 9): is the car known; its position, distance, direction and motion, seen from the object."""
    axes_rad, is_known = now[..., AXIS], now[..., CAR_IS_KNOWN]
    seconds = dt_s.clamp(min=1e-3)
    was_known = is_known * last[..., CAR_IS_KNOWN] * (dt_s > 0)
    away = now[..., CAR_XY] - now[..., XY]
    velocity = (now[..., CAR_XY] - last[..., CAR_XY]) / seconds[..., None] * was_known[..., None]
    turn_rate = wrap_angle_rad(now[..., CAR_YAW] - last[..., CAR_YAW]) / seconds * was_known
    direction = now[..., CAR_YAW] - axes_rad
    inputs = torch.cat(
        [
            torch.ones_like(away[..., :1]),
            symlog(rotate(away, -axes_rad) / 10),
            symlog(away.norm(dim=-1, keepdim=True) / 10),
            unit_vectors(direction),
            symlog(rotate(velocity, -axes_rad) / 3),
            symlog(turn_rate[..., None] * 2),
        ],
        dim=-1,
    )
    return inputs * is_known[..., None]


def _stds_along_axes(observations: Tensor) -> Tensor:
    """(N, 2): standard deviations of the position along and across the object's direction."""
    cos, sin = observations[..., AXIS].cos(), observations[..., AXIS].sin()
    xx, yy = observations[..., VARIANCE].unbind(dim=-1)
    mixed = 2 * cos * sin * observations[..., COVARIANCE]
    variances = torch.stack([cos**2 * xx + mixed + sin**2 * yy, sin**2 * xx - mixed + cos**2 * yy], dim=-1)
    return variances.clamp(min=_MIN_STD_M**2).sqrt()
