"""Training configurations from YAML files, with errors that name the key."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from perception.errors import UsageError, fault_of
from perception.files import read_yaml, write_text

ConfigT = TypeVar("ConfigT", bound=BaseModel)
CONFIG_NAME = "training.yaml"


def read_training_config(kind: type[ConfigT], path: Path, settings: Mapping[str, Any], **options: Any) -> ConfigT:
    """Read ``path``; what is given in ``settings`` and ``options`` and not None replaces the file's value there.

    Raises ``UsageError`` for an unreadable file, an unknown key or a bad value.
    """
    content = read_yaml(path)
    if not isinstance(content, dict):
        raise UsageError(f"{path}: expected a table of options.")
    return training_config(kind, content, settings, where=str(path), **options)


def training_config(
    kind: type[ConfigT], content: Mapping[str, Any], settings: Mapping[str, Any], *, where: str, **options: Any
) -> ConfigT:
    """The same from the ``content`` of a file, which errors call ``where``. Raises ``UsageError``."""
    content = dict(content)
    kept = content.get("settings") or {}
    if not isinstance(kept, dict):
        raise UsageError(f"{where}: settings: expected a table of options.")
    # What is not given is as this kind of training has it, not as the settings of any.
    usual = kind.model_fields["settings"].default.model_dump()
    content["settings"] = {**usual, **kept, **_given(settings)}
    content |= _given(options)
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        key = "".join(f"{part}." for part in first["loc"]).removesuffix(".")
        what = fault_of(first["msg"])
        raise UsageError(f"{where}: {key + ': ' if key else ''}{what}.") from error


def _given(options: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


def write_training_config(config: BaseModel, folder: Path) -> None:
    """Keep the whole configuration beside the checkpoint, so that a resumed training needs no other."""
    write_text(folder / CONFIG_NAME, yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False))
