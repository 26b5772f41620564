"""The file of pseudo-labels: predictions of other detectors for the training images, computed once.

It has a line of JSON for each image: ``image`` its name, ``objects`` with x1, y1, x2, y2 in pixels, the score in
0..1 and the number of the class in each row. Images are named as ``LabelledImage.name`` names them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from perception.arrays import FloatArray, IntArray
from perception.errors import UsageError
from perception.files import parse_json
from perception.safety.regular_files import read_regular_text
from perception.taxonomy import CLASSES
from perception.training.detector.dataset import LabelledImage
from perception.training.detector.distillation import completed

MIN_LABEL_SCORE, MIN_IGNORE_SCORE = 0.3, 0.1
"""A score from which a box is a label, and one below which there is nothing; in between the region is ignored."""

_COLUMNS = 6


def read_pseudo_labels(path: Path) -> dict[str, FloatArray]:
    """For each image by name (n, 6): box, score, label. Raises ``UsageError`` naming the file and the line."""
    found: dict[str, FloatArray] = {}
    try:
        lines = read_regular_text(path).splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read; give the file of pseudo-labels, or leave the key out.") from error
    for number, line in enumerate(lines, start=1):
        try:
            name, rows = parse_line(line)
            found[name] = rows
        except (KeyError, TypeError, ValueError) as error:
            raise UsageError(f"{path}: line {number} is no image with objects ({error}).") from error
    return found


def parse_line(line: str) -> tuple[str, FloatArray]:
    """An image's name and its rows (n, 6). Raises ``KeyError``, ``TypeError`` or ``ValueError`` for another line."""
    entry = parse_json(line)
    rows = np.array([row[:_COLUMNS] for row in entry["objects"]], np.float32).reshape(-1, _COLUMNS)
    return str(entry["image"]), _checked(rows)


def pseudo_label_line(name: str, boxes_xyxy_px: FloatArray, scores: FloatArray, labels: IntArray) -> str:
    """The line of an image with n objects: boxes to a hundredth of a pixel, scores to four digits."""
    objects = [
        [*(round(side, 2) for side in box), round(score, 4), label]
        for box, score, label in zip(boxes_xyxy_px.tolist(), scores.tolist(), labels.tolist(), strict=True)
    ]
    return json.dumps({"image": name, "objects": objects})


def complete_from_file(images: Iterable[LabelledImage], found: dict[str, FloatArray]) -> Iterator[LabelledImage]:
    """The images with the unlabelled classes; one that the file does not know stays as it is."""
    for image in images:
        rows = found.get(image.name)
        if rows is None or image.exhaustive.all():
            yield image
            continue
        rows = rows[rows[:, 4] >= MIN_IGNORE_SCORE]
        yield completed(image, rows[:, :4], rows[:, 5].astype(np.int64), rows[:, 4] >= MIN_LABEL_SCORE)


def _checked(rows: FloatArray) -> FloatArray:
    labels, scores = rows[:, 5], rows[:, 4]
    if not (np.isfinite(rows).all() and (rows[:, 2:4] >= rows[:, :2]).all() and ((scores >= 0) & (scores <= 1)).all()):
        raise ValueError("a row is no box with a score")
    if not np.isin(labels, np.arange(len(CLASSES))).all():
        raise ValueError("a row has no known class")
    return rows
