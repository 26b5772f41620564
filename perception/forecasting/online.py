"""TrajectoryGRU behind the ``Forecaster`` protocol: fed once per instant, its memory kept per track."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from perception.forecasting.gru import TrajectoryGRU
from perception.forecasting.motion import MotionState
from perception.forecasting.social import nearest_neighbours
from perception.forecasting.windows import PLACE
from perception.types import FloatArray, Forecasts, IntArray, Tracks


class GruForecaster:
    """A step costs the same however long the past is: only new observations enter, hidden states remember the rest."""

    def __init__(self, model: TrajectoryGRU, *, device: torch.device, dt_s: float = 0.1) -> None:
        self._model = model.eval().to(device)
        self._device = device
        self._times_s = torch.arange(1, round(model.config.horizon_s / dt_s) + 1, device=device) * dt_s
        self._dt_s = dt_s
        self.reset()

    def reset(self) -> None:
        """Forget all tracks."""
        self._ids: IntArray = np.zeros(0, np.int64)
        self._timestamp_ns = 0
        self._hidden: Tensor | None = None
        self._motion: MotionState | None = None

    @torch.inference_mode()
    def step(self, tracks: Tracks, timestamp_ns: int, world_from_vehicle: FloatArray | None = None) -> Forecasts:
        """Feed one instant; returns the futures of all ``tracks``. Tracks that are no longer among them are forgotten.

        Features are used only where they come from the network that this forecaster was trained with, and the car's
        pose (4, 4) only on the ground. Raises ``ValueError`` for tracks of another reference frame.
        """
        frame = self._model.config.reference_frame
        if len(tracks) and tracks.reference_frame != frame:
            raise ValueError(f"tracks: expected the {frame} frame, got the {tracks.reference_frame} frame")
        observed = self._model.motion.observe(tracks, world_from_vehicle)
        observations = torch.from_numpy(observed).float().to(self._device)
        unseen_s = torch.from_numpy(tracks.unseen_s).float().to(self._device)
        labels = torch.from_numpy(tracks.labels.astype(np.int64)).to(self._device)
        hidden, motion, dt_s = self._recall(tracks, observations, timestamp_ns)
        motion, inputs = self._model.motion.advance(motion, observations, dt_s, unseen_s)
        hidden, encoded = self._model.step(hidden, inputs, labels, self._usable_features(tracks))
        heard = self._model.hear(encoded, motion, self._neighbours(tracks, observed))
        futures = self._model.decode(heard, motion, self._times_s)
        axes_rad = self._model.motion.axes_rad(motion)
        self._ids, self._timestamp_ns, self._hidden, self._motion = tracks.ids, timestamp_ns, hidden, motion
        return Forecasts(
            track_ids=tracks.ids,
            probabilities=futures.log_probabilities.exp().cpu().numpy(),
            means=futures.means.cpu().numpy(),
            stds=futures.stds.cpu().numpy(),
            dt_s=self._dt_s,
            reference_frame=frame,
            axes_rad=None if axes_rad is None else axes_rad.cpu().numpy(),
        )

    def _neighbours(self, tracks: Tracks, observed: FloatArray) -> Tensor | None:
        """In the image, those whom the same camera sees; on the ground, all."""
        if not self._model.config.social_size:
            return None
        camera = None if tracks.reference_frame == "ground" else np.unique(tracks.cameras, return_inverse=True)[1]
        return torch.from_numpy(nearest_neighbours(observed[:, PLACE], camera)).to(self._device)

    def _usable_features(self, tracks: Tracks) -> Tensor | None:
        if not tracks.feature_space or tracks.feature_space != self._model.config.feature_space:
            return None
        return torch.from_numpy(tracks.features).float().to(self._device)

    def _recall(self, tracks: Tracks, observations: Tensor, timestamp_ns: int) -> tuple[Tensor, MotionState, Tensor]:
        """The states of ``tracks`` in their order, and the time since the last step; 0 and fresh for new tracks."""
        motion = self._model.motion.start(observations)
        hidden = observations.new_zeros(len(tracks), self._model.config.hidden_size)
        dt_s = observations.new_zeros(len(tracks))
        if self._motion is None or self._hidden is None:
            return hidden, motion, dt_s
        known, rows = np.nonzero(tracks.ids[:, None] == self._ids)
        new, old = (torch.from_numpy(index).to(self._device) for index in (known, rows))
        dt_s[new] = max((timestamp_ns - self._timestamp_ns) * 1e-9, 1e-3)
        return hidden.index_copy(0, new, self._hidden[old]), motion.with_rows(new, self._motion, old), dt_s
