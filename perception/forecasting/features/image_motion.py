"""Motion in the image: boxes (centre x, y, width, height) over the image's width and height.

Displacements are measured in the object's own size, so that a near car and a far one that move alike look alike. Where
it is known how the camera turned, its turning is taken out of what is observed: what lies still far away has no
velocity. Futures then hold for the camera as it points now. How the camera turns and travels is an input of its own.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from perception.arrays import FloatArray
from perception.forecasting.features.motion import TIME_CONSTANTS_S, TIME_INPUTS, MotionState, symlog, time_inputs
from perception.geometry.turning import lens_of, turned_boxes
from perception.state_layout import MEASURED
from perception.types import EgoMotion, EgoMotions, Tracks

BOX, STD = slice(0, 4), slice(4, 8)
"""Columns of an observation: centre x, y, width, height; their standard deviations, 0 for a box that is exact."""
TURNED = slice(8, 12)
"""How far the box was moved since the last instant by the camera's turning alone."""
LENS, TURN_RATE = slice(12, 16), slice(16, 18)
"""The camera over the image's size, see ``geometry.turning``; how fast turning moves the image's middle, per second."""
DIRECTION, SPEED = slice(18, 21), 21
"""Where the camera travels, a unit vector in its axes, and its speed in m/s."""
IS_KNOWN = slice(22, 25)
"""Whether the turning, the direction and the speed are known; the columns of what is not are 0."""
OBSERVATION_SIZE = 25

_MIN_SIDE = 1e-3
_EGO_INPUTS = 2 + 2 + 2 + 3 + 1 + 3


class ImageMotion:
    """An observation has the columns above (O = 25), a future is a box (D = 4); see ``Motion``."""

    dimensions = 4
    candidates = len(TIME_CONSTANTS_S)
    relation_size = 8
    input_size = 4 + 4 + 4 + len(TIME_CONSTANTS_S) * 4 + TIME_INPUTS + _EGO_INPUTS

    def observe(
        self, tracks: Tracks, world_from_vehicle: FloatArray | None, ego_motions: EgoMotions | None = None
    ) -> FloatArray:
        observations = np.zeros((len(tracks), OBSERVATION_SIZE))
        observations[:, BOX] = tracks.boxes_cxcywh
        observations[:, STD] = np.sqrt(np.maximum(tracks.variances[:, MEASURED], 0))
        for camera, ego in (ego_motions or {}).items():
            rows = np.flatnonzero(tracks.cameras == camera)
            observations[rows, TURNED.start :] = ego_columns(tracks.boxes_cxcywh[rows], ego)
        return observations

    def example(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        boxes = torch.rand(count, 4, generator=generator) * torch.tensor([0.8, 0.8, 0.1, 0.2]) + 0.05
        observations = torch.zeros(count, OBSERVATION_SIZE)
        observations[:, BOX] = boxes
        observations[:, STD] = 0.002 * torch.rand(count, 4, generator=generator)
        observations[:, TURNED] = 0.01 * torch.rand(count, 4, generator=generator)
        observations[:, LENS] = torch.tensor([0.8, 1.4, 0.5, 0.5])
        observations[:, TURN_RATE] = 0.1 * torch.rand(count, 2, generator=generator)
        observations[:, DIRECTION] = torch.tensor([0.0, 0.0, 1.0])
        observations[:, SPEED] = 10 * torch.rand(count, generator=generator)
        observations[:, IS_KNOWN] = 1
        return observations

    def start(self, observations: Tensor) -> MotionState:
        return MotionState.start(observations, coordinates=4)

    def advance(
        self, state: MotionState, observations: Tensor, dt_s: Tensor, unseen_s: Tensor
    ) -> tuple[MotionState, Tensor]:
        boxes = observations[..., BOX]
        is_first = (dt_s <= 0)[..., None]
        moved = boxes - state.observations[..., BOX] - observations[..., TURNED]
        moved = torch.where(is_first, torch.zeros_like(boxes), moved)
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
            *_ego_inputs(observations),
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


def exact_observations(boxes_cxcywh: FloatArray) -> FloatArray:
    """(M, O): boxes (M, 4) without any error, of cameras of which nothing is known."""
    observations = np.zeros((len(boxes_cxcywh), OBSERVATION_SIZE))
    observations[:, BOX] = boxes_cxcywh
    return observations


def ego_columns(boxes_cxcywh: FloatArray, ego: EgoMotion) -> FloatArray:
    """(N, O - 8): the columns from ``TURNED`` on, of boxes (N, 4) in a camera that moved by ``ego``."""
    lens = lens_of(ego.camera_matrix, ego.image_size_px)
    middle = np.array([[*lens[2:], 0.0, 0.0]])
    before = turned_boxes(np.concatenate([boxes_cxcywh, middle]), ego.now_from_before.T, lens)
    turned = np.nan_to_num(np.concatenate([boxes_cxcywh, middle]) - before)
    travel = np.zeros(4)
    is_known = np.array([1.0, ego.direction is not None, ego.speed_mps is not None])
    if ego.direction is not None:
        travel[:3] = ego.direction
    if ego.speed_mps is not None:
        travel[3] = ego.speed_mps
    of_camera = np.concatenate([lens, turned[-1, :2] / ego.dt_s, travel, is_known])
    return np.concatenate([turned[:-1], np.tile(of_camera, (len(boxes_cxcywh), 1))], axis=1)


def _ego_inputs(observations: Tensor) -> list[Tensor]:
    """What the network reads of the camera: with its lens known, a place in the image is a direction, too."""
    is_known = observations[..., IS_KNOWN]
    has_lens = is_known[..., :1]
    lens = torch.where(has_lens > 0, observations[..., LENS], torch.ones_like(observations[..., LENS]))
    boxes, focal = observations[..., BOX], lens[..., :2]
    bearing = (boxes[..., :2] - lens[..., 2:]) / focal * has_lens
    extent = (boxes[..., 2:].clamp(min=_MIN_SIDE) / focal).log() * has_lens
    return [
        symlog(bearing * 2),
        extent * 0.5,
        symlog(observations[..., TURN_RATE] * 10),
        observations[..., DIRECTION],
        observations[..., SPEED, None] * 0.1,
        is_known,
    ]
