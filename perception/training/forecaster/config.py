"""What a training of the forecaster is told."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from perception.training.engine.trainer import TrainingSettings
from perception.training.forecaster.loss import LossWeights
from perception.types import ReferenceFrame


class RecordingData(BaseModel):
    """A recording, or several by a pattern such as ``drives/train-*``, tracked by our own detector and tracker.

    ``strides``: every so many-th instant is tracked, once for each, so that one recording teaches several rates.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: Path
    strides: tuple[int, ...] = (1,)


class TrafficData(BaseModel):
    """Simulated drives without pictures: the detector's boxes are made from the truth, with its faults.

    ``drives`` of ``duration_s`` with the seeds from ``first_seed`` on, seen by the cameras of ``rig``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    first_seed: int = Field(ge=0)
    drives: int = Field(gt=0)
    duration_s: float = Field(40.0, gt=5)
    rig: str = "surround-six"
    strides: tuple[int, ...] = (1,)


class BenchmarkData(BaseModel):
    """A public benchmark of the ground frame: its ``name`` and its file; ``folds`` are trained one by one, each without
    the data that it is tested on (all of the benchmark's where none are named)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Literal["nuscenes", "ethucy", "kitti"]
    path: Path
    folds: tuple[str, ...] = ()


class ForecasterTraining(BaseModel):
    """The file behind ``perception train forecaster --config``; paths are relative to the ``--data`` folder."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    reference_frame: ReferenceFrame = "image"
    jaad: Path | None = Field(None, description="in the image frame: JAAD's tracks")
    train: tuple[RecordingData, ...] = ()
    validation: tuple[RecordingData, ...] = ()
    traffic: TrafficData | None = Field(None, description="on the ground: simulated traffic to learn from")
    traffic_validation: TrafficData | None = None
    benchmark: BenchmarkData | None = Field(None, description="on the ground, instead of all other data")
    recording_share: float = Field(0.3, ge=0, le=1, description="share of the batches that come from recordings")
    data_share: float = Field(1.0, gt=0, le=1, description="share of the videos or scenes that are learnt from")
    scale_spread: float = Field(
        0.2, ge=0, description="of a benchmark's batches, whose lengths are all magnified by up to e to this, or shrunk"
    )
    even_scenes: bool = Field(
        False, description="of a benchmark: each scene or drive counts alike, in what is learnt from and chosen by"
    )
    exact_share: float = Field(0.15, ge=0, le=1, description="share of the traffic's batches with pasts without errors")
    mirror_share: float = Field(
        0.5,
        ge=0,
        le=1,
        description="on the ground: share of the windows whose left and right are swapped; their features are taken",
    )
    feature_dropout: float = Field(0.3, ge=0, le=1, description="share of the windows that lose their features")
    dropout: float = Field(0.1, ge=0, lt=1)
    hidden_size: int = Field(160, gt=0)
    modes: int = Field(6, gt=0, description="futures of each object")
    interaction_dim: int = Field(0, ge=0, description="width of what is heard of the neighbours; 0 is off")
    neighbour_dropout: float = Field(0.3, ge=0, le=1, description="share of the batches in which nobody is heard")
    seeds: int = Field(1, gt=0, description="trainings, from the seed of the settings on, each in a folder of its own")
    loss: LossWeights = LossWeights()
    image_size_px: int | None = Field(None, description="the detector's input while tracking the recordings")
    settings: TrainingSettings = TrainingSettings(
        steps=8000,
        batch_size=256,
        learning_rate=2e-3,
        weight_decay=0.01,
        average_decay=0.999,
        half=False,
        clip_norm=2.0,
    )

    @model_validator(mode="after")
    def _fits_the_frame(self) -> ForecasterTraining:
        if self.reference_frame == "image" and self.benchmark is not None:
            raise ValueError(f"benchmark {self.benchmark.name} is in metres; set reference_frame to ground")
        if self.reference_frame == "ground" and self.jaad is not None:
            raise ValueError("jaad has boxes in images; leave it out where reference_frame is ground")
        if self.reference_frame == "image" and (self.traffic is not None or self.traffic_validation is not None):
            raise ValueError("traffic has no images; set reference_frame to ground, or leave it out")
        first, second = self.traffic, self.traffic_validation
        if first is not None and second is not None:
            apart = second.first_seed >= first.first_seed + first.drives
            if not apart and first.first_seed < second.first_seed + second.drives:
                raise ValueError("traffic_validation shares seeds with traffic; choose a first_seed beyond them")
        return self
