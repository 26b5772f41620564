"""Growth as a table."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from perception.bench.growth import Growth
from perception.evaluation.printing_layout import make_table, print_heading, print_note, print_table


def print_growth(growth: Growth, console: Console, *, detail: str) -> None:
    """Median milliseconds of each stage, and of an instant as a whole, for each size; ``detail`` says what was run."""
    print_heading(console, f"Growth with {growth.what}", detail)
    sizes = list(growth.latencies)
    stages = list(dict.fromkeys(stage for latency in growth.latencies.values() for stage in latency.per_stage))
    table = make_table(growth.what.capitalize(), *(stage.capitalize() for stage in stages), "Median", "95%", "99%", "x")
    for size in sizes:
        latency = growth.latencies[size]
        assert latency.total is not None
        cells = [f"{latency.per_stage[stage].p50_ms:,.1f}" for stage in stages]
        cells += [f"{value:,.1f}" for value in (latency.total.p50_ms, latency.total.p95_ms, latency.total.p99_ms)]
        times = growth.median_ms(size) / growth.median_ms(sizes[0])
        table.add_row(f"{size:,}", *cells, Text(f"{times:.1f}", style="bold"))
    print_table(console, table)
    power = "" if growth.exponent is None else f" Time grows with the number to the power of {growth.exponent:.2f}."
    print_note(console, f"Milliseconds per instant; x: times the median of {sizes[0]:,} {growth.what}.{power}")
