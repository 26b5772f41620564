"""A training whose progress, curves and result are reported to a ``Reporter``: a console, or none."""

from __future__ import annotations

import time
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
_DRAW_EVERY_S = 10.0


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
    """``train`` with progress, figures at each validation, and ``curves.png``, whose title is ``title``."""
    curves = _Curves(folder / CURVES_NAME, title)
    with reporter.progress("training", settings.steps) as update:

        def on_step(done: int, history: History) -> None:
            update(done, f"loss {history.training[-1]['total']:.3f}" if history.training else None)
            if history.validation and history.validation[-1]["step"] == done:
                figures = {name: value for name, value in history.validation[-1].items() if name != "step"}
                shown = ", ".join(f"{name} {value:.4g}" for name, value in figures.items())
                reporter.message(f"step {done}: {shown}")
                curves.show(history)

        try:
            return train(task, settings, folder=folder, device=device, on_step=on_step, processes=processes)
        finally:
            curves.finish()


class _Curves:
    """The picture of the curves, drawn now and then and at the end: drawn at each validation, it would take most of the
    time of a short training."""

    def __init__(self, path: Path, title: str) -> None:
        self._path, self._title = path, title
        self._drawn_s = time.monotonic()
        self._undrawn: History | None = None

    def show(self, history: History) -> None:
        self._undrawn = history
        if time.monotonic() - self._drawn_s > _DRAW_EVERY_S:
            self.finish()

    def finish(self) -> None:
        """Draw what is not drawn yet."""
        if self._undrawn is not None:
            plot_curves(self._undrawn, self._path, title=self._title)
            self._drawn_s, self._undrawn = time.monotonic(), None


def report_end(history: History, weights: Path, reporter: Reporter) -> None:
    """Why the training ended, and which weights were kept."""
    why = "early stopping" if history.stopped_early else "all steps are done"
    reporter.message(f"Ended: {why}. Best weights: step {history.best_step}, score {history.best_score:.4f}.")
    reporter.message(f"sha256 {sha256(weights)}")
