"""Pictures of the worst failures, made while the frames are read once more."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from perception.errors import counted
from perception.evaluation.core.table_boxes import ImageKey, heights_px
from perception.evaluation.detection.matching import IOU_THRESHOLD
from perception.evaluation.failures.rank import Failures
from perception.files import atomic_write
from perception.geometry.boxes import pairwise_iou
from perception.taxonomy import CLASSES
from perception.types import BoxTable, Frame
from perception.visualization.failure_pictures import FailureView, draw_failure, draw_sheet, draw_tile, jpeg_bytes

FOLDER = "failures"
"""Where the pictures lie in the run's folder."""

MISSES_SHEET, FALSE_ALARMS_SHEET = f"{FOLDER}/misses.jpg", f"{FOLDER}/false-alarms.jpg"
MAX_TILES = 12

NEARBY_IOU = 0.1
"""From this overlap on another box is worth reporting."""


@dataclass(frozen=True)
class ImageLocation:
    """Which picture it is: for file names, and in words."""

    name: str
    words: str

    @classmethod
    def of(cls, key: ImageKey, file_names: Mapping[ImageKey, str]) -> ImageLocation:
        """An image by the name of its file where it has one, else a frame of a camera."""
        camera, frame = key
        if key in file_names:
            return cls(Path(file_names[key]).stem, file_names[key])
        return cls(f"{camera}-{frame:06d}", f"{camera}, frame {frame}")


@dataclass(frozen=True)
class FailureEntry:
    """One picture: its file in the run's folder, what it shows, and where that is; ``score`` is None for a miss."""

    file: str
    kind: Literal["miss", "false positive"]
    class_name: str
    score: float | None
    height_px: float
    camera: str
    frame_index: int
    box_xyxy_px: tuple[float, ...]


@dataclass(frozen=True)
class Gallery:
    """``files`` are the contents of the pictures by their paths in the run's folder, ``entries`` describe those that
    are no contact sheets; ``brightness`` (0..1) is the mean of each frame, ``sizes_px`` its width and height."""

    entries: tuple[FailureEntry, ...]
    files: dict[str, bytes]
    brightness: dict[ImageKey, float]
    sizes_px: dict[ImageKey, tuple[int, int]]

    def write(self, folder: Path) -> None:
        """Write the pictures into the run's ``folder``, each whole or not at all.

        Raises ``PerceptionError`` where that cannot be done.
        """
        for name, content in self.files.items():
            with atomic_write(folder / name) as path:
                path.write_bytes(content)


@dataclass
class _Pages:
    """The failures of one kind, the worst first, and the tiles of their contact sheet by rank."""

    subjects: BoxTable
    is_miss: bool
    total: int
    entries: list[FailureEntry]
    tiles: dict[int, NDArray[np.uint8]] = field(default_factory=dict)

    def ranks_in(self, key: ImageKey) -> list[int]:
        here = (self.subjects.cameras == key[0]) & (self.subjects.frame_indices == key[1])
        ranks: list[int] = np.flatnonzero(here).tolist()
        return ranks

    def title(self) -> str:
        shown = len(self.tiles)
        if self.is_miss:
            return f"Missed: the {shown} easiest to see of {counted(self.total, 'miss')}"
        return f"False positives: the {shown} highest-scoring of {self.total:,}"


def make_gallery(
    frames: Iterable[Frame],
    failures: Failures,
    *,
    truth: BoxTable,
    detections: BoxTable,
    score_threshold: float,
    file_names: Mapping[ImageKey, str] | None = None,
) -> Gallery:
    """Draw ``failures`` into the ``frames`` that they lie in.

    ``truth`` and ``detections`` are all boxes; drawn are the true ones and the detections from ``score_threshold`` on.
    ``file_names`` are those of single images.
    """
    names = file_names or {}
    both = (
        _pages(failures.misses, True, failures.miss_count, names),
        _pages(failures.false_alarms, False, failures.false_alarm_count, names),
    )
    files: dict[str, bytes] = {}
    brightness: dict[ImageKey, float] = {}
    sizes_px: dict[ImageKey, tuple[int, int]] = {}
    for frame in frames:
        key = (frame.camera, frame.index)
        brightness[key], sizes_px[key] = mean_brightness(frame.image), frame.size_px
        for pages in both:
            for rank in pages.ranks_in(key):
                view, closest = _view(frame, pages, rank, truth, detections, score_threshold)
                words = ImageLocation.of(key, names).words
                caption = (f"{_headline(pages, rank)}  |  {words}", closest)
                files[pages.entries[rank].file] = jpeg_bytes(draw_failure(view, caption))
                if rank < MAX_TILES:
                    pages.tiles[rank] = draw_tile(
                        view, f"{rank + 1}  {_short(view.subject, pages.is_miss)}  |  {words}"
                    )
    for pages, sheet in zip(both, (MISSES_SHEET, FALSE_ALARMS_SHEET), strict=True):
        if pages.tiles:
            tiles = [tile for _, tile in sorted(pages.tiles.items())]
            files[sheet] = jpeg_bytes(draw_sheet(tiles, pages.title()))
    entries = [entry for pages in both for entry in pages.entries if entry.file in files]
    return Gallery(tuple(entries), files, brightness, sizes_px)


