"""Runs side by side as tables in a terminal."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from perception.errors import counted
from perception.evaluation.comparison.paired import Comparison, PairedFigure, RunComparison
from perception.evaluation.report.console_layout import (
    BETTER,
    NONE,
    UNCLEAR,
    WORSE,
    make_table,
    print_heading,
    print_note,
    print_table,
)

SHOWN = (
    *("ap50", "precision", "recall", "hota", "idf1", "mota", "switches", "position_m"),
    *("fde_2s_px", "minfde_2s_px", "fde_3s_m", "minfde_3s_m"),
)
"""The figures of the table; ``compare.json`` has all."""


def print_comparison(comparison: Comparison, console: Console) -> None:
    """A table for each run against the reference, and the images where the two differ most."""
    for compared in comparison.runs:
        print_heading(console, compared.run, f"against {compared.reference}")
        _print_figures(compared, console)
        print_note(
            console,
            f"Difference: the mean over {len(comparison.parts)} {comparison.kind}, with its 95% interval by bootstrap "
            "over these. Green is better, red is worse, yellow is undecided.",
        )
        _print_images(compared, console)
    if comparison.left_out_instant_count:
        print_note(
            console, f"Left out: {counted(comparison.left_out_instant_count, 'instant')} that not all runs have."
        )
    if comparison.left_out_image_count:
        count = counted(comparison.left_out_image_count, "image")
        print_note(console, f"Detection is not compared on {count}: not all detectors looked at them.")


def _print_figures(compared: RunComparison, console: Console) -> None:
    table = make_table("Figure", "Reference", "Run", "Difference", "95% interval", "Parts")
    for name in SHOWN:
        figure = compared.figures.get(name)
        if figure is not None:
            table.add_row(name, *_cells(figure))
    print_table(console, table)


def _cells(figure: PairedFigure) -> list[Text]:
    style = BETTER if figure.is_better else WORSE if figure.is_worse else UNCLEAR
    interval = NONE
    if figure.interval is not None:
        low, high = figure.interval
        interval = Text(f"{low:+.3f} to {high:+.3f}")
    return [
        Text(f"{figure.reference:.3f}"),
        Text(f"{figure.run:.3f}"),
        Text(f"{figure.difference:+.3f}", style="" if figure.interval is None else style),
        interval,
        Text(f"{figure.part_count:,}"),
    ]


def _print_images(compared: RunComparison, console: Console) -> None:
    if not compared.images:
        print_note(console, "No image has another number of misses and false positives.")
        return
    table = make_table("Image", "Frame", "Missed", "False\npositives", "Missed,\nreference", "False pos.,\nreference")
    for image in compared.images:
        counts = (
            image.frame_index,
            image.run_miss_count,
            image.run_false_positive_count,
            image.reference_miss_count,
            image.reference_false_positive_count,
        )
        table.add_row(Text(f"{image.recording} {image.camera}", overflow="fold"), *(f"{count:,}" for count in counts))
    print_table(console, table)
