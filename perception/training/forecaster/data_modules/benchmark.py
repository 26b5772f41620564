"""A public benchmark in metres as training data: its training targets, and weights chosen by its own figures."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from perception.arrays import FloatArray
from perception.benchmarks import BENCHMARKS, Benchmark, Split, predict
from perception.errors import UsageError
from perception.forecasting.batch_prediction import predict_windows
from perception.forecasting.features.ground_motion import CAR_XY, SIZE, VARIANCE, VELOCITY, XY
from perception.forecasting.features.motion import MotionState
from perception.forecasting.track_dataset import Grid, Windows, windows_at
from perception.forecasting.trajectory_gru import Futures, TrajectoryGRU
from perception.protocols import Detector
from perception.training.engine.trainer import TRAINING_LOSS, Validation
from perception.training.forecaster.data_modules.base import BatchConfig, DataConfig
from perception.training.forecaster.data_modules.ground import MIRRORED
from perception.training.forecaster.loss import benchmark_loss
from perception.types import ReferenceFrame

_FULL_HISTORY_SHARE = 0.7
_LOSS_ROWS = 2000


class BenchmarkDataConfig(DataConfig):
    """``data: {kind: benchmark, ...}``: a public benchmark of the ground frame, by its ``name`` and its file.

    ``folds`` are trained one by one, each without the data that it is tested on.
    """

    kind: Literal["benchmark"] = "benchmark"
    name: Literal["nuscenes", "ethucy", "kitti"]
    path: Path
    folds: tuple[str, ...] = Field((), description="all of the benchmark's where none are named")
    scale_jitter: float = Field(0.2, ge=0, description="each batch is magnified by up to e to this, or shrunk")
    balance_scenes: bool = Field(
        False, description="equal weight of scenes (or drives) in training and model selection"
    )

    @property
    def reference_frame(self) -> ReferenceFrame:
        """The frame that the model forecasts in."""
        return "ground"

    def selected_folds(self) -> tuple[str, ...]:
        """The folds that are trained one by one; ("",) where there are none. Raises ``UsageError`` for unknown ones."""
        known = BENCHMARKS[self.name].folds
        unknown = [fold for fold in self.folds if fold not in known]
        if unknown and known == ("",):
            raise UsageError(f"data.folds: {self.name} has none; leave them out.")
        if unknown:
            raise UsageError(f"data.folds: {unknown[0]!r} is none of {', '.join(known)}.")
        return self.folds or known

    def load(
        self, batches: BatchConfig, *, root: Path, detector: Detector, rng: np.random.Generator, fold: str = ""
    ) -> BenchmarkDataModule:
        """Read one fold of the benchmark; see ``DataConfig.load``."""
        benchmark, path = BENCHMARKS[self.name], root / self.path
        train, validation = benchmark.targets(path, "train", fold), benchmark.targets(path, "val", fold)
        return BenchmarkDataModule(self, batches, benchmark, train.share(self.train_share, rng), validation)


@dataclass(frozen=True)
class BenchmarkDataModule:
    """Batches of the benchmark's targets, of whole instants where there are neighbours; see ``DataModule``."""

    config: BenchmarkDataConfig
    batches: BatchConfig
    benchmark: Benchmark
    train: Split
    validation: Split

    @property
    def grid(self) -> Grid:
        """The benchmark's own."""
        return self.benchmark.grid

    def sample(self, rng: np.random.Generator) -> Windows:
        """One batch: about ``batch_size`` targets, mirrored, larger or smaller."""
        tracks, history = self.train.tracks, self.train.history
        neighbours = self.batches.neighbours
        rows = tracks.sample(
            self.train.ends, self.batches.size, rng, together=bool(neighbours), weights=self._sampling_weights
        )
        length = history if rng.random() < _FULL_HISTORY_SHARE else int(rng.integers(2, history + 1))
        windows = windows_at(tracks, rows, length=length, neighbours=neighbours)
        scale = float(np.exp(rng.uniform(-1, 1) * self.config.scale_jitter))
        return _augment(windows, mirror=bool(rng.random() < 0.5), scale=scale)

    def loss(self, futures: Futures, windows: Windows, state: MotionState) -> dict[str, Tensor]:
        """See ``benchmark_loss``."""
        return benchmark_loss(futures, windows, state, weights=self.batches.loss)

    @torch.inference_mode()
    def validate(self, model: TrajectoryGRU) -> Validation:
        """Chosen by the benchmark's figures on held-out targets, multiplied."""
        split, benchmark = self.validation, self.benchmark
        predicted = predict(model, split, benchmark, neighbours=True)
        errors = benchmark.errors(predicted, split.futures(benchmark.steps))
        weights = split.even_weights if self.config.balance_scenes else None
        figures = {name: float(np.average(values, weights=weights)) for name, values in errors.items()}
        score = -float(np.mean([math.log(figures[name]) for name in benchmark.chosen_by]))
        figures[TRAINING_LOSS] = self._loss_on(model, self.train)
        return Validation(self._loss_on(model, split), score, figures)

    def calibration_set(self) -> dict[str, list[Windows]]:
        """Windows of held-out targets."""
        return {self.benchmark.name: [self._windows_of(self.validation)]}

    @cached_property
    def _sampling_weights(self) -> FloatArray | None:
        return self.train.even_weights if self.config.balance_scenes else None

    def _windows_of(self, split: Split) -> Windows:
        ends = split.ends[:: max(1, len(split) // _LOSS_ROWS)]
        return windows_at(split.tracks, ends, length=split.history, neighbours=self.batches.neighbours)

    def _loss_on(self, model: TrajectoryGRU, split: Split) -> float:
        windows = self._windows_of(split)
        futures, state = predict_windows(model, windows, torch.from_numpy(self.grid.times_s).float())
        return float(self.loss(futures, windows, state)["total"])


def _augment(windows: Windows, *, mirror: bool, scale: float) -> Windows:
    """Left and right swapped, all lengths magnified."""
    observations, futures = windows.observations.clone(), windows.futures.clone()
    for columns in (XY, VELOCITY, SIZE, CAR_XY):
        observations[..., columns] *= scale
    observations[..., VARIANCE] *= scale**2
    futures *= scale
    if mirror:
        observations *= torch.from_numpy(MIRRORED)
        futures[..., 1] *= -1
    return replace(windows, observations=observations, futures=futures)
