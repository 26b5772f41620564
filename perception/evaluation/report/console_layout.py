"""What all parts of the printed report share: headings, notes, tables, numbers; they fit into 80 columns."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from perception.errors import counted
from perception.evaluation.core.bootstrap import PairedComparison
from perception.evaluation.core.table_boxes import Grouping

NOTE = "dim"
NONE = Text("–", style="dim")

COUNTED_AS: dict[Grouping, str] = {
    "vehicles": "vehicles as one class",
    "each": "each class",
    "any": "all classes as one",
}

BETTER, WORSE, UNCLEAR = "bold green", "bold red", "yellow"


def print_heading(console: Console, name: str, detail: str) -> None:
    """A blank line, the name of a part, and what it rests on."""
    console.print()
    console.print(Text.assemble((name, "bold cyan"), "  ", (detail, NOTE)))


def print_note(console: Console, text: str) -> None:
    """A sentence below a table; nothing for an empty one."""
    if text:
        console.print(Padding(Text(text, style=NOTE), (0, 0, 0, 2)))


def make_table(*headers: str) -> Table:
    """A table whose first column, and one called Error, hold words, the others numbers."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for index, header in enumerate(headers):
        is_word = index == 0 or header == "Error"
        table.add_column(header, justify="left" if is_word else "right", no_wrap=index > 0, vertical="bottom")
    return table


def print_table(console: Console, table: Table) -> None:
    """The table, indented."""
    console.print(Padding(table, (0, 0, 0, 2)))


def percent(value: float | None) -> Text:
    """A share in percent."""
    return NONE if value is None else Text(f"{100 * value:.1f}")


def number(value: float | None) -> Text:
    """A number with two decimals."""
    return NONE if value is None else Text(f"{value:,.2f}")


def comparison_style(comparison: PairedComparison | None) -> str:
    """Green for better, red for worse, yellow where undecided."""
    if comparison is None or comparison.difference_interval is None:
        return ""
    if comparison.is_better:
        return BETTER
    return WORSE if comparison.is_worse else UNCLEAR


def comparison_cell(comparison: PairedComparison | None) -> Text:
    """The ratio with its interval, coloured."""
    if comparison is None or comparison.ratio is None:
        return NONE
    text = short_ratio(comparison.ratio)
    if comparison.ratio_interval is not None:
        low, high = comparison.ratio_interval
        text += f" [{short_ratio(low)}, {short_ratio(high)}]"
    return Text(text, style=comparison_style(comparison))


def ratio_cell(comparison: PairedComparison | None) -> Text:
    """The ratio alone, coloured by its interval."""
    if comparison is None or comparison.ratio is None:
        return NONE
    return Text(short_ratio(comparison.ratio), style=comparison_style(comparison))


def baseline_cell(text: str, *, is_best: bool) -> Text:
    """The error of a baseline, marked where it is the one that the model is divided by."""
    return Text(f"{text}{'*' if is_best else ' '}")


def short_ratio(ratio: float) -> str:
    """Two decimals, fewer for what is large."""
    if ratio >= 1000:
        return ">999"
    return f"{ratio:.2f}" if ratio < 10 else f"{ratio:.0f}"


def counts_line(*counts: tuple[int, str, str]) -> str:
    """A sentence of those counts that are not zero: how many, of what, and what is so of them."""
    parts = [f"{counted(count, noun)} {rest}" for count, noun, rest in counts if count]
    return f"{'; '.join(parts)}." if parts else ""


def left_out(min_height_px: float, min_visible_share: float) -> str:
    """Which objects are ignored, to follow how many."""
    limits = [
        *([f"less than {min_height_px:g} px high"] if min_height_px or not min_visible_share else []),
        *([f"less than {min_visible_share:.0%} visible"] if min_visible_share else []),
    ]
    return f"{' or '.join(limits)} ignored"


def print_unreached(console: Console, horizons_s: Sequence[float]) -> None:
    """Print which horizons lie beyond the forecasts; nothing when none does."""
    reached = ", ".join(f"{horizon_s:g} s" for horizon_s in horizons_s)
    print_note(console, reached and f"The forecasts do not reach {reached}.")
