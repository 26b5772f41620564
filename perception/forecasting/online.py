"""TrajectoryGRU behind the ``Forecaster`` protocol: fed once per instant, its memory kept per track."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from perception.forecasting.gru import TrajectoryGRU
from perception.forecasting.motion import MotionState, advance
from perception.types import FloatArray, Forecasts, IntArray, Tracks


class GruForecaster:
    """A step costs the same however long the past is: only new boxes enter, the hidden states remember the rest."""

    def __init__(self, model: TrajectoryGRU, *, device: torch.device, dt_s: float = 0.1) -> None:
        self._model = model.eval().to(device)
        self._device = device
        self._times_s = torch.arange(1, round(model.config.horizon_s / dt_s) + 1, device=device) * dt_s
        self._dt_s = dt_s
        self.reset()

    def reset(self) -> None:
        """Forget all tracks."""
        self._ids: IntArray = np.zeros(0, np.int64)
        self._timestamp_ns: int | None = None
        self._hidden = torch.zeros(0, self._model.config.hidden_size, device=self._device)
        self._motion = MotionState.start(torch.zeros(0, 4, device=self._device))

    @torch.inference_mode()
    def step(self, tracks: Tracks, timestamp_ns: int, world_from_vehicle: FloatArray | None = None) -> Forecasts:
        """Feed one instant; returns the futures of all ``tracks``. Tracks that are no longer among them are forgotten.

        Features are used only where they come from the network that this forecaster was trained with.
        """
        boxes = torch.from_numpy(tracks.means[:, :4]).float().to(self._device)
        unseen_s = torch.from_numpy(tracks.unseen_s).float().to(self._device)
        labels = torch.from_numpy(tracks.labels.astype(np.int64)).to(self._device)
        hidden, motion, dt_s = self._recall(tracks, boxes, timestamp_ns)
        motion, inputs = advance(motion, boxes, dt_s, unseen_s)
        hidden, encoded = self._model.step(hidden, inputs, labels, self._usable_features(tracks))
        futures = self._model.decode(encoded, motion, self._times_s)
        self._ids, self._timestamp_ns, self._hidden, self._motion = tracks.ids, timestamp_ns, hidden, motion
        return Forecasts(
            track_ids=tracks.ids,
            probabilities=futures.log_probabilities.exp().cpu().numpy(),
            means=futures.means.cpu().numpy(),
            stds=futures.stds.cpu().numpy(),
            dt_s=self._dt_s,
        )

    def _usable_features(self, tracks: Tracks) -> Tensor | None:
        if not tracks.feature_space or tracks.feature_space != self._model.config.feature_space:
            return None
        return torch.from_numpy(tracks.features).float().to(self._device)

    def _recall(self, tracks: Tracks, boxes: Tensor, timestamp_ns: int) -> tuple[Tensor, MotionState, Tensor]:
        """The states of ``tracks`` in their order, and the time since the last step; 0 and fresh for new tracks."""
        order = np.argsort(self._ids)
        position = np.searchsorted(self._ids, tracks.ids, sorter=order)
        rows = order[np.minimum(position, len(order) - 1)] if len(order) else np.zeros(len(tracks), np.int64)
        known = self._ids[rows] == tracks.ids if len(order) else np.zeros(len(tracks), bool)
        start = MotionState.start(boxes)
        hidden = boxes.new_zeros(len(tracks), self._model.config.hidden_size)
        dt_s = boxes.new_zeros(len(tracks))
        if known.any() and self._timestamp_ns is not None:
            old, new = torch.from_numpy(rows[known]), torch.from_numpy(np.flatnonzero(known))
            hidden[new] = self._hidden[old]
            for target, source in (
                (start.velocities, self._motion.velocities),
                (start.weights, self._motion.weights),
            ):
                target[new] = source[old]
            last_boxes = boxes.clone()
            last_boxes[new] = self._motion.boxes[old]
            start = MotionState(last_boxes, start.velocities, start.weights)
            dt_s[new] = max((timestamp_ns - self._timestamp_ns) * 1e-9, 1e-3)
        return hidden, start, dt_s
