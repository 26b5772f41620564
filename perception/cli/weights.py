"""``perception weights``: what is bundled, cached and fetchable; fetching; checking."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
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

from perception.errors import PerceptionError, UsageError
from perception.files import sha256

# The commands import what needs torch when they run, so that `perception --help` need not wait for it.
if TYPE_CHECKING:
    from perception.detection.model_zoo import FetchableWeights
    from perception.weights import BundledWeights

app = typer.Typer(help="List, fetch and check network weights.", invoke_without_command=True)

_MIB = 1 << 20


@app.callback()
def _without_command(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        list_weights()


@app.command("list")
def list_weights() -> None:
    """Show the weights that are bundled, in the cache, and fetchable."""
    from perception.detection.model_zoo import cache_folder, fetchable_detectors
    from perception.weights import bundled_cards

    console = Console()
    bundled, entries = bundled_cards(), fetchable_detectors()
    cached = [entry for entry in entries if entry.cached_path().is_file()]
    console.print(_bundled_table(bundled))
    console.print(_fetchable_table(f"Cached in {cache_folder()}", cached, with_address=False))
    fetchable = [entry for entry in entries if entry not in cached]
    console.print(_fetchable_table("Fetchable: perception weights fetch NAME", fetchable, with_address=True))
    console.print("box mAP: 0 to 100 on COCO val2017, all 80 classes, as torchvision publishes it.")


@app.command()
def fetch(
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
    console = Console()
    if entry.cached_path().is_file():
        console.print(f"{name} is in the cache already.")
    with _ProgressBar(name, console) as bar:
        path = fetch_weights(entry, on_progress=bar.update)
    console.print(f"sha256 {sha256(path)}", soft_wrap=True)
    console.print(str(path), soft_wrap=True, highlight=False, markup=False)


@app.command()
def verify() -> None:
    """Compare the bundled and the cached files with the hashes that they were published with."""
    from perception.detection.model_zoo import fetchable_detectors
    from perception.weights import bundled_cards

    console = Console()
    intact = {str(bundled.path): bundled.is_intact() for bundled in bundled_cards()}
    for entry in fetchable_detectors():
        path = entry.cached_path()
        if path.is_file():
            intact[str(path)] = sha256(path).startswith(entry.sha256_prefix)
    for path_text, is_intact in intact.items():
        verdict = "[green]intact[/]" if is_intact else "[red]CHANGED or missing[/]"
        console.print(verdict, end=" ")
        console.print(path_text, soft_wrap=True, highlight=False, markup=False)
    damaged = [path_text for path_text, is_intact in intact.items() if not is_intact]
    if damaged:
        raise PerceptionError(
            f"{damaged[0]}: is not what was published ({len(damaged)} of {len(intact)} files); install the package "
            "again, or remove the file and fetch it again."
        )
    console.print(f"{len(intact)} files are as published.")


def _bundled_table(bundled: Sequence[BundledWeights]) -> Table:
    table = Table(title="Bundled", title_justify="left")
    for column in ("name", "kind", "size", "sha256", "measured"):
        table.add_column(column, no_wrap=column == "name", overflow="fold")
    for weights in bundled:
        card = weights.card
        size = f"{weights.path.stat().st_size / _MIB:.1f} MB" if weights.path.is_file() else "missing"
        figures = "\n".join(f"{what}: {value}" for what, value in card.figures.items())
        table.add_row(card.name, card.kind, size, card.sha256[:8], figures)
    return _or_none(table)


def _fetchable_table(title: str, entries: Sequence[FetchableWeights], *, with_address: bool) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column("name", overflow="fold")
    for column in ("size", "sha256", "box mAP"):
        table.add_column(column, no_wrap=True)
    if with_address:
        table.add_column("address", overflow="fold")
    for entry in entries:
        row = [entry.name, f"{entry.size_mb:.0f} MB", entry.sha256_prefix, f"{entry.box_map:.1f}"]
        table.add_row(*row, *([entry.url] if with_address else []))
    return _or_none(table)


def _or_none(table: Table) -> Table:
    if not table.row_count:
        table.add_row("none")
    return table


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
