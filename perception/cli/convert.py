"""``perception convert``: from your own download of a public data set to the one file that its benchmark reads."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from perception.cli.terminal import terminal_of
from perception.errors import UsageError

_SUFFIX = ".npz"

app = typer.Typer(
    help="Make a benchmark's data file from your own download of the data set.",
    no_args_is_help=True,
)

Source = Annotated[Path, typer.Option("--source", help="The folder of your download.", show_default=False)]
Output = Annotated[Path, typer.Option("--output", help="The file to write, such as data.npz.", show_default=False)]


@app.command()
def jaad(context: typer.Context, source: Source, output: Output) -> None:
    """JAAD's repository: annotations/, annotations_vehicle/ and split_ids/; no videos."""
    _convert(context, "jaad", source, output)


@app.command()
def ethucy(context: typer.Context, source: Source, output: Output) -> None:
    """ETH/UCY: the text files of Social-GAN or Trajectron++, such as biwi_eth.txt, anywhere in the folder."""
    _convert(context, "ethucy", source, output)


@app.command()
def nuscenes(context: typer.Context, source: Source, output: Output) -> None:
    """nuScenes: v1.0-trainval/*.json and maps/prediction/prediction_scenes.json; no images."""
    _convert(context, "nuscenes", source, output)


@app.command()
def kitti(context: typer.Context, source: Source, output: Output) -> None:
    """KITTI raw: 2011_09_26/ with the synced drives, their tracklet_labels.xml and calib_imu_to_velo.txt; no images."""
    _convert(context, "kitti", source, output)


def _convert(context: typer.Context, name: str, source: Path, output: Path) -> None:
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    from perception.benchmarks.conversion import convert

    if output.suffix != _SUFFIX:
        raise UsageError(f"give a name that ends in {_SUFFIX}.", field="output", value=output)
    terminal = terminal_of(context)
    console = terminal.err
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal or console.quiet
    ) as progress:
        task = progress.add_task(f"reading {name}", total=None)
        notes = convert(name, source, output, lambda done, total: progress.update(task, completed=done, total=total))
    for note in notes:
        terminal.note(note)
    terminal.result(output)
