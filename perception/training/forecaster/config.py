"""The configuration of a training of the forecaster."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from perception.forecasting.interaction import NEIGHBOURS
from perception.training.engine.trainer import TrainingSettings
from perception.training.forecaster.data_modules.base import BatchConfig
from perception.training.forecaster.data_modules.benchmark import BenchmarkDataConfig
from perception.training.forecaster.data_modules.ground import GroundDataConfig
from perception.training.forecaster.data_modules.image import ImageDataConfig
from perception.training.forecaster.loss import LossWeights

AnyDataConfig = Annotated[ImageDataConfig | GroundDataConfig | BenchmarkDataConfig, Field(discriminator="kind")]
"""What ``data: {kind: image | ground | benchmark, ...}`` can be."""


class ForecasterTraining(BaseModel):
    """The file behind ``perception train forecaster --config``; its paths are relative to the ``--data`` folder."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    data: AnyDataConfig
    hidden_size: int = Field(160, gt=0, description="width of the recurrent network")
    modes: int = Field(6, gt=0, description="futures of each object")
    interaction_dim: int = Field(0, ge=0, description="width of the interaction with neighbours; 0 is off")
    dropout: float = Field(0.1, ge=0, lt=1)
    loss: LossWeights = LossWeights()
    seeds: int = Field(1, gt=0, description="trainings, from the seed of the settings on, each in a folder of its own")
    settings: TrainingSettings = TrainingSettings(
        steps=8000,
        batch_size=256,
        learning_rate=2e-3,
        weight_decay=0.01,
        ema_decay=0.999,
        half=False,
        clip_norm=2.0,
    )

    @property
    def batches(self) -> BatchConfig:
        """What the data module must know of the model that it feeds."""
        neighbours = NEIGHBOURS if self.interaction_dim else 0
        return BatchConfig(self.settings.batch_size, neighbours, self.loss)
