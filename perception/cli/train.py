"""``perception train detector|forecaster``: weights by gradient descent, with a progress bar, resumable."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from perception.errors import UsageError

if TYPE_CHECKING:
    import torch

    from perception.training.forecaster import ForecasterData, ForecasterTraining
    from perception.training.loop import History
    from perception.types import Detector

app = typer.Typer(help="Train the detector or the forecaster.", no_args_is_help=True)

_ConfigFile = Annotated[Path | None, typer.Option("--config", help="YAML file that says what is learnt from what.")]
_Data = Annotated[Path | None, typer.Option("--data", help="Folder that the paths in the configuration start from.")]
_Output = Annotated[Path | None, typer.Option("--output", help="Folder for the weights, instead of runs/train/.")]
_Resume = Annotated[Path | None, typer.Option("--resume", help="Folder of a training that was interrupted: go on.")]
_Device = Annotated[str, typer.Option("--device", help="auto, cpu or cuda:0.")]
_Seed = Annotated[int | None, typer.Option("--seed", help="Start of all randomness.")]
_Steps = Annotated[int | None, typer.Option("--steps", help="Steps of gradient descent.")]
_Dropout = Annotated[float | None, typer.Option("--dropout", help="Share of activations dropped; 0 is off.")]
_WeightDecay = Annotated[float | None, typer.Option("--weight-decay", help="Pull of the weights to zero; 0 is off.")]
_Patience = Annotated[int | None, typer.Option("--patience", help="Early stopping after so many worse validations.")]


@app.command()
def detector(
    config: _ConfigFile = None,
    data: _Data = None,
    output: _Output = None,
    resume: _Resume = None,
    device: _Device = "auto",
    seed: _Seed = None,
    steps: _Steps = None,
    dropout: _Dropout = None,
    weight_decay: _WeightDecay = None,
    patience: _Patience = None,
) -> None:
    """Train RoadNet on labelled images, recordings, and what teachers say about unlabelled ones."""
    from perception.assembly import choose_device, prepare_processor
    from perception.detection import DetectionSettings, open_detector, save_roadnet
    from perception.detection.roadnet import RoadNet
    from perception.training.calibration import calibrate
    from perception.training.configuration import read_training_config, write_training_config
    from perception.training.detector import TEACHER_SETTINGS, DetectorTraining, detector_task, load_data
    from perception.training.loop import train

    prepare_processor()
    console, root = Console(), _data_folder(data)
    path, folder = _config_and_folder(config, output, resume, "detector")
    settings = {"seed": seed, "steps": steps, "dropout": dropout, "weight_decay": weight_decay, "patience": patience}
    training = read_training_config(DetectorTraining, path, settings)
    chosen = choose_device(device)
    teachers = [
        open_detector(str(root / teacher), DetectionSettings(**TEACHER_SETTINGS), device=chosen)[0]
        for teacher in training.teachers
    ]
    with _progress(console) as progress:
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

    model, history = _train(run, training.settings.steps, folder, console, title="RoadNet")
    assert isinstance(model, RoadNet)
    slope, shift = calibrate(model, images.validation, chosen)
    console.print(f"Scores calibrated on the validation sets: logit x {slope:.2f} + {shift:.2f}.", highlight=False)
    weights = folder / "roadnet.safetensors"
    save_roadnet(model, weights)
    _finish(history, weights, console)


@app.command()
def forecaster(
    config: _ConfigFile = None,
    data: _Data = None,
    output: _Output = None,
    resume: _Resume = None,
    features_from: Annotated[
        str, typer.Option("--detector", help="RoadNet weights whose features are learnt; auto takes the bundled.")
    ] = "roadnet",
    device: _Device = "auto",
    seed: _Seed = None,
    seeds: Annotated[
        int, typer.Option("--seeds", min=1, help="Train so many times, from --seed on, each into a folder of its own.")
    ] = 1,
    steps: _Steps = None,
    dropout: _Dropout = None,
    weight_decay: _WeightDecay = None,
    patience: _Patience = None,
) -> None:
    """Train TrajectoryGRU on JAAD's tracks and on recordings tracked by our own detector."""
    from perception.assembly import choose_device, prepare_processor
    from perception.detection import DetectionSettings, open_detector
    from perception.forecasting import BUNDLED_NAMES
    from perception.training.configuration import read_training_config, write_training_config
    from perception.training.forecaster import ForecasterTraining, folds_of, load_forecaster_data

    prepare_processor()
    console, root = Console(), _data_folder(data)
    path, folder = _config_and_folder(config, output, resume, "forecaster")
    settings = {"seed": seed, "steps": steps, "dropout": dropout, "weight_decay": weight_decay, "patience": patience}
    training = read_training_config(ForecasterTraining, path, settings)
    write_training_config(training, folder)
    chosen = choose_device(device)
    detection = DetectionSettings(image_size_px=training.image_size_px)
    observer, reason = open_detector(features_from, detection, device=chosen)
    if training.train:
        console.print(reason)
    runs = [(fold, training.settings.seed + more) for fold in folds_of(training) for more in range(seeds)]
    fold_read, tracks = None, None
    for fold, run_seed in runs:
        name = "-".join(part for part in (fold, f"seed{run_seed}" if len(runs) > 1 else "") if part)
        weights = folder / name / f"{BUNDLED_NAMES[training.reference_frame]}.safetensors"
        if len(runs) > 1:
            console.rule(name, style="dim")
            if weights.is_file():
                console.print("Trained already.")
                continue
        if tracks is None or fold != fold_read:
            with console.status("reading and tracking"):
                fold_read, tracks = fold, load_forecaster_data(training, root, observer, fold)
        _train_forecaster(training, run_seed, tracks, observer, weights, fold, console, chosen)
    if len(runs) > 1:
        console.print(str(folder), highlight=False, soft_wrap=True)


