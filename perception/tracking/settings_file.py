"""Settings of a tracker from a YAML file, which holds only those that differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from perception.errors import UsageError, fault_of, meant
from perception.files import read_yaml
from perception.protocols import Detector
from perception.tracking.common.settings import SettingsT

_FIELD = "tracker_config"

# They say how a run looks at its cameras, which the pipeline must know too.
_ELSEWHERE = ("detect_interval",)


@dataclass(frozen=True)
class SettingsFile:
    """The settings that the file at ``path`` changes; none without a path."""

    path: Path | None = None
    changed: Mapping[str, Any] | None = None

    @classmethod
    def read(cls, path: Path | None) -> SettingsFile:
        """Raises ``UsageError`` naming the file where it cannot be read or has no keys."""
        if path is None:
            return cls()
        content = read_yaml(path)
        if content is not None and not isinstance(content, dict):
            raise UsageError(
                "expected lines of the form 'max_unseen_s: 2'; correct the file.", field=_FIELD, value=path
            )
        changed = {str(key): value for key, value in (content or {}).items()}
        for name in _ELSEWHERE:
            if name in changed:
                raise UsageError(f"{name} is no setting here; give it as `{name}`.", field=_FIELD, value=path)
        return cls(path, changed)

    def settings(self, kind: type[SettingsT], detector: Detector, *, detect_interval: int) -> SettingsT:
        """Those of ``kind`` that suit ``detector``, with what the file changes.

        Raises ``UsageError`` naming the file and the key that is unknown or has a bad value.
        """
        try:
            return kind.for_detector(detector, detect_interval=detect_interval, changed=self.changed)
        except ValidationError as error:
            if self.path is None:
                raise
            raise _fault(error, kind, self.path) from error

    @property
    def remark(self) -> str:
        """A sentence on what the file changes, as " Settings from FILE: max_unseen_s 2."; "" where that is nothing."""
        if not self.changed:
            return ""
        listed = ", ".join(f"{key} {value}" for key, value in _flat(self.changed).items())
        return f" Settings from {self.path}: {listed}."


def _flat(changed: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """``{"noise": {"a": 1}}`` -> ``{"noise.a": 1}``"""
    flat: dict[str, Any] = {}
    for key, value in changed.items():
        flat |= _flat(value, f"{above}{key}.") if isinstance(value, dict) else {f"{above}{key}": value}
    return flat


def _fault(error: ValidationError, kind: type[BaseModel], path: Path) -> UsageError:
    fault = error.errors()[0]
    key = ".".join(map(str, fault["loc"]))
    reason = fault_of(fault["msg"])
    if fault["type"] == "extra_forbidden":
        text = f"unknown key {key}; {meant(str(fault['loc'][-1]), _names(kind, fault['loc'][:-1]))}."
    elif fault["type"] == "model_type":
        text = f"{key}: expected keys of its own, one in each line below it; correct the file."
    elif key:
        text = f"{key} {fault['input']}: {reason}; correct it."
    else:
        text = f"{reason}; correct one of them."
    return UsageError(text, field=_FIELD, value=path)


def _names(kind: type[BaseModel], above: Sequence[int | str]) -> list[str]:
    """The keys below the keys ``above``, but those that are given elsewhere."""
    for key in above:
        inner = kind.model_fields[str(key)].annotation
        if not isinstance(inner, type) or not issubclass(inner, BaseModel):
            return []
        kind = inner
    return [name for name in kind.model_fields if name not in _ELSEWHERE]
