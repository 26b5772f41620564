"""Ground truth of MOTChallenge folders: ``gt.txt`` of 7 to 10 columns, its class numbers and its rows to ignore.

Dendorfer et al., "MOTChallenge: A Benchmark for Single-Camera Multiple Target Tracking", IJCV 2021.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from perception.arrays import IntArray
from perception.errors import UsageError
from perception.safety.regular_files import read_regular_text
from perception.sources.files.csv_tables import CsvTable, read_csv
from perception.sources.files.lazy_frame import RecordedCamera
from perception.sources.files.recording import mot_size_px, open_mot
from perception.sources.truth.box_truth import BoxTruth, check_size, ignored_boxes, is_repeated, reject_past_end
from perception.taxonomy import CLASSES, MOTCHALLENGE_NAMES, PEDESTRIAN_LABEL, ignored_kind_of, label_of
from perception.types import BoxTable

LABELS_FILE = "labels.txt"

_COLUMNS = ("frame", "id", "x", "y", "w", "h", "conf", "class", "visibility", "z")
_FEWEST_COLUMNS = 7
_OWN_NAMES = dict(enumerate(CLASSES, start=1))


@dataclass(frozen=True)
class _Classes:
    """Of each row (M,) our label, -1 for none; and whether it is there to be ignored, as an object or as a region.

    ``of_number`` has the label of each class number, -1 for none, where the file has such numbers.
    """

    labels: IntArray
    is_object: NDArray[np.bool_]
    is_region: NDArray[np.bool_]
    notes: tuple[str, ...]
    is_known: bool = True
    of_number: Mapping[int, int] | None = None


def read_mot_truth(folder: Path) -> BoxTruth | None:
    """Boxes of a MOTChallenge folder, None without ``gt.txt``.

    Raises ``UsageError`` naming file, line and column, or where ``seqinfo.ini`` states another size than the frames
    have.
    """
    for path in (folder / "gt.txt", folder / "gt" / "gt.txt"):
        if path.is_file():
            camera = open_mot(folder, needs_pictures=False).cameras[0]
            stated_px = mot_size_px(folder)
            if stated_px is not None:
                check_size(folder / "seqinfo.ini", camera.name, stated_px=stated_px, real_px=camera.size_px)
            return read_mot_file(path, folder, camera)
    return None


def read_mot_file(path: Path, folder: Path, camera: RecordedCamera) -> BoxTruth:
    """The rows of ``path`` in the frames of ``camera``; see ``dataset_formats.read_truth``.

    Raises ``UsageError`` naming file, line and column.
    """
    table = read_csv(path, required=_COLUMNS[:_FEWEST_COLUMNS], optional=_COLUMNS[_FEWEST_COLUMNS:], header=False)
    frames = table.integers("frame")
    table.reject(frames < 1, "frame", "frames count from 1")
    reject_past_end(table, frames > camera.length, "frame", camera)
    ids = table.integers("id")
    x, y, width, height = (table.numbers(column) for column in ("x", "y", "w", "h"))
    table.reject(width <= 0, "w", "a width must be positive")
    table.reject(height <= 0, "h", "a height must be positive")
    classes = _classes(table, folder)
    is_unmarked = table.numbers("conf") == 0
    is_region = (classes.is_region | is_unmarked) & ~classes.is_object
    is_ignored = classes.is_object | is_region
    counts = ~is_ignored & (classes.labels >= 0)
    repeated = np.zeros(len(table), bool)
    repeated[counts] = is_repeated(np.stack([frames, ids], axis=1)[counts])
    table.reject(repeated, "id", "occurs twice in this frame")
    boxes_xyxy_px = np.stack([x, y, x + width, y + height], axis=1)
    cameras = np.full(len(table), camera.name)
    shares = _visible_shares(table)
    return BoxTruth(
        BoxTable(
            frame_indices=frames[counts] - 1,
            ids=ids[counts],
            labels=classes.labels[counts],
            scores=np.ones(int(counts.sum())),
            boxes_xyxy_px=boxes_xyxy_px[counts],
            cameras=cameras[counts],
            visible_shares=None if shares is None else shares[counts],
        ),
        ignored_boxes(
            frames[is_ignored] - 1, boxes_xyxy_px[is_ignored], cameras[is_ignored], classes.is_object[is_ignored]
        ),
        classes.notes,
        classes.is_known,
        classes.of_number,
    )


def _classes(table: CsvTable, folder: Path) -> _Classes:
    nothing = np.zeros(len(table), bool)
    if not _has_classes(table):
        note = (
            f"{table.path}: says nothing of classes; all count as one. Name them in a column class and {LABELS_FILE}."
        )
        return _Classes(np.full(len(table), PEDESTRIAN_LABEL), nothing, nothing, (note,), is_known=False)
    numbers = table.integers("class")
    names, origin = _names(table.path, folder, numbers)
    table.reject(~np.isin(numbers, list(names)), "class", f"unknown class, expected 1..{max(names, default=0)}")
    kinds = {number: ignored_kind_of(name) for number, name in names.items()}
    labels = {number: label for number, name in names.items() if (label := label_of(name)) is not None}
    found = np.array([labels.get(number, -1) for number in numbers.tolist()], np.int64)
    is_object = np.isin(numbers, [number for number, kind in kinds.items() if kind == "object"])
    is_region = np.isin(numbers, [number for number, kind in kinds.items() if kind == "region"])
    present = np.unique(numbers).tolist()
    meanings = ", ".join(f"{number} {names[number]}" for number in present)
    notes = [f"{table.path}: class numbers are {origin}: {meanings}."] if present else []
    others = numbers[(found < 0) & ~is_object & ~is_region]
    if len(others):
        counted = ", ".join(f"{(others == number).sum()} {names[number]}" for number in np.unique(others).tolist())
        notes.append(f"{table.path}: ground truth of other classes is left out: {counted}.")
    of_number = {number: labels.get(number, -1) for number in names}
    return _Classes(found, is_object, is_region, tuple(notes), of_number=of_number)


def _has_classes(table: CsvTable) -> bool:
    """Files of 2015 have positions in metres, or -1, where later ones have class and visibility."""
    if "class" not in table.columns:
        return False
    numbers = table.numbers("class")
    return not len(numbers) or bool((numbers != -1).any() and (numbers == np.round(numbers)).all())


def _names(path: Path, folder: Path, numbers: IntArray) -> tuple[Mapping[int, str], str]:
    """The name of each class number, and in words whose numbers they are.

    A ``labels.txt`` counts first. MOTChallenge itself keeps ``gt.txt`` in ``gt/``; one that lies beside
    ``seqinfo.ini`` has the numbers of our own ``tracks.txt``, unless they go beyond them.
    """
    for labels_path in (path.parent / LABELS_FILE, folder / LABELS_FILE):
        if labels_path.is_file():
            return _listed_names(labels_path), f"those of {LABELS_FILE}"
    if path.parent != folder or (numbers > len(CLASSES)).any():
        return MOTCHALLENGE_NAMES, f"MOTChallenge's, as there is no {LABELS_FILE}"
    return _OWN_NAMES, f"those of tracks.txt, as there is neither {LABELS_FILE} nor a folder gt/"


def _listed_names(path: Path) -> dict[int, str]:
    try:
        lines = read_regular_text(path, encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read as text ({error}); write one class a line.") from error
    return {number: line.strip() for number, line in enumerate(lines, start=1) if line.strip()}


def _visible_shares(table: CsvTable) -> NDArray[np.float64] | None:
    """(M,) in 0..1; None where no column says it, or all are 1, as they are in files that do not know it."""
    if "visibility" not in table.columns:
        return None
    shares = table.numbers("visibility")
    is_share = ((shares >= 0) & (shares <= 1)).all()
    return shares if is_share and (shares != 1).any() else None
