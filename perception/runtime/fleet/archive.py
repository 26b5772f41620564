"""Counts of a recording in one file: a tree of dataclasses whose arrays are read when they are needed.

A safetensors file whose metadata hold the tree as JSON and the digest of all. It can hold nothing that runs.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from perception.arrays import Column
from perception.errors import UsageError
from perception.files import atomic_write, parse_json

_PACKAGE = "perception."
_LARGE = 1000
"""Columns of more numbers stay in the file until they are read."""


@dataclass(frozen=True)
class StoredArray:
    """An array in a file, of which slices are read."""

    path: Path
    name: str
    length: int

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, rows: slice) -> NDArray[Any]:
        start, end, _ = rows.indices(self.length)
        with safe_open(self.path, framework="numpy") as stored:
            if start >= end:  # a slice that safetensors does not know
                return np.asarray(stored.get_tensor(self.name))[:0]
            return np.asarray(stored.get_slice(self.name)[start:end])


def save_tree(path: Path, value: Any) -> None:
    """Write ``value``: dataclasses of this package, tuples, mappings by text, arrays, text, numbers, None.

    Raises ``PerceptionError`` where it cannot be written, ``TypeError`` for anything else.
    """
    arrays: dict[str, NDArray[Any]] = {}
    tree = json.dumps(_encoded(value, arrays))
    with atomic_write(path) as temporary:
        save_file(arrays, temporary, metadata={"tree": tree, "sha256": _digest(tree, arrays)})


def load_tree(path: Path) -> Any:
    """What ``save_tree`` wrote. Raises ``UsageError`` where the file is damaged or none of these."""
    try:
        with safe_open(path, framework="numpy") as stored:
            metadata = stored.metadata() or {}
            arrays = {name: stored.get_tensor(name) for name in sorted(stored.keys(), key=int)}
        if _digest(metadata["tree"], arrays) != metadata["sha256"]:
            raise ValueError("its content is not what was written")
        return _decoded(parse_json(metadata["tree"]), arrays, path)
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, AttributeError, ImportError) as error:
        raise UsageError(f"{path}: is damaged ({error}); delete it.") from error


def _digest(tree: str, arrays: Mapping[str, NDArray[Any]]) -> str:
    digest = hashlib.sha256(tree.encode())
    for array in arrays.values():
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _encoded(value: Any, arrays: dict[str, NDArray[Any]]) -> Any:
    if isinstance(value, StoredArray):
        return _encoded(value[:], arrays)
    if is_dataclass(value) and not isinstance(value, type):
        kind = type(value)
        content = {one.name: _encoded(getattr(value, one.name), arrays) for one in fields(value)}
        return {"class": f"{kind.__module__}:{kind.__qualname__}", "fields": content}
    if isinstance(value, np.ndarray):
        name = str(len(arrays))
        arrays[name] = np.ascontiguousarray(value)
        return {"array": name}
    if isinstance(value, Mapping):
        return {"mapping": {str(key): _encoded(item, arrays) for key, item in value.items()}}
    if isinstance(value, tuple | list):
        return [_encoded(item, arrays) for item in value]
    if isinstance(value, np.generic):
        return _encoded(value.item(), arrays)
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": str(value)}  # no number of JSON
    if value is None or isinstance(value, str | int | float):
        return value
    raise TypeError(f"value: expected plain values, arrays or dataclasses, got {type(value).__name__}")


def _decoded(value: Any, arrays: Mapping[str, NDArray[Any]], path: Path, *, is_column: bool = False) -> Any:
    if isinstance(value, list):
        return tuple(_decoded(item, arrays, path) for item in value)
    if not isinstance(value, dict):
        return value
    if "float" in value:
        return float(value["float"])
    if "array" in value:
        array = arrays[value["array"]]
        return StoredArray(path, value["array"], len(array)) if is_column and array.size > _LARGE else array
    if "mapping" in value:
        return {key: _decoded(item, arrays, path) for key, item in value["mapping"].items()}
    module, _, name = value["class"].partition(":")
    kind = getattr(import_module(module), name) if module.startswith(_PACKAGE) else None
    if not (isinstance(kind, type) and is_dataclass(kind)):
        raise ValueError(f"{value['class']} is no dataclass of this package")
    columns = {one.name for one in fields(kind) if one.type in ("Column", Column)}
    return kind(
        **{key: _decoded(item, arrays, path, is_column=key in columns) for key, item in value["fields"].items()}
    )
