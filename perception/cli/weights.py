"""``perception weights``: models that are bundled, cached or fetchable; details, fetching, checking."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Table
from rich.text import Text

from perception.cli.terminal import terminal_of
from perception.errors import PerceptionError, UsageError, counted
from perception.files import sha256

# The commands import what needs torch when they run, so that `perception --help` need not wait for it.
if TYPE_CHECKING:
    from perception.detection.model_zoo import FetchableWeights
    from perception.weights import BundledWeights

app = typer.Typer(help="List, show, fetch and check network weights.", invoke_without_command=True)

_MIB = 1 << 20
_TORCHVISION_CLASSES, _TORCHVISION_LICENCE = "6 of 80", "BSD-3-Clause"


@app.callback()
def _without_command(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        list_weights()


@app.command("list")
def list_weights() -> None:
    """One row per model: bundled, in the cache, or to be fetched; `perception weights show NAME` says more."""
    from perception.detection.model_zoo import fetchable_detectors
    from perception.weights import bundled_cards

    console = Console()
    bundled = bundled_cards()
    detectors = _model_table("Detectors", "Classes")
    forecasters = _model_table("Forecasters", "Horizon")
    for weights in bundled:
        output, state = _output_and_state(weights)
        table = detectors if weights.card.kind == "detector" else forecasters
        table.add_row(weights.card.name, _size_mb(weights.path), output, weights.card.licence, state)
    for entry in fetchable_detectors():
        path = entry.cached_path()
        size, state = (f"{entry.size_mb:.1f}", "to fetch") if path is None else (_size_mb(path), "cached")
        detectors.add_row(entry.name, size, _TORCHVISION_CLASSES, _TORCHVISION_LICENCE, state)
    console.print(detectors)
    console.print()
    console.print(forecasters)
    console.print()
    console.print(_public_files_table())
    console.print()
    console.print("Details: perception weights show NAME. Download: perception weights fetch NAME.")


@app.command()
def show(name: Annotated[str, typer.Argument(help="A name that `perception weights` lists.")]) -> None:
    """All that is known of a model: where it comes from, what was measured, where it fails."""
    from perception.detection.model_zoo import fetchable_detectors
    from perception.plugins import did_you_mean
    from perception.weights import bundled_cards

    bundled = {weights.card.name: weights for weights in bundled_cards()}
    fetchable = {entry.name: entry for entry in fetchable_detectors()}
    if name in bundled:
        rows = _card_rows(bundled[name])
    elif name in fetchable:
        rows = _fetchable_rows(fetchable[name])
    else:
        raise UsageError(f"{name}: there are no such weights; {did_you_mean(name, [*bundled, *fetchable])}.")
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for label, values in rows.items():
        for number, value in enumerate(values):
            table.add_row("" if number else label, Text(value))
    Console(highlight=False).print(table)


@app.command()
def fetch(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="A name that `perception weights` lists as fetchable.")],
    base_url: Annotated[str | None, typer.Option(help="A mirror that holds the same files.")] = None,
) -> None:
    """Download weights into the cache; an interrupted download goes on where it stopped."""
    from perception.detection.download import fetch as fetch_weights
    from perception.detection.model_zoo import BASE_URL, find_fetchable
    from perception.weights import bundled_cards

    if any(bundled.card.name == name for bundled in bundled_cards()):
        raise UsageError(f"{name}: is bundled; there is nothing to fetch, use it by its name.")
    entry = find_fetchable(name, base_url=base_url or BASE_URL)
    terminal = terminal_of(context)
    if entry.cached_path() is not None:
        terminal.note(f"{name} is in the cache already.")
    with _ProgressBar(name, terminal.err) as bar:
        path = fetch_weights(entry, on_progress=bar.update)
    terminal.say(f"sha256 {sha256(path)}")
    terminal.result(path)


@app.command()
def verify(context: typer.Context) -> None:
    """Compare the bundled and the cached files with the hashes that they were published with."""
    from perception.detection.model_zoo import fetchable_detectors
    from perception.weights import bundled_cards

    terminal = terminal_of(context)
    intact = {str(bundled.path): bundled.is_intact() for bundled in bundled_cards()}
    for entry in fetchable_detectors():
        path = entry.cached_path()
        if path is not None:
            intact[str(path)] = sha256(path).startswith(entry.sha256_prefix)
    for path_text, is_intact in intact.items():
        verdict = ("intact", "green") if is_intact else ("CHANGED or missing", "red")
        terminal.out.print(Text.assemble(verdict, " ", path_text), soft_wrap=True)
    damaged = [path_text for path_text, is_intact in intact.items() if not is_intact]
    if damaged:
        raise PerceptionError(
            f"{damaged[0]}: is not what was published ({len(damaged)} of "
            f"{counted(len(intact), 'file')}); install the package "
            "again, or remove the file and fetch it again."
        )
    terminal.say(f"As published: {counted(len(intact), 'file')}.")


def _public_files_table() -> Table:
    """What a user may bring: neither bundled nor fetched."""
    from perception.detection.model_zoo import PUBLIC_FILES

    table = Table(title="Files of others for --detector FILE", title_justify="left", box=None, padding=(0, 2, 0, 0))
    for column in ("Name", "Layout", "Licence", "Origin"):
        table.add_column(column, no_wrap=column == "Name")
    for file in PUBLIC_FILES:
        table.add_row(file.name, file.layout, file.licence, file.origin)
    return table


def _model_table(title: str, output: str) -> Table:
    """An empty table; ``output`` heads the column that says what the models give."""
    table = Table(title=title, title_justify="left", box=None, padding=(0, 2, 0, 0))
    table.add_column("Name", no_wrap=True)
    for column in ("MB", output):
        table.add_column(column, no_wrap=True, justify="right")
    for column in ("Licence", "State"):
        table.add_column(column, no_wrap=True)
    return table


def _size_mb(path: Path) -> str:
    return f"{path.stat().st_size / _MIB:.1f}" if path.is_file() else "-"


def _output_and_state(weights: BundledWeights) -> tuple[str, str]:
    """The number of classes, or the horizon in seconds, and whether the file is there."""
    from perception.weights import read_config

    if not weights.path.is_file():
        return "-", "missing"
    try:
        config = read_config(weights.path, kind=weights.card.kind)
        output = f"{len(config['classes'])}" if weights.card.kind == "detector" else f"{config['horizon_s']:g} s"
    except (UsageError, KeyError, TypeError, ValueError):
        return "-", "damaged"
    return output, "bundled"


def _card_rows(weights: BundledWeights) -> dict[str, list[str]]:
    """The card, a label and its lines each."""
    card = weights.card
    output, state = _output_and_state(weights)
    if state == "bundled":
        state = "bundled, as published" if weights.is_intact() else "CHANGED since it was published"
    return {
        "Name": [card.name],
        "Kind": [card.kind],
        "Description": [card.description],
        "State": [state],
        "File": [str(weights.path)],
        "Size": [f"{_size_mb(weights.path)} MB, {card.parameters:,} parameters"],
        "Classes" if card.kind == "detector" else "Horizon": [output],
        "Licence": [card.licence],
        "SHA-256": [card.sha256],
        "Trained on": [f"- {line}" for line in card.data],
        "Trained by": [card.command],
        "Measured": [f"- {what}: {value}" for what, value in card.figures.items()],
        "Limits": [f"- {line}" for line in card.limits],
    }


def _fetchable_rows(entry: FetchableWeights) -> dict[str, list[str]]:
    """What torchvision publishes, a label and its lines each."""
    path = entry.cached_path()
    return {
        "Name": [entry.name],
        "Kind": ["detector"],
        "Description": ["torchvision's model with its COCO weights; of its 80 classes the 6 of this project are used."],
        "State": ["to be fetched" if path is None else "cached"],
        "File": [] if path is None else [str(path)],
        "Size": [f"{entry.size_mb:.1f} MB, {entry.parameters:,} parameters"],
        "Licence": [_TORCHVISION_LICENCE],
        "SHA-256": [f"{entry.sha256_prefix}..."],
        "Address": [entry.url],
        "Measured": [
            f"- box mAP {entry.box_map:.1f} of 100 on COCO val2017, all 80 classes (published by torchvision)"
        ],
    }


class _ProgressBar(AbstractContextManager["_ProgressBar"]):
    """Bytes, speed and time left. The task begins with what was already there, which must not count as speed."""

    def __init__(self, name: str, console: Console) -> None:
        self._name = name
        self._task: TaskID | None = None
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=console,
        )

    def update(self, done: int, total: int | None) -> None:
        if self._task is None:
            self._task = self._progress.add_task(self._name, total=total, completed=done)
        self._progress.update(self._task, completed=done, total=total)

    def __enter__(self) -> _ProgressBar:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()
