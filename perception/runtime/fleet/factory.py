"""Which engine a configuration asks for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from perception.cpu import available_processors
from perception.pipeline.config import FleetConfig
from perception.runtime.fleet.engine import Engine
from perception.runtime.fleet.local import LocalEngine

_WORKERS = 2
_PAYS_FROM_BYTES = 5_000_000
"""Below it a process takes longer to start than to read so much text."""


def open_engine(config: FleetConfig, *, usual_workers: int = 1) -> Engine:
    """What runs over many recordings; ``usual_workers`` on this machine where none are asked for.

    Raises ``UsageError`` where Ray is asked for and not installed.
    """
    if config.fleet == "ray":
        from perception.runtime.fleet.ray_cluster import RayEngine, import_ray

        import_ray()  # before anything is read
        return RayEngine(config.address, config.retries, gpus=int(config.device.startswith("cuda")))
    return LocalEngine(config.workers or usual_workers, config.retries)


def workers_for_files(recordings: Sequence[Sequence[Path]]) -> int:
    """How many processes pay for reading and measuring ``recordings``, of each its files or folders."""
    paths = [path for own in recordings for path in own]
    files = [file for path in paths for file in (path.rglob("*") if path.is_dir() else [path]) if file.is_file()]
    pays = len(recordings) > 1 and sum(file.stat().st_size for file in files) >= _PAYS_FROM_BYTES
    return min(_WORKERS, available_processors(), len(recordings)) if pays else 1
