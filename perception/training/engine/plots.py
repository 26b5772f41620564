"""The loss curves of a training as a picture: training loss, validation loss and validation score."""

from __future__ import annotations

from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from perception.files import atomic_write
from perception.training.engine.trainer import History

_TRAINING, _VALIDATION, _BEST = "#3366cc", "#dd6b20", "#2f855a"


def plot_curves(history: History, path: Path, *, title: str) -> None:
    """Write a PNG with training and validation loss over the steps, and below it what was validated."""
    figure = Figure(figsize=(9, 6.5), layout="constrained")
    FigureCanvasAgg(figure)
    losses, scores = figure.subplots(2, 1, sharex=True, height_ratios=[3, 2])
    losses.plot(
        [e["step"] for e in history.training],
        [e["total"] for e in history.training],
        color=_TRAINING,
        label="training loss (moving average)",
    )
    steps = [entry["step"] for entry in history.validation]
    losses.plot(steps, [e["loss"] for e in history.validation], "o-", color=_VALIDATION, label="validation loss")
    losses.set_yscale("log")
    losses.set_ylabel("loss")
    losses.set_title(title, loc="left", fontweight="bold")
    if history.validation:
        scores.plot(steps, [e["score"] for e in history.validation], "o-", color=_BEST, label="validation score")
        for axis in (losses, scores):
            axis.axvline(history.best_step, color=_BEST, linestyle=":", label=f"best weights, step {history.best_step}")
    scores.set_ylabel("score, higher is better")
    scores.set_xlabel("training step")
    for axis in (losses, scores):
        axis.grid(alpha=0.25)
        axis.spines[["top", "right"]].set_visible(False)
        axis.legend(frameon=False, fontsize=9)
    with atomic_write(path) as temporary:
        figure.savefig(temporary, format="png", dpi=110)
