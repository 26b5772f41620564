"""``perception stream``: a webcam or a network camera, always the newest frame."""

from __future__ import annotations

from typing import Annotated

import typer

from perception.cli.options import command
from perception.cli.terminal import Terminal
from perception.pipeline.config import StreamConfig


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
    """Detect, track and forecast road users before a live camera; frames that come too fast are dropped, counted."""
    from contextlib import closing

    from perception.cli.session import finish, run_configured
    from perception.errors import UsageError
    from perception.pipeline.inputs import open_configured_source

    with closing(open_configured_source(config)) as source:
        if not source.is_live:
            raise UsageError(
                "is a recording, no camera; run it with perception demo.", field="source", value=config.source[0]
            )
        _, result = run_configured("stream", config, source, terminal, duration_s=config.duration_s)
    finish(result, result.latency_report(), terminal)
