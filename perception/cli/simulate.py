"""``perception simulate``: a drive through a simulated town, filmed by every camera of the car, with the truth."""

from __future__ import annotations

import re
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import Annotated

import typer

from perception.cli.terminal import terminal_of
from perception.errors import UsageError, counted

_DRIVE, _PICTURE = "Drive", "Cameras"


def simulate(
    context: typer.Context,
    output: Annotated[
        Path | None,
        typer.Option("--output", help="Folder for the recording, instead of runs/simulate/.", show_default=False),
    ] = None,
    seed: Annotated[
        int,
        typer.Option("--seed", min=0, help="Random seed of the town, weather and traffic.", rich_help_panel=_DRIVE),
    ] = 0,
    duration_s: Annotated[
        float, typer.Option("--duration", min=0.1, max=3600, help="Length in seconds.", rich_help_panel=_DRIVE)
    ] = 20.0,
    cameras: Annotated[
        str,
        typer.Option("--cameras", help="surround-six, front, dashboard, or a rig file.", rich_help_panel=_PICTURE),
    ] = "surround-six",
    fps: Annotated[
        float, typer.Option("--fps", min=0.5, max=30, help="Pictures per second.", rich_help_panel=_PICTURE)
    ] = 10.0,
    size: Annotated[
        str, typer.Option("--size", help="Width and height of the pictures.", rich_help_panel=_PICTURE)
    ] = "640x360",
    look: Annotated[
        str | None,
        typer.Option(
            "--look",
            help="Such as clear-afternoon, rain, dusk or fog; without it the seed decides.",
            rich_help_panel=_PICTURE,
        ),
    ] = None,
    quality: Annotated[
        int,
        typer.Option(
            "--crf", min=0, max=51, help="x264's quality of the videos; lower is better.", rich_help_panel=_PICTURE
        ),
    ] = 20,
    masks: Annotated[
        bool,
        typer.Option("--masks", help="Also write instance masks as PNG files.", rich_help_panel=_PICTURE),
    ] = False,
) -> None:
    """Make a recording with ground truth: traffic in a town, filmed by each camera of a rig."""
    from perception.runtime.shutdown import ShutdownRequest, before_first_frame, exit_code_of

    with before_first_frame():
        from perception.runtime.progress import RunProgress
        from perception.simulation import Drive, DriveSettings, sensible_processes
        from perception.sources import read_rig

    settings = DriveSettings(
        seed=seed,
        duration_s=duration_s,
        fps=fps,
        size_px=_parsed_size(size),
        look=look,
        masks=masks,
    )
    terminal = terminal_of(context)
    rig = read_rig(cameras)
    terminal.note(
        f"Drive {seed}: {counted(len(rig), 'camera')}, {counted(settings.instants, 'instant')} of {size} pixels."
    )
    with ExitStack() as opened:
        with before_first_frame():
            drive = opened.enter_context(Drive(settings, rig, processes=sensible_processes(settings.instants)))
            instants = iter(drive)
            first = next(instants)  # what goes wrong before it leaves no folder
        stop = opened.enter_context(ShutdownRequest(on_stop=lambda: None))
        progress = opened.enter_context(RunProgress(terminal.err, total=settings.instants, unit="instants"))
        folder = _made_folder(output, seed)
        with drive.recorder(folder, crf=quality) as recorder:
            for instant in chain([first], instants):
                recorder.write(instant.state, instant.views)
                progress.update(instant.stage_ms, objects=len(instant.state.road_users))
                if stop.reason is not None:
                    break
    if stop.reason is not None:
        terminal.note(f"Ended early: {stop.reason}; the first {counted(recorder.written, 'instant')} can be used.")
    terminal.result(folder)
    if stop.signal is not None:
        raise typer.Exit(exit_code_of(stop.signal))


def _made_folder(output: Path | None, seed: int) -> Path:
    """A new folder, or the one that a killed simulation has left unfinished in ``output``."""
    from perception.results import next_run_folder, output_folder
    from perception.runtime.run_metadata import RUNS
    from perception.sources.unfinished import clear_unfinished

    if output is None:
        return next_run_folder(RUNS / "simulate", f"drive-{seed}")
    return output if clear_unfinished(output) else output_folder(output)


def _parsed_size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{2,5})[xX](\d{2,5})", text.strip())
    if match is None:
        raise UsageError("expected width and height such as 640x360.", field="size", value=text)
    width, height = int(match[1]), int(match[2])
    if width % 2 or height % 2 or not (64 <= width <= 4096 and 64 <= height <= 4096):
        raise UsageError("expected even numbers from 64 to 4096.", field="size", value=text)
    return width, height
