"""How tracks become numbers that a network can read, and its curves become positions again.

What the network reads depends on the reference frame, and only that: ``ImageMotion`` counts in an object's own size,
``GroundMotion`` along and across an object's own heading. All velocities are backward differences: no input ever
depends on what comes later.
"""

from __future__ import annotations

import math
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from perception.arrays import FloatArray
from perception.types import EgoMotions, Tracks

TIME_CONSTANTS_S = (0.15, 0.5, 1.5)
"""Velocities are averaged over these times: a short one reacts, a long one is steady."""

TIME_INPUTS = 3
_MIN_DT_S = 1e-3


class MotionState(NamedTuple):
    """What has to be remembered of N tracks between instants.

    ``observations`` (N, O) the last ones; ``displacements`` (N, R, P) discounted sums of how far P coordinates moved
    and ``durations`` (N, R, 1) those of time, one for each of the R time constants: their quotient is the mean rate.
    """

    observations: Tensor
    displacements: Tensor
    durations: Tensor

    @classmethod
    def start(cls, observations: Tensor, coordinates: int) -> MotionState:
        """Objects that have not been seen before."""
        shape = (*observations.shape[:-1], len(TIME_CONSTANTS_S))
        return cls(observations, observations.new_zeros(*shape, coordinates), observations.new_zeros(*shape, 1))

    def after(self, observations: Tensor, moved: Tensor, dt_s: Tensor) -> MotionState:
        """The state at the next ``observations`` (N, O), ``dt_s`` (N,) later, its coordinates ``moved`` (N, P)."""
        dt = dt_s.clamp(min=0)[..., None]
        constants = torch.tensor(TIME_CONSTANTS_S, dtype=observations.dtype, device=observations.device)
        kept = torch.exp(-dt / constants)[..., None]
        return MotionState(
            observations, self.displacements * kept + moved[..., None, :], self.durations * kept + dt[..., None, :]
        )

    def mean_rates(self) -> Tensor:
        """(N, R, P) per second; zero before the second observation."""
        return self.displacements / self.durations.clamp(min=1e-6)

    def with_rows(self, rows: Tensor, source: MotionState, source_rows: Tensor) -> MotionState:
        """A copy whose ``rows`` (n,) are the ``source_rows`` (n,) of another state."""
        pairs = zip(self, source, strict=True)
        return MotionState(*(mine.index_copy(0, rows, theirs[source_rows]) for mine, theirs in pairs))


class Motion(Protocol):
    """One reference frame: O numbers observed of a track, what of them the network reads, D coordinates of a future.

    ``input_size`` counts what ``advance`` gives the network, ``dimensions`` is D, ``candidates`` C counts the past
    velocities that a future may continue, ``relation_size`` R what ``relate`` gives of a neighbour.
    """

    @property
    def input_size(self) -> int: ...
    @property
    def dimensions(self) -> int: ...
    @property
    def candidates(self) -> int: ...
    @property
    def relation_size(self) -> int: ...

    def observe(
        self, tracks: Tracks, world_from_vehicle: FloatArray | None, ego_motions: EgoMotions | None = None
    ) -> FloatArray:
        """(N, O): what of the tracks, of the recording car's pose (4, 4) and of its cameras' motion is remembered."""
        ...

    def example(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        """(``count``, O): random observations such as they occur."""
        ...

    def start(self, observations: Tensor) -> MotionState:
        """The state before the first of ``observations`` (N, O) is taken."""
        ...

    def advance(
        self, state: MotionState, observations: Tensor, dt_s: Tensor, unseen_s: Tensor
    ) -> tuple[MotionState, Tensor]:
        """Take the next observations (N, O), ``dt_s`` (N,) after the last ones, ``unseen_s`` (N,) since a detection.

        Returns the new state and the network's input (N, input_size). ``dt_s`` of 0 marks a track's first one.
        """
        ...

    def velocities(self, state: MotionState) -> Tensor:
        """(N, C, D) per second, in the axes in which curves are drawn."""
        ...

    def scale(self, state: MotionState) -> Tensor:
        """(N, D): the units in which curves bend and spread."""
        ...

    def position(self, state: MotionState, moved: Tensor) -> Tensor:
        """Displacements (N, K, T, D) from now, in the curves' axes, to positions (N, K, T, D)."""
        ...

    def relate(self, state: MotionState, neighbours: Tensor) -> Tensor:
        """(N, M, R): how each object sees its ``neighbours`` (N, M), rows of the state; rows below 0 mean nothing."""
        ...

    def axes_rad(self, state: MotionState) -> Tensor | None:
        """(N,): where the curves' first axis points in the world; None where they lie in the frame's own axes."""
        ...


def time_inputs(dt_s: Tensor, unseen_s: Tensor) -> Tensor:
    """(N, TIME_INPUTS): the time step, whether it is the first, the time since the last detection."""
    is_first = (dt_s <= 0)[..., None]
    dt = dt_s.clamp(min=0)[..., None]
    logarithm = (dt.clamp(min=_MIN_DT_S).log() - math.log(0.1)) * 0.5
    return torch.cat(
        [
            torch.where(is_first, torch.zeros_like(dt), logarithm),
            is_first.to(dt.dtype),
            symlog(unseen_s[..., None] * 2),
        ],
        dim=-1,
    )


def symlog(values: Tensor) -> Tensor:
    """asinh, a symmetric logarithm: linear near zero, logarithmic far away, so that outliers do not dominate."""
    return torch.asinh(values)
