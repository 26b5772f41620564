"""Trains the forecaster as a configuration says: each fold and seed, with a progress bar."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from perception.cli.train.common import (
    tell_end,
    train_behind_bar,
)

if TYPE_CHECKING:
    import torch

    from perception.protocols import Detector
    from perception.training.engine.trainer import History
    from perception.training.forecaster.task import ForecasterData, ForecasterTraining


class Trainer:
    """Trains what a configuration says; data that were read last are kept for the next training. ``again`` is what to
    resume, and how, after a stop."""

    def __init__(self, root: Path, observer: Detector, console: Console, device: torch.device, *, again: str) -> None:
        self.root, self._observer, self._console, self._device = root, observer, console, device
        self._again = again
        self._read: tuple[str, float] | None = None
        self._data: ForecasterData | None = None

    def train_all(self, training: ForecasterTraining, folder: Path) -> None:
        """Each fold with each seed; one alone goes right into ``folder``, several into folders below it."""
        from perception.training.forecaster.task import folds_of

        runs = [(fold, training.settings.seed + more) for fold in folds_of(training) for more in range(training.seeds)]
        for fold, seed in runs:
            name = "-".join(part for part in (fold, f"seed{seed}" if len(runs) > 1 else "") if part)
            settings = training.settings.model_copy(update={"seed": seed})
            self.train(training.model_copy(update={"settings": settings}), folder / name, fold, title=name)
        if len(runs) > 1:
            self._console.print(str(folder), highlight=False, soft_wrap=True, markup=False)

    def train(
        self,
        training: ForecasterTraining,
        folder: Path,
        fold: str = "",
        *,
        title: str = "",
        data: ForecasterData | None = None,
    ) -> History:
        """One training, of ``data`` where they are given; with a ``title``, what is there already is taken as it is."""

        from perception.forecasting import BUNDLED_NAMES, TrajectoryGRU, save_gru
        from perception.training.engine.trainer import HISTORY_NAME, read_history, train
        from perception.training.forecaster.task import calibrate, forecaster_task

        weights = folder / f"{BUNDLED_NAMES[training.reference_frame]}.safetensors"
        if title:
            self._console.rule(title, style="dim")
            if weights.is_file():
                self._console.print("Trained already.")
                return read_history(folder / HISTORY_NAME)
        data = data or self.load(training, fold)
        folder.mkdir(parents=True, exist_ok=True)

        def run(on_step: Callable[[int, History], None]) -> tuple[torch.nn.Module, History]:
            task = forecaster_task(
                training,
                data,
                feature_space=self._observer.feature_space,
                feature_size=max(1, self._observer.feature_size),
                device=self._device,
            )
            return train(task, training.settings, folder=folder, device=self._device, on_step=on_step)

        model: torch.nn.Module
        history: History
        model, history = train_behind_bar(
            run,
            training.settings.steps,
            folder,
            self._console,
            title="TrajectoryGRU",
            root=self.root,
            again=self._again,
        )
        assert isinstance(model, TrajectoryGRU)
        choices, spreads = calibrate(training, data, model)
        for name, first in choices.items():
            self._console.print(
                f"Probabilities calibrated: of {name}, the most probable future is given {first.said_before:.0%} "
                f"before, {first.said_after:.0%} after; it comes nearest in {first.came_true:.0%} of cases.",
                highlight=False,
            )
        for name, (before, after) in spreads.items():
            self._console.print(
                f"Spreads calibrated: of {name}, the middle 50 and 90 % hold {before.middle_50:.0%} and "
                f"{before.middle_90:.0%} before, {after.middle_50:.0%} and {after.middle_90:.0%} after.",
                highlight=False,
            )
        origin = {} if training.benchmark is None else {"benchmark": training.benchmark.name, "fold": fold}
        save_gru(model, weights, extras={**origin, "seed": str(training.settings.seed)})
        tell_end(history, weights, self._console)
        return history

    def load(self, training: ForecasterTraining, fold: str = "") -> ForecasterData:
        """What the configuration names."""
        from perception.training.forecaster.task import load_forecaster_data

        if self._data is None or self._read != (fold, training.data_share):
            with self._console.status("reading and tracking"):
                self._data = load_forecaster_data(training, self.root, self._observer, fold)
            self._read = (fold, training.data_share)
        return self._data
