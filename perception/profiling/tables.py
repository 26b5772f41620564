"""Scaling, end-to-end latency and engines as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.text import Text

from perception.errors import counted
from perception.evaluation.core.latency_statistics import LatencyReport
from perception.evaluation.report.console_layout import make_table, percent, print_heading, print_note, print_table
from perception.profiling.engines import EngineTiming
from perception.profiling.scaling import Scaling
from perception.profiling.stages import NETWORK

EngineAndSize = tuple[str, int | None]
"""The title of an engine, and the long side of its input in pixels; None where it has its own."""


def print_scaling(scaling: Scaling, console: Console, *, detail: str) -> None:
    """Median latency of each stage, and latency of a whole instant, for each size; ``detail`` states what was run."""
    print_heading(console, f"Scaling with {scaling.what}", detail)
    sizes = list(scaling.latencies)
    stages = list(dict.fromkeys(stage for latency in scaling.latencies.values() for stage in latency.per_stage))
    table = make_table(
        scaling.what.capitalize(), *(stage.capitalize() for stage in stages), "Median", "95%", "99%", "x"
    )
    for size in sizes:
        latency = scaling.latencies[size]
        assert latency.total is not None
        cells = [f"{latency.per_stage[stage].p50_ms:,.1f}" for stage in stages]
        cells += [f"{value:,.1f}" for value in (latency.total.p50_ms, latency.total.p95_ms, latency.total.p99_ms)]
        times = scaling.median_ms(size) / scaling.median_ms(sizes[0])
        table.add_row(f"{size:,}", *cells, Text(f"{times:.1f}", style="bold"))
    print_table(console, table)
    power = "" if scaling.exponent is None else f" Scaling exponent: {scaling.exponent:.2f} (1 is linear)."
    print_note(
        console, f"Latency per instant in milliseconds; x: times the median of {sizes[0]:,} {scaling.what}.{power}"
    )


def print_end_to_end(latencies: Mapping[EngineAndSize, LatencyReport], console: Console, *, detail: str) -> None:
    """Median latency of each stage from the recording to the files of results, by engine and input size."""
    print_heading(console, "End-to-end latency, decode to written", detail)
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
            "mean": [f"{total.mean_ms:,.1f}" for total in totals],
            "median": [f"{total.p50_ms:,.1f}" for total in totals],
            "95%": [f"{total.p95_ms:,.1f}" for total in totals],
            "99%": [f"{total.p99_ms:,.1f}" for total in totals],
            "instants/s": [f"{1e3 / total.mean_ms:,.1f}" for total in totals],
        }
        for name, cells in rows.items():
            table.add_row(name, *cells, style="bold" if name == "median" else "")
        print_table(console, table)
    print_note(
        console,
        "Latency in milliseconds per instant, a whole turn of the loop with its stages one after the other; perception "
        "demo runs decoding and drawing in parallel with the networks. Instants/s: by the mean.",
    )


def print_engines(measured: Sequence[EngineTiming], console: Console, *, detail: str) -> None:
    """Latency of the network and of all stages, throughput, and the share of the roofline; x: times the first."""
    print_heading(console, "Detection: latency and throughput by engine", detail)
    table = make_table("Detector", "Network", "Median", "95%", "Images/s", "Roofline", "x")
    for one in measured:
        total = one.latency.total
        assert total is not None
        times_ms = (one.latency.per_stage[NETWORK].p50_ms, total.p50_ms, total.p95_ms)
        table.add_row(
            Text(one.title, overflow="fold"),
            *(f"{value:,.1f}" for value in times_ms),
            f"{one.images_per_s:,.0f}",
            percent(one.roofline_share),
            Text(f"{one.median_ms / measured[0].median_ms:.2f}", style="bold"),
        )
    print_table(console, table)
    rooflines = dict.fromkeys(
        f"{one.roofline.flops_per_s / 1e9:,.0f} GFLOP/s and {one.roofline.bytes_per_s / 1e9:,.0f} GB/s"
        for one in measured
        if one.roofline is not None
    )
    note = (
        f"Latency in milliseconds per instant of {counted(measured[0].images, 'picture')}; x: times "
        "the median of the first."
    )
    if rooflines:
        note += (
            " Roofline: the least time for the layers, each by itself, over the network's latency, in %. A matrix "
            f"product and a copy reach {', or '.join(rooflines)}. Above 100 a layer finds in the cache what the one "
            "before it wrote."
        )
    if measured[0].work is not None:
        work = measured[0].work
        note += f" RoadNet needs {work.flops / 1e9:,.1f} GFLOP and moves at least {work.bytes / 1e6:,.0f} MB."
    print_note(console, note)
