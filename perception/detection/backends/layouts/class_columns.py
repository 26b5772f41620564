"""Which of a network's classes are ours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from perception.arrays import FloatArray
from perception.errors import UsageError
from perception.taxonomy import CLASSES, COCO80_COLUMNS, label_of

CLASSES_KEY = "classes"
"""The key of a file's metadata that names its classes, with commas between them."""

_COCO_COUNT = 80


@dataclass(frozen=True)
class ClassColumns:
    """``of_class``: for each of ``CLASSES`` its columns among the network's class scores; none where it is unknown."""

    of_class: tuple[tuple[int, ...], ...]

    @property
    def known_labels(self) -> NDArray[np.bool_]:
        """(C,): the classes that the network can find."""
        return np.array([bool(columns) for columns in self.of_class])

    def select(self, scores: FloatArray) -> FloatArray:
        """(..., K) of the network's classes to (..., C) of ours, contiguous; 0 where the network has no such class."""
        selected = np.zeros((*scores.shape[:-1], len(CLASSES)), np.float32)
        for label, columns in enumerate(self.of_class):
            for column in columns:
                np.maximum(selected[..., label], scores[..., column], out=selected[..., label])
        return selected


def class_columns(path: Path, count: int | None, names: Sequence[str] | None, *, one_is: str = "") -> ClassColumns:
    """The columns of a network with ``count`` classes, None where the graph does not say how many.

    Without ``names`` 80 classes (or None) are COCO's, as many as ``CLASSES`` are these, and one alone is ``one_is``.
    Raises ``UsageError`` naming ``path`` where it cannot be known what the classes are, or none of them is ours.
    """
    if names is not None:
        if count not in (None, len(names)):
            raise UsageError(f"{path}: has {count} classes and names {len(names)}; correct its metadata {CLASSES_KEY}.")
        labels = [label_of(name) for name in names]
        found = tuple(tuple(i for i, label in enumerate(labels) if label == wanted) for wanted in range(len(CLASSES)))
        if not any(found):
            raise UsageError(f"{path}: finds {', '.join(names)}, none of {', '.join(CLASSES)}; give another network.")
        return ClassColumns(found)
    if count in (None, _COCO_COUNT):
        return ClassColumns(tuple((column,) for column in COCO80_COLUMNS))
    if count == len(CLASSES):
        return ClassColumns(tuple((label,) for label in range(count)))
    if count == 1 and one_is:
        return ClassColumns(tuple((0,) if name == one_is else () for name in CLASSES))
    raise UsageError(
        f"{path}: has {count} classes and does not name them; write their names into its metadata as "
        f"{CLASSES_KEY}, with commas between them."
    )
