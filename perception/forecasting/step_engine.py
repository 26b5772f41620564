"""One instant of N tracks, as a function of what is observed and what is remembered: what every engine computes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import torch
from torch import Tensor, nn

from perception.forecasting.features.motion import MotionState
from perception.forecasting.interaction import NEIGHBOURS
from perception.forecasting.trajectory_gru import TrajectoryGRU

FUTURES = ("log_probabilities", "means", "stds")
MEMORY = ("hidden", "last", "displacements", "durations")
"""What is remembered: inputs of these names, and outputs with "next_" before them."""

OUTPUTS = (*FUTURES, *(f"next_{name}" for name in MEMORY))


class StepEngine(Protocol):
    """Computes the outputs, by name, from the inputs, by name; see ``StepAndDecode``."""

    def __call__(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]: ...


class StepAndDecode(nn.Module):
    """TrajectoryGRU's step, its neighbours and its futures at ``times_s`` (T,) in one forward, without any state.

    Inputs, N rows each: ``observations`` (N, O), ``dt_s``, ``unseen_s``, ``labels`` (N,), ``features`` (N, F), zeros
    for none, ``neighbours`` (N, M), -1 for none, and the memory: ``hidden`` (N, H) and the parts of ``MotionState``.
    Outputs as named in ``OUTPUTS``.
    """

    times_s: Tensor

    def __init__(self, model: TrajectoryGRU, times_s: Tensor) -> None:
        super().__init__()
        self.model = model
        self.register_buffer("times_s", times_s)

    def forward(
        self,
        observations: Tensor,
        dt_s: Tensor,
        unseen_s: Tensor,
        labels: Tensor,
        features: Tensor,
        neighbours: Tensor,
        hidden: Tensor,
        last: Tensor,
        displacements: Tensor,
        durations: Tensor,
    ) -> tuple[Tensor, ...]:
        """The outputs in the order of ``OUTPUTS``."""
        model = self.model
        state, inputs = model.motion.advance(MotionState(last, displacements, durations), observations, dt_s, unseen_s)
        hidden, encoded = model.step(hidden, inputs, labels, features)
        futures = model.decode(model.with_interaction(encoded, state, neighbours), state, self.times_s, labels)
        return (*futures, hidden, *state)


class TorchEngine:
    """The network itself, on ``device``."""

    def __init__(self, model: TrajectoryGRU, times_s: Tensor, device: torch.device) -> None:
        self._module = StepAndDecode(model, times_s).eval().to(device)
        self._device = device

    @torch.inference_mode()
    def __call__(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        outputs = self._module(**{name: value.to(self._device) for name, value in inputs.items()})
        return dict(zip(OUTPUTS, outputs, strict=True))


def example_inputs(model: TrajectoryGRU, count: int, generator: torch.Generator | None = None) -> dict[str, Tensor]:
    """Inputs of the right shapes for ``count`` tracks that were seen before, with random content."""
    before = model.motion.example(count, generator)
    now = before + 0.05 * (model.motion.example(count, generator) - before)
    state, _ = model.motion.advance(model.motion.start(before), before, torch.zeros(count), torch.zeros(count))
    return {
        "observations": now,
        "dt_s": torch.full((count,), 0.1),
        "unseen_s": torch.zeros(count),
        "labels": torch.arange(count) % 6,
        "features": torch.randn(count, model.config.feature_size, generator=generator),
        "neighbours": torch.arange(count * NEIGHBOURS).view(count, NEIGHBOURS) % (count + 1) - 1,
        "hidden": torch.randn(count, model.config.hidden_size, generator=generator) * 0.5,
        "last": state.observations,
        "displacements": state.displacements,
        "durations": state.durations,
    }
