"""The scaling curves as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from perception.files import atomic_write
from perception.profiling.scaling import Scaling

_MEDIAN, _LINEAR = "#3366cc", "#a0aec0"


def draw_scaling(scalings: Sequence[Scaling], path: Path, *, title: str) -> None:
    """Write a PNG: one panel for each scaling, latency over size, with the line of linear scaling."""
    figure = Figure(figsize=(4.8 * len(scalings), 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title, x=0.02, ha="left", fontweight="bold")
    for axis, scaling in zip(figure.subplots(1, len(scalings), squeeze=False)[0], scalings, strict=True):
        sizes = list(scaling.latencies)
        medians_ms = [scaling.median_ms(size) for size in sizes]
        totals = [latency.total for latency in scaling.latencies.values() if latency.total is not None]
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
        axis.set_xlabel(scaling.what)
        axis.set_ylabel("latency per instant (ms)")
        axis.grid(alpha=0.25)
        axis.spines[["top", "right"]].set_visible(False)
        axis.legend(frameon=False)
    with atomic_write(path) as temporary:
        figure.savefig(temporary, dpi=130, format="png")
