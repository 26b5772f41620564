"""What every kind of training data offers: batches, a loss, a validation, and windows to calibrate on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from perception.forecasting.features.motion import MotionState
from perception.forecasting.track_dataset import Grid, Windows
from perception.forecasting.trajectory_gru import Futures, TrajectoryGRU
from perception.protocols import Detector
from perception.training.engine.trainer import Validation
from perception.training.forecaster.loss import LossWeights
from perception.types import ReferenceFrame


@dataclass(frozen=True)
class BatchConfig:
    """``size`` windows in a batch; ``neighbours`` of each object, 0 where the model knows no interaction."""

    size: int
    neighbours: int
    loss: LossWeights


class DataModule(Protocol):
    """The data of one training, with the loss that suits them."""

    @property
    def grid(self) -> Grid:
        """The times at which the true futures of the windows are given."""
        ...

    def sample(self, rng: np.random.Generator) -> Windows:
        """One training batch. Raises ``UsageError`` where there is nothing to learn from."""
        ...

    def loss(self, futures: Futures, windows: Windows, state: MotionState) -> dict[str, Tensor]:
        """Scalars, ``total`` among them."""
        ...

    def validate(self, model: TrajectoryGRU) -> Validation:
        """How good the model is on data that it did not learn from."""
        ...

    def calibration_set(self) -> Mapping[str, Sequence[Windows]]:
        """By name, a few thousand windows of each set that was not trained on."""
        ...


class DataConfig(BaseModel, ABC):
    """The keys that every kind of data has, and what each kind must provide."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    train_share: float = Field(1.0, gt=0, le=1, description="share of the recordings or scenes that are trained on")

    @property
    @abstractmethod
    def reference_frame(self) -> ReferenceFrame:
        """The frame that the model forecasts in."""

    @property
    def uses_features(self) -> bool:
        """Whether the model is to know a detector's features."""
        return True

    def selected_folds(self) -> tuple[str, ...]:
        """The folds that are trained one by one; ("",) where there are none. Raises ``UsageError`` for unknown ones."""
        return ("",)

    @abstractmethod
    def load(
        self, batches: BatchConfig, *, root: Path, detector: Detector, rng: np.random.Generator, fold: str
    ) -> DataModule:
        """Read and prepare the data; paths are relative to ``root``, recordings are tracked with ``detector``.

        ``rng`` chooses what is left out below a ``train_share`` of 1. Raises ``UsageError`` naming what is wrong.
        """
