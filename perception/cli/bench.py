"""``perception bench``: latency, throughput, share of the roofline, and scaling with cameras and objects."""

from __future__ import annotations

from perception.cli.options import DRAWING, TRACK_FILES, command
from perception.cli.terminal import Terminal
from perception.pipeline.config import BenchConfig


@command(
    BenchConfig,
    without=[
        "stride",
        "max_frames",
        "road_height",
        "frame",
        "iou",
        "classes",
        "seed",
        "show",
        "save",
        "writer",
        *DRAWING,
        *TRACK_FILES,
    ],
)
def bench(config: BenchConfig, terminal: Terminal) -> None:
    """Measure the speed: engines side by side, then more and more cameras, and more and more objects."""
    from perception.pipeline.inputs import with_bundled_source
    from perception.profiling.run import run_bench

    terminal.result(run_bench(with_bundled_source(config), tables=terminal.out, progress=terminal.err))
