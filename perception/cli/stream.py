"""``perception stream``: webcams and network cameras, always the newest frames; ``replay``: what they sent."""

from __future__ import annotations

from typing import Annotated

import typer

from perception.cli.options import command
from perception.cli.terminal import Terminal
from perception.pipeline.config import ReplayConfig, StreamConfig


@command(StreamConfig, without=["fps", "start_s", "end_s"], positional={"cameras": "source"})
def stream(
    config: StreamConfig,
    terminal: Terminal,
    cameras: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[CAMERA]...", help="Webcam numbers or addresses, in place of --source.", show_default=False
        ),
    ] = None,
) -> None:
    """Detect, track and forecast road users before live cameras; each frame that is not used is counted.

    A camera that is lost is connected to again. The run ends by Ctrl-C, --duration, --max-frames or --require, whose
    exit code is 3.
    """
    from contextlib import ExitStack

    from perception.runtime.shutdown import before_first_frame

    with before_first_frame():
        from perception.cli.session import exit_with, finish, opened_source, run_configured
        from perception.errors import UsageError
        from perception.runtime.live.metrics import MetricsServer
        from perception.runtime.live.monitor import LiveMonitor

    with opened_source(config) as source:
        if not source.is_live:
            raise UsageError(
                "is a recording, no camera; run it with perception demo, or give --realtime.",
                field="source",
                value=config.source[0],
            )
        live = LiveMonitor.of(source)
        with ExitStack() as opened:
            if config.metrics is not None and live is not None:
                server = opened.enter_context(MetricsServer(config.metrics, live))
                terminal.note(f"Metrics: port {server.port}, /metrics and /healthz.")
            _, result = run_configured("stream", config, source, terminal, duration_s=config.duration_s, live=live)
    finish(result, result.latency_report(), terminal)
    exit_with(result.exit_code)


@command(ReplayConfig, without=["source", "fps", "start_s", "end_s", "stride"], positional={"recordings": "source"})
def replay(
    config: ReplayConfig,
    terminal: Terminal,
    recordings: Annotated[
        list[str], typer.Argument(metavar="RECORDING", help="The folder that --record made.", show_default=False)
    ],
) -> None:
    """Run over a recorded stream again, with the same instants as when it was live."""
    from pathlib import Path

    from perception.runtime.shutdown import before_first_frame

    with before_first_frame():
        from perception.cli.session import exit_with, finish, opened_source, run_configured
        from perception.pipeline.inputs import with_recorded_choices

    config = with_recorded_choices(config, Path(recordings[0]))
    with opened_source(config) as source:
        _, result = run_configured("replay", config, source, terminal, prefetch=True)
    finish(result, result.latency_report(), terminal)
    exit_with(result.exit_code)
