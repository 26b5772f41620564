"""What the trainings of both networks share on the command line: options, folders, progress."""

from __future__ import annotations

import inspect
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, get_type_hints

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from perception.cli.options import as_command_function, own_parameters
from perception.errors import UsageError

if TYPE_CHECKING:
    from pydantic import BaseModel

    from perception.cli.terminal import Terminal
    from perception.training.detector.config import DetectorTraining
    from perception.training.forecaster.config import ForecasterTraining

TrainingT = TypeVar("TrainingT", "DetectorTraining", "ForecasterTraining")
ConfigFile = Annotated[
    Path | None, typer.Option("--config", help="YAML file with data, model and settings; see configs/.")
]
Data = Annotated[
    Path | None,
    typer.Option(
        "--data",
        help="Folder that the configuration's paths are relative to; or, for the detector, the data.yaml of a YOLO or "
        "COCO data set with classes of its own.",
    ),
]
Output = Annotated[Path | None, typer.Option("--output", help="Folder for the weights, instead of runs/train/.")]
Resume = Annotated[Path | None, typer.Option("--resume", help="Folder of a training that was interrupted: go on.")]
Device = Annotated[str, typer.Option("--device", help="auto, cpu or cuda:0.")]
Seed = Annotated[int | None, typer.Option("--seed", min=0, help="Random seed.")]
Steps = Annotated[int | None, typer.Option("--steps", help="Training steps.")]
Dropout = Annotated[float | None, typer.Option("--dropout", help="Dropout rate; 0 is off.")]
WeightDecay = Annotated[float | None, typer.Option("--weight-decay", help="Weight decay; 0 is off.")]
Patience = Annotated[
    int | None,
    typer.Option("--patience", help="Early stopping: stop after this many validations without improvement."),
]


@dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """What both trainings take from the command line."""

    config: ConfigFile = None
    data: Data = None
    output: Output = None
    resume: Resume = None
    device: Device = "auto"
    seed: Seed = None
    steps: Steps = None
    dropout: Dropout = None
    weight_decay: WeightDecay = None
    patience: Patience = None

    @property
    def root(self) -> Path:
        """As ``data_folder`` has it. Raises ``UsageError``."""
        return data_folder(self.data)

    def read(
        self, kind: type[TrainingT], *, without_config: Mapping[str, Any] | None = None, **further: Any
    ) -> TrainingT:
        """As ``read_configuration`` has it; ``further`` are options of one training only. Raises ``UsageError``."""
        settings = {name: getattr(self, name) for name in ("seed", "steps", "weight_decay", "patience")}
        return read_configuration(
            kind,
            self.config,
            self.output,
            self.resume,
            settings,
            without_config=without_config,
            dropout=self.dropout,
            **further,
        )

    def folder_for(self, training: BaseModel, name: str) -> Path:
        """As ``training_folder`` has it. Raises ``UsageError``."""
        return training_folder(training, self.output, self.resume, name)


def training_command(function: Callable[..., None]) -> Callable[..., None]:
    """Make a command of a function that takes the ``context``, the ``options`` of both trainings, and its own."""
    context = inspect.Parameter("context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
    hints = get_type_hints(TrainingOptions, include_extras=True)
    shared = [
        inspect.Parameter(
            field.name, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=field.default, annotation=hints[field.name]
        )
        for field in fields(TrainingOptions)
    ]
    own = own_parameters(function, without=("context", "options"))

    def run(context: typer.Context, **given: Any) -> None:
        options = TrainingOptions(**{parameter.name: given.pop(parameter.name) for parameter in shared})
        function(context, options, **given)

    return as_command_function(run, function, [context, *shared, *own])


def data_folder(data: Path | None) -> Path:
    """``--data``, by default this folder; that of a file is its own. Raises ``UsageError``."""
    root = data or Path()
    if root.is_file():
        return root.parent
    if not root.is_dir():
        raise UsageError("there is no such folder.", field="data", value=root)
    return root


def read_configuration(
    kind: type[TrainingT],
    config: Path | None,
    output: Path | None,
    resume: Path | None,
    settings: Mapping[str, Any],
    *,
    without_config: Mapping[str, Any] | None = None,
    **options: Any,
) -> TrainingT:
    """The configuration: the file, and over it the ``settings`` and ``options`` that are given.

    ``without_config`` stands for a file that is not given. Raises ``UsageError``, also for a ``resume`` with settings
    that a training cannot go on with.
    """
    from perception.training.engine.config import CONFIG_NAME, read_training_config, training_config
    from perception.training.engine.trainer import CHECKPOINT_NAME, check_same_settings

    if resume is None:
        if config is None and without_config is not None:
            return training_config(kind, without_config, settings, where="the data", **options)
        if config is None:
            raise UsageError("give a configuration; configs/train-*.yaml are examples.", field="config")
        if not config.is_file():
            raise UsageError("there is no such file.", field="config", value=config)
        return read_training_config(kind, config, settings, **options)
    if output is not None:
        raise UsageError("--resume and --output: give only one; a resumed training goes on in its own folder.")
    kept = resume / CONFIG_NAME
    if not kept.is_file():
        raise UsageError(f"holds no {CONFIG_NAME} of a training.", field="resume", value=resume)
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
        folder = output_folder(output) if output is not None else next_run_folder(Path("runs") / "train", name)
    write_training_config(training, folder)
    return folder


class ConsoleReporter:
    """Prints a training's progress on a console: rules, lines, and one bar at a time."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def heading(self, text: str) -> None:
        """A rule with the name of what begins."""
        self._console.rule(text, style="dim")

    def message(self, text: str) -> None:
        """One line, taken as it is."""
        self._console.print(text, highlight=False, soft_wrap=True, markup=False)

    @contextmanager
    def progress(self, description: str, total: int | None) -> Iterator[Callable[[int, str | None], None]]:
        """A bar: done, elapsed, left."""
        columns = (TextColumn("{task.description}"), BarColumn(bar_width=24), MofNCompleteColumn())
        left = (TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn())
        with Progress(*columns, *left, console=self._console) as progress:
            bar = progress.add_task(description, total=total)

            def update(done: int, text: str | None) -> None:
                progress.update(bar, completed=done, description=description if text is None else text)

            yield update


@contextmanager
def resume_hint(options: Sequence[object], root: Path, terminal: Terminal) -> Iterator[None]:
    """Ctrl-C inside prints how to resume; ``options`` stand behind --resume, ``root`` is what --data named."""
    try:
        yield
    except KeyboardInterrupt:
        data = [] if root == Path() else ["--data", root]
        words = shlex.join(str(word) for word in (*options, *data))
        terminal.say(f"Stopped; resume with --resume {words}")
        raise
