"""``perception train``: networks from a configuration, pseudo-labels for one, the average of several weights files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from perception.cli.terminal import Terminal, terminal_of
from perception.cli.train.common import ConsoleReporter, TrainingOptions, resume_hint, training_command
from perception.cli.train.forecaster import forecaster
from perception.cli.train.pseudo_labels import pseudo_labels
from perception.errors import UsageError, counted

app = typer.Typer(
    help="Train the detector or the forecaster, write pseudo-labels, average weights.", no_args_is_help=True
)


@app.command()
@training_command
def detector(
    context: typer.Context,
    options: TrainingOptions,
    teachers: Annotated[
        list[Path] | None,
        typer.Option(
            "--teacher",
            help="A detector's file (ONNX, ncnn, RoadNet): gives pseudo-labels of what is unlabelled, and is distilled "
            "where a data set asks for it; repeatable.",
        ),
    ] = None,
) -> None:
    """Train RoadNet on labelled images, recordings, and a teacher's pseudo-labels of unlabelled ones.

    --data my.yaml trains it on a YOLO or COCO data set with classes of its own, from the bundled weights.
    On several GPUs: torchrun --nproc-per-node 4 --no-python perception train detector ...
    """
    from perception.cpu import prepare_processor
    from perception.pipeline.build import choose_device
    from perception.training.detector.config import OWN_DATA_RECIPE, DetectorTraining
    from perception.training.detector.own_data import own_data_at
    from perception.training.detector.training_run import prepare_detector_data, train_detector
    from perception.training.engine.distributed import device_of_this_process, process_group

    prepare_processor()
    root, chosen = options.root, device_of_this_process(choose_device(options.device))

    own = None if options.data is None or options.resume is not None else own_data_at(options.data)

    def read() -> DetectorTraining:
        further = {} if own is None else own.training()
        read = options.read(DetectorTraining, without_config=OWN_DATA_RECIPE if further else None, **further)
        return read.with_teachers([_named(teacher) for teacher in teachers or ()])

    with process_group(chosen) as processes:
        training = processes.broadcast_from_first(read)
        terminal = terminal_of(context) if processes.is_first else Terminal("quiet")
        reporter = ConsoleReporter(terminal.out)
        data_set = prepare_detector_data(training, root, device=chosen, reporter=reporter)
        where = f"{chosen}" if processes.count == 1 else f"{counted(processes.count, 'process')}"
        if own is not None:
            reporter.message(own.classes.description)
        reporter.message(f"{data_set.description}, on {where}.")
        folder = processes.broadcast_from_first(lambda: options.folder_for(training, "detector"))
        with resume_hint([folder], root, terminal):
            train_detector(training, data_set, root, folder, device=chosen, reporter=reporter, processes=processes)
        if processes.is_first:
            terminal.result(folder)


def _named(teacher: Path) -> Path:
    """As a configuration names it. Raises ``UsageError``."""
    from perception.weights import bundled_weights

    if bundled_weights(str(teacher)) is not None:
        return teacher
    if not teacher.is_file():
        raise UsageError(f"--teacher {teacher}: there is no such file; name a detector's file, or roadnet.")
    return teacher.absolute()


app.command()(forecaster)
app.command("pseudo-labels")(pseudo_labels)


@app.command()
def average(
    context: typer.Context,
    files: Annotated[list[Path], typer.Argument(help="Weights files of one model, at least two.", show_default=False)],
    output: Annotated[Path, typer.Option("--output", help="The weights file to write.", show_default=False)],
    weights: Annotated[
        str | None,
        typer.Option("--weights", help="The share of each file, such as 0.7,0.3.", show_default="equal shares"),
    ] = None,
) -> None:
    """Average the parameters of several weights files of one model."""
    from perception.files import sha256
    from perception.training.engine.weight_averaging import average_weights

    try:
        shares = [1 / len(files)] * len(files) if weights is None else [float(part) for part in weights.split(",")]
    except ValueError as error:
        raise UsageError("expected numbers with commas between them.", field="weights", value=weights) from error
    average_weights(files, shares, output)
    terminal = terminal_of(context)
    terminal.say(f"sha256 {sha256(output)}")
    terminal.result(output)
