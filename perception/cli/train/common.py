"""What the trainings of both networks share on the command line: options, folders, the progress bar."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from perception.errors import UsageError

if TYPE_CHECKING:
    from pydantic import BaseModel

    from perception.training.detector.config import DetectorTraining
    from perception.training.engine.trainer import History
    from perception.training.forecaster.config import ForecasterTraining

TrainingT = TypeVar("TrainingT", "DetectorTraining", "ForecasterTraining")
ConfigFile = Annotated[Path | None, typer.Option("--config", help="YAML file that says what is learnt from what.")]
Data = Annotated[Path | None, typer.Option("--data", help="Folder that the paths in the configuration start from.")]
Output = Annotated[Path | None, typer.Option("--output", help="Folder for the weights, instead of runs/train/.")]
Resume = Annotated[Path | None, typer.Option("--resume", help="Folder of a training that was interrupted: go on.")]
Device = Annotated[str, typer.Option("--device", help="auto, cpu or cuda:0.")]
Seed = Annotated[int | None, typer.Option("--seed", min=0, help="Start of all randomness.")]
Steps = Annotated[int | None, typer.Option("--steps", help="Steps of gradient descent.")]
Dropout = Annotated[float | None, typer.Option("--dropout", help="Share of activations dropped; 0 is off.")]
WeightDecay = Annotated[float | None, typer.Option("--weight-decay", help="Pull of the weights to zero; 0 is off.")]
Patience = Annotated[int | None, typer.Option("--patience", help="Early stopping after so many worse validations.")]


def data_folder(data: Path | None) -> Path:
    """``--data``, by default this folder. Raises ``UsageError``."""
    root = data or Path()
    if not root.is_dir():
        raise UsageError(f"--data {root}: there is no such folder.")
    return root


def read_configuration(
    kind: type[TrainingT],
    config: Path | None,
    output: Path | None,
    resume: Path | None,
    settings: Mapping[str, Any],
    **options: Any,
) -> TrainingT:
    """What is learnt, as the file says it but for ``settings`` and ``options`` that are given; ``kind`` knows the keys.

    Raises ``UsageError``, also for a ``resume`` with settings that a training cannot go on with.
    """
    from perception.training.engine.config import CONFIG_NAME, read_training_config
    from perception.training.engine.trainer import CHECKPOINT_NAME, check_same_settings

    if resume is None:
        if config is None:
            raise UsageError("--config: say what to learn from; configs/train-*.yaml are examples.")
        if not config.is_file():
            raise UsageError(f"--config {config}: there is no such file.")
        return read_training_config(kind, config, settings, **options)
    if output is not None:
        raise UsageError("--resume and --output: give only one; a resumed training goes on in its own folder.")
    kept = resume / CONFIG_NAME
    if not kept.is_file():
        raise UsageError(f"--resume {resume}: holds no {CONFIG_NAME} of a training.")
    training = read_training_config(kind, config or kept, settings, **options)
    if any(resume.rglob(CHECKPOINT_NAME)):
        before = read_training_config(kind, kept, {})
        check_same_settings(before.settings.model_dump(), training.settings, f"--resume {resume}")
    return training


def training_folder(training: BaseModel, output: Path | None, resume: Path | None, name: str) -> Path:
    """The folder that is written to, with the whole configuration in it. Raises ``UsageError``."""
    from perception.results import next_run_folder, output_folder
    from perception.training.engine.config import write_training_config

    if resume is not None:
        folder = resume
    else:
        folder = output_folder(output) if output is not None else next_run_folder(Path("runs"), "train", name)
    write_training_config(training, folder)
    return folder


def progress_bar(console: Console) -> Progress:
    """Done, elapsed, left."""
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=24), MofNCompleteColumn())
    return Progress(*columns, TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(), console=console)


def train_behind_bar(
    run: Callable[[Any], Any], steps: int, folder: Path, console: Console, *, title: str, root: Path, again: str = ""
) -> Any:
    """Run the training behind a progress bar, draw its curves at each validation and at its end.

    ``root`` is what --data named; ``again`` is what to resume, and how, where that is more than this ``folder``.
    """
    from perception.training.engine.plots import draw_curves

    try:
        with progress_bar(console) as progress:
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
        again = (again or str(folder)) + ("" if root == Path() else f" --data {root}")
        console.print(f"Stopped; go on with --resume {again}", highlight=False, markup=False, soft_wrap=True)
        raise


def tell_end(history: History, weights: Path, console: Console) -> None:
    """Why it ended, which weights were kept, where they are."""
    from perception.files import sha256

    why = "early stopping" if history.stopped_early else "all steps are done"
    console.print(
        f"Ended: {why}. Best weights: step {history.best_step}, score {history.best_score:.4f}.", highlight=False
    )
    console.print(f"sha256 {sha256(weights)}", highlight=False)
    console.print(str(weights.parent), highlight=False, soft_wrap=True, markup=False)
