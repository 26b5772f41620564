"""COCO's results: a list of objects with ``image_id``, ``category_id``, ``bbox`` (x, y, width, height), ``score``."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from perception.arrays import IntArray
from perception.errors import UsageError
from perception.files import read_json, write_json, write_text
from perception.results.formats.pictures import Picture, PictureIndex
from perception.results.formats.predictions import UNKNOWN_CLASS, BoxRows, Predictions, labels_of_names
from perception.results.formats.text_rows import json_start
from perception.safety.input_limits import MAX_NUMBER
from perception.taxonomy import CLASSES, COCO91_IDS, LABEL_OF_COCO91
from perception.types import BoxTable

_KEYS = ("image_id", "category_id", "bbox")


def is_coco_results(path: Path) -> bool:
    """Whether a file begins as a list of COCO's results, or as an object with one."""
    start = json_start(path)
    return start == "[]" or all(f'"{key}"' in start for key in _KEYS)


def read_coco_results(path: Path, pictures: PictureIndex) -> Predictions:
    """Detections. Raises ``UsageError`` naming the record that is wrong."""
    records, categories = _parts(read_json(path))
    boxes, scores, numbers = np.zeros((len(records), 4)), np.ones(len(records)), np.zeros(len(records), np.int64)
    pictures_of: list[Any] = []
    for row, record in enumerate(records):
        try:
            boxes[row], scores[row] = record["bbox"], record.get("score", 1.0)
            numbers[row] = int(record["category_id"])
            pictures_of.append(record["image_id"])
            can_be = (np.abs(boxes[row]) <= MAX_NUMBER).all()
            is_right = can_be and (boxes[row, 2:] >= 0).all() and 0 <= scores[row] <= 1
        except (KeyError, TypeError, ValueError, OverflowError):
            is_right = False
        if not is_right:
            raise UsageError(
                f"{path}: record {row} has a wrong image_id, bbox, score or category_id; give x, y, width, height and "
                "a score from 0 to 1."
            )
    boxes[:, 2:] += boxes[:, :2]
    labels, others = _labels(path, numbers, _names(records, numbers, categories), pictures)
    table, notes = BoxRows(
        places=pictures.of_ids(pictures_of),
        boxes_xyxy_px=boxes,
        scores=scores,
        labels=labels,
        ids=np.full(len(records), -1, np.int64),
        other_classes=others,
    ).table(path)
    return Predictions(detections=table, notes=notes)


def write_coco_results(path: Path, table: BoxTable, ids: Mapping[Picture, object]) -> None:
    """Write the boxes of pictures with ``ids`` as results, with COCO's category ids and our names."""
    records = [
        {**record, "category_name": CLASSES[label], "score": round(score, 6)}
        for record, label, score in zip(_records(table, ids), table.labels.tolist(), table.scores.tolist(), strict=True)
    ]
    write_text(path, "[\n" + ",\n".join(json.dumps(record) for record in records) + "\n]\n")


def write_coco_labels(
    path: Path,
    table: BoxTable,
    *,
    ids: Mapping[Picture, object],
    stems: Mapping[Picture, str],
    sizes_px: Mapping[Picture, tuple[int, int]],
) -> None:
    """Write the boxes as a file of labels, with all pictures of ``stems`` and the size of those that have one."""
    images = [
        {
            "id": ids[picture],
            "file_name": f"{stem}.jpg",
            **dict(zip(("width", "height"), sizes_px.get(picture, ()), strict=False)),
        }
        for picture, stem in stems.items()
    ]
    annotations = [
        {"id": number, **record, "area": record["bbox"][2] * record["bbox"][3], "iscrowd": 0}
        for number, record in enumerate(_records(table, ids), start=1)
    ]
    categories = [{"id": number, "name": CLASSES[label]} for number, label in sorted(LABEL_OF_COCO91.items())]
    write_json(path, {"images": images, "annotations": annotations, "categories": categories})


def _records(table: BoxTable, ids: Mapping[Picture, object]) -> list[dict[str, Any]]:
    corners = np.round(table.boxes_xyxy_px, 4)
    boxes = np.round(np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1), 4).tolist()
    rows = zip(table.cameras.tolist(), table.frame_indices.tolist(), table.labels.tolist(), boxes, strict=True)
    return [
        {"image_id": ids[camera, frame], "category_id": COCO91_IDS[label], "bbox": box}
        for camera, frame, label, box in rows
    ]


def _parts(content: Any) -> tuple[Any, list[Any] | None]:
    """The records, and the categories where the file names them."""
    if isinstance(content, dict):
        return content.get("annotations"), content.get("categories")
    return content, None


def _names(records: list[Any], numbers: IntArray, categories: list[Any] | None) -> list[str] | None:
    """The name of each record's class, from the file's categories or its own; None where the file has no names."""
    if categories is not None:
        names = {int(category["id"]): str(category["name"]) for category in categories}
        return [names.get(number, f"category {number}") for number in numbers.tolist()]
    own = [record.get("category_name") for record in records]
    return own if own and all(isinstance(name, str) for name in own) else None


def _labels(
    path: Path, numbers: IntArray, names: list[str] | None, pictures: PictureIndex
) -> tuple[IntArray, Counter[str]]:
    """By the file's own names, else by the truth's categories, else in the order of ``CLASSES`` from 1."""
    if names is not None:
        return labels_of_names(names)
    known = pictures.labels or {label + 1: label for label in range(len(CLASSES))}
    is_unknown = ~np.isin(numbers, list(known))
    if is_unknown.any():
        raise UsageError(
            f"{path}: record {int(np.argmax(is_unknown))} has category {numbers[is_unknown][0]}, which the truth does "
            f"not have; give {', '.join(map(str, sorted(known)))}."
        )
    labels = np.array([known[number] for number in numbers.tolist()], np.int64)
    return labels, Counter(f"category {number}" for number in numbers[labels == UNKNOWN_CLASS].tolist())