def mean_brightness(image: NDArray[np.uint8]) -> float:
    """The mean of all channels of RGB (H, W, 3) over 255, from every fourth pixel each way."""
    return float(image[::4, ::4].mean() / 255)


def _pages(subjects: BoxTable, is_miss: bool, total: int, names: Mapping[ImageKey, str]) -> _Pages:
    digits = max(2, len(str(len(subjects))))
    heights = heights_px(subjects.boxes_xyxy_px).tolist()
    entries = []
    for rank, height_px in enumerate(heights):
        key = (str(subjects.cameras[rank]), int(subjects.frame_indices[rank]))
        class_name = CLASSES[subjects.labels[rank]]
        score = None if is_miss else round(float(subjects.scores[rank]), 4)
        parts = ["miss" if is_miss else "false", f"{rank + 1:0{digits}d}", class_name]
        parts += [] if score is None else [f"{score:.2f}"]
        entries.append(
            FailureEntry(
                file=f"{FOLDER}/{'-'.join(parts)}-{_safe(ImageLocation.of(key, names).name)}.jpg",
                kind="miss" if is_miss else "false positive",
                class_name=class_name,
                score=score,
                height_px=round(height_px, 2),
                camera=key[0],
                frame_index=key[1],
                box_xyxy_px=tuple(np.round(subjects.boxes_xyxy_px[rank].astype(np.float64), 2).tolist()),
            )
        )
    return _Pages(subjects, is_miss, total, entries)


def _view(
    frame: Frame, pages: _Pages, rank: int, truth: BoxTable, detections: BoxTable, score_threshold: float
) -> tuple[FailureView, str]:
    """What to draw of a failure, and a sentence on the box of the other kind that is closest to it."""
    subject = pages.subjects[rank]
    true_here, found_here = _in_frame(truth, frame), _in_frame(detections, frame)
    counts = found_here.scores >= score_threshold
    if pages.is_miss:
        closest, iou = _closest(subject, found_here)
        sentence = "Nothing was detected there."
        if closest is not None:
            name = _short(found_here[closest], False, has_height=False)
            weak = "" if counts[closest] else f", below the score of {score_threshold:g} from which it counts"
            sentence = f"Closest detection: {name}, overlap (IoU) {iou:.2f}{weak}."
        # One that is too weak to count shows how near the detector was.
        shown = found_here[counts | (np.arange(len(found_here)) == closest)]
        return FailureView(
            image=frame.image,
            subject=subject,
            is_miss=True,
            truth=_without(true_here, subject),
            detections=shown,
            score_threshold=score_threshold,
        ), sentence
    closest, iou = _closest(subject, true_here)
    sentence = "No true object is there."
    if closest is not None:
        sentence = f"Closest true object: {_short(true_here[closest], True)}, overlap (IoU) {iou:.2f}."
    shown = _without(found_here[counts], subject)
    return FailureView(
        image=frame.image,
        subject=subject,
        is_miss=False,
        truth=true_here,
        detections=shown,
        score_threshold=score_threshold,
    ), sentence


def _closest(subject: BoxTable, others: BoxTable) -> tuple[int | None, float]:
    """The row of ``others`` that could best have been ``subject``, and its IoU: by overlap, then score, then
    distance."""
    iou = pairwise_iou(subject.boxes_xyxy_px, others.boxes_xyxy_px)[0]
    if iou.max(initial=0.0) < NEARBY_IOU:
        return None, 0.0
    candidates = np.flatnonzero(iou >= NEARBY_IOU)
    own, scores = iou[candidates], others.scores[candidates]
    best = int(candidates[np.lexsort((own, scores, own >= IOU_THRESHOLD))[-1]])
    return best, float(iou[best])


def _without(table: BoxTable, subject: BoxTable) -> BoxTable:
    """The rows of ``table`` that are not ``subject``."""
    is_other = (table.boxes_xyxy_px != subject.boxes_xyxy_px).any(axis=1) | (table.labels != subject.labels)
    return table[is_other]


def _in_frame(table: BoxTable, frame: Frame) -> BoxTable:
    return table[(table.frame_indices == frame.index) & (table.cameras == frame.camera)]


def _headline(pages: _Pages, rank: int) -> str:
    """Such as "Miss 1 of 24: car, 45 px high, 80 % visible"."""
    subject = pages.subjects[rank]
    kind = "Miss" if pages.is_miss else "False positive"
    shares = subject.visible_shares
    seen = "" if shares is None or not pages.is_miss else f", {shares[0]:.0%} visible"
    return f"{kind} {rank + 1} of {pages.total:,}: {_short(subject, pages.is_miss)}{seen}"


def _short(box: BoxTable, is_true: bool, *, has_height: bool = True) -> str:
    """Class, score of a detection, height: "bus 0.87, 45 px high"."""
    score = "" if is_true else f" {box.scores[0]:.2f}"
    height = f", {heights_px(box.boxes_xyxy_px)[0]:.0f} px high" if has_height else ""
    return f"{CLASSES[box.labels[0]]}{score}{height}"


def _safe(name: str) -> str:
    """What may stand in a file name."""
    return re.sub(r"[^\w.-]+", "-", name).strip("-.")[:80] or "image"
