"""What a run was, so that it can be repeated: ``run.yaml``."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import yaml

from perception.errors import UsageError, without_credentials
from perception.files import read_yaml, sha256, write_text
from perception.pipeline.config import RunConfig

RUN_FILE = "run.yaml"

_PACKAGES = ("torch", "torchvision", "opencv-python", "opencv-python-headless", "numpy", "av", "onnxruntime", "ncnn")


def write_run_file(
    folder: Path, *, command: str, config: RunConfig, device: str, notes: Sequence[str], weights: Iterable[Path]
) -> None:
    """The whole configuration, versions, seed, device and the weights' sha256; credentials are taken out."""
    content = {
        "command": command,
        "arguments": [without_credentials(text) for text in sys.argv[1:]],
        "started": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "config": config.to_plain(),
        "device": device,
        "chosen": [without_credentials(note) for note in notes],
        "weights_sha256": {path.name: sha256(path) for path in weights},
        "versions": {"python": platform.python_version(), "platform": platform.platform(), **_versions()},
    }
    write_text(folder / RUN_FILE, yaml.safe_dump(content, sort_keys=False, allow_unicode=True))


def read_source(folder: Path) -> str | None:
    """The one source of the run in ``folder``; None where ``run.yaml`` does not tell."""
    try:
        content: Any = read_yaml(folder / RUN_FILE)
        sources = content["config"]["source"]
    except (UsageError, KeyError, TypeError):
        return None
    return str(sources[0]) if isinstance(sources, list) and len(sources) == 1 else None


def _versions() -> dict[str, str]:
    found = {}
    for package in ("perception", *_PACKAGES):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
