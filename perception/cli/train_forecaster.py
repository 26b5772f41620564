"""``perception train forecaster``: one training, several seeds and folds, or a study made of many."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from perception.cli.training import (
    ConfigFile,
    Data,
    Device,
    Dropout,
    Output,
    Patience,
    Resume,
    Seed,
    Steps,
    WeightDecay,
    data_folder,
    read_configuration,
    tell_end,
    train_behind_bar,
    training_folder,
)
from perception.errors import UsageError

if TYPE_CHECKING:
    import torch

    from perception.training.forecaster import ForecasterData, ForecasterTraining
    from perception.training.loop import History
    from perception.training.overfitting import Outcome
    from perception.types import Detector

OVERFITTING, FEATURES = "overfitting", "features"


def forecaster(
    config: ConfigFile = None,
    data: Data = None,
    output: Output = None,
    resume: Resume = None,
    features_from: Annotated[
        str, typer.Option("--detector", help="RoadNet weights whose features are learnt; auto takes the bundled.")
    ] = "roadnet",
    device: Device = "auto",
    seed: Seed = None,
    seeds: Annotated[
        int | None,
        typer.Option("--seeds", min=1, help="Train so many times, from --seed on, each into a folder of its own."),
    ] = None,
    study: Annotated[
        str | None,
        typer.Option(
            "--study",
            help="overfitting: with and without its remedies, with 5, 25 and 100 % of the data; features: without the "
            "CNN's, with RoadNet's, with one learnt for the forecast, with lamps and heading told by the truth.",
        ),
    ] = None,
    from_video: Annotated[
        list[Path] | None,
        typer.Option("--from-video", help="Learn from this unlabelled video or folder of them, more and more of it."),
    ] = None,
    steps: Steps = None,
    dropout: Dropout = None,
    weight_decay: WeightDecay = None,
    patience: Patience = None,
) -> None:
    """Train TrajectoryGRU on JAAD's tracks, on recordings tracked by our own detector, or on a public benchmark."""
    from perception.assembly import choose_device, prepare_processor
    from perception.detection import DetectionSettings, open_detector
    from perception.training.forecaster import ForecasterTraining
    from perception.training.processes import was_started_by_torchrun

    if study not in (None, OVERFITTING, FEATURES):
        raise UsageError(f"--study {study}: the studies that there are are named {OVERFITTING} and {FEATURES}.")
    if was_started_by_torchrun():
        raise UsageError("torchrun: only perception train detector shares its work; start this one without it.")
    prepare_processor()
    console, root = Console(), data_folder(data)
    settings = {"seed": seed, "steps": steps, "weight_decay": weight_decay, "patience": patience}
    training = read_configuration(ForecasterTraining, config, output, resume, settings, dropout=dropout, seeds=seeds)
    if sum((study is not None, bool(from_video), training.seeds > 1 and study != FEATURES)) > 1:
        raise UsageError(
            "--study, --from-video and --seeds: give only one of them; --study features takes --seeds, too."
        )
    chosen = choose_device(device)
    folder = training_folder(training, output, resume, "forecaster")
    if study == FEATURES:
        from perception.cli.study_features import study_features
        from perception.weights import bundled_weights

        weights = bundled_weights(features_from) or Path(features_from)
        study_features(training, root, weights, folder, console, device=chosen)
        return
    observer, reason = open_detector(
        features_from, DetectionSettings(image_size_px=training.image_size_px), device=chosen
    )
    if training.train:
        console.print(reason)
    again = [
        str(folder),
        *(["--study", study] if study else []),
        *(f"--from-video {path}" for path in from_video or ()),
    ]
    trainer = Trainer(root, observer, console, chosen, again=" ".join(again))
    if from_video:
        from perception.cli.train_from_video import study_videos

        study_videos(trainer, training, observer, from_video, folder, console)
        return
    if study is not None:
        _study_overfitting(trainer, training, folder, console)
        return
    trainer.train_all(training, folder)


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
        from perception.training.forecaster import folds_of

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
        from perception.training.forecaster import calibrate, forecaster_task
        from perception.training.loop import HISTORY_NAME, read_history, train

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
        from perception.training.forecaster import load_forecaster_data

        if self._data is None or self._read != (fold, training.data_share):
            with self._console.status("reading and tracking"):
                self._data = load_forecaster_data(training, self.root, self._observer, fold)
            self._read = (fold, training.data_share)
        return self._data


def _study_overfitting(trainer: Trainer, training: ForecasterTraining, folder: Path, console: Console) -> None:
    """A table, ``study.json`` and ``study.png``; goes on where it was stopped."""
    from perception.files import write_json
    from perception.training.forecaster import folds_of
    from perception.training.overfitting import draw_study, outcomes, to_json, trials

    if training.jaad is None and training.benchmark is None:
        raise UsageError("--study overfitting: learns from JAAD or a benchmark; name one in the configuration.")
    if training.dropout == 0 or training.settings.weight_decay == 0:
        raise UsageError("--study overfitting: the configuration must name the dropout and weight_decay to try.")
    fold = folds_of(training)[0]
    histories = {}
    for trial in trials():
        histories[trial] = trainer.train(trial.config(training), folder / trial.name, fold, title=trial.name)
    found = outcomes(histories)
    draw_study(histories, folder / "study.png", title="Overfitting of TrajectoryGRU")
    write_json(folder / "study.json", {"outcomes": to_json(found)})
    console.print(_study_table(found))
    console.print(
        "Loss on new data (validation), and the gap to the loss on a part of the data that was learnt from, both "
        "without dropout; early stopping keeps the weights of the best validation, and is measured where it chose: a "
        "little too well.",
        style="dim",
    )
    console.print(str(folder), highlight=False, soft_wrap=True, markup=False)


def _study_table(found: list[Outcome]) -> Table:
    table = Table(title="Overfitting and its remedies", title_justify="left")
    table.add_column("data")
    table.add_column("remedies")
    for heading in ("at the end", "gap", "stopped early", "gap", "at step"):
        table.add_column(heading, justify="right")
    last = {(o.share, o.remedies): o for o in found if not o.stopped}
    stopped = {(o.share, o.remedies): o for o in found if o.stopped}
    lowest = {share: min(o.validation for o in found if o.share == share) for share, _ in last}
    shown = set()
    for (share, remedies), end in last.items():
        early = stopped[share, remedies]
        table.add_row(
            "" if share in shown else f"{share:.0%}",
            remedies,
            f"{end.validation:.3f}",
            f"{end.gap:+.3f}",
            f"[bold]{early.validation:.3f}[/]" if early.validation == lowest[share] else f"{early.validation:.3f}",
            f"{early.gap:+.3f}",
            str(early.step),
            end_section=remedies == "both",
        )
        shown.add(share)
    return table
