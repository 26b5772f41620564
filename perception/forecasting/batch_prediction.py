"""TrajectoryGRU on whole sequences at once: training, and benchmarks of many windows."""

from __future__ import annotations

import torch
from torch import Tensor

from perception.forecasting.features.motion import MotionState
from perception.forecasting.track_dataset import Windows
from perception.forecasting.trajectory_gru import Futures, TrajectoryGRU


def encode_windows(model: TrajectoryGRU, windows: Windows) -> tuple[Tensor, MotionState]:
    """Run the network over the observations of N windows.

    Returns: the decoder's input (N, E), and the motion at each window's last observation.
    """
    state = model.motion.start(windows.observations[:, 0])
    inputs = []
    for index in range(windows.observations.shape[1]):
        observed = (windows.observations[:, index], windows.dt_s[:, index], windows.unseen_s[:, index])
        later, row = model.motion.advance(state, *observed)
        goes_on = index < windows.lengths
        state = MotionState(
            *(
                torch.where(goes_on.view(-1, *[1] * (new.ndim - 1)), new, old)
                for new, old in zip(later, state, strict=True)
            )
        )
        inputs.append(row)
    encoded = model.encode(torch.stack(inputs, dim=1), windows.labels, windows.features, windows.lengths)
    return model.with_interaction(encoded, state, windows.neighbours if windows.neighbours.shape[1] else None), state


@torch.inference_mode()
def predict_windows(model: TrajectoryGRU, windows: Windows, times_s: Tensor) -> tuple[Futures, MotionState]:
    """The futures at ``times_s`` (T,) after each window's last observation, and the motion there."""
    encoded, state = encode_windows(model, windows)
    return model.decode(encoded, state, times_s, windows.labels), state