def _train_forecaster(
    training: ForecasterTraining,
    seed: int,
    tracks: ForecasterData,
    observer: Detector,
    weights: Path,
    fold: str,
    console: Console,
    device: torch.device,
) -> None:
    from perception.forecasting import TrajectoryGRU, save_gru
    from perception.training.forecaster import forecaster_task
    from perception.training.loop import train

    training = training.model_copy(update={"settings": training.settings.model_copy(update={"seed": seed})})
    weights.parent.mkdir(parents=True, exist_ok=True)

    def run(on_step: Callable[[int, History], None]) -> tuple[torch.nn.Module, History]:
        feature_size = max(1, observer.feature_size)
        task = forecaster_task(
            training, tracks, feature_space=observer.feature_space, feature_size=feature_size, device=device
        )
        return train(task, training.settings, folder=weights.parent, device=device, on_step=on_step)

    model, history = _train(run, training.settings.steps, weights.parent, console, title="TrajectoryGRU")
    assert isinstance(model, TrajectoryGRU)
    origin = {} if training.benchmark is None else {"benchmark": training.benchmark.name, "fold": fold}
    save_gru(model, weights, extras={**origin, "seed": str(seed)})
    _finish(history, weights, console)


def _data_folder(data: Path | None) -> Path:
    root = data or Path()
    if not root.is_dir():
        raise UsageError(f"--data {root}: there is no such folder.")
    return root


def _config_and_folder(config: Path | None, output: Path | None, resume: Path | None, name: str) -> tuple[Path, Path]:
    from perception.outputs import next_run_folder, output_folder
    from perception.training.configuration import CONFIG_NAME

    if resume is not None:
        if output is not None:
            raise UsageError("--resume and --output: give only one; a resumed training goes on in its own folder.")
        if not (resume / CONFIG_NAME).is_file():
            raise UsageError(f"--resume {resume}: holds no {CONFIG_NAME} of a training.")
        return config or resume / CONFIG_NAME, resume
    if config is None:
        raise UsageError(f"--config: say what to learn from; configs/train-{name}.yaml is an example.")
    if not config.is_file():
        raise UsageError(f"--config {config}: there is no such file.")
    return config, output_folder(output) if output is not None else next_run_folder(Path("runs"), "train", name)


def _progress(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=24), MofNCompleteColumn())
    return Progress(*columns, TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(), console=console)


def _train(run: Callable[[Any], Any], steps: int, folder: Path, console: Console, *, title: str) -> Any:
    """Run the training behind a progress bar, draw its curves at each validation and at its end."""
    from perception.training.curves import draw_curves

    try:
        with _progress(console) as progress:
            bar = progress.add_task("training", total=steps)

            def on_step(done: int, history: History) -> None:
                loss = f"loss {history.training[-1]['total']:.3f}" if history.training else "training"
                progress.update(bar, completed=done, description=loss)
                if history.validation and history.validation[-1]["step"] == done:
                    figures = {name: value for name, value in history.validation[-1].items() if name != "step"}
                    shown = ", ".join(f"{name} {value:.4g}" for name, value in figures.items())
                    progress.console.print(f"step {done}: {shown}", highlight=False)
                    draw_curves(history, folder / "curves.png", title=title)

            return run(on_step)
    except KeyboardInterrupt:
        console.print(f"Stopped; go on with --resume {folder}", highlight=False)
        raise


def _finish(history: History, weights: Path, console: Console) -> None:
    from perception.files import sha256

    why = "early stopping" if history.stopped_early else "all steps are done"
    console.print(
        f"Ended: {why}. Best weights: step {history.best_step}, score {history.best_score:.4f}.", highlight=False
    )
    console.print(f"sha256 {sha256(weights)}", highlight=False)
    console.print(str(weights.parent), highlight=False, soft_wrap=True)
