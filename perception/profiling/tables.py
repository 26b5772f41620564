"""Growth and engines as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.text import Text

from perception.evaluation.core.latency import LatencyReport
from perception.evaluation.report.console_layout import make_table, percent, print_heading, print_note, print_table
from perception.profiling.engines import Measured
from perception.profiling.scaling import Growth
from perception.profiling.stages import NETWORK

EngineAndSize = tuple[str, int | None]
"""The title of an engine, and the long side of its input in pixels; None where it has its own."""


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


def print_whole_way(latencies: Mapping[EngineAndSize, LatencyReport], console: Console, *, detail: str) -> None:
    """Median milliseconds of each stage from the recording to the files of results, by engine and size of the input."""
    print_heading(console, "The whole way, decode to written", detail)
    for size_px in dict.fromkeys(size_px for _, size_px in latencies):
        of_size = {title: latency for (title, size), latency in latencies.items() if size == size_px}
        totals = [latency.total for latency in of_size.values() if latency.total is not None]
        table = make_table(
            "Stage" if size_px is None else f"Input\n{size_px} px",
            *(title.replace(" on ", "\non ") for title in of_size),
        )
        for stage in dict.fromkeys(stage for latency in of_size.values() for stage in latency.per_stage):
            table.add_row(stage, *(f"{latency.per_stage[stage].p50_ms:,.1f}" for latency in of_size.values()))
        table.add_section()
        rows = {
            "median": [f"{total.p50_ms:,.1f}" for total in totals],
            "95%": [f"{total.p95_ms:,.1f}" for total in totals],
            "99%": [f"{total.p99_ms:,.1f}" for total in totals],
            "instants/s": [f"{1e3 / total.p50_ms:,.1f}" for total in totals],
        }
        for name, cells in rows.items():
            table.add_row(name, *cells, style="bold" if name == "median" else "")
        print_table(console, table)
    print_note(
        console,
        "Milliseconds per instant, stages one after the other; perception demo decodes and draws beside the networks.",
    )


def print_engines(measured: Sequence[Measured], console: Console, *, detail: str) -> None:
    """Milliseconds per instant of the network and of all stages, pictures per second, and the share of the ceiling; x:
    times the first."""
    print_heading(console, "Detection, engines side by side", detail)
    table = make_table("Detector", "Network", "Median", "95%", "Images/s", "Share", "x")
    for one in measured:
        total = one.latency.total
        assert total is not None
        times_ms = (one.latency.per_stage[NETWORK].p50_ms, total.p50_ms, total.p95_ms)
        table.add_row(
            Text(one.title, overflow="fold"),
            *(f"{value:,.1f}" for value in times_ms),
            f"{one.images_per_s:,.0f}",
            percent(one.share),
            Text(f"{one.median_ms / measured[0].median_ms:.2f}", style="bold"),
        )
    print_table(console, table)
    ceilings = dict.fromkeys(
        f"{one.ceiling.flops_per_s / 1e9:,.0f} GFLOP/s and {one.ceiling.bytes_per_s / 1e9:,.0f} GB/s"
        for one in measured
        if one.ceiling is not None
    )
    note = f"Milliseconds per instant of {measured[0].images} pictures; x: times the median of the first."
    if ceilings:
        note += (
            " Share: the least time that the layers need here, each by itself, over the network's time, in %; a matrix "
            f"product and a copy reach {', or '.join(ceilings)}. Above 100 a layer finds in the cache what the one "
            "before it wrote."
        )
    if measured[0].work is not None:
        work = measured[0].work
        note += f" Ours needs {work.flops / 1e9:,.1f} GFLOP and moves at least {work.bytes / 1e6:,.0f} MB."
    print_note(console, note)
