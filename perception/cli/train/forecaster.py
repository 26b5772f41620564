"""``perception train forecaster``: one training, several seeds and folds, or a study made of many."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from perception.cli.train.common import (
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
    training_folder,
)
from perception.errors import UsageError

if TYPE_CHECKING:
    from perception.cli.train.trainer import Trainer
    from perception.training.experiments.overfitting import Outcome
    from perception.training.forecaster.task import ForecasterTraining

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
    from perception.cpu import prepare_processor
    from perception.detection import DetectionSettings, open_detector
    from perception.pipeline.build import choose_device
    from perception.training.engine.distributed import was_started_by_torchrun
    from perception.training.forecaster.task import ForecasterTraining

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
        from perception.cli.train.feature_ablation import study_features
        from perception.weights import bundled_weights

        weights = bundled_weights(features_from) or Path(features_from)
        study_features(training, root, weights, folder, console, device=chosen)
        return
    observer, reason, _ = open_detector(
        features_from, DetectionSettings(image_size_px=training.image_size_px), device=chosen
    )
    if training.train:
        console.print(reason)
    again = [
        str(folder),
        *(["--study", study] if study else []),
        *(f"--from-video {path}" for path in from_video or ()),
    ]
    from perception.cli.train.trainer import Trainer

    trainer = Trainer(root, observer, console, chosen, again=" ".join(again))
    if from_video:
        from perception.cli.train.from_video import study_videos

        study_videos(trainer, training, observer, from_video, folder, console)
        return
    if study is not None:
        _study_overfitting(trainer, training, folder, console)
        return
    trainer.train_all(training, folder)


def _study_overfitting(trainer: Trainer, training: ForecasterTraining, folder: Path, console: Console) -> None:
    """A table, ``study.json`` and ``study.png``; goes on where it was stopped."""
    from perception.files import write_json
    from perception.training.experiments.overfitting import draw_study, outcomes, to_json, trials
    from perception.training.forecaster.task import folds_of

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
