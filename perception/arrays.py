"""Arrays with a checked shape, and structs of them."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.floating[Any]]
IntArray = NDArray[np.integer[Any]]


class Column(Protocol):
    """An array (N,) of which slices are read: in memory, or in a file until then."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: slice, /) -> Any: ...


SelfStruct = TypeVar("SelfStruct", bound="StructOfArrays")


def check_array(name: str, value: object, shape: tuple[int | str, ...], kind: str) -> None:
    """Raise when ``value`` is not an array of ``shape`` (names stand for any size) and dtype ``kind``."""
    expected = "(" + ", ".join(str(size) for size in shape) + ")"
    if not isinstance(value, np.ndarray):
        raise TypeError(f"{name}: expected an array of shape {expected}, got {type(value).__name__}")
    sizes_match = value.ndim == len(shape) and all(
        isinstance(want, str) or want == got for want, got in zip(shape, value.shape, strict=True)
    )
    if not sizes_match:
        raise ValueError(f"{name}: expected shape {expected}, got {value.shape}")
    if value.dtype.kind not in kind:
        raise ValueError(f"{name}: expected dtype kind {kind!r}, got {value.dtype}")
    if value.dtype.kind == "f" and not np.isfinite(value).all():
        raise ValueError(f"{name}: expected finite numbers, got NaN or infinity")


class StructOfArrays:
    """Objects as columns. Fields that are arrays share their first axis; the rest holds for all objects."""

    def __len__(self) -> int:
        for column in fields(self):  # type: ignore[arg-type]
            value = getattr(self, column.name)
            if isinstance(value, np.ndarray):
                return len(value)
        raise TypeError(f"{type(self).__name__} has no array field")

    def __getitem__(self: SelfStruct, index: Any) -> SelfStruct:
        """Select objects by mask, integer array, slice, or one integer (which keeps the first axis)."""
        if isinstance(index, (int, np.integer)):
            index = [int(index)]
        columns = {
            column.name: value[index]
            for column in fields(self)  # type: ignore[arg-type]
            if isinstance(value := getattr(self, column.name), np.ndarray)
        }
        return replace(self, **columns)  # type: ignore[type-var]
