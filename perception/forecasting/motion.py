"""What a track's boxes say about its motion, as numbers that a network can read.

Boxes are (centre x, y, width, height) over the image's width and height. Displacements are measured in the object's
own size, so that a near car and a far one that move alike look alike. All velocities are backward differences: no
input ever depends on what comes later.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

TIME_CONSTANTS_S = (0.15, 0.5, 1.5)
"""Velocities are averaged over these times: a short one reacts, a long one is steady."""

MOTION_SIZE = 4 + 4 + len(TIME_CONSTANTS_S) * 4 + 3
_MIN_SIDE = 1e-3
_MIN_DT_S = 1e-3


@dataclass(frozen=True)
class MotionState:
    """What has to be remembered of N tracks between instants.

    ``boxes`` (N, 4) the last box; ``velocities`` (N, R, 4) discounted sums of displacements and ``weights`` (N, R, 1)
    those of time, one for each of the R time constants: their quotient is the mean velocity.
    """

    boxes: Tensor
    velocities: Tensor
    weights: Tensor

    @classmethod
    def start(cls, boxes: Tensor) -> MotionState:
        shape = (*boxes.shape[:-1], len(TIME_CONSTANTS_S))
        return cls(boxes, boxes.new_zeros(*shape, 4), boxes.new_zeros(*shape, 1))

    def mean_velocities(self) -> Tensor:
        """(N, R, 4) per second in the image's units; zero before the second box."""
        return self.velocities / self.weights.clamp(min=1e-6)


def scale_of(boxes: Tensor) -> Tensor:
    """(N, 4) boxes to (N, 4): the units, width and height, in which each coordinate's displacement is counted."""
    sides = boxes[..., 2:].clamp(min=_MIN_SIDE)
    return torch.cat([sides, sides], dim=-1)


def advance(state: MotionState, boxes: Tensor, dt_s: Tensor, unseen_s: Tensor) -> tuple[MotionState, Tensor]:
    """Take the next boxes (N, 4), ``dt_s`` (N,) after the last ones; ``unseen_s`` (N,) since the last detection.

    Returns the new state and the network's input (N, MOTION_SIZE). ``dt_s`` of 0 marks a track's first box.
    """
    is_first = (dt_s <= 0)[..., None]
    moved = torch.where(is_first, torch.zeros_like(boxes), boxes - state.boxes)
    dt = dt_s.clamp(min=0)[..., None]
    constants = torch.tensor(TIME_CONSTANTS_S, dtype=boxes.dtype, device=boxes.device)
    kept = torch.exp(-dt / constants)[..., None]
    velocities = state.velocities * kept + moved[..., None, :]
    weights = state.weights * kept + dt[..., None, :]
    new = MotionState(boxes, velocities, weights)

    scale = scale_of(boxes)
    relative = new.mean_velocities() / scale[..., None, :]
    inputs = torch.cat(
        [
            boxes[..., :2] * 2 - 1,
            scale[..., :2].log() * 0.5 + 1,
            squash(moved / scale * 4),
            squash(relative).flatten(-2),
            torch.where(is_first, torch.zeros_like(dt), (dt.clamp(min=_MIN_DT_S).log() - math.log(0.1)) * 0.5),
            is_first.to(boxes.dtype),
            squash(unseen_s[..., None] * 2),
        ],
        dim=-1,
    )
    return new, inputs


def squash(values: Tensor) -> Tensor:
    """Linear near zero, logarithmic far away: one wild value must not drown the others."""
    return torch.asinh(values)
