"""Recall by class, size, distance, visibility and light as a table in a terminal."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from perception.evaluation.core.table_boxes import GroupingChoice
from perception.evaluation.failures.recall_breakdown import RecallBin, RecallBreakdown
from perception.evaluation.report.console_layout import make_table, percent, print_heading, print_note, print_table

_BAR_CELLS = 20
_COUNTED: dict[GroupingChoice, str] = {
    "both": "vehicles found as any vehicle, others as what they are",
    "vehicles": "vehicles found as any vehicle",
    "each": "each class found as what it is",
    "any": "all classes as one",
}


def print_breakdown(breakdown: RecallBreakdown, console: Console) -> None:
    """Print the share of objects that was found in each bin, and how many objects it rests on."""
    print_heading(console, "Recall by condition", _COUNTED[breakdown.grouping])
    # A class's own recall stands in the table of the detector, and has its name there.
    recall = "Recall as\nany vehicle" if breakdown.grouping in ("both", "vehicles") else "Recall"
    table = make_table("Condition", "Value", "Objects", "Found", recall, "")
    table.columns[1].justify = table.columns[-1].justify = "left"
    for factor, bins in breakdown.factors.items():
        for position, part in enumerate(bins):
            table.add_row(Text("" if position else factor.capitalize(), style="bold"), *_cells(part))
        table.add_section()
    table.add_row(Text("All", style="bold"), *_cells(breakdown.overall))
    print_table(console, table)
    print_note(
        console,
        f"At score ≥ {breakdown.score_threshold:g} and IoU 0.5, in %. Height is that of the box; "
        "a box is cut off at the left, right or lower border; light is the picture's mean brightness.",
    )


def _cells(part: RecallBin) -> list[Text]:
    bar = Text("━" * round(_BAR_CELLS * (part.recall or 0.0)), style="cyan")
    name = "" if part.name == "all" else part.name
    return [Text(name), Text(f"{part.object_count:,}"), Text(f"{part.found_count:,}"), percent(part.recall), bar]
