"""Overfitting, measured: the same network with few and many data, with and without regularisation.

A network that trains for long overfits: its loss on the training data falls on while the loss on validation data
rises. Three remedies stand beside one another: dropout (Srivastava et al. 2014), weight decay (Krogh
and Hertz 1991) and early stopping (Prechelt 1998), which keeps the weights of the best validation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from perception.errors import UsageError
from perception.files import atomic_write, write_json
from perception.training.engine.trainer import TRAINING_LOSS, History
from perception.training.forecaster.config import ForecasterTraining
from perception.training.forecaster.data_modules.benchmark import BenchmarkDataConfig
from perception.training.forecaster.data_modules.image import ImageDataConfig
from perception.training.forecaster.training_run import ForecasterTrainer

NAME = "overfitting"
"""How the command line calls this study."""

SHARES = (0.05, 0.25, 1.0)
_REMEDIES: Mapping[str, tuple[bool, bool]] = {
    "none": (False, False),
    "dropout": (True, False),
    "weight decay": (False, True),
    "both": (True, True),
}
_COLOURS = {"none": "#c53030", "dropout": "#3366cc", "weight decay": "#dd6b20", "both": "#2f855a"}


@dataclass(frozen=True)
class Trial:
    """One training: ``remedies`` is a key of the table above, ``share`` of the training data is used."""

    remedies: str
    share: float

    @property
    def name(self) -> str:
        """A folder's name."""
        return f"{self.remedies.replace(' ', '-')}-{self.share:.0%}".replace("%", "-percent")

    def config(self, config: ForecasterTraining) -> ForecasterTraining:
        """The configuration with this share of the data, and only these remedies; it never stops early itself."""
        dropout, decay = _REMEDIES[self.remedies]
        data = config.data.model_copy(update={"train_share": self.share})
        changed = {"weight_decay": config.settings.weight_decay if decay else 0.0, "patience": None}
        return config.model_copy(
            update={
                "data": data,
                "dropout": config.dropout if dropout else 0.0,
                "settings": config.settings.model_copy(update=changed),
            }
        )


@dataclass(frozen=True)
class TrialResult:
    """Losses of one training, measured alike: on training data, and on validation data.

    ``stopped`` is early stopping: the weights of the best validation instead of the last ones.
    """

    remedies: str
    share: float
    stopped: bool
    step: int
    training_loss: float
    validation_loss: float

    @property
    def gap(self) -> float:
        """How much worse the network is on data that it was not trained on."""
        return self.validation_loss - self.training_loss


def trials() -> Iterator[Trial]:
    """All trainings of the study, the smallest data first."""
    for share in SHARES:
        for remedies in _REMEDIES:
            yield Trial(remedies, share)


def trial_results(histories: Mapping[Trial, History]) -> list[TrialResult]:
    """Two for each training: at its end, and where early stopping would have kept its weights."""
    found = []
    for trial, history in histories.items():
        best = min(history.validation, key=lambda entry: float(entry["loss"]))
        for stopped, entry in ((False, history.validation[-1]), (True, best)):
            found.append(
                TrialResult(
                    trial.remedies,
                    trial.share,
                    stopped,
                    int(entry["step"]),
                    float(entry[TRAINING_LOSS]),
                    float(entry["loss"]),
                )
            )
    return found


def plot_study(histories: Mapping[Trial, History], path: Path, *, title: str) -> None:
    """Write a PNG: a column for each share of the data, the training loss dashed, the validation loss in full."""
    figure = Figure(figsize=(12, 4.6), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, len(SHARES), sharey=True)
    for axis, share in zip(axes, SHARES, strict=True):
        for trial, history in histories.items():
            if trial.share != share:
                continue
            steps = [entry["step"] for entry in history.validation]
            colour = _COLOURS[trial.remedies]
            losses = [entry["loss"] for entry in history.validation]
            axis.plot(steps, losses, color=colour, label=trial.remedies)
            axis.plot(
                steps, [entry[TRAINING_LOSS] for entry in history.validation], color=colour, linestyle="--", alpha=0.7
            )
            best = min(range(len(losses)), key=losses.__getitem__)
            axis.plot(steps[best], losses[best], "o", color=colour, markersize=6)
        axis.set_title(f"{share:.0%} of the data", loc="left", fontsize=10)
        axis.set_xlabel("training step")
        axis.grid(alpha=0.25)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("loss: full line validation, dashed training data")
    axes[-1].legend(frameon=False, fontsize=9, title="regularisation")
    figure.suptitle(f"{title}  (a dot: where early stopping keeps the weights)", x=0.01, ha="left", fontweight="bold")
    with atomic_write(path) as temporary:
        figure.savefig(temporary, format="png", dpi=110)


def run_overfitting_study(trainer: ForecasterTrainer, config: ForecasterTraining, folder: Path) -> list[TrialResult]:
    """All trials, on the first fold; writes ``study.json`` and ``study.png``, and goes on where it was stopped.

    Raises ``UsageError`` where the configuration has no fixed training set, or no remedies to try.
    """
    data = config.data
    if not (isinstance(data, BenchmarkDataConfig) or (isinstance(data, ImageDataConfig) and data.jaad is not None)):
        raise UsageError("is trained on JAAD or a benchmark; name one in the configuration.", field="study", value=NAME)
    if config.dropout == 0 or config.settings.weight_decay == 0:
        raise UsageError("the configuration must name the dropout and weight_decay to try.", field="study", value=NAME)
    fold = data.selected_folds()[0]
    histories = {
        trial: trainer.train(trial.config(config), folder / trial.name, fold, title=trial.name) for trial in trials()
    }
    results = trial_results(histories)
    plot_study(histories, folder / "study.png", title="Overfitting of TrajectoryGRU")
    write_json(folder / "study.json", {"results": [{**asdict(result), "gap": result.gap} for result in results]})
    return results
