"""Motion in the image: boxes (centre x, y, width, height) over the image's width and height.

Displacements are measured in the object's own size, so that a near car and a far one that move alike look alike.
"""

from __future__ import annotations

import torch
from torch import Tensor

from perception.forecasting.motion import TIME_CONSTANTS_S, TIME_INPUTS, MotionState, squash, time_inputs
from perception.types import FloatArray, Tracks

_MIN_SIDE = 1e-3


class ImageMotion:
    """An observation is a box (O = D = 4); see ``Motion``."""

    dimensions = 4
    candidates = len(TIME_CONSTANTS_S)
    input_size = 4 + 4 + len(TIME_CONSTANTS_S) * 4 + TIME_INPUTS

    def observe(self, tracks: Tracks, world_from_vehicle: FloatArray | None) -> FloatArray:
        return tracks.means[:, :4]

    def start(self, observations: Tensor) -> MotionState:
        return MotionState.start(observations, coordinates=4)

    def advance(
        self, state: MotionState, observations: Tensor, dt_s: Tensor, unseen_s: Tensor
    ) -> tuple[MotionState, Tensor]:
        boxes = observations
        is_first = (dt_s <= 0)[..., None]
        moved = torch.where(is_first, torch.zeros_like(boxes), boxes - state.observations)
        new = state.after(boxes, moved, dt_s)
        scale = self.scale(new)
        relative = new.mean_rates() / scale[..., None, :]
        inputs = [
            boxes[..., :2] * 2 - 1,
            scale[..., :2].log() * 0.5 + 1,
            squash(moved / scale * 4),
            squash(relative).flatten(-2),
            time_inputs(dt_s, unseen_s),
        ]
        return new, torch.cat(inputs, dim=-1)

    def velocities(self, state: MotionState) -> Tensor:
        return state.mean_rates()

    def scale(self, state: MotionState) -> Tensor:
        """Width and height, for the place as for the size."""
        sides = state.observations[..., 2:].clamp(min=_MIN_SIDE)
        return torch.cat([sides, sides], dim=-1)

    def place(self, state: MotionState, moved: Tensor) -> Tensor:
        """A box never shrinks below a tenth of its present size."""
        means = state.observations[:, None, None, :] + moved
        sides = torch.maximum(means[..., 2:], 0.1 * self.scale(state)[:, None, None, 2:])
        return torch.cat([means[..., :2], sides], dim=-1)

    def axes_rad(self, state: MotionState) -> None:
        """Curves lie in the image's own axes."""
        return
