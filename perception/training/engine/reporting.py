"""A training whose progress, curves and result are reported to a ``Reporter``: a console, or none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol, TypeVar

import torch
from torch import nn

from perception.files import sha256
from perception.training.engine.distributed import SINGLE_PROCESS, Processes
from perception.training.engine.plots import plot_curves
from perception.training.engine.trainer import History, Task, TrainingSettings, train

BatchT = TypeVar("BatchT")
Update = Callable[[int, "str | None"], None]
"""Takes how much is done, and a new description or None."""

CURVES_NAME = "curves.png"


class Reporter(Protocol):
    """Where a training reports its progress."""

    def heading(self, text: str) -> None:
        """Begin a part, such as one training of a study."""
        ...

    def message(self, text: str) -> None:
        """One line."""
        ...

    def progress(self, description: str, total: int | None) -> AbstractContextManager[Update]:
        """Something that takes long; ``total`` is how much there is to do, None where unknown."""
        ...


class SilentReporter:
    """Reports nothing."""

    def heading(self, text: str) -> None:
        """See ``Reporter``."""

    def message(self, text: str) -> None:
        """See ``Reporter``."""

    @contextmanager
    def progress(self, description: str, total: int | None) -> Iterator[Update]:
        """See ``Reporter``."""
        yield lambda done, text: None


def train_and_report(
    task: Task[BatchT],
    settings: TrainingSettings,
    *,
    folder: Path,
    device: torch.device,
    reporter: Reporter,
    title: str,
    processes: Processes = SINGLE_PROCESS,
) -> tuple[nn.Module, History]:
    """``train`` with progress, figures and ``curves.png`` at each validation; ``title`` is the picture's."""
    with reporter.progress("training", settings.steps) as update:

        def on_step(done: int, history: History) -> None:
            update(done, f"loss {history.training[-1]['total']:.3f}" if history.training else None)
            if history.validation and history.validation[-1]["step"] == done:
                figures = {name: value for name, value in history.validation[-1].items() if name != "step"}
                shown = ", ".join(f"{name} {value:.4g}" for name, value in figures.items())
                reporter.message(f"step {done}: {shown}")
                plot_curves(history, folder / CURVES_NAME, title=title)

        return train(task, settings, folder=folder, device=device, on_step=on_step, processes=processes)


def report_end(history: History, weights: Path, reporter: Reporter) -> None:
    """Why the training ended, and which weights were kept."""
    why = "early stopping" if history.stopped_early else "all steps are done"
    reporter.message(f"Ended: {why}. Best weights: step {history.best_step}, score {history.best_score:.4f}.")
    reporter.message(f"sha256 {sha256(weights)}")
