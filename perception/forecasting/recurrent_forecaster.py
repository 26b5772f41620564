"""TrajectoryGRU behind the ``Forecaster`` protocol: fed once per instant, its memory kept per track."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from perception.arrays import FloatArray, IntArray
from perception.forecasting.features.motion import MotionState
from perception.forecasting.interaction import NEIGHBOURS, nearest_neighbours
from perception.forecasting.step_engine import MEMORY, StepEngine, TorchEngine
from perception.forecasting.track_dataset import XY
from perception.forecasting.trajectory_gru import GruConfig, TrajectoryGRU, motion_of
from perception.types import EgoMotions, Forecasts, Tracks


class GruForecaster:
    """A step costs the same however long the past is: only new observations enter, hidden states remember the rest.

    ``engine`` computes the step of a network built by ``config``, with futures at every ``dt_s``.
    """

    def __init__(self, engine: StepEngine, config: GruConfig, *, dt_s: float) -> None:
        self._engine = engine
        self._config = config
        self._motion = motion_of(config.reference_frame)
        self._dt_s = dt_s
        self.reset()

    @classmethod
    def of(cls, model: TrajectoryGRU, *, device: torch.device, dt_s: float = 0.1) -> GruForecaster:
        """The network itself, on ``device``."""
        times_s = torch.arange(1, round(model.config.horizon_s / dt_s) + 1) * dt_s
        return cls(TorchEngine(model, times_s, device), model.config, dt_s=dt_s)

    def reset(self) -> None:
        """Forget all tracks."""
        self._ids: IntArray = np.zeros(0, np.int64)
        self._timestamp_ns = 0
        self._memory: dict[str, Tensor] = {}

    def step(
        self,
        tracks: Tracks,
        timestamp_ns: int,
        world_from_vehicle: FloatArray | None = None,
        ego_motions: EgoMotions | None = None,
    ) -> Forecasts:
        """Feed one instant; returns the futures of all ``tracks``. Tracks that are no longer among them are forgotten.

        Features are used only where they come from the network that this forecaster was trained with, the car's pose
        (4, 4) only on the ground, the cameras' motion only in the image. Raises ``ValueError`` for tracks of another
        reference frame.
        """
        frame = self._config.reference_frame
        if len(tracks) and tracks.reference_frame != frame:
            raise ValueError(f"tracks: expected the {frame} frame, got the {tracks.reference_frame} frame")
        if not len(tracks):
            self.reset()
            return self._nothing()
        observed = self._motion.observe(tracks, world_from_vehicle, ego_motions)
        observations = torch.from_numpy(observed).float()
        memory, dt_s = self._recall(tracks, observations, timestamp_ns)
        outputs = self._engine(
            {
                "observations": observations,
                "dt_s": dt_s,
                "unseen_s": torch.from_numpy(tracks.unseen_s).float(),
                "labels": torch.from_numpy(tracks.labels.astype(np.int64)),
                "features": self._usable_features(tracks),
                "neighbours": self._neighbours(tracks, observed),
                **memory,
            }
        )
        self._ids, self._timestamp_ns = tracks.ids, timestamp_ns
        self._memory = {name: outputs[f"next_{name}"] for name in MEMORY}
        state = MotionState(*(self._memory[name] for name in MEMORY[1:]))
        axes_rad = self._motion.axes_rad(state)
        return Forecasts(
            track_ids=tracks.ids,
            probabilities=outputs["log_probabilities"].exp().cpu().numpy(),
            means=outputs["means"].cpu().numpy(),
            stds=outputs["stds"].cpu().numpy(),
            dt_s=self._dt_s,
            reference_frame=frame,
            axes_rad=None if axes_rad is None else axes_rad.cpu().numpy(),
        )

    def _nothing(self) -> Forecasts:
        config = self._config
        shape = (0, config.modes, round(config.horizon_s / self._dt_s), self._motion.dimensions)
        return Forecasts(
            track_ids=np.zeros(0, np.int64),
            probabilities=np.zeros(shape[:2]),
            means=np.zeros(shape),
            stds=np.zeros(shape),
            dt_s=self._dt_s,
            reference_frame=config.reference_frame,
            axes_rad=np.zeros(0) if config.reference_frame == "ground" else None,
        )

    def _neighbours(self, tracks: Tracks, observed: FloatArray) -> Tensor:
        """In the image, those whom the same camera sees; on the ground, all."""
        if not self._config.interaction_dim:
            return torch.full((len(tracks), NEIGHBOURS), -1)
        camera = None if tracks.reference_frame == "ground" else np.unique(tracks.cameras, return_inverse=True)[1]
        return torch.from_numpy(nearest_neighbours(observed[:, XY], camera))

    def _usable_features(self, tracks: Tracks) -> Tensor:
        """Zeros, which stand for none, where they are of another space."""
        if not tracks.feature_space or tracks.feature_space != self._config.feature_space:
            return torch.zeros(len(tracks), self._config.feature_size)
        return torch.from_numpy(tracks.features).float()

    def _recall(self, tracks: Tracks, observations: Tensor, timestamp_ns: int) -> tuple[dict[str, Tensor], Tensor]:
        """The memory of ``tracks`` in their order, and the time since the last step; 0 and fresh for new tracks."""
        hidden = observations.new_zeros(len(tracks), self._config.hidden_size)
        fresh = dict(zip(MEMORY, (hidden, *self._motion.start(observations)), strict=True))
        dt_s = observations.new_zeros(len(tracks))
        if not self._memory:
            return fresh, dt_s
        known, rows = np.nonzero(tracks.ids[:, None] == self._ids)
        new, old = torch.from_numpy(known), torch.from_numpy(rows)
        dt_s[new] = max((timestamp_ns - self._timestamp_ns) * 1e-9, 1e-3)
        device = self._memory["hidden"].device  # the engine's, where what is remembered stays
        new, old = new.to(device), old.to(device)
        recalled = {name: value.to(device).index_copy(0, new, self._memory[name][old]) for name, value in fresh.items()}
        return recalled, dt_s
