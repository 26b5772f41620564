"""The folder of a run; ``run.yaml`` and ``report.json`` in it record what the run was, so that it can be repeated."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import yaml

from perception.errors import UsageError, without_credentials
from perception.evaluation import Report
from perception.evaluation.export.page.page import report_page
from perception.evaluation.export.page.pictures import ReportPictures
from perception.files import read_yaml, sha256, was_removed, write_json, write_text
from perception.pipeline.config import Config, RunConfig
from perception.results import RUN_FILE, next_run_folder, output_folder, reused_folder, safe_name
from perception.runtime.run_stats import RunStats

REPORT_FILE = "report.json"
PAGE_FILE = "report.html"
RUNS = Path("runs")
"""The folder of all results, where no other is asked for."""

_PACKAGES = ("torch", "torchvision", "opencv-python", "opencv-python-headless", "numpy", "av", "onnxruntime", "ncnn")


def make_run_folder(
    command: str,
    config: RunConfig,
    *,
    name: str,
    device: str = "none",
    notes: Sequence[str] = (),
    weights: Iterable[Path] = (),
    tracker_settings: Mapping[str, Any] | None = None,
) -> Path:
    """Make a new folder for the results of ``command`` over the source ``name``, with ``run.yaml`` in it.

    It is ``wanted_folder``; where that holds anything, a number is added, or with ``config.exist_ok`` the files of the
    run in it are replaced. ``device`` and what follows describe the pipeline. Raises ``PerceptionError`` as
    ``output_folder`` does.
    """
    folder = wanted_folder(command, config, name=name)
    if config.exist_ok:
        folder = reused_folder(folder)
    elif config.output is not None:
        folder = output_folder(folder)
    else:
        folder = next_run_folder(folder.parent, folder.name)
    write_run_file(
        folder,
        command=command,
        config=config,
        device=device,
        notes=notes,
        weights=weights,
        tracker_settings=tracker_settings,
    )
    return folder


def wanted_folder(command: str, config: RunConfig, *, name: str) -> Path:
    """Where ``config`` asks for the results of ``command`` over the source ``name``: ``output``, else the folder
    ``config.name``, else ``name``, in ``project``, else in ``runs/<command>``."""
    if config.output is not None:
        return config.output
    return (config.project or RUNS / command) / safe_name(config.name or name)


def together_in(command: str, config: Config) -> Config:
    """``config`` for several runs: the folder that it asks for holds theirs, each below the name of its source."""
    if config.output is None and config.name is None:
        return config
    folder = wanted_folder(command, config, name="")
    return config.model_copy(update={"output": None, "project": folder, "name": None})


def write_run_file(
    folder: Path,
    *,
    command: str,
    config: RunConfig,
    device: str,
    notes: Sequence[str],
    weights: Iterable[Path],
    tracker_settings: Mapping[str, Any] | None,
) -> None:
    """The whole configuration, versions, seed, device, tracker and the weights' sha256; credentials are taken out."""
    content = {
        "command": command,
        "arguments": [without_credentials(text) for text in sys.argv[1:]],
        "started": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "config": config.to_plain(),
        "device": device,
        "chosen": [without_credentials(note) for note in notes],
        **({} if tracker_settings is None else {"tracker_settings": dict(tracker_settings)}),
        "weights_sha256": {path.name: sha256(path) for path in weights},
        "versions": {"python": platform.python_version(), "platform": platform.platform(), **_versions()},
    }
    write_text(folder / RUN_FILE, yaml.safe_dump(content, sort_keys=False, allow_unicode=True))


def read_run_source(folder: Path) -> str | None:
    """The one source of the run in ``folder``; None where ``run.yaml`` does not state it."""
    sources = read_run_config(folder).get("source")
    return str(sources[0]) if isinstance(sources, list) and len(sources) == 1 else None


def need_run_source(folder: Path, truth: str | Path | None = None) -> str:
    """The recording with the truth of what is in ``folder``: ``truth``, else what the run states.

    Raises ``UsageError`` where there is neither.
    """
    recording = str(truth or "") or read_run_source(folder)
    if recording is None:
        raise UsageError(f"{folder}: does not state its recording; name it with `truth`.")
    return recording


def read_run_rate(folder: Path) -> float | None:
    """The frame rate in place of the source's own clock of the run in ``folder``; None where ``run.yaml`` has none."""
    rate_fps = read_run_config(folder).get("fps")
    return float(rate_fps) if isinstance(rate_fps, int | float) else None


def read_run_config(folder: Path) -> dict[str, Any]:
    """The configuration in ``run.yaml``; empty where there is none."""
    config = _run_file(folder).get("config")
    return config if isinstance(config, dict) else {}


def report_content(report: Report, stats: RunStats | None = None) -> dict[str, Any]:
    """What ``report.json`` holds: the report and, where something ran, its ``stats``."""
    run = {} if stats is None else {"run": stats.to_json()}
    return {**run, **report.to_json()}


def write_report(
    folder: Path,
    report: Report,
    stats: RunStats | None = None,
    *,
    pictures: ReportPictures | None = None,
    measured: Path | None = None,
) -> None:
    """Write ``report.json`` and, where something was compared with ground truth, ``report.html``.

    The page shows ``pictures`` and what ``run.yaml`` states, also that of ``measured``, the folder of a finished run.
    Raises ``PerceptionError`` where one cannot be written, also because the folder was removed.
    """
    if not folder.is_dir():
        raise was_removed(folder)
    write_json(folder / REPORT_FILE, report_content(report, stats))
    if report.has_truth:
        page = report_page(
            report,
            run=_run_file(folder),
            measured=None if measured is None else _run_file(measured),
            pictures=pictures,
        )
        write_text(folder / PAGE_FILE, page)


def _run_file(folder: Path) -> dict[str, Any]:
    """The content of ``run.yaml``; empty where there is none that can be read."""
    try:
        content = read_yaml(folder / RUN_FILE)
    except UsageError:
        return {}
    return content if isinstance(content, dict) else {}


def _versions() -> dict[str, str]:
    found = {}
    for package in ("perception", *_PACKAGES):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
