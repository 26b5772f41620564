"""Growth as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from perception.files import atomic_write
from perception.profiling.scaling import Growth

_MEDIAN, _LINEAR = "#3366cc", "#a0aec0"


def draw_growths(growths: Sequence[Growth], path: Path, *, title: str) -> None:
    """Write a PNG: one panel for each growth, time over size, with the line that linear growth would follow."""
    figure = Figure(figsize=(4.8 * len(growths), 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title, x=0.02, ha="left", fontweight="bold")
    for axis, growth in zip(figure.subplots(1, len(growths), squeeze=False)[0], growths, strict=True):
        sizes = list(growth.latencies)
        medians_ms = [growth.median_ms(size) for size in sizes]
        totals = [latency.total for latency in growth.latencies.values() if latency.total is not None]
        axis.plot(sizes, [medians_ms[0] * size / sizes[0] for size in sizes], "--", color=_LINEAR, label="linear")
        axis.plot(sizes, medians_ms, "o-", color=_MEDIAN, label="median")
        axis.fill_between(
            sizes,
            medians_ms,
            [total.p95_ms for total in totals],
            color=_MEDIAN,
            alpha=0.15,
            lw=0,
            label="to the 95th percentile",
        )
        axis.set_xscale("log")
        axis.set_yscale("log")
        axis.set_xticks(sizes, [f"{size:,}" for size in sizes])
        axis.set_yticks(medians_ms, [f"{median_ms:.3g}" for median_ms in medians_ms])
        axis.minorticks_off()
        axis.set_xlabel(growth.what)
        axis.set_ylabel("milliseconds per instant")
        axis.grid(alpha=0.25)
        axis.spines[["top", "right"]].set_visible(False)
        axis.legend(frameon=False)
    with atomic_write(path) as temporary:
        figure.savefig(temporary, dpi=130, format="png")
