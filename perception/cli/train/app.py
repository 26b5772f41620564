"""``perception train detector|forecaster``: weights by gradient descent, with a progress bar, resumable."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

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
    progress_bar,
    read_configuration,
    tell_end,
    train_behind_bar,
    training_folder,
)
from perception.cli.train.forecaster import forecaster
from perception.errors import UsageError

if TYPE_CHECKING:
    import torch

    from perception.training.detector.config import DetectorTraining
    from perception.training.engine.distributed import Processes
    from perception.training.engine.trainer import History

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
    teachers: Annotated[
        list[Path] | None,
        typer.Option(
            "--teacher",
            help="A detector's file (ONNX, ncnn, RoadNet): labels what people did not, is imitated where a data set "
            "imitates all; repeatable.",
        ),
    ] = None,
) -> None:
    """Train RoadNet on labelled images, recordings, and what teachers say about unlabelled ones.

    On several GPUs: torchrun --nproc-per-node 4 --no-python perception train detector ...
    """
    from perception.cpu import prepare_processor
    from perception.pipeline.build import choose_device
    from perception.training.detector.config import DetectorTraining
    from perception.training.engine.distributed import device_of_this_process, joined

    prepare_processor()
    root, chosen = data_folder(data), device_of_this_process(choose_device(device))
    settings = {"seed": seed, "steps": steps, "weight_decay": weight_decay, "patience": patience}

    def read() -> DetectorTraining:
        training = read_configuration(DetectorTraining, config, output, resume, settings, dropout=dropout)
        return training.with_teachers([_named(teacher) for teacher in teachers or ()])

    with joined(chosen) as processes:
        training = processes.told_by_first(read)
        _train_detector(
            training, root, lambda: training_folder(training, output, resume, "detector"), chosen, processes
        )


def _named(teacher: Path) -> Path:
    """As a configuration names it. Raises ``UsageError``."""
    from perception.weights import bundled_weights

    if bundled_weights(str(teacher)) is not None:
        return teacher
    if not teacher.is_file():
        raise UsageError(f"--teacher {teacher}: there is no such file; name a detector's file, or roadnet.")
    return teacher.absolute()


def _train_detector(
    training: DetectorTraining,
    root: Path,
    make_folder: Callable[[], Path],
    device: torch.device,
    processes: Processes,
) -> None:
    from perception.detection import DetectionSettings, open_detector, read_roadnet, save_roadnet
    from perception.detection.roadnet.shuffle import AnyRoadNet
    from perception.training.detector.config import TEACHER_SETTINGS, weights_path
    from perception.training.detector.embedding_alignment import keep_features
    from perception.training.detector.score_calibration import calibrate
    from perception.training.detector.task import detector_task, load_data, open_all_imitated
    from perception.training.engine.trainer import train

    console = Console(quiet=not processes.is_first)
    before = read_roadnet(weights_path(root, training.keep_features)) if training.keep_features is not None else None
    teachers = [
        open_detector(str(weights_path(root, teacher)), DetectionSettings(**TEACHER_SETTINGS), device=device).detector
        for teacher in training.teachers
    ]
    imitated = open_all_imitated(training, root)
    with progress_bar(console) as progress:
        task = progress.add_task("reading images, teachers label", total=None)
        images = load_data(
            training, root, teachers, lambda done, total: progress.update(task, completed=done, total=total)
        )
    held_out = sum(len(part) for part in images.validation.values())
    where = f"{device}" if processes.count == 1 else f"{processes.count} processes"
    console.print(f"{len(images.train)} images to learn from, {held_out} to choose by, on {where}.")
    folder = processes.told_by_first(make_folder)

    def run(on_step: Callable[[int, History], None]) -> tuple[torch.nn.Module, History]:
        task = detector_task(training, images, imitated, root, device)
        return train(task, training.settings, folder=folder, device=device, on_step=on_step, processes=processes)

    model, history = train_behind_bar(run, training.settings.steps, folder, console, title="RoadNet", root=root)
    if not processes.is_first:
        return
    assert isinstance(model, AnyRoadNet)
    slope, shift = calibrate(model, images.validation, device)
    console.print(f"Scores calibrated on the validation sets: logit x {slope:.2f} + {shift:.2f}.", highlight=False)
    extras = {}
    if training.learns == "boxes" and training.start is not None:
        extras["feature_space"] = read_roadnet(weights_path(root, training.start))[1]
    if before is not None:
        kept = keep_features(model, before[0], images.train, device)
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
