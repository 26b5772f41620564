"""Motion in the image: boxes (centre x, y, width, height) over the image's width and height.

Displacements are measured in the object's own size, so that a near car and a far one that move alike look alike.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from perception.arrays import FloatArray
from perception.forecasting.features.motion import TIME_CONSTANTS_S, TIME_INPUTS, MotionState, symlog, time_inputs
from perception.state_layout import MEASURED
from perception.types import Tracks

BOX, STD = slice(0, 4), slice(4, 8)
"""Columns of an observation: centre x, y, width, height; their standard deviations, 0 for a box that is exact."""

_MIN_SIDE = 1e-3


class ImageMotion:
    """An observation is a box and the standard deviations of its four numbers (O = 8), a future a box (D = 4)."""

    dimensions = 4
    candidates = len(TIME_CONSTANTS_S)
    relation_size = 8
    input_size = 4 + 4 + 4 + len(TIME_CONSTANTS_S) * 4 + TIME_INPUTS

    def observe(self, tracks: Tracks, world_from_vehicle: FloatArray | None) -> FloatArray:
        stds = np.sqrt(np.maximum(tracks.variances[:, MEASURED], 0))
        return np.concatenate([tracks.boxes_cxcywh, stds], axis=1)

    def example(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        boxes = torch.rand(count, 4, generator=generator) * torch.tensor([0.8, 0.8, 0.1, 0.2]) + 0.05
        return torch.cat([boxes, 0.002 * torch.rand(count, 4, generator=generator)], dim=-1)

    def start(self, observations: Tensor) -> MotionState:
        return MotionState.start(observations, coordinates=4)

    def advance(
        self, state: MotionState, observations: Tensor, dt_s: Tensor, unseen_s: Tensor
    ) -> tuple[MotionState, Tensor]:
        boxes = observations[..., BOX]
        is_first = (dt_s <= 0)[..., None]
        moved = torch.where(is_first, torch.zeros_like(boxes), boxes - state.observations[..., BOX])
        new = state.after(observations, moved, dt_s)
        scale = self.scale(new)
        relative = new.mean_rates() / scale[..., None, :]
        inputs = [
            boxes[..., :2] * 2 - 1,
            scale[..., :2].log() * 0.5 + 1,
            symlog(moved / scale * 4),
            symlog(relative).flatten(-2),
            symlog(observations[..., STD] / scale * 10),
            time_inputs(dt_s, unseen_s),
        ]
        return new, torch.cat(inputs, dim=-1)

    def velocities(self, state: MotionState) -> Tensor:
        return state.mean_rates()

    def scale(self, state: MotionState) -> Tensor:
        """Width and height, for the position as for the size."""
        sides = state.observations[..., 2:4].clamp(min=_MIN_SIDE)
        return torch.cat([sides, sides], dim=-1)

    def position(self, state: MotionState, moved: Tensor) -> Tensor:
        """A box never shrinks below a tenth of its present size."""
        means = state.observations[:, None, None, BOX] + moved
        sides = torch.maximum(means[..., 2:], 0.1 * self.scale(state)[:, None, None, 2:])
        return torch.cat([means[..., :2], sides], dim=-1)

    def relate(self, state: MotionState, neighbours: Tensor) -> Tensor:
        """Position, size and velocity (of the middle time constant), counted in the object's own size."""
        boxes, scale, rates = state.observations[..., BOX], self.scale(state)[:, None], state.mean_rates()[:, 1]
        others = neighbours.clamp(min=0)
        away = (boxes[others] - boxes[:, None])[..., :2] / scale[..., :2]
        larger = self.scale(state)[others].log() - scale.log()
        drift = (rates[others] - rates[:, None])[..., :2] / scale[..., :2]
        growth = (rates[others] - rates[:, None])[..., 2:] / scale[..., 2:]
        return torch.cat([symlog(away), larger[..., 2:], symlog(drift), symlog(growth)], dim=-1)

    def axes_rad(self, state: MotionState) -> None:
        """Curves lie in the image's own axes."""
        return
