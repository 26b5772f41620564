"""Which of a network's classes are ours."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perception.arrays import FloatArray
from perception.class_names import ClassMap
from perception.errors import UsageError, counted
from perception.taxonomy import CLASSES, COCO80_COLUMNS, LABEL_OF_COCO91

_COCO_COUNT = 80
_COCO_IDS = 91
"""Networks with a column for each of COCO's category ids have these, 0 and the ids without a category included."""


@dataclass(frozen=True)
class ClassColumns:
    """``of_class``: for each of ``CLASSES`` its columns among the network's class scores; none where it is unknown.

    ``description`` says in a sentence what named classes stand for; empty where they are COCO's.
    """

    of_class: tuple[tuple[int, ...], ...]
    description: str = ""

    @property
    def known_labels(self) -> NDArray[np.bool_]:
        """(C,): the classes that the network can find."""
        return np.array([bool(columns) for columns in self.of_class])

    def select_labels(self, labels: NDArray[Any], scores: FloatArray) -> FloatArray:
        """(..., C): the ``scores`` (...) of objects at the class that the network's ``labels`` (...) stand for."""
        is_of_class = np.stack([np.isin(labels, columns) for columns in self.of_class], axis=-1)
        return np.where(is_of_class, scores[..., None], 0).astype(np.float32)

    def select(self, scores: FloatArray) -> FloatArray:
        """(..., K) of the network's classes to (..., C) of ours, contiguous; 0 where the network has no such class."""
        selected = np.zeros((*scores.shape[:-1], len(CLASSES)), np.float32)
        for label, columns in enumerate(self.of_class):
            for column in columns:
                np.maximum(selected[..., label], scores[..., column], out=selected[..., label])
        return selected


def may_be_classes(count: int, classes: ClassMap) -> bool:
    """Whether a network may have ``count`` classes: as many as are named, or where none is, as many as COCO has."""
    return count == len(classes.names) if classes.names is not None else count in (_COCO_COUNT, _COCO_IDS)


def class_columns(path: Path, title: str, count: int | None, classes: ClassMap, *, one_is: str = "") -> ClassColumns:
    """The columns of a network of the layout ``title`` with ``count`` classes, None where the graph does not say.

    Without names 80 classes (or None) are COCO's, 91 its category ids, and one alone is ``one_is``. Raises
    ``UsageError`` naming ``path`` where it cannot be known what the classes are, or none of them is ours.
    """
    if classes.names is not None:
        return _named(path, title, count, classes)
    if classes.labels and count not in (None, _COCO_COUNT, _COCO_IDS):
        raise UsageError(
            f"{path}: is of the layout {title} with {counted(count or 0, 'class')}; `class_map` must list their names."
        )
    if count in (None, _COCO_COUNT):
        return ClassColumns(tuple((column,) for column in COCO80_COLUMNS))
    if count == _COCO_IDS:
        category_of = {label: category for category, label in LABEL_OF_COCO91.items()}
        return ClassColumns(tuple((category_of[label],) for label in range(len(CLASSES))))
    if count == 1 and one_is:
        return ClassColumns(tuple((0,) if name == one_is else () for name in CLASSES))
    raise UsageError(
        f"{path}: is of the layout {title} with {counted(count or 0, 'class')} and does not "
        "name them; list their names in a file "
        "for `class_map`, or in its metadata as names, with commas between them."
    )


def _named(path: Path, title: str, count: int | None, classes: ClassMap) -> ClassColumns:
    names = classes.names or ()
    if count not in (None, len(names)):
        raise UsageError(
            f"{path}: is of the layout {title} with {counted(count or 0, 'class')}, and "
            f"{len(names)} are named; correct the names."
        )
    stands_for = classes.stands_for
    found = tuple(tuple(i for i, ours in enumerate(stands_for) if ours == wanted) for wanted in CLASSES)
    if not any(found):
        raise UsageError(
            f"{path}: finds {', '.join(names[:20])}, none of {', '.join(CLASSES)}; say in a file for `class_map` which "
            "of them they stand for."
        )
    return ClassColumns(found, classes.description)
