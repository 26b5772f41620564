"""``perception train detector|forecaster``: weights by gradient descent, with a progress bar, resumable."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import typer
from rich.console import Console

from perception.cli.train_forecaster import forecaster
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
    config_and_folder,
    data_folder,
    progress_bar,
    tell_end,
    train_behind_bar,
)

if TYPE_CHECKING:
    import torch

    from perception.training.loop import History

app = typer.Typer(help="Train the detector or the forecaster.", no_args_is_help=True)


@app.command()
def detector(
    config: ConfigFile = None,
    data: Data = None,
    output: Output = None,
    resume: Resume = None,
    device: Device = "auto",
    seed: Seed = None,
    steps: Steps = None,
    dropout: Dropout = None,
    weight_decay: WeightDecay = None,
    patience: Patience = None,
) -> None:
    """Train RoadNet on labelled images, recordings, and what teachers say about unlabelled ones."""
    from perception.assembly import choose_device, prepare_processor
    from perception.detection import DetectionSettings, open_detector, read_roadnet, save_roadnet
    from perception.detection.roadnet import RoadNet
    from perception.training.calibration import calibrate
    from perception.training.configuration import read_training_config, write_training_config
    from perception.training.detector import TEACHER_SETTINGS, DetectorTraining, detector_task, load_data
    from perception.training.feature_space import keep_features
    from perception.training.loop import train

    prepare_processor()
    console, root = Console(), data_folder(data)
    path, folder = config_and_folder(config, output, resume, "detector")
    settings = {"seed": seed, "steps": steps, "dropout": dropout, "weight_decay": weight_decay, "patience": patience}
    training = read_training_config(DetectorTraining, path, settings)
    chosen = choose_device(device)
    before = read_roadnet(root / training.keep_features) if training.keep_features is not None else None
    teachers = [
        open_detector(str(root / teacher), DetectionSettings(**TEACHER_SETTINGS), device=chosen)[0]
        for teacher in training.teachers
    ]
    with progress_bar(console) as progress:
        task = progress.add_task("reading images, teachers label", total=None)
        images = load_data(
            training, root, teachers, lambda done, total: progress.update(task, completed=done, total=total)
        )
    held_out = sum(len(part) for part in images.validation.values())
    console.print(f"{len(images.train)} images to learn from, {held_out} to choose by, on {chosen}.")
    write_training_config(training, folder)

    def run(on_step: Callable[[int, History], None]) -> tuple[torch.nn.Module, History]:
        task = detector_task(training, images, root, chosen)
        return train(task, training.settings, folder=folder, device=chosen, on_step=on_step)

    model, history = train_behind_bar(run, training.settings.steps, folder, console, title="RoadNet")
    assert isinstance(model, RoadNet)
    slope, shift = calibrate(model, images.validation, chosen)
    console.print(f"Scores calibrated on the validation sets: logit x {slope:.2f} + {shift:.2f}.", highlight=False)
    extras = {}
    if before is not None:
        kept = keep_features(model, before[0], images.train, chosen)
        extras["feature_space"] = before[1]
        console.print(
            f"Features fitted to those of {training.keep_features}: cosine {kept.cosine:.3f} on {kept.objects:,} "
            "objects of pictures that were not fitted on.",
            highlight=False,
        )
    weights = folder / "roadnet.safetensors"
    save_roadnet(model, weights, extras=extras)
    tell_end(history, weights, console)


app.command()(forecaster)
