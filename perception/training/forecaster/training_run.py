"""Trainings of the forecaster from a configuration to calibrated weights: one, or one for each fold and seed."""

from __future__ import annotations

from pathlib import Path

import torch

from perception.forecasting import BUNDLED_NAMES, TrajectoryGRU, save_gru
from perception.protocols import Detector
from perception.training.engine.reporting import Reporter, SilentReporter, report_end, train_and_report
from perception.training.engine.trainer import HISTORY_NAME, History, read_history
from perception.training.forecaster.config import ForecasterTraining
from perception.training.forecaster.data_modules.base import DataModule
from perception.training.forecaster.data_modules.benchmark import BenchmarkDataConfig
from perception.training.forecaster.task import calibrate, forecaster_task, load_data_module
from perception.types import NO_FEATURE_SPACE
from perception.weights import WEIGHTS_SUFFIX


class ForecasterTrainer:
    """Trains what a configuration describes, with data below ``root`` and recordings tracked with ``detector``.

    Data that were read last are kept for the next training.
    """

    def __init__(
        self, root: Path, detector: Detector, *, device: torch.device, reporter: Reporter | None = None
    ) -> None:
        self.root, self.detector, self.device = root, detector, device
        self.reporter: Reporter = reporter or SilentReporter()
        self._read: tuple[str, float] | None = None
        self._data: DataModule | None = None

    def train_all(self, config: ForecasterTraining, folder: Path) -> None:
        """Each fold with each seed; one alone goes right into ``folder``, several into folders below it."""
        folds, first = config.data.selected_folds(), config.settings.seed
        runs = [(fold, seed) for fold in folds for seed in range(first, first + config.seeds)]
        for fold, seed in runs:
            name = "-".join(part for part in (fold, f"seed{seed}" if len(runs) > 1 else "") if part)
            settings = config.settings.model_copy(update={"seed": seed})
            self.train(config.model_copy(update={"settings": settings}), folder / name, fold, title=name)

    def train(
        self,
        config: ForecasterTraining,
        folder: Path,
        fold: str = "",
        *,
        title: str = "",
        data: DataModule | None = None,
    ) -> History:
        """One training, of ``data`` where they are given; with a ``title``, what is there already is taken as it is."""
        weights = folder / f"{BUNDLED_NAMES[config.data.reference_frame]}{WEIGHTS_SUFFIX}"
        if title:
            self.reporter.heading(title)
            if weights.is_file():
                self.reporter.message("Trained already.")
                return read_history(folder / HISTORY_NAME)
        data = data or self.load(config, fold)
        folder.mkdir(parents=True, exist_ok=True)
        task = forecaster_task(
            config,
            data,
            feature_space=self.detector.feature_space if config.data.uses_features else NO_FEATURE_SPACE,
            feature_size=max(1, self.detector.feature_size),
            device=self.device,
        )
        model, history = train_and_report(
            task, config.settings, folder=folder, device=self.device, reporter=self.reporter, title="TrajectoryGRU"
        )
        assert isinstance(model, TrajectoryGRU)
        self._calibrate(data, model)
        origin = {"benchmark": config.data.name, "fold": fold} if isinstance(config.data, BenchmarkDataConfig) else {}
        save_gru(model, weights, extras={**origin, "seed": str(config.settings.seed)})
        report_end(history, weights, self.reporter)
        return history

    def load(self, config: ForecasterTraining, fold: str = "") -> DataModule:
        """The data that the configuration names."""
        if self._data is None or self._read != (fold, config.data.train_share):
            with self.reporter.progress("reading and tracking", None):
                self._data = load_data_module(config, self.root, self.detector, fold)
            self._read = (fold, config.data.train_share)
        return self._data

    def _calibrate(self, data: DataModule, model: TrajectoryGRU) -> None:
        modes, sigmas = calibrate(data, model)
        for name, mode in modes.items():
            self.reporter.message(
                f"Mode probabilities calibrated on {name}: the most probable future has {mode.probability_before:.0%} "
                f"before, {mode.probability_after:.0%} after; mode accuracy {mode.accuracy:.0%}."
            )
        for name, (before, after) in sigmas.items():
            self.reporter.message(
                f"Sigmas calibrated on {name}: the middle 50 and 90 % cover {before.middle_50:.0%} and "
                f"{before.middle_90:.0%} before, {after.middle_50:.0%} and {after.middle_90:.0%} after."
            )
