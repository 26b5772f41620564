"""What TrajectoryGRU learns from a public benchmark in metres: its training targets, chosen by its own figures."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from perception.benchmarks import Benchmark, Split, predict
from perception.forecasting.batch_prediction import predict_windows
from perception.forecasting.features.ground_motion import AXIS, CAR_PLACE, PLACE, SIZE, VARIANCE, VELOCITY
from perception.forecasting.features.motion import MotionState
from perception.forecasting.interaction import NEIGHBOURS
from perception.forecasting.track_dataset import Windows, windows_at
from perception.forecasting.trajectory_gru import Futures, TrajectoryGRU
from perception.training.engine.trainer import LEARNT_LOSS, Validation
from perception.training.forecaster.config import ForecasterTraining
from perception.training.forecaster.loss import (
    LossWeights,
    futures_loss,
    lengths_of,
    masked_mean,
    mixture_log_likelihoods,
    turned_along,
)
from perception.training.forecaster.task_ground import MIRRORED

_WHOLE_PAST_SHARE = 0.7
_LOSS_ROWS = 2000


class BenchmarkLessons:
    """Batches of whole instants where neighbours are heard; see ``Lessons``."""

    def __init__(self, config: ForecasterTraining, benchmark: Benchmark, train: Split, validation: Split) -> None:
        self._config, self._benchmark = config, benchmark
        self._train, self._validation = train, validation
        self._neighbours = NEIGHBOURS if config.interaction_dim else 0
        self._weights = train.even_weights if config.even_scenes else None
        self.grid = benchmark.grid

    def draw(self, rng: np.random.Generator) -> Windows:
        """One batch: about ``batch_size`` targets, mirrored, larger or smaller."""
        tracks, history = self._train.tracks, self._train.history
        wanted = self._config.settings.batch_size
        together = bool(self._neighbours)
        rows = tracks.sample(self._train.ends, wanted, rng, together=together, weights=self._weights)
        seen = history if rng.random() < _WHOLE_PAST_SHARE else int(rng.integers(2, history + 1))
        windows = windows_at(tracks, rows, length=seen, neighbours=self._neighbours)
        scale = float(np.exp(rng.uniform(-1, 1) * self._config.scale_spread))
        return _changed(windows, mirror=bool(rng.random() < 0.5), scale=scale)

    def loss(self, futures: Futures, windows: Windows, state: MotionState) -> dict[str, Tensor]:
        """See ``benchmark_loss``."""
        return benchmark_loss(futures, windows, state, weights=self._config.loss)

    @torch.inference_mode()
    def validate(self, model: TrajectoryGRU) -> Validation:
        """Chosen by the benchmark's figures on held-out targets, multiplied."""
        split, benchmark = self._validation, self._benchmark
        predicted = predict(model, split, benchmark, neighbours=True)
        errors = benchmark.errors(predicted, split.futures(benchmark.steps))
        weights = split.even_weights if self._config.even_scenes else None
        figures = {name: float(np.average(values, weights=weights)) for name, values in errors.items()}
        score = -float(np.mean([math.log(figures[name]) for name in benchmark.chosen_by]))
        figures[LEARNT_LOSS] = self._loss_on(model, self._train)
        return Validation(self._loss_on(model, split), score, figures)

    def unlearnt(self) -> dict[str, list[Windows]]:
        """Windows of held-out targets."""
        return {self._benchmark.name: [self._windows_of(self._validation)]}

    def _windows_of(self, split: Split) -> Windows:
        ends = split.ends[:: max(1, len(split) // _LOSS_ROWS)]
        return windows_at(split.tracks, ends, length=split.history, neighbours=self._neighbours)

    def _loss_on(self, model: TrajectoryGRU, split: Split) -> float:
        windows = self._windows_of(split)
        futures, state = predict_windows(model, windows, torch.from_numpy(self.grid.times_s).float())
        return float(self.loss(futures, windows, state)["total"])


def benchmark_loss(
    futures: Futures, windows: Windows, state: MotionState, *, weights: LossWeights
) -> dict[str, Tensor]:
    """Mean distances in metres; see ``futures_loss``."""
    known = windows.known.float()
    some = known.sum(dim=1) > 0
    differences = windows.futures[:, None] - futures.means
    along = turned_along(differences, state.observations[:, AXIS])
    likelihoods = mixture_log_likelihoods(along, futures.stds, futures.log_probabilities)
    return futures_loss(
        errors=masked_mean(lengths_of(differences), known[:, None])[some],
        mean_errors=masked_mean(lengths_of(futures.expected - windows.futures), known)[some],
        likelihoods=-masked_mean(likelihoods, known)[some],
        log_probabilities=futures.log_probabilities[some],
        weights=weights,
    )


def _changed(windows: Windows, *, mirror: bool, scale: float) -> Windows:
    """Left and right swapped, all lengths magnified."""
    seen, futures = windows.observations.clone(), windows.futures.clone()
    for columns in (PLACE, VELOCITY, SIZE, CAR_PLACE):
        seen[..., columns] *= scale
    seen[..., VARIANCE] *= scale**2
    futures *= scale
    if mirror:
        seen *= torch.from_numpy(MIRRORED)
        futures[..., 1] *= -1
    return replace(windows, observations=seen, futures=futures)
