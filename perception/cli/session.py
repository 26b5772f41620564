"""What demo, stream and evaluate share: assemble, hand over to the library, report how it ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import typer
from rich import box
from rich.table import Table

from perception.cli.error_reporting import option_of
from perception.cli.terminal import Terminal
from perception.errors import PerceptionError, counted, with_field_names
from perception.evaluation import Report
from perception.evaluation.core.latency_statistics import TOTAL
from perception.evaluation.export.page.pictures import ReportPictures
from perception.pipeline.build import BuiltPipeline, build_pipeline
from perception.pipeline.config import RunConfig
from perception.pipeline.inputs import open_configured_source
from perception.plugins import WriterOpener, find_writer_plugin
from perception.protocols import Source
from perception.results import CropWriter, LabelWriter, TrackCsvWriter
from perception.runtime.live.monitor import LiveMonitor
from perception.runtime.run_metadata import make_run_folder, wanted_folder, write_report
from perception.runtime.run_stats import COMPLETE, FAILED, RunResult, RunStats
from perception.runtime.runner import run_pipeline
from perception.runtime.scene_writer import Drawing
from perception.runtime.shutdown import before_first_frame
from perception.types import Scene
from perception.visualization import AnnotationStyle, Window


@contextmanager
def opened_source(config: RunConfig) -> Iterator[Source]:
    """The source that ``config`` names, closed where the block ends. Raises as ``open_configured_source`` does."""
    with before_first_frame():
        source = open_configured_source(config)
    with closing(source):
        yield source


def run_configured(
    command: str,
    config: RunConfig,
    source: Source,
    terminal: Terminal,
    *,
    duration_s: float | None = None,
    video: bool = True,
    prefetch: bool = False,
    on_scene: Callable[[Scene], None] | None = None,
    live: LiveMonitor | None = None,
) -> tuple[BuiltPipeline, RunResult]:
    """Build the pipeline that ``config`` asks for and run it over ``source``, as ``run_pipeline`` does."""
    with before_first_frame():
        built = build_pipeline(config, rig=source.rig, frame_counts=source.frame_counts)
    for note in built.notes:
        terminal.note_once(note)
    _note_warnings(source.warnings, terminal)

    def make_folder() -> Path:
        wanted = wanted_folder(command, config, name=source.name)
        folder = make_run_folder(
            command,
            config,
            name=source.name,
            device=str(built.device),
            notes=built.notes,
            weights=built.weights,
            tracker_settings=built.tracker_settings,
        )
        if folder != wanted:
            terminal.note(f"{wanted} is there already; this run is in {folder} (--exist-ok replaces the old one).")
        return folder

    result = run_pipeline(
        built.pipeline,
        source,
        folder=make_folder if config.save else None,
        video=video,
        writers=_writers(config),
        window=_open_window(terminal) if config.show else None,
        max_frames=config.max_frames,
        duration_s=duration_s,
        prefetch=prefetch,
        on_scene=on_scene,
        console=terminal.err,
        drawing=_drawing(config),
        live=live,
    )
    return built, result


def finish(
    result: RunResult,
    report: Report,
    terminal: Terminal,
    *,
    has_table: bool = True,
    pictures: ReportPictures | None = None,
) -> None:
    """Write the report's files, report what happened, print the folder.

    Raises what broke the run off, whether or not there is room for a report; ``PerceptionError`` where only the report
    cannot be written.
    """
    stats, folder = result.stats, result.folder
    if result.room is not None:
        result.room.release()
    if folder is not None:
        try:
            write_report(folder, report, stats, pictures=pictures)
        except PerceptionError:
            result.raise_failure()
            raise
    if has_table:
        _print_summary(terminal, report, stats)
    _note_warnings(stats.warnings, terminal)
    if stats.dropped_frames:
        terminal.note(f"Note: {counted(stats.dropped_frames, 'frame')} dropped to keep up with real time.")
    if stats.ended not in (COMPLETE, FAILED):
        terminal.note(f"Ended early: {stats.ended}.{' All files are complete.' if folder is not None else ''}")
    if folder is not None:
        terminal.result(folder)
    result.raise_failure()


def exit_with(code: int) -> None:
    """End the command with the exit code of a signal, where one ended the run."""
    if code:
        raise typer.Exit(code)


def _writers(config: RunConfig) -> list[WriterOpener]:
    """What opens the outputs that are asked for beside the tables."""
    ours: dict[WriterOpener, bool] = {
        LabelWriter.open: config.save_txt,
        CropWriter.open: config.save_crop,
        TrackCsvWriter.open: config.save_csv,
    }
    return [
        *(open_writer for open_writer, is_asked in ours.items() if is_asked),
        *(find_writer_plugin(spec) for spec in config.writer),
    ]


def _drawing(config: RunConfig) -> Drawing:
    style = AnnotationStyle(
        labels=config.labels,
        past=config.pasts,
        futures=config.futures,
        scores=config.scores,
        colour_by=config.colour,
        line_width_px=config.line_width,
    )
    return Drawing(style, footer=config.footer, speed=config.speed)


def _note_warnings(warnings: Sequence[str], terminal: Terminal) -> None:
    """What a source left out or assumed: known when it is opened, or only at its end."""
    for warning in warnings:
        terminal.note_once(f"Note: {with_field_names(warning, option_of)}")


def _open_window(terminal: Terminal) -> Window | None:
    """A window; without a screen a sentence on why there is none."""
    window, reason = Window.open("perception")
    if window is None:
        terminal.note(f"--show: no window, because {reason}; the run goes on without.")
    return window


def _print_summary(terminal: Terminal, report: Report, stats: RunStats) -> None:
    terminal.say(
        f"{counted(stats.instants, 'frame')}, {stats.rate_fps:.1f} per second; "
        f"{counted(stats.detections, 'detection')}, "
        f"{counted(len(stats.track_ids), 'object')}."
    )
    latency = report.latency
    if latency is not None and latency.total is not None:
        stages = {**latency.per_stage, TOTAL: latency.total}
        table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
        table.add_column("ms")
        for column in ("mean", "median", "95%", "instants"):
            table.add_column(column, justify="right", no_wrap=True)
        for stage, scores in stages.items():
            values = (f"{value:,.1f}" for value in (scores.mean_ms, scores.p50_ms, scores.p95_ms))
            table.add_row(stage, *values, f"{scores.instant_count:,}")
        terminal.out.print(table)
    online_error = stats.online_error.line()
    if online_error:
        terminal.say(f"Forecasts against the later tracks (online error): {online_error}.")
    if stats.memory.line():
        terminal.say(stats.memory.line())
    if report.detection or report.tracking or report.forecasting:
        terminal.out.print(report.summary(), markup=False)
