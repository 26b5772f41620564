"""TrajectoryGRU on whole sequences at once: training, and benchmarks of many windows."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from perception.forecasting.gru import TrajectoryGRU
from perception.forecasting.motion import MotionState
from perception.types import FloatArray, IntArray


def encode_sequences(
    model: TrajectoryGRU, observations: Tensor, dt_s: Tensor, unseen_s: Tensor, labels: Tensor, features: Tensor | None
) -> tuple[Tensor, MotionState]:
    """Run the network over L observations of N tracks.

    Args:
        observations: (N, L, O) as ``Motion.observe`` gives them; in the image frame the box (O = 4), centre and size
            over the image's width and height.
        dt_s: (N, L) seconds since the observation before; 0 for the first.
        unseen_s: (N, L) seconds since the last detection.
        labels: (N,) indices into ``CLASSES``.
        features: (N, L, F), all zero where there is none; or None.

    Returns: the decoder's input (N, E), and the motion at the last observation.
    """
    state = model.motion.start(observations[:, 0])
    inputs = []
    for index in range(observations.shape[1]):
        state, row = model.motion.advance(state, observations[:, index], dt_s[:, index], unseen_s[:, index])
        inputs.append(row)
    return model.encode(torch.stack(inputs, dim=1), labels, features), state


@torch.inference_mode()
def predict_expected(
    model: TrajectoryGRU,
    observations: FloatArray,
    *,
    dt_s: FloatArray,
    labels: IntArray,
    times_s: FloatArray,
    unseen_s: FloatArray | None = None,
    features: FloatArray | None = None,
    batch_size: int = 2048,
) -> FloatArray:
    """(N, T, D): the mean over the futures at ``times_s`` (T,) after the last of the observations (N, L, O)."""
    times = torch.from_numpy(np.asarray(times_s)).float()
    unseen_s = np.zeros(observations.shape[:2]) if unseen_s is None else unseen_s
    parts = []
    for start in range(0, len(observations), batch_size):
        part = slice(start, start + batch_size)
        encoded, state = encode_sequences(
            model,
            torch.from_numpy(observations[part]).float(),
            torch.from_numpy(dt_s[part]).float(),
            torch.from_numpy(unseen_s[part]).float(),
            torch.from_numpy(np.asarray(labels[part], np.int64)),
            None if features is None else torch.from_numpy(features[part]).float(),
        )
        parts.append(model.decode(encoded, state, times).expected.numpy())
    return np.concatenate(parts) if parts else np.zeros((0, len(times_s), model.motion.dimensions))
