"""``perception train pseudo-labels``: what other detectors say about the training images, once and for all."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from perception.cli.terminal import terminal_of
from perception.cli.train.common import ConfigFile, Data, Device, data_folder, read_configuration
from perception.errors import UsageError, are, counted


def pseudo_labels(
    context: typer.Context,
    config: ConfigFile = None,
    data: Data = None,
    detectors: Annotated[
        list[str] | None,
        typer.Option(
            "--detector",
            help="A detector's file or name, with @SIZE for the long side of its input in pixels; repeatable.",
            metavar="FILE[@SIZE]",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", help="The file to write.", show_default="the configuration's pseudo_labels"),
    ] = None,
    device: Device = "auto",
) -> None:
    """Ask detectors about the classes that people did not label, fuse their boxes, and write them for a training.

    After Ctrl-C the same command goes on.
    """
    from perception.cpu import prepare_processor
    from perception.pipeline.build import choose_device
    from perception.runtime.progress import RunProgress
    from perception.training.detector.config import DetectorTraining
    from perception.training.detector.pseudo_labels import PseudoLabelling, open_labelling_detectors
    from perception.training.detector.task import read_training_images

    prepare_processor()
    root, terminal = data_folder(data), terminal_of(context)
    training = read_configuration(DetectorTraining, config, None, None, {})
    path = output or (None if training.pseudo_labels is None else root / training.pseudo_labels)
    if path is None:
        raise UsageError("the configuration names no pseudo_labels; say which file to write.", field="output")
    opened = open_labelling_detectors(detectors or [], device=choose_device(device))
    terminal.note("Reading the training images.")
    labelling = PseudoLabelling(read_training_images(training, root)[0], opened, path)
    if labelling.done_count:
        done, left = labelling.done_count, len(labelling.todo)
        terminal.note(f"{counted(done, 'image')} {are(done)} done already; {left:,} {are(left)} left.")
    try:
        with RunProgress(terminal.err, total=len(labelling.todo), unit="images") as progress:
            labelling.run(lambda objects: progress.update({}, objects=objects))
    except KeyboardInterrupt:
        terminal.note("Stopped; the same command goes on.")
        raise
    terminal.result(path)
