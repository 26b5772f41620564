"""Overfitting, measured: the same network with few and many data, with and without what keeps it from learning by rote.

A network that is asked long enough knows its training data by heart: its loss there falls on while the loss on data
never learnt from rises. Three remedies stand beside one another: dropout (Srivastava et al. 2014), weight decay (Krogh
and Hertz 1991) and early stopping (Prechelt 1998), which keeps the weights of the best validation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from perception.files import whole_file
from perception.training.engine.trainer import LEARNT_LOSS, History
from perception.training.forecaster.config import ForecasterTraining

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
    """One training: ``remedies`` is a key of the table above, ``share`` of the data is learnt from."""

    remedies: str
    share: float

    @property
    def name(self) -> str:
        """A folder's name."""
        return f"{self.remedies.replace(' ', '-')}-{self.share:.0%}".replace("%", "-percent")

    def config(self, config: ForecasterTraining) -> ForecasterTraining:
        """The configuration with this share of the data, and only these remedies; it never stops early itself."""
        dropout, decay = _REMEDIES[self.remedies]
        changed = {"weight_decay": config.settings.weight_decay if decay else 0.0, "patience": None}
        return config.model_copy(
            update={
                "data_share": self.share,
                "dropout": config.dropout if dropout else 0.0,
                "settings": config.settings.model_copy(update=changed),
            }
        )


@dataclass(frozen=True)
class Outcome:
    """Losses of one training, measured alike: on data that was learnt from, and on data that was not.

    ``stopped`` is early stopping: the weights of the best validation instead of the last ones.
    """

    remedies: str
    share: float
    stopped: bool
    step: int
    learnt: float
    validation: float

    @property
    def gap(self) -> float:
        """How much worse the network is on what it has not learnt from."""
        return self.validation - self.learnt


def trials() -> Iterator[Trial]:
    """All trainings of the study, the smallest data first."""
    for share in SHARES:
        for remedies in _REMEDIES:
            yield Trial(remedies, share)


def outcomes(histories: Mapping[Trial, History]) -> list[Outcome]:
    """Two for each training: at its end, and where early stopping would have kept its weights."""
    found = []
    for trial, history in histories.items():
        best = min(history.validation, key=lambda entry: float(entry["loss"]))
        for stopped, entry in ((False, history.validation[-1]), (True, best)):
            found.append(
                Outcome(
                    trial.remedies,
                    trial.share,
                    stopped,
                    int(entry["step"]),
                    float(entry[LEARNT_LOSS]),
                    float(entry["loss"]),
                )
            )
    return found


def draw_study(histories: Mapping[Trial, History], path: Path, *, title: str) -> None:
    """Write a PNG: a column for each share of the data, the loss on learnt data dashed, on other data in full."""
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
                steps, [entry[LEARNT_LOSS] for entry in history.validation], color=colour, linestyle="--", alpha=0.7
            )
            best = min(range(len(losses)), key=losses.__getitem__)
            axis.plot(steps[best], losses[best], "o", color=colour, markersize=6)
        axis.set_title(f"{share:.0%} of the data", loc="left", fontsize=10)
        axis.set_xlabel("step of gradient descent")
        axis.grid(alpha=0.25)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("loss: full line new data, dashed learnt data")
    axes[-1].legend(frameon=False, fontsize=9, title="remedies")
    figure.suptitle(f"{title}  (a dot: where early stopping keeps the weights)", x=0.01, ha="left", fontweight="bold")
    with whole_file(path) as temporary:
        figure.savefig(temporary, format="png", dpi=110)


def to_json(found: Sequence[Outcome]) -> list[dict[str, object]]:
    """Plain values for ``study.json``."""
    return [{**asdict(outcome), "gap": outcome.gap} for outcome in found]
