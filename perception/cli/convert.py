"""``perception convert``: boxes in other programs' formats, and benchmarks' data files from your own downloads."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, get_args

import typer
from typer.core import TyperGroup

from perception.cli.terminal import terminal_of
from perception.errors import UsageError

_SUFFIX = ".npz"

_LABELS = "labels"
"""The command that is meant where the first word is no command's name."""


class _WithoutName(TyperGroup):
    """``perception convert RUN --to mot`` is ``perception convert labels RUN --to mot``."""

    # Some versions of typer bring their own click, whose types are others.
    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        # What has a source of its own is meant as a benchmark.
        known = not args or args[0] in self.commands or "--source" in args
        return super().resolve_command(ctx, args if known else [_LABELS, *args])


app = typer.Typer(
    cls=_WithoutName,
    help="Write boxes in the format of another program, or a benchmark's data file from your own download.",
    no_args_is_help=True,
)

Source = Annotated[Path, typer.Option("--source", help="The folder of your download.", show_default=False)]
Output = Annotated[Path, typer.Option("--output", help="The file to write, such as data.npz.", show_default=False)]


@app.command(_LABELS)
def labels(
    context: typer.Context,
    source: Annotated[str, typer.Argument(help="The folder of a run, or a truth.", show_default=False)],
    to: Annotated[
        str, typer.Option("--to", help="mot, coco, kitti, yolo, cvat, csv or nuscenes-tracking.", show_default=False)
    ],
    output: Annotated[Path, typer.Option("--output", help="The folder to write into.", show_default=False)],
) -> None:
    """Boxes of a run or a truth as mot, coco, kitti, yolo or cvat; forecasts as csv. The word may be left out."""
    from perception.runtime.convert import LabelFormat, convert_labels

    known = get_args(LabelFormat)
    if to not in known:
        raise UsageError(f"is no format; give one of {', '.join(known)}.", field="to", value=to)
    terminal_of(context).result(convert_labels(source, to, output))  # type: ignore[arg-type]


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


@app.command("kitti-image")
def kitti_image(context: typer.Context, source: Source, output: Output) -> None:
    """KITTI tracking: label_02/*.txt and oxts/*.txt; no images."""
    _convert(context, "kitti-image", source, output)


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
