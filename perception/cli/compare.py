"""``perception compare``: finished runs against the first of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from perception.cli.terminal import terminal_of


def compare(
    context: typer.Context,
    runs: Annotated[
        list[Path],
        typer.Argument(
            help="Folders of finished runs, or folders of such, one for each recording; the first is the reference.",
            show_default=False,
        ),
    ],
    truth: Annotated[
        Path | None,
        typer.Option("--truth", help="The recording with the ground truth, where the runs do not state it."),
    ] = None,
    segment_s: Annotated[
        float,
        typer.Option("--segment", min=0.5, max=3600, help="Seconds of the parts that a single recording is cut into."),
    ] = 5.0,
    images: Annotated[
        int, typer.Option("--images", min=0, max=1000, help="Number of images listed that differ most.")
    ] = 10,
    grouping: Annotated[
        str, typer.Option("--grouping", help="vehicles, each or both: how classes are counted.")
    ] = "both",
    min_height: Annotated[
        float,
        typer.Option("--min-height", min=0, help="True objects less than this many pixels high are ignored."),
    ] = 0.0,
    min_visible: Annotated[
        float | None,
        typer.Option("--min-visible", min=0, max=1, help="Objects whose visible share is below this are ignored."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Random seed of the intervals.")] = 0,
    save: Annotated[bool, typer.Option("--save/--no-save", help="Write compare.json.")] = True,
    output: Annotated[
        Path | None,
        typer.Option("--output", help="Folder for compare.json, instead of runs/compare/.", show_default=False),
    ] = None,
) -> None:
    """Compare finished runs over the same recordings: paired differences with intervals; writes compare.json."""
    from perception.cli.tables.comparison import print_comparison
    from perception.pipeline.config import EvaluateConfig, load_config
    from perception.runtime.compare import compare_folders, write_comparison
    from perception.runtime.evaluate import eval_config_of

    terminal = terminal_of(context)
    asked = {"grouping": grouping, "min_height": min_height, "min_visible": min_visible}
    config = load_config(EvaluateConfig, path=None, options=asked)
    with terminal.err.status("Comparing"):
        comparison = compare_folders(
            runs,
            eval_config=eval_config_of(config),
            truth=truth,
            segment_s=segment_s,
            image_count=images,
            seed=seed,
        )
    print_comparison(comparison, terminal.out)
    if save:
        terminal.result(write_comparison(comparison, output))
