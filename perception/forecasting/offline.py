"""TrajectoryGRU on whole sequences at once: training, and benchmarks of many windows."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from perception.forecasting.gru import TrajectoryGRU
from perception.forecasting.motion import MotionState, advance
from perception.types import FloatArray, IntArray


def encode_sequences(
    model: TrajectoryGRU, boxes: Tensor, dt_s: Tensor, unseen_s: Tensor, labels: Tensor, features: Tensor | None
) -> tuple[Tensor, MotionState]:
    """Run the network over L observed boxes of N tracks.

    Args:
        boxes: (N, L, 4) centre and size over the image's width and height.
        dt_s: (N, L) seconds since the box before; 0 for the first.
        unseen_s: (N, L) seconds since the last detection.
        labels: (N,) indices into ``CLASSES``.
        features: (N, L, F), all zero where there is none; or None.

    Returns: the decoder's input (N, E), and the motion at the last box.
    """
    state = MotionState.start(boxes[:, 0])
    motion = []
    for index in range(boxes.shape[1]):
        state, inputs = advance(state, boxes[:, index], dt_s[:, index], unseen_s[:, index])
        motion.append(inputs)
    return model.encode(torch.stack(motion, dim=1), labels, features), state


@torch.inference_mode()
def predict_expected(
    model: TrajectoryGRU,
    boxes: FloatArray,
    *,
    dt_s: FloatArray,
    labels: IntArray,
    times_s: FloatArray,
    unseen_s: FloatArray | None = None,
    features: FloatArray | None = None,
    batch_size: int = 2048,
) -> FloatArray:
    """(N, T, 4): the mean over the futures at ``times_s`` (T,) after the last of the boxes (N, L, 4)."""
    times = torch.from_numpy(np.asarray(times_s)).float()
    unseen_s = np.zeros(boxes.shape[:2]) if unseen_s is None else unseen_s
    parts = []
    for start in range(0, len(boxes), batch_size):
        part = slice(start, start + batch_size)
        encoded, state = encode_sequences(
            model,
            torch.from_numpy(boxes[part]).float(),
            torch.from_numpy(dt_s[part]).float(),
            torch.from_numpy(unseen_s[part]).float(),
            torch.from_numpy(np.asarray(labels[part], np.int64)),
            None if features is None else torch.from_numpy(features[part]).float(),
        )
        parts.append(model.decode(encoded, state, times).expected.numpy())
    return np.concatenate(parts) if parts else np.zeros((0, len(times_s), 4))
