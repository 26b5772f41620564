"""Which runs were finished before, so that an interrupted fleet goes on where it was."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from perception.errors import UsageError
from perception.files import read_json
from perception.pipeline.config import RunConfig
from perception.results import RUN_FILE
from perception.runtime.run_metadata import REPORT_FILE, read_run_config
from perception.runtime.run_stats import COMPLETE

_WHERE = (
    *("output", "project", "name", "exist_ok", "resume", "shard"),
    *("fleet", "address", "workers", "retries", "cache", "cache_folder", "json_file", "markdown", "csv"),
)
"""What of a configuration does not change what a run finds."""


def finished_runs(parent: Path) -> dict[str, Path]:
    """The folders in ``parent`` of runs that went to their end, by ``run_key``."""
    folders = sorted(path.parent for path in parent.glob(f"*/{RUN_FILE}"))
    return {_key(read_run_config(folder)): folder for folder in folders if _is_complete(folder)}


def run_key(config: RunConfig) -> str:
    """What two runs have in common that must find the same."""
    return _key(config.to_plain())


def _key(plain: Mapping[str, Any]) -> str:
    return json.dumps({name: value for name, value in plain.items() if name not in _WHERE}, sort_keys=True)


def _is_complete(folder: Path) -> bool:
    try:
        content = read_json(folder / REPORT_FILE)
    except UsageError:  # it ended before its report was written
        return False
    run = content.get("run") if isinstance(content, dict) else None
    return isinstance(run, dict) and run.get("ended") == COMPLETE
