"""How a run ends: its report in a file, a short table, the path of the results on the last line."""

from __future__ import annotations

import sys
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from perception.evaluation.core.latency import evaluate_latency
from perception.evaluation.report.report import Report
from perception.files import write_json
from perception.pipeline.build import DetectorChoice
from perception.pipeline.config import RunConfig
from perception.runtime.run_metadata import write_run_file
from perception.runtime.runner import COMPLETE, Finished, Outcome, make_folder, say

REPORT_FILE = "report.json"


def latency_report(title: str, outcome: Outcome) -> Report:
    """What can be said without ground truth."""
    return Report(title=title, latency=evaluate_latency(stage_ms=outcome.stage_ms), notes=tuple(outcome.warnings))


def finish(finished: Finished, report: Report, *, has_table: bool = True) -> None:
    """Write ``report.json``, say what happened, print the folder. Raises what broke the run off."""
    outcome, folder = finished.outcome, finished.folder
    console = Console(stderr=True, highlight=False)
    if folder is not None:
        write_json(folder / REPORT_FILE, {"run": outcome.to_json(), **report.to_json()})
    if has_table:
        _print_summary(Console(highlight=False), report, outcome)
    for warning in outcome.warnings:
        say(console, f"Note: {warning}")
    if outcome.dropped:
        say(console, f"Note: {outcome.dropped} frames were dropped because newer ones were there.")
    if outcome.ended not in (COMPLETE, "failed"):
        say(console, f"Ended early: {outcome.ended}.{' All files are whole.' if folder is not None else ''}")
    if folder is not None:
        _print_path(folder)
    if outcome.failure is not None:
        raise outcome.failure


def save_report(
    command: str, config: RunConfig, report: Report, *, name: str, choice: DetectorChoice | None = None
) -> None:
    """Write the report of what was measured without a run, and print its folder; nothing with ``--no-save``."""
    if not config.save:
        return
    folder = make_folder(command, config, name)
    write_run_file(
        folder,
        command=command,
        config=config,
        device="none" if choice is None else str(choice.device),
        notes=() if choice is None else [choice.reason],
        weights=() if choice is None else choice.weights,
    )
    write_json(folder / REPORT_FILE, report.to_json())
    _print_path(folder)


def _print_path(folder: Path) -> None:
    # Not by rich, which breaks long lines.
    sys.stdout.write(f"{folder}\n")
    sys.stdout.flush()


def _print_summary(console: Console, report: Report, outcome: Outcome) -> None:
    say(
        console,
        f"{outcome.instants:,} frames, {outcome.rate_fps:.1f} per second; {outcome.detections:,} detections, "
        f"{len(outcome.track_ids):,} objects.",
    )
    latency = report.latency
    if latency is not None and latency.total is not None:
        stages = {**latency.per_stage, "all": latency.total}
        table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
        table.add_column("ms")
        for stage in stages:
            table.add_column(stage, justify="right", no_wrap=True)
        table.add_row("median", *(f"{scores.p50_ms:.1f}" for scores in stages.values()))
        table.add_row("95%", *(f"{scores.p95_ms:.1f}" for scores in stages.values()))
        console.print(table)
    line = outcome.online_error.line()
    if line:
        say(console, f"Online error of the forecasts, measured on the tracks: {line}.")
    if outcome.memory.line():
        say(console, outcome.memory.line())
    if report.detection or report.tracking or report.forecasting:
        console.print(Text(report.summary()))
